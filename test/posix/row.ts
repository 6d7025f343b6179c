// A row of the suite.

import type { Need } from '../needs.js'
import type { Folder } from './folder.js'

export interface RowOptions {
  /** what the drive does instead: an allowed difference */
  onDrive?: unknown
  need?: Need
  /** system call, flags and errno or 'ok', of a line of the table */
  call?: readonly [call: string, flags: string, outcome: string]
}

export type Row = readonly [
  what: string,
  act: (folder: Folder) => unknown,
  /** its value, or the code of the system's error */
  expected: unknown,
  options?: RowOptions,
]

/** Code of the error that `act` meets, or 'done'. */
export function errorOf(act: () => unknown): string {
  try {
    act()
    return 'done'
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    return code
  }
}

/** Under which a driver may name a row that it cannot pass. */
export const rowName = (topic: string, what: string): string => `${topic}: ${what}`
