// One run of the fault script for each change that it makes, until there is no further one, and what
// is to be said of it.

import { mkdirSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { CofferError } from '../../lib/errors.js'
import { FaultBacking, soundBacking, Stopped, type Fault } from './fault-backing.js'
import { Account, type Violation } from './fault-account.js'
import { Player } from './fault-player.js'
import { CHUNK_LOG2, play, prepare, STRICT_MAX } from './fault-script.js'
import { descriptorsBelow, TestVault, type Session } from './session.js'

export interface Run {
  /** which change went wrong, and its name; null where the fault cannot be there */
  at: number
  hit: string | null
  violations: Violation[]
}

export function* runs(fault: Fault, first = 1, step = 1): Generator<Run> {
  for (let at = first; ; at += step) {
    const run = one(fault, at)
    if (run === null) return
    yield run
  }
}

/** The machine stops in the script, and the disk goes wrong when the next drive makes good for it. */
export function* replays(fault: Fault, first = 1, step = 1): Generator<Run> {
  for (let stopped = first; ; stopped += step) {
    for (let at = 1; ; at++) {
      const run = one(fault, at, stopped)
      if (run === null && at === 1) return
      if (run === null) break
      yield run
    }
  }
}

/**
 * null where there are fewer changes. `stopped`: the machine has stopped at that change of the script
 * before, and `at` counts the changes of the mount and unmount after it.
 */
export function one(fault: Fault, at: number, stopped = 0): Run | null {
  const vault = new TestVault(CHUNK_LOG2, STRICT_MAX)
  const faulty = new FaultBacking(fault, at)
  const first = stopped > 0 ? new FaultBacking({ kind: 'stops', blocks: 'half' }, stopped) : faulty
  const journalFolder = join(vault.state, 'journal of all')
  mkdirSync(journalFolder)
  try {
    const before = vault.open({ backing: soundBacking(), journalFolder })
    const account = new Account(2 ** CHUNK_LOG2, fault.kind === 'forgets')
    const player = new Player(before, account)
    prepare(player)
    before.close()
    const drive = (on: FaultBacking, work: (session: Session) => void): void => {
      const session = attempt(player, 'mount', () =>
        vault.open({ backing: on.backing, journalFolder }),
      )
      if (session === undefined) return
      attempt(player, 'work', () => {
        work(session)
      })
      attempt(player, 'unmount', () => {
        session.close()
      })
    }
    drive(first, (session) => {
      player.session = session
      play(player, () => {
        vault.skew += 6000
      })
    })
    if (stopped > 0) {
      if (!first.reached) return null
      drive(faulty, () => undefined)
    }
    if (!faulty.reached) return null
    const { violations } = player
    const after = vault.open({ backing: soundBacking(), journalFolder })
    violations.push(...account.judge(after))
    after.close()
    faulty.close()
    const left = descriptorsBelow(vault.folder, readlinkSync)
    if (left > 0) violations.push({ kind: 'descriptors', detail: `${left} are left open` })
    if (!first.stopped && !faulty.stopped) violations.push(...litter(vault))
    return { at, hit: faulty.hit, violations }
  } finally {
    faulty.close()
    vault.remove()
  }
}

/** An error is told; where the machine stops, this is over. */
function attempt<T>(player: Player, what: string, act: () => T): T | undefined {
  try {
    return act()
  } catch (error) {
    if (error instanceof Stopped) return undefined
    if (!(error instanceof CofferError)) throw error
    player.told.push(`${what}: ${error.code}`)
    return undefined
  }
}

const litter = ({ folder }: TestVault): Violation[] =>
  readdirSync(join(folder, 'data'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.includes('~$'))
    .map((detail) => ({ kind: 'litter', detail }))
