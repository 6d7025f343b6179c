// The drive of an unlocked vault, with the randomness, within the limits and with the journal of this
// machine.

import { Buffer } from 'node:buffer'
import { randomFillSync } from 'node:crypto'
import { Drive, type DriveOptions } from '../fs/drive.js'
import { vaultState } from '../store/state.js'
import { openFilesLimit } from './process.js'

export type { Drive }

const DESCRIPTORS_MAX = 512

/** The other half is for files that programs have open, and for Node. */
export const openDrive = (
  options: Omit<DriveOptions, 'random' | 'descriptors' | 'journalFolder'>,
): Drive =>
  new Drive({
    ...options,
    ...(options.readOnly ? {} : { journalFolder: journalFolder(options.vaultId) }),
    random: randomFillSync,
    descriptors: Math.min(DESCRIPTORS_MAX, Math.max(16, openFilesLimit() >> 1)),
  })

const journalFolder = (vaultId: Uint8Array): string =>
  vaultState(Buffer.from(vaultId).toString('hex'))
