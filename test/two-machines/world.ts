// The two machines with one vault, brought together for the first time.

import { chmodSync } from 'node:fs'
import { Machine } from './machine.js'

/** Of every Debian; fusermount3 serves only users that have a name. */
const USERS = [
  { name: 'anna', uid: 65534, gid: 65534 },
  { name: 'bert', uid: 5, gid: 60 },
] as const

export type AtEnd = (undo: () => void) => void

/** `scratch` is removed by the caller, after everything here has ended. */
export function twoMachines(scratch: string, atEnd: AtEnd): readonly [Machine, Machine] {
  chmodSync(scratch, 0o755)
  const [a, b] = USERS.map(({ name, uid, gid }) => {
    const machine = new Machine(name, scratch, uid, gid)
    atEnd(() => {
      machine.end()
    })
    return machine
  })
  if (a === undefined || b === undefined) throw new Error('there are two')
  return [a, b]
}
