// Plays a script on a drive whose disk goes wrong, as an application that goes on after an error and
// remembers what it was told. Every call is in the account, done or perhaps done.

import { Buffer } from 'node:buffer'
import { constants } from 'node:fs'
import { noise } from '../posix/folder.js'
import { Account, type PlayedFile, type Violation } from './fault-account.js'
import { codeOf, Stopped } from './fault-backing.js'
import type { OpenFile, Session } from './session.js'

const { O_RDWR, O_TRUNC } = constants
const PUNCH = 3
const EXCHANGE = 2

export class Player {
  readonly violations: Violation[] = []
  /** the errors that the application met */
  readonly told: string[] = []
  readonly account: Account
  session: Session
  #pieces = 0
  #step = ''
  #stepFailed = false
  #failedBefore = ''

  constructor(session: Session, account: Account) {
    this.session = session
    this.account = account
  }

  /** A part of the script that has its own files: an error in one must not bring one to the next. */
  step(name: string, act: () => void): void {
    if (this.#stepFailed) this.#failedBefore ||= this.#step
    this.#step = name
    this.#stepFailed = false
    act()
  }

  /** False where it failed, which the application then knows. */
  #call(what: string, act: () => void): boolean {
    try {
      act()
      return true
    } catch (error) {
      if (error instanceof Stopped) throw error
      const code = codeOf(error)
      this.told.push(`${this.#step}, ${what}: ${code}`)
      this.#stepFailed = true
      if (this.#failedBefore !== '') {
        const detail = `${what} in "${this.#step}" after "${this.#failedBefore}": ${code}`
        this.violations.push({ kind: 'spread', detail })
      }
      if (!/^[A-Z][A-Z0-9_]+$/.test(code))
        this.violations.push({ kind: 'defect', detail: `${what}: ${code}` })
      return false
    }
  }

  /** Where the machine stops in it, or it fails, it may be done or not. */
  #change(what: string, act: () => void, note: (certain: boolean) => void): boolean {
    try {
      const done = this.#call(what, act)
      note(done)
      return done
    } catch (error) {
      note(false)
      throw error
    }
  }

  #onOpen(
    file: PlayedFile | null,
    what: string,
    act: (handle: OpenFile) => void,
    note: (file: PlayedFile, certain: boolean) => void,
  ): void {
    const handle = file?.handle ?? null
    if (file === null || handle === null) return
    this.#change(
      what,
      () => {
        act(handle)
      },
      (certain) => {
        note(file, certain)
      },
    )
  }

  create(path: string): PlayedFile | null {
    const file = this.account.create(path)
    const done = this.#call(`create ${path}`, () => {
      file.handle = this.session.create(path)
    })
    return done ? file : null
  }

  open(path: string, truncating = false): PlayedFile | null {
    const file = this.account.at(path)
    const done = this.#change(
      `open ${path}`,
      () => {
        file.handle = this.session.open(path, truncating ? O_RDWR | O_TRUNC : O_RDWR)
      },
      (certain) => {
        if (truncating) file.versions.truncate(0, certain)
      },
    )
    return done ? file : null
  }

  write(file: PlayedFile | null, offset: number, length: number): void {
    const bytes = Buffer.from(noise(length, ++this.#pieces))
    this.#onOpen(
      file,
      `write ${String(offset)}+${String(length)}`,
      (handle) => {
        handle.write(offset, bytes)
      },
      ({ versions }, certain) => {
        versions.write(offset, bytes, certain)
      },
    )
  }

  append(file: PlayedFile | null, length: number): void {
    this.write(file, file?.versions.size ?? 0, length)
  }

  truncate(file: PlayedFile | null, size: number): void {
    this.#onOpen(
      file,
      `truncate ${String(size)}`,
      (handle) => {
        handle.truncate(size)
      },
      ({ versions }, certain) => {
        versions.truncate(size, certain)
      },
    )
  }

  punch(file: PlayedFile | null, offset: number, length: number): void {
    this.#onOpen(
      file,
      `punch ${String(offset)}+${String(length)}`,
      (handle) => {
        handle.fallocate(PUNCH, offset, length)
      },
      ({ versions }, certain) => {
        versions.punch(offset, length, certain)
      },
    )
  }

  /** Tried again where it fails, as a careful application does. */
  fsync(file: PlayedFile | null): void {
    const handle = file?.handle ?? null
    if (file === null || handle === null) return
    for (let attempt = 0; attempt < 2; attempt++) {
      const done = this.#call('fsync', () => {
        handle.sync()
      })
      if (!done) continue
      this.account.durable(file, true)
      return
    }
  }

  close(file: PlayedFile | null): void {
    const handle = file?.handle ?? null
    if (file === null || handle === null) return
    if (this.#stepFailed) this.#readBack(file, handle)
    file.handle = null
    const done = this.#call('close', () => {
      handle.close()
    })
    if (done) this.account.durable(file, false)
  }

  /** After an error the drive may refuse the file or show what was written, nothing else. */
  #readBack({ versions }: PlayedFile, handle: OpenFile): void {
    try {
      const content = handle.read(0, this.session.statNode(handle.nodeid).size)
      const problem = versions.judge(content, false)
      if (problem === null) return
      this.violations.push({ kind: `${problem.kind} before close`, detail: problem.detail })
    } catch (error) {
      if (error instanceof Stopped) throw error
      const detail = `${codeOf(error)} after ${this.told.at(-1) ?? ''}`
      this.violations.push({ kind: 'refused before close', detail })
    }
  }

  setSize(path: string, size: number): void {
    const file = this.account.at(path)
    const done = this.#change(
      `truncate ${path}`,
      () => {
        this.session.setattr(path, { size })
      },
      (certain) => {
        file.versions.truncate(size, certain)
      },
    )
    if (done) this.account.durable(file, false)
  }

  chmod(path: string, mode: number): void {
    this.#call(`chmod ${path}`, () => {
      this.session.setattr(path, { mode })
    })
  }

  unlink(path: string): void {
    const file = this.account.at(path)
    this.#change(
      `unlink ${path}`,
      () => {
        this.session.unlink(path)
      },
      (certain) => {
        this.account.unnamed(file, path, certain)
      },
    )
  }

  rename(from: string, to: string): void {
    const file = this.account.at(from)
    const replaced = this.account.find(to)
    this.#change(
      `rename ${from} ${to}`,
      () => {
        this.session.rename(from, to)
      },
      (certain) => {
        if (replaced !== undefined) this.account.unnamed(replaced, to, certain)
        this.account.renamed(file, from, to, certain)
      },
    )
  }

  exchange(a: string, b: string): void {
    const [first, second] = [this.account.at(a), this.account.at(b)]
    this.#change(
      `exchange ${a} ${b}`,
      () => {
        this.session.rename(a, b, EXCHANGE)
      },
      (certain) => {
        this.account.renamed(first, a, b, certain)
        this.account.renamed(second, b, a, certain)
      },
    )
  }

  link(from: string, to: string): void {
    const file = this.account.at(from)
    this.#change(
      `link ${from} ${to}`,
      () => {
        this.session.link(from, to)
      },
      (certain) => {
        this.account.named(file, to, certain)
      },
    )
  }

  mkdir(path: string): boolean {
    return this.#call(`mkdir ${path}`, () => {
      this.session.mkdir(path)
    })
  }

  renameDirectory(from: string, to: string): void {
    this.#change(
      `rename ${from} ${to}`,
      () => {
        this.session.rename(from, to)
      },
      (certain) => {
        this.account.directoryRenamed(from, to, certain)
      },
    )
  }

  /** Time passes in which the drive is asked to do what is due. */
  tend(pass: () => void): void {
    pass()
    this.#call('tend', () => {
      this.session.drive.tend()
    })
  }
}
