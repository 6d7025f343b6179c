// The entries of a journal as they lie in its file, one chain for each blob, in their order. It ends
// at the first entry that is torn or of an earlier session. FORMAT.md §6.

import { Buffer } from 'node:buffer'
import {
  ENTRY_GONE,
  ENTRY_HEAD,
  entrySize,
  parseEntry,
  type ParsedEntry,
} from '../format/journal.js'
import type { JournalFile } from '../store/journal-file.js'

/** More than any entry takes. */
const ENTRY_MAX = 256 * 1024 * 1024

export interface Chain {
  ino: number
  /** not empty; the `at` of their records is a position in the journal's file */
  entries: ParsedEntry[]
  /** this drive has removed the blob: it is not missed, but where the removal has not reached the disk */
  removed: boolean
}

export function readChains(file: JournalFile): Chain[] {
  const chains: Chain[] = []
  const current = new Map<number, Chain>()
  for (const entry of readEntries(file)) {
    const { type, ino, objectId } = entry
    const chain = current.get(ino)
    const other = chain !== undefined && !isOf(chain, objectId)
    // an inode that another object has now was free in between
    if (chain !== undefined && (type === ENTRY_GONE || other)) {
      chain.removed = true
      current.delete(ino)
    }
    if (type === ENTRY_GONE) continue
    if (chain !== undefined && !other) chain.entries.push(entry)
    else {
      const begun = { ino, entries: [entry], removed: false }
      current.set(ino, begun)
      chains.push(begun)
    }
  }
  return chains
}

const isOf = ({ entries }: Chain, objectId: Uint8Array): boolean =>
  Buffer.compare(entries[0]?.objectId ?? objectId, objectId) === 0

function* readEntries(file: JournalFile): Generator<ParsedEntry> {
  const head = Buffer.alloc(ENTRY_HEAD)
  let buffer = Buffer.alloc(64 * 1024)
  let session: Uint8Array | null = null
  let position = 0
  for (let sequence = 0; ; sequence++) {
    if (file.read(head, ENTRY_HEAD, position) < ENTRY_HEAD) return
    const size = entrySize(head)
    if (size === 0 || size > ENTRY_MAX) return
    if (size > buffer.length) buffer = Buffer.alloc(size)
    if (file.read(buffer, size, position) < size) return
    const entry = parseEntry(buffer.subarray(0, size))
    if (entry?.sequence !== sequence) return
    session ??= entry.session
    if (Buffer.compare(entry.session, session) !== 0) return
    for (const record of entry.records) record.at += position
    yield entry
    position += size
  }
}
