// The drive of an unlocked vault, with the randomness and within the limits of this process.

import { randomFillSync } from 'node:crypto'
import { Drive, type DriveOptions } from '../fs/drive.js'
import { openFilesLimit } from './process.js'

export type { Drive }

const DESCRIPTORS_MAX = 512

/** The other half is for files that programs have open, and for Node. */
export const openDrive = (options: Omit<DriveOptions, 'random' | 'descriptors'>): Drive =>
  new Drive({
    ...options,
    random: randomFillSync,
    descriptors: Math.min(DESCRIPTORS_MAX, Math.max(16, openFilesLimit() >> 1)),
  })
