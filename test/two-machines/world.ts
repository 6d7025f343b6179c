// The two machines with one vault, brought together for the first time.

import { chmodSync } from 'node:fs'
import { Machine } from './machine.js'

/** Of every Debian; fusermount3 serves only users that have a name. */
export const NOBODY = { uid: 65534, gid: 65534 }
const GAMES = { uid: 5, gid: 60 }

export type AtEnd = (undo: () => void) => void

/** Of two users, or of one. `scratch` is removed by the caller, after everything here has ended. */
export function twoMachines(
  scratch: string,
  atEnd: AtEnd,
  differ: boolean,
): readonly [Machine, Machine] {
  chmodSync(scratch, 0o755)
  const machines = [
    new Machine('anna', scratch, NOBODY),
    new Machine('bert', scratch, differ ? GAMES : NOBODY),
  ] as const
  for (const machine of machines)
    atEnd(() => {
      machine.end()
    })
  return machines
}
