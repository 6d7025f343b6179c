// Are there changes in this machine's journal of a vault that only a mount would finish? FORMAT.md §6.
// Whoever reads the vault without one should know.

import { Buffer } from 'node:buffer'
import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { ENTRY_HEAD, entrySize } from '../format/journal.js'
import { JOURNAL_NAME } from '../store/journal-file.js'
import { vaultFolder } from '../store/state.js'

export const INTERRUPTED =
  'a drive of this vault did not come to its end; mount it once without --read-only to finish what was interrupted'

/** `vaultId` in hex. */
export function isInterrupted(vaultId: string): boolean {
  const head = Buffer.alloc(ENTRY_HEAD)
  let fd = -1
  try {
    fd = openSync(join(vaultFolder(vaultId), JOURNAL_NAME), 'r')
    return readSync(fd, head, 0, ENTRY_HEAD, 0) === ENTRY_HEAD && entrySize(head) > 0
  } catch {
    return false
  } finally {
    if (fd >= 0) closeSync(fd)
  }
}
