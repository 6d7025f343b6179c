// The loop: a load on a mounted drive, a kill of its agent at a random moment, another mount, a look
// at everything. What the kill left on the machine counts as a broken promise, too.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { mountedAt } from '../../lib/mount/mountinfo.js'
import type { Drive } from '../posix/drive.js'
import { noise } from '../posix/folder.js'
import { Expected } from './expected.js'
import { judge, type Violation } from './judge.js'
import { readLedger, type Operation } from './ledger.js'

const LOAD = fileURLToPath(new URL('load.js', import.meta.url))
/** Most kills come when the ledger has grown so far; some after a file was sealed that stayed open. */
const LEDGER_BYTES = 20_000
const LATE_ONE_IN = 20
const LATE_MS = 4800
const SPREAD_MS = 1500
const PATIENCE_MS = 5000
/** The log is written by another thread than the one that serves. */
const LOG_MS = 100
/** What a call on a drive may say that is dying or dead. */
const DEATH = ['ENOTCONN', 'ECONNABORTED', 'EIO', 'ESTALE']
const NUMBERS = 1_000_000

export interface Kill {
  number: number
  operations: number
  violations: (Violation & { ledger?: string[] })[]
}

/** `home` is the folder that `drive` keeps everything in. Calls `after` for each kill. */
export async function killLoop(
  drive: Drive,
  home: string,
  kills: number,
  seed: number,
  after: (kill: Kill) => void,
): Promise<void> {
  const moments = noise(8 * kills, seed)
  const expected = new Expected()
  drive.mount()
  for (let number = 1; number <= kills; number++) {
    const { pid, log } = running(home)
    const logged = statSync(log).size
    const moment = moments.readUInt32LE(8 * number - 8)
    const late = moments.readUInt32LE(8 * number - 4) % LATE_ONE_IN === 0
    const when = late
      ? { bytes: 1, delay: LATE_MS + (moment % SPREAD_MS) }
      : { bytes: 1 + (moment % LEDGER_BYTES), delay: moment % 10 }
    const { operations, early } = await loadAndKill(
      drive,
      home,
      pid,
      when,
      expected,
      seed + number,
      number,
    )
    const violations = [...(await left(drive, home, pid)), ...loadTrouble(operations, early)]
    for (const operation of operations) expected.apply(operation)
    const writing = [...expected.files.values()].some(({ state }) => state === 'writing')
    try {
      drive.mount()
    } catch (error) {
      violations.push({ kind: 'mount refused', detail: String(error) })
      after({ number, operations: operations.length, violations })
      return
    }
    const files = new Map([...expected.files.values()].map(({ id, path }) => [path, id]))
    violations.push(...(await explained(judge(drive.mountpoint, expected), log)))
    violations.push(...litter(drive, home))
    // what is refused is also logged
    if (violations.length === 0) violations.push(...warnings(log, logged, writing))
    const told = violations.map((violation) => ({
      ...violation,
      ledger: history(operations, files.get(violation.path ?? '')),
    }))
    after({ number, operations: operations.length, violations: told })
  }
  drive.unmount()
  drive.mount()
  const violations = await explained(judge(drive.mountpoint, expected), running(home).log)
  drive.unmount()
  if (violations.length > 0) after({ number: kills, operations: 0, violations })
}

function running(home: string): { pid: number; log: string } {
  const folder = join(home, 'run')
  const entry = readdirSync(folder).find((name) => name.endsWith('.json'))
  if (entry === undefined) throw new Error('no drive is running')
  return JSON.parse(readFileSync(join(folder, entry), 'utf8')) as { pid: number; log: string }
}

async function loadAndKill(
  drive: Drive,
  home: string,
  pid: number,
  { bytes, delay }: { bytes: number; delay: number },
  expected: Expected,
  seed: number,
  round: number,
): Promise<{ operations: Operation[]; early: boolean }> {
  const ledger = join(home, 'ledger')
  const known = join(home, 'known')
  writeFileSync(ledger, '')
  writeFileSync(known, JSON.stringify(expected.known))
  const first = String(round * NUMBERS)
  const load = spawn(
    process.execPath,
    [LOAD, drive.mountpoint, ledger, known, String(seed), first],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      cwd: '/',
    },
  )
  const exited = new Promise<void>((resolve) =>
    load.once('exit', () => {
      resolve()
    }),
  )
  await until(() => statSync(ledger).size >= bytes || load.exitCode !== null)
  const begun = statSync(ledger).size > 0
  await sleep(delay)
  const early = load.exitCode !== null || load.signalCode !== null
  process.kill(pid, 'SIGKILL')
  await ended(load, exited)
  if (!begun) throw new Error('the load did not begin')
  const operations = readLedger(ledger)
  rmSync(ledger)
  rmSync(known)
  return { operations, early }
}

/** A load whose calls never come back is ended by force: that is told by what it leaves. */
async function ended(load: ChildProcess, exited: Promise<void>): Promise<void> {
  const timer = setTimeout(() => load.kill('SIGKILL'), PATIENCE_MS)
  await exited
  clearTimeout(timer)
}

async function until(condition: () => boolean): Promise<boolean> {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end;) {
    if (condition()) return true
    await sleep(1)
  }
  return false
}

/** Mounts and processes. */
async function left(drive: Drive, home: string, pid: number): Promise<Violation[]> {
  const violations: Violation[] = []
  if (!(await until(() => mountedAt(drive.mountpoint) === null))) {
    violations.push({ kind: 'mount left', detail: drive.mountpoint })
    spawnSync('umount', ['-l', drive.mountpoint])
  }
  if (!(await until(() => processesOf(home).length === 0)))
    violations.push({
      kind: 'process left',
      detail: `${processesOf(home).join()} (agent ${String(pid)})`,
    })
  return violations
}

/** Those that carry the drive's folders in their environment or their arguments. */
function processesOf(home: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid)
    .filter((pid) =>
      ['environ', 'cmdline'].some((part) => {
        try {
          const text = readFileSync(`/proc/${String(pid)}/${part}`, 'latin1')
          return part === 'environ'
            ? text.includes(`=${home}/state\0`)
            : text.includes(`${home}/drive`)
        } catch {
          return false // gone meanwhile
        }
      }),
    )
}

/** A call that failed before the drive had died, or with an error that no death explains. */
function loadTrouble(operations: readonly Operation[], early: boolean): Violation[] {
  const { outcome = null, intent } = operations.at(-1) ?? {}
  if (
    !early &&
    (outcome === null || outcome === 'ok' || outcome.startsWith('short') || DEATH.includes(outcome))
  )
    return []
  return [{ kind: 'load', detail: `${String(intent?.[0])}: ${String(outcome)}` }]
}

/** Temporary names of ours that a dead agent left, in the vault or beside it. */
function litter(drive: Drive, home: string): Violation[] {
  const found: Violation[] = []
  for (const folder of [drive.vault, join(home, 'state'), join(home, 'run')]) {
    for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!path.includes('~$')) continue
      found.push({ kind: 'litter', detail: join(folder, path) })
      rmSync(join(folder, path), { recursive: true, force: true })
    }
  }
  return found
}

/** What was refused, by the drive's own codes instead of EIO. The log is in the order of the looks. */
async function explained(violations: Violation[], log: string): Promise<Violation[]> {
  const refused = violations.filter(({ kind }) => kind.endsWith('refused'))
  if (refused.length === 0) return violations
  await sleep(LOG_MS)
  const lines = readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line.includes(' error refused '))
    .slice(-refused.length)
  for (const [i, violation] of refused.entries()) {
    const [, code, message = ''] = / error refused (\w+): (.*)/.exec(lines[i] ?? '') ?? []
    if (code === undefined) continue
    violation.kind += ` ${code}`
    violation.detail = message.replace(/ blob=.*/, '')
  }
  return violations
}

/** What the log says since: nothing, or that a file which was being written was found so. */
function warnings(log: string, from: number, writing: boolean): Violation[] {
  return readFileSync(log)
    .subarray(from)
    .toString()
    .split('\n')
    .filter((line) => / (warn|error)\b/.test(line))
    .filter((line) => !writing || / error\b/.test(line))
    .map((line) => ({ kind: 'log', detail: line.slice(25) }))
}

const HISTORY = 12

/** The last that the ledger says of a file. */
function history(operations: readonly Operation[], file: number | undefined): string[] {
  return operations
    .filter((operation) => operation.file === file)
    .slice(-HISTORY)
    .map(
      ({ number, intent, outcome }) =>
        `${String(number)} ${JSON.stringify(intent)} ${String(outcome)}`,
    )
}
