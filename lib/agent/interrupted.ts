// Are there changes in this machine's journal of a vault that only a mount would finish? FORMAT.md §6.
// Whoever reads the vault without one should know.

import { ENTRY_HEAD, entrySize } from '../format/journal.js'
import { runningDrives } from '../store/registry.js'
import { journalHead } from '../store/state.js'
import { isAlive } from './process.js'

export const INTERRUPTED =
  'a drive of this vault did not come to its end; mount it once without --read-only to finish what was interrupted'

/** What is in the journal of a drive that runs is no matter of anybody else. `vaultId` in hex. */
export const isInterrupted = (vaultId: string): boolean =>
  !runningDrives().some((drive) => drive.vaultId === vaultId && isAlive(drive)) &&
  entrySize(journalHead(vaultId, ENTRY_HEAD)) > 0
