// Doing to a blob what an entry of the journal says. FORMAT.md §6. It may be done again and again.

import type { Layout } from '../format/layout.js'
import { NO_CUT, type EntryChange, type EntryRecord } from '../format/journal.js'
import { RECORD_OVERHEAD, slotOffset } from '../format/constants.js'
import type { Backing } from '../store/backing.js'

/**
 * Records first, over the blocks that are there already, so that no room is needed; then the end of
 * the blob, then its seal. `records` lie in `bytes`, in ascending order of their indices.
 */
export function redo(
  backing: Backing,
  layout: Layout,
  fd: number,
  bytes: Uint8Array,
  records: readonly EntryRecord[],
  { cut, eraseFrom, eraseTo, slot, seal }: EntryChange,
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

const endOf = (layout: Layout, { index, length }: EntryRecord): number =>
  layout.recordOffset(index) + length + RECORD_OVERHEAD
