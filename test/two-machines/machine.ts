// One of the two machines: a user of its own, with folders, a copy of the vault, a drive and a hand
// that works on it. All of it lies below one folder and ends with `end`.

import { fork, spawnSync, type ChildProcess } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { mountedAt } from '../../lib/mount/mountinfo.js'
import type { Answer, Calls } from './hand.js'

const COFFER = fileURLToPath(new URL('../../../bin/coffer.js', import.meta.url))
const HAND = fileURLToPath(new URL('hand.js', import.meta.url))
const PATIENCE_MS = 60_000
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1'
export const PASSWORD = 'correct horse battery staple'

/** What a call on the drive failed with. */
export class Refused extends Error {
  readonly code: string

  constructor(what: string, code: string) {
    super(`${what}: ${code}`)
    this.code = code
  }
}

type Result<K extends keyof Calls> = Awaited<ReturnType<Calls[K]>>

export class Machine {
  readonly name: string
  readonly user: { uid: number; gid: number }
  readonly home: string
  readonly vault: string
  readonly mountpoint: string
  #skew = 0
  #hand: ChildProcess | null = null
  #asked = 0
  readonly #waiting = new Map<number, (answer: Answer) => void>()

  constructor(name: string, scratch: string, user: { uid: number; gid: number }) {
    this.name = name
    this.user = user
    this.home = join(scratch, name)
    this.vault = join(this.home, 'cloud')
    this.mountpoint = join(this.home, 'drive')
    for (const folder of [this.home, this.vault, this.mountpoint]) this.own(folder)
    writeFileSync(join(this.home, 'password'), `${PASSWORD}\n`)
    this.skew = 0
    chownSync(join(this.home, 'password'), user.uid, user.gid)
  }

  /** Makes a folder that is this machine's user's. */
  own(folder: string): string {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    chownSync(folder, this.user.uid, this.user.gid)
    return folder
  }

  get environment(): NodeJS.ProcessEnv {
    return {
      PATH: process.env.PATH,
      HOME: this.home,
      COFFER_STATE_DIR: join(this.home, 'state'),
      COFFER_RUNTIME_DIR: join(this.home, 'run'),
      LD_PRELOAD: FAKETIME,
      FAKETIME_TIMESTAMP_FILE: join(this.home, 'clock'),
      FAKETIME_CACHE_DURATION: '1',
      DONT_FAKE_MONOTONIC: '1',
    }
  }

  get skew(): number {
    return this.#skew
  }

  /** Seconds that the clock of its programs is wrong by, a second later at the latest. */
  set skew(seconds: number) {
    this.#skew = seconds
    writeFileSync(join(this.home, 'clock'), `${seconds < 0 ? '' : '+'}${seconds}s\n`)
  }

  /** Its user's words; throws what the program said where it fails. */
  coffer(...words: string[]): string {
    const { status, stdout, stderr } = spawnSync(process.execPath, [COFFER, ...words], {
      ...this.user,
      cwd: this.home,
      env: this.environment,
      encoding: 'utf8',
      timeout: PATIENCE_MS,
    })
    if (status !== 0)
      throw new Error(`${this.name}: coffer ${words.join(' ')}: exit ${status}: ${stderr}`)
    return stdout
  }

  create(): void {
    const passfile = join(this.home, 'password')
    this.coffer('create', this.vault, '--passfile', passfile, '--scrypt-logn', '10')
  }

  mount(): void {
    const passfile = join(this.home, 'password')
    this.coffer('mount', this.vault, this.mountpoint, '--passfile', passfile, '--log-names')
    this.#hand ??= this.#newHand()
  }

  unmount(): void {
    this.coffer('unmount', this.mountpoint)
  }

  #newHand(): ChildProcess {
    const hand = fork(HAND, [this.mountpoint], {
      ...this.user,
      cwd: '/',
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    hand.on('message', (answer: Answer) => {
      this.#waiting.get(answer.id)?.(answer)
      this.#waiting.delete(answer.id)
    })
    hand.on('exit', () => {
      for (const [id, resolve] of this.#waiting) resolve({ id, code: 'the hand has died' })
      this.#waiting.clear()
    })
    return hand
  }

  /** Lets the hand do something; throws `Refused`. */
  async do<K extends keyof Calls>(call: K, ...args: Parameters<Calls[K]>): Promise<Result<K>> {
    const hand = this.#hand
    if (hand === null) throw new Error(`${this.name} has no drive`)
    const id = ++this.#asked
    const answer = await new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve)
      hand.send([id, call, args])
    })
    if ('code' in answer) throw new Refused(`${call} ${String(args[0] ?? '')}`, answer.code)
    return answer.value as Result<K>
  }

  #entry(): { pid: number; log: string } | null {
    const folder = join(this.home, 'run')
    if (!existsSync(folder)) return null
    const entry = readdirSync(folder).find((name) => name.endsWith('.json'))
    if (entry === undefined) return null
    return JSON.parse(readFileSync(join(folder, entry), 'utf8')) as { pid: number; log: string }
  }

  /** kill -9 of the process that serves; returns when the mount has gone. */
  async kill(): Promise<void> {
    const entry = this.#entry()
    if (entry === null) throw new Error(`${this.name}: no drive is running`)
    process.kill(entry.pid, 'SIGKILL')
    for (const end = Date.now() + PATIENCE_MS; mountedAt(this.mountpoint) !== null;) {
      if (Date.now() > end) throw new Error(`${this.name}: the mount of a killed drive stays`)
      await sleep(20)
    }
  }

  /** Lines of the drive's log. */
  log(): string[] {
    const folder = join(this.home, 'state/vaults')
    if (!existsSync(folder)) return []
    return readdirSync(folder).flatMap((id) =>
      ['log.1', 'log']
        .map((name) => join(folder, id, name))
        .filter((file) => existsSync(file))
        .flatMap((file) => readFileSync(file, 'utf8').split('\n'))
        .filter((line) => line !== ''),
    )
  }

  end(): void {
    this.#hand?.kill('SIGKILL')
    this.#hand = null
    if (mountedAt(this.mountpoint) === null) return
    try {
      this.coffer('unmount', '--force', this.mountpoint)
    } catch {
      const pid = this.#entry()?.pid
      if (pid !== undefined) process.kill(pid, 'SIGKILL')
      spawnSync('umount', ['-l', this.mountpoint])
    }
  }
}
