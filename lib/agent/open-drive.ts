// The drive of an unlocked vault, with the randomness of this process.

import { randomFillSync } from 'node:crypto'
import { Drive, type DriveOptions } from '../fs/drive.js'

export type { Drive }

export const openDrive = (options: Omit<DriveOptions, 'random'>): Drive =>
  new Drive({ ...options, random: randomFillSync })
