// A new file of which only the name had reached the disk: as on other file systems it is empty, under
// the name that it had last. Its header comes from the journal.

import { Buffer } from 'node:buffer'
import { HEADER_SIZE, RECORD_OVERHEAD, slotOffset } from '../format/constants.js'
import { ENTRY_BORN, ENTRY_COMMIT } from '../format/journal.js'
import type { JournalFile } from '../store/journal-file.js'
import type { Context } from './context.js'
import { endFile } from './end-file.js'
import type { Chain } from './journal-chains.js'
import { SealedObject } from './sealed-object.js'

export function makeEmpty(ctx: Context, file: JournalFile, { entries }: Chain, fd: number): void {
  const { backing } = ctx
  const born = entries.findLast(({ type }) => type === ENTRY_BORN)
  const [record] = born?.records ?? []
  if (born === undefined || record === undefined) return
  const blob = Buffer.alloc(HEADER_SIZE + RECORD_OVERHEAD)
  const header = blob.subarray(0, HEADER_SIZE)
  if (file.read(header, HEADER_SIZE, record.at) < HEADER_SIZE) return
  for (const { type, slot, seal } of entries)
    if (type === ENTRY_COMMIT) header.set(seal, slotOffset(slot))
  const object = SealedObject.parse(ctx, header, born.kind)
  try {
    const left = { acc: new Uint8Array(16), absent: 0 }
    const next = endFile(ctx, object, 0, left, blob, HEADER_SIZE)
    header.set(next.record, next.offset)
    backing.truncate(fd, 0)
    backing.write(fd, blob, 0, blob.length, 0)
    backing.sync(fd)
  } finally {
    object.wipe()
  }
}
