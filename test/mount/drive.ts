// Starts memory-drive.ts in a process of its own and cleans up after it, whatever became of it.

import { spawn, spawnSync, type ChildProcess, type SpawnSyncReturns } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { mountedAt } from '../../lib/mount/mountinfo.js'
import type { DriveEvent, DriveSetup } from './memory-drive.js'

const PROGRAM = fileURLToPath(new URL('memory-drive.js', import.meta.url))
const PATIENCE_MS = 20_000
export const NOBODY = 65534

type Ended = DriveEvent & { event: 'ended' }

export interface Drive {
  mountpoint: string
  devNumber: string
  process: ChildProcess
  events: DriveEvent[]
  ended: Promise<Ended>
  exited: Promise<void>
  order(line: 'wake' | 'stop' | 'defect'): void
  /** Waits until the drive has said it. */
  heard<K extends DriveEvent['event']>(event: K): Promise<DriveEvent & { event: K }>
}

export interface DriveOptions extends DriveSetup {
  uid?: number
  name?: string
}

export function emptyFolder(t: Test, uid = 0, name = 'drive'): string {
  const folder = mkdtempSync(join(tmpdir(), `coffer-${name}-`))
  if (process.getuid?.() === 0) chownSync(folder, uid, uid)
  t.teardown(() => {
    if (mountedAt(folder) !== null) spawnSync('umount', ['-l', folder])
    rmdirSync(folder)
  })
  return folder
}

export async function startDrive(t: Test, options: DriveOptions = {}): Promise<Drive> {
  const { uid, name, ...setup } = options
  const mountpoint = emptyFolder(t, uid, name)
  const drive = launch(t, mountpoint, setup, uid)
  const mounted = await drive.heard('mounted')
  drive.devNumber = mounted.devNumber
  return drive
}

export function launch(t: Test, mountpoint: string, setup: DriveSetup, uid?: number): Drive {
  const child = spawn(process.execPath, [PROGRAM, mountpoint, JSON.stringify(setup)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    cwd: '/',
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  const exited = new Promise<void>((resolve) =>
    child.once('exit', () => {
      resolve()
    }),
  )
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const events: DriveEvent[] = []
  const waiting = new Set<() => void>()
  createInterface(child.stdout).on('line', (line) => {
    events.push(JSON.parse(line) as DriveEvent)
    for (const check of waiting) check()
  })
  const heard = <K extends DriveEvent['event']>(name: K): Promise<DriveEvent & { event: K }> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(check)
        reject(new Error(`no "${name}" but ${JSON.stringify(events)}`))
      }, PATIENCE_MS)
      const check = (): void => {
        const found = events.find(({ event }) => event === name)
        if (found === undefined) return
        clearTimeout(timer)
        waiting.delete(check)
        resolve(found as DriveEvent & { event: K })
      }
      waiting.add(check)
      check()
    })
  return {
    mountpoint,
    devNumber: '',
    process: child,
    events,
    get ended() {
      return heard('ended')
    },
    exited,
    heard,
    order: (line) => child.stdin.write(`${line}\n`),
  }
}

/** Runs a shell script in `cwd`, as `uid`; it is stopped after a while, so a dead drive fails a test only. */
export function sh(cwd: string, script: string, uid?: number): SpawnSyncReturns<string> {
  return spawnSync('/bin/sh', ['-euc', `cd "$0"; ${script}`, cwd], {
    encoding: 'utf8',
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
    cwd: '/',
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
}

/** Milliseconds until nothing is mounted there; fails after 2 s, as promised for a killed drive. */
export async function gone(mountpoint: string): Promise<number> {
  const start = performance.now()
  while (mountedAt(mountpoint) !== null) {
    if (performance.now() - start > 2000) throw new Error('still mounted after 2 s')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return performance.now() - start
}

/** Everybody may open the device, as an ordinary system has it; put back afterwards. */
export function openDevice(t: Test): void {
  const { mode } = statSync('/dev/fuse')
  chmodSync('/dev/fuse', 0o666)
  t.teardown(() => {
    chmodSync('/dev/fuse', mode & 0o7777)
  })
}
