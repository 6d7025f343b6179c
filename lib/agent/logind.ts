// logind by its command-line tools: no D-Bus library, and nothing where there is no systemd.

import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { LockEvent } from './lock-events.js'

const NAME = 'org.freedesktop.login1'
const PATIENCE_MS = 5000

function program(name: string): string | null {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder === '' ? '/' : folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // not there
    }
  }
  return null
}

/** Shows signals of logind; busctl for root alone. */
const MONITORS: [string, string[], 'root' | 'anybody'][] = [
  ['gdbus', ['monitor', '--system', '--dest', NAME], 'anybody'],
  ['busctl', ['--system', '--json=short', 'monitor', NAME], 'root'],
  ['dbus-monitor', ['--system', `type='signal',sender='${NAME}'`], 'anybody'],
]

export function monitorCommand(): string[] | null {
  for (const [name, args, whom] of MONITORS) {
    const path = whom === 'root' && process.geteuid?.() !== 0 ? null : program(name)
    if (path !== null) return [path, ...args]
  }
  return null
}

/** The machine waits with its sleep while this runs, 5 s at most if its owner has not set another time. */
export function inhibitCommand(): string[] | null {
  const path = program('systemd-inhibit')
  if (path === null) return null
  const why = '--why=A drive is locked before the machine sleeps'
  return [path, '--what=sleep', '--mode=delay', '--who=coffer', why, 'cat']
}

/** What these events need and this machine lacks: sentences. */
export function lacking(events: readonly LockEvent[]): string[] {
  if (events.length === 0) return []
  const problems: string[] = []
  const names = events.join(', ')
  if (monitorCommand() === null) {
    problems.push(
      `the drive is not locked at ${names}: neither gdbus nor dbus-monitor is installed (Debian: libglib2.0-bin)`,
    )
  } else if (program('loginctl') === null && events.some((event) => event !== 'suspend'))
    problems.push(
      `the drive is not locked at ${names}: loginctl is not installed (Debian: systemd)`,
    )
  if (events.includes('suspend') && program('systemd-inhibit') === null) {
    problems.push(
      'the machine may sleep before the drive is locked: systemd-inhibit is not installed (Debian: systemd)',
    )
  }
  return problems
}

function loginctl(...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout: PATIENCE_MS, cwd: '/', env: { ...process.env, LC_ALL: 'C' } }
    execFile('loginctl', ['--no-pager', '--no-legend', ...args], options, (error, out) => {
      if (error === null) resolve(out)
      else reject(error instanceof Error ? error : new Error('loginctl failed'))
    })
  })
}

/** Ids of the sessions in which this user is logged in: not those that only wait for their last process. */
export async function ownSessions(): Promise<string[]> {
  const uid = String(process.getuid?.() ?? -1)
  const listed = (await loginctl('list-sessions'))
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
  const ids = listed.filter(([, user]) => user === uid).map(([id = '']) => id)
  const open = await Promise.all(
    ids.map(async (id) => {
      const shown = await loginctl('show-session', id, '-p', 'State', '-p', 'Class')
      return /^State=(active|online|opening)$/m.test(shown) && /^Class=user/m.test(shown)
    }),
  )
  return ids.filter((_, i) => open[i])
}

export async function isOwnSession(id: string): Promise<boolean> {
  const shown = await loginctl('show-session', id, '-p', 'User')
  return shown.trim() === `User=${String(process.getuid?.() ?? -1)}`
}
