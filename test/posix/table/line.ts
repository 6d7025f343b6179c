// A line of the table: system call, flags, what they meet, and what the manual page says comes of it:
// the name of an error, or 'ok'. Of no two lines are call, flags and outcome all the same.

import type { Folder } from '../folder.js'
import type { Row, RowOptions } from '../row.js'

export type Line = readonly [
  call: string,
  flags: string,
  what: string,
  outcome: string,
  /** of a call that succeeds: whether it has done what it should */
  act: (folder: Folder) => unknown,
  options?: RowOptions,
]

export const table = (lines: readonly Line[]): readonly Row[] =>
  lines.map(([call, flags, what, outcome, act, options]) => [
    `${call}(${flags}) ${what}: ${outcome}`,
    act,
    outcome === 'ok' ? true : outcome,
    { ...options, call: [call, flags, outcome] },
  ])

export const root = { need: 'root' } as const
export const mounts = { need: 'mount' } as const
