// logind by its command-line tools: no D-Bus library, and nothing where there is no systemd.

import { execFile } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { LockEvent } from './lock-events.js'

const NAME = 'org.freedesktop.login1'
const PATH = '/org/freedesktop/login1'
const SIGNALS = `type='signal',sender='${NAME}'`
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
  ['dbus-monitor', ['--system', SIGNALS], 'anybody'],
  ['busctl', ['--system', '--json=short', `--match=${SIGNALS}`, 'monitor'], 'root'],
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
  } else if (program('busctl') === null && events.some((event) => event !== 'suspend'))
    problems.push(`the drive is not locked at ${names}: busctl is not installed (Debian: systemd)`)
  if (events.includes('suspend') && program('systemd-inhibit') === null) {
    problems.push(
      'the machine may sleep before the drive is locked: systemd-inhibit is not installed (Debian: systemd)',
    )
  }
  return problems
}

/** Why the system's bus cannot be reached at this moment, as far as its address tells; or null. */
export function busProblem(): string | null {
  const address = process.env.DBUS_SYSTEM_BUS_ADDRESS ?? 'unix:path=/run/dbus/system_bus_socket'
  const path = /^unix:path=([^,;]+)/.exec(address)?.[1]
  return path === undefined || existsSync(path)
    ? null
    : `no system bus runs here: ${path} is missing`
}

/** What busctl answers: one JSON text a line. Unlike loginctl it asks the bus alone, and has a form for programs. */
function ask(...args: string[]): Promise<{ data: unknown }[]> {
  return new Promise((resolve, reject) => {
    const options = { timeout: PATIENCE_MS, cwd: '/' }
    execFile('busctl', ['--system', '--json=short', ...args], options, (error, out) => {
      if (error !== null) reject(new Error(`busctl: ${error.message}`))
      else
        resolve(
          out
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line) as { data: unknown }),
        )
    })
  })
}

const propertiesOf = async (session: string, ...names: string[]): Promise<unknown[]> =>
  (await ask('get-property', NAME, session, `${NAME}.Session`, ...names)).map(({ data }) => data)

const ownUid = (): number => process.getuid?.() ?? -1

/** Sessions in which this user is logged in: not those that only wait for their last process. */
export async function ownSessions(): Promise<string[]> {
  const [answer] = await ask('call', NAME, PATH, `${NAME}.Manager`, 'ListSessions')
  const [listed] = answer?.data as [
    [id: string, uid: number, user: string, seat: string, path: string][],
  ]
  const own = listed.filter(([, uid]) => uid === ownUid()).map(([, , , , path]) => path)
  const open = await Promise.all(
    own.map(async (path) => {
      const [state, kind] = await propertiesOf(path, 'State', 'Class')
      return state !== 'closing' && String(kind).startsWith('user')
    }),
  )
  return own.filter((_, i) => open[i])
}

export async function isOwnSession(session: string): Promise<boolean> {
  const [user] = await propertiesOf(session, 'User')
  return (user as [uid: number, path: string])[0] === ownUid()
}
