// Rounds: both sides work apart, then together, and are judged.

import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../power-cut/random.js'
import type { Client } from './client.js'
import {
  HIDDEN,
  isWarning,
  judge,
  LOST,
  look,
  UNREADABLE,
  unreadable,
  type Violation,
} from './judge.js'
import { Ledger } from './ledger.js'
import type { Machine } from './machine.js'
import { anyPlace, Player } from './player.js'

export interface Week {
  rounds: number
  seed: number
  /** bytes of the big file, and every how many rounds there is one; 0: never */
  bigBytes: number
  bigEvery: number
}

export interface Round {
  number: number
  operations: number
  /** what happened beside the operations */
  events: string[]
  transferMs: number
  /** how long the drives took to show everything */
  shownMs: number
  files: number
  violations: Violation[]
  /** what was wrong, but readable, until the machines had been left alone for ten minutes */
  healed: Violation[]
  /** lines of the logs: event, how often */
  logged: Record<string, number>
  /** everything that both sides did */
  notes: string[]
}

const FEWEST = 20
const SETTLE_MS = 120_000
const GLANCE_MS = 250
/** more than a side stores in a week */
const CONTENTS = 1_000_000
const DAY = 86_400
const MIB = 2 ** 20
const MS_PER_MIB = 100
/** After the link went down, what had come is still put in its place. */
const SUBSIDE_MS = 1500
const REST_S = 660
/** what one side puts back lets the other go on */
const RESTS = 3

/** Both drives are mounted and the folders alike. */
export async function* playWeek(
  machines: readonly [Machine, Machine],
  client: Client,
  { rounds, seed, bigBytes, bigEvery }: Week,
): AsyncGenerator<Round> {
  const random = new Random(`week ${seed}`)
  const ledger = new Ledger()
  const players = machines.map((machine, i) => {
    let contents = (2 * seed + i) * CONTENTS
    return new Player(machine, ledger, new Random(`${machine.name} ${seed}`), () => ++contents)
  }) as [Player, Player]
  const logged = machines.map((machine) => machine.log().length)

  for (let number = 1; number <= rounds; number++) {
    const noted = ledger.length
    const events: string[] = []
    const event = (what: string): void => {
      events.push(what)
      ledger.note(`round ${number}: ${what}`)
    }
    await client.part()
    await sleep(SUBSIDE_MS)
    const files = [...(await look(machines[0])).values()].filter(({ type }) => type === 'file')
    const hot = [
      ...Array.from({ length: 2 }, () => anyPlace(random)),
      ...(files.length === 0 ? [] : Array.from({ length: 3 }, () => random.pick(files).path)),
    ]
    for (const player of players) {
      player.round = number
      player.operations = 0
      player.hot = hot
    }
    const [one, other] = random.chance(0.5) ? players : [players[1], players[0]]

    if (random.chance(0.25)) {
      one.machine.skew = random.pick([-3 * DAY, 2 * DAY, 40 * DAY])
      event(`the clock of ${one.machine.name} is wrong by ${one.machine.skew} s`)
    }
    const writes = random.chance(0.6) ? await one.hold(random.pick(hot), true) : null
    if (writes !== null) event(`${one.machine.name} has ${writes} open for writing`)
    const reads = random.chance(0.4) ? await one.hold(random.pick(hot), false) : null
    if (reads !== null) event(`${one.machine.name} has ${reads} open for reading`)
    if (bigEvery > 0 && number % bigEvery === 0) {
      event(`${other.machine.name} writes ${bigBytes} bytes`)
      await other.writeBig('big file.bin', bigBytes)
    }
    await Promise.all(players.map((player) => player.work(random.between(FEWEST, FEWEST + 10))))
    const killed = random.chance(0.3)
    const early = random.chance(0.5)
    if (killed && early) await kill(one, event)

    const before = (await Promise.all(machines.map(look))) as [
      Awaited<ReturnType<typeof look>>,
      Awaited<ReturnType<typeof look>>,
    ]
    const meeting = Date.now()
    for (const { machine } of players) await machine.do('startGlancing', GLANCE_MS)
    await client.meet()
    if (killed && !early) {
      await sleep(random.between(0, 3000))
      await kill(one, event)
    }
    const patience = SETTLE_MS + (bigBytes / MIB) * MS_PER_MIB
    let unsettled = await client.settled(patience)
    const transferMs = Date.now() - meeting
    for (const player of players) await player.letGo()
    unsettled ??= await client.settled(patience)
    const spans = await Promise.all(machines.map((machine) => machine.do('stopGlancing')))

    const first = await judge(machines, ledger)
    const waited = first.violations.some(({ kind }) => !kind.startsWith('until'))
    if (waited) await rest(machines, client, patience)
    const { violations, views, ms } = waited ? await judge(machines, ledger) : first
    const gone = first.violations.filter(
      ({ kind, path }) => !violations.some((one) => one.kind === kind && one.path === path),
    )
    // what has arrived must be readable at once
    const healed = gone.filter(({ kind }) => !kind.startsWith(UNREADABLE))
    violations.push(...gone.filter(({ kind }) => kind.startsWith(UNREADABLE)))
    for (const { kind, path } of violations) if (kind === LOST || kind === HIDDEN) ledger.miss(path)
    if (unsettled !== null)
      violations.push({ kind: 'not settled', path: '', detail: unsettled, history: [] })
    for (const [i, machine] of machines.entries())
      if (!(killed && machine === one.machine))
        for (const trouble of unreadable(
          machine,
          spans[i] ?? [],
          before[i]!,
          views[i]!,
          2 * GLANCE_MS,
        ))
          violations.push({ ...trouble, history: ledger.history([trouble.path]) })
    for (const player of players)
      for (const trouble of player.troubles.splice(0))
        violations.push({ ...trouble, history: ledger.history([trouble.path]) })
    yield {
      number,
      operations: players[0].operations + players[1].operations,
      events,
      transferMs,
      shownMs: ms,
      files: views[0].size,
      violations,
      healed: waited ? healed : [],
      logged: tallyLog(machines, logged),
      notes: ledger.since(noted),
    }
    one.machine.skew = 0
  }
}

/** Ten minutes pass for the drives, in which nobody does anything: FORMAT.md §7, metas that are late. */
async function rest(
  machines: readonly [Machine, Machine],
  client: Client,
  patience: number,
): Promise<void> {
  const skews = machines.map(({ skew }) => skew)
  for (const machine of machines) machine.skew += REST_S
  await sleep(SUBSIDE_MS)
  for (let look = 0; look < RESTS; look++) {
    for (const machine of machines) await machine.do('look', '')
    await client.settled(patience)
  }
  for (const [i, machine] of machines.entries()) machine.skew = skews[i] ?? 0
}

async function kill(player: Player, event: (what: string) => void): Promise<void> {
  event(`the drive of ${player.machine.name} is killed`)
  await player.machine.kill()
  await player.lose()
  player.machine.mount()
}

/** Warnings and errors since the last time, by machine and event. */
function tallyLog(machines: readonly Machine[], from: number[]): Record<string, number> {
  const tally: Record<string, number> = {}
  for (const [i, machine] of machines.entries()) {
    const lines = machine.log()
    for (const line of lines.slice(from[i]).filter(isWarning)) {
      const [, what = 'unknown'] = / ((?:warn|error) [\w-]+(?: [A-Z]+\b)?)/.exec(line) ?? []
      const key = `${machine.name} ${what}`
      tally[key] = (tally[key] ?? 0) + 1
    }
    from[i] = lines.length
  }
  return tally
}
