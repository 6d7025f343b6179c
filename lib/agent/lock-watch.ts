// Listens to logind for what a drive is to be locked at. The listener is a child process; it ends with
// the pipe to its shell, so also where this process is killed. Where it fails, it is started again.

import { spawn, type ChildProcess } from 'node:child_process'
import { SignalReader, type LockEvent, type Signal } from './lock-events.js'
import { inhibitCommand, isOwnSession, lacking, monitorCommand, ownSessions } from './logind.js'
import type { LockStatus } from './protocol.js'

const AGAIN_MS = 5000
/** A session that is closing keeps its processes, and no signal tells of that. */
const LOOK_MS = 15_000

/** Runs its arguments until standard input ends. */
const WHILE_READ = '"$@" < /dev/null & exec > /dev/null 2>&1; read -r _; kill "$!"'

export class LockWatch {
  readonly #events: readonly LockEvent[]
  readonly #due: (event: LockEvent) => void
  readonly #unlocked: () => void
  readonly #log: (line: string) => void
  readonly #lacking: string[]
  readonly #inhibitor: ChildProcess | null
  #monitor: ChildProcess | null = null
  #watching = false
  #problem = ''
  #inhibitProblem = ''
  /** the user has been seen logged in: only then can he log out */
  #loggedIn = false
  #again: NodeJS.Timeout | null = null
  #look: NodeJS.Timeout | null = null
  #closed = false

  /** `due`: it is time to lock. `unlocked`: the screen is open again. */
  constructor(
    events: readonly LockEvent[],
    due: (event: LockEvent) => void,
    unlocked: () => void,
    log: (line: string) => void,
  ) {
    this.#events = events
    this.#due = due
    this.#unlocked = unlocked
    this.#log = log
    this.#lacking = lacking(events)
    for (const problem of this.#lacking) log(`warn lock: ${problem}`)
    this.#inhibitor = events.includes('suspend') ? this.#inhibit() : null
    if (events.length > 0) this.#listen()
    if (!events.includes('logout')) return
    this.#lookAtSessions()
    this.#look = setInterval(() => {
      this.#lookAtSessions()
    }, LOOK_MS)
  }

  get status(): LockStatus {
    const own = [this.#problem, this.#inhibitProblem].filter((problem) => problem !== '')
    const problems = [...this.#lacking, ...own]
    return { events: [...this.#events], watching: this.#watching, problems }
  }

  close(): void {
    this.#closed = true
    if (this.#again !== null) clearTimeout(this.#again)
    if (this.#look !== null) clearInterval(this.#look)
    this.#monitor?.stdin?.end()
    this.#inhibitor?.stdin?.end()
  }

  #inhibit(): ChildProcess | null {
    const command = inhibitCommand()
    if (command === null) return null
    return start(command, (said) => {
      if (this.#closed) return
      this.#inhibitProblem = `the machine may sleep before the drive is locked: ${said}`
      this.#log(`warn lock: ${this.#inhibitProblem}`)
    })
  }

  #listen(): void {
    const command = monitorCommand()
    if (command === null || this.#closed) return
    const reader = new SignalReader()
    const monitor = start(['/bin/sh', '-c', WHILE_READ, 'coffer-listens', ...command], (said) => {
      this.#watching = false
      if (this.#closed) return
      const problem = `the drive is not locked at ${this.#events.join(', ')}: ${said}`
      if (problem !== this.#problem) this.#log(`warn lock: ${problem}`)
      this.#problem = problem
      this.#again = setTimeout(() => {
        this.#listen()
      }, AGAIN_MS).unref()
    })
    this.#monitor = monitor
    // the first words come when it listens
    const listens = (): void => {
      this.#watching = true
    }
    monitor.stderr?.once('data', listens)
    monitor.stdout?.once('data', listens)
    monitor.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#problem = ''
      for (const signal of reader.push(text)) void this.#heard(signal)
    })
    // the shell outlives what it runs
    monitor.stdout?.on('end', () => {
      monitor.stdin?.end()
    })
  }

  async #heard({ kind, session }: Signal): Promise<void> {
    if (this.#closed) return
    if (kind === 'sessions') {
      if (this.#events.includes('logout')) this.#lookAtSessions()
    } else if (kind === 'suspend') {
      if (this.#events.includes('suspend')) this.#due('suspend')
    } else if (this.#events.includes('screen') && (await isOurs(session))) {
      if (kind === 'screen') this.#due('screen')
      else this.#unlocked()
    }
  }

  #lookAtSessions(): void {
    ownSessions().then(
      (sessions) => {
        if (sessions.length > 0) this.#loggedIn = true
        else if (this.#loggedIn && !this.#closed) this.#due('logout')
      },
      // where logind does not answer, nobody is known to have logged out
      () => undefined,
    )
  }
}

/** Other people's screens are none of our business; where nobody can say whose it is, it counts. */
const isOurs = (session: string | null): Promise<boolean> =>
  session === null ? Promise.resolve(true) : isOwnSession(session).catch(() => true)

/** A child that ends with its standard input. `ended` hears the last thing it said. */
function start([command = '', ...args]: string[], ended: (said: string) => void): ChildProcess {
  const child = spawn(command, args, { cwd: '/', detached: true, stdio: 'pipe' })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-1000)))
  child.on('error', (error) => {
    said = error.message
  })
  child.stdin.on('error', () => undefined)
  child.on('close', () => {
    const last = said.trim().split('\n').at(-1) ?? ''
    ended(last === '' ? 'logind cannot be heard' : last)
  })
  return child
}
