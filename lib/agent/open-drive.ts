// The drive of an unlocked vault, with the randomness, within the limits and with the journal of this
// machine.

import { Buffer } from 'node:buffer'
import { randomFillSync } from 'node:crypto'
import { Drive } from '../fs/drive.js'
import type { DriveOptions } from '../fs/open-tree.js'
import { vaultFolder, vaultState } from '../store/state.js'
import { bootId, openFilesLimit } from './process.js'

export type { Drive }

/** At most half of what may be open: the rest is for files of programs, and for Node. */
const DESCRIPTORS_MAX = 512

/** Without a journal folder, journal and memory lie where this machine's other state of the vault does. */
export const openDrive = (options: Omit<DriveOptions, 'random' | 'descriptors'>): Drive =>
  new Drive({
    ...options,
    journalFolder: options.journalFolder ?? stateOf(options),
    boot: bootId(),
    random: randomFillSync,
    descriptors: Math.min(DESCRIPTORS_MAX, Math.max(16, openFilesLimit() >> 1)),
  })

/** A drive that writes nothing only looks there, for what this machine remembers. */
function stateOf({ vaultId, readOnly }: Pick<DriveOptions, 'vaultId' | 'readOnly'>): string {
  const id = Buffer.from(vaultId).toString('hex')
  return readOnly ? vaultFolder(id) : vaultState(id)
}
