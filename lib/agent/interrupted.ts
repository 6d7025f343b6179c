// Are there changes in this machine's journal of a vault that only a mount would finish? FORMAT.md §6.
// Whoever reads the vault without one should know.

import { ENTRY_HEAD, entrySize } from '../format/journal.js'
import { journalHead } from '../store/state.js'

export const INTERRUPTED =
  'a drive of this vault did not come to its end; mount it once without --read-only to finish what was interrupted'

/** `vaultId` in hex. */
export const isInterrupted = (vaultId: string): boolean =>
  entrySize(journalHead(vaultId, ENTRY_HEAD)) > 0
