// Doing to a blob what an entry of the journal says. FORMAT.md §6. It may be done again and again.

import type { Layout } from '../format/layout.js'
import { NO_CUT } from '../format/journal.js'
import { RECORD_OVERHEAD, slotOffset } from '../format/constants.js'
import type { Backing } from '../store/backing.js'

/** A record and where it lies in the bytes of the journal. */
export interface PlacedRecord {
  index: number
  /** plaintext bytes */
  length: number
  at: number
}

export interface Redo {
  /** in ascending order of their indices */
  records: readonly PlacedRecord[]
  /** no record from this index on is left but those above, or NO_CUT */
  cut: number
  eraseFrom: number
  eraseTo: number
  slot: 0 | 1
  /** 448 bytes */
  seal: Uint8Array
}

/**
 * Records first, over the blocks that are there already, so that no room is needed; then the end of
 * the blob, then its seal.
 */
export function redo(
  backing: Backing,
  layout: Layout,
  fd: number,
  bytes: Uint8Array,
  { records, cut, eraseFrom, eraseTo, slot, seal }: Redo,
): void {
  let next = cut
  for (const { index, length, at } of records) {
    // what lay between is gone: the blob is cut there, and what follows leaves a hole
    if (index > next) backing.truncate(fd, layout.recordOffset(next))
    backing.write(fd, bytes, at, length + RECORD_OVERHEAD, layout.recordOffset(index))
    if (index >= cut) next = index + 1
  }
  const last = records.at(-1)
  if (cut !== NO_CUT) {
    const end =
      last === undefined || last.index < cut ? layout.recordOffset(cut) : endOf(layout, last)
    backing.truncate(fd, end)
  }
  if (eraseFrom < eraseTo) {
    const start = layout.recordOffset(eraseFrom)
    backing.punch(fd, start, layout.recordOffset(eraseTo) - start)
  }
  backing.write(fd, seal, 0, seal.length, slotOffset(slot))
}

const endOf = (layout: Layout, { index, length }: PlacedRecord): number =>
  layout.recordOffset(index) + length + RECORD_OVERHEAD
