// Plays a script on a drive whose disk goes wrong, and keeps account: what each file may hold, what
// its names are, and whether the application was told. Then it judges a fresh drive by that account.

import { Buffer } from 'node:buffer'
import { constants } from 'node:fs'
import { Versions } from '../crash/versions.js'
import { noise } from '../posix/folder.js'
import { codeOf, Stopped } from './fault-backing.js'
import type { OpenFile, Session } from './session.js'

const { O_RDWR, O_TRUNC } = constants

export interface Violation {
  kind: string
  detail: string
}

export class PlayedFile {
  readonly versions: Versions
  /** names that it has, and those that it may have */
  readonly sure = new Set<string>()
  readonly perhaps = new Set<string>()
  /** it has been made durable and not removed: it must be there under one of its names */
  must = false
  /** it has never been made durable: a machine that stops may leave anything of it */
  fresh = true
  handle: OpenFile | null = null

  constructor(chunkSize: number) {
    this.versions = new Versions(chunkSize)
  }
}

export class Player {
  readonly violations: Violation[] = []
  readonly told: string[] = []
  readonly files: PlayedFile[] = []
  readonly #chunkSize: number
  /** the machine may forget what was not synced: close makes nothing durable */
  readonly #forgetful: boolean
  session: Session
  #pieces = 0
  /** the files whose errors are no surprise: the fault was in their step */
  #step = ''
  #stepFailed = false
  #failedBefore = ''

  constructor(session: Session, chunkSize: number, forgetful: boolean) {
    this.session = session
    this.#chunkSize = chunkSize
    this.#forgetful = forgetful
  }

  /** A part of the script that has its own files: an error in one must not bring one to the next. */
  step(name: string, act: () => void): void {
    if (this.#stepFailed) this.#failedBefore ||= this.#step
    this.#step = name
    this.#stepFailed = false
    act()
  }

  #call(what: string, act: () => void): boolean {
    try {
      act()
      return true
    } catch (error) {
      if (error instanceof Stopped) throw error
      const code = codeOf(error)
      this.told.push(`${this.#step}, ${what}: ${code}`)
      this.#stepFailed = true
      if (this.#failedBefore !== '')
        this.#violation(
          'spread',
          `${what} in "${this.#step}" after "${this.#failedBefore}": ${code}`,
        )
      if (!/^[A-Z][A-Z0-9_]+$/.test(code)) this.#violation('defect', `${what}: ${code}`)
      return false
    }
  }

  /** Like `#call`, also where the machine stops in it: then it may be done or not. */
  #change(what: string, act: () => void, account: (certain: boolean) => void): boolean {
    try {
      const done = this.#call(what, act)
      account(done)
      return done
    } catch (error) {
      account(false)
      throw error
    }
  }

  #violation(kind: string, detail: string): void {
    this.violations.push({ kind, detail })
  }

  create(path: string): PlayedFile | null {
    const file = new PlayedFile(this.#chunkSize)
    const done = this.#change(
      `create ${path}`,
      () => {
        file.handle = this.session.create(path)
      },
      () => file.perhaps.add(path),
    )
    this.files.push(file)
    return done ? file : null
  }

  at(path: string): PlayedFile {
    const file = this.files.find(({ sure, perhaps }) => sure.has(path) || perhaps.has(path))
    if (file === undefined) throw new Error(`the script has no ${path}`)
    return file
  }

  open(path: string, truncating = false): PlayedFile | null {
    const file = this.at(path)
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
    const handle = file?.handle ?? null
    if (file === null || handle === null) return
    const { versions } = file
    const bytes = Buffer.from(noise(length, ++this.#pieces))
    this.#change(
      `write ${String(offset)}+${String(length)}`,
      () => {
        handle.write(offset, bytes)
      },
      (certain) => {
        versions.write(offset, bytes, certain)
      },
    )
  }

  append(file: PlayedFile | null, length: number): void {
    this.write(file, file?.versions.size ?? 0, length)
  }

  truncate(file: PlayedFile | null, size: number): void {
    const handle = file?.handle ?? null
    if (file === null || handle === null) return
    const { versions } = file
    this.#change(
      `truncate ${String(size)}`,
      () => {
        handle.truncate(size)
      },
      (certain) => {
        versions.truncate(size, certain)
      },
    )
  }

  punch(file: PlayedFile | null, offset: number, length: number): void {
    const handle = file?.handle ?? null
    if (file === null || handle === null) return
    const { versions } = file
    this.#change(
      `punch ${String(offset)}+${String(length)}`,
      () => {
        handle.fallocate(3, offset, length)
      },
      (certain) => {
        versions.punch(offset, length, certain)
      },
    )
  }

  #durable(file: PlayedFile, synced: boolean): void {
    if (this.#forgetful && !synced) return
    file.versions.settle()
    if (file.sure.size === 0 && file.perhaps.size === 1) {
      for (const name of file.perhaps) file.sure.add(name)
      file.perhaps.clear()
    }
    file.must = file.sure.size + file.perhaps.size > 0
    file.fresh = false
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
      this.#durable(file, true)
      return
    }
  }

  close(file: PlayedFile | null): void {
    const handle = file?.handle ?? null
    if (file === null || handle === null) return
    // what the drive says now must be what it will have stored
    this.#reads(file, 'before close', () =>
      handle.read(0, this.session.statNode(handle.nodeid).size),
    )
    file.handle = null
    const done = this.#call('close', () => {
      handle.close()
    })
    if (done) this.#durable(file, false)
  }

  #reads(file: PlayedFile, when: string, read: () => Buffer): void {
    if (!this.#stepFailed) return
    try {
      const problem = file.versions.judge(read(), false)
      if (problem !== null) this.#violation(`${problem.kind} ${when}`, problem.detail)
    } catch (error) {
      if (error instanceof Stopped) throw error
      this.#violation(`refused ${when}`, `${codeOf(error)} after ${this.told.at(-1) ?? ''}`)
    }
  }

  setSize(path: string, size: number): void {
    const file = this.at(path)
    const done = this.#change(
      `truncate ${path}`,
      () => {
        this.session.setattr(path, { size })
      },
      (certain) => {
        file.versions.truncate(size, certain)
      },
    )
    if (done) this.#durable(file, false)
  }

  chmod(path: string, mode: number): void {
    this.#call(`chmod ${path}`, () => {
      this.session.setattr(path, { mode })
    })
  }

  #loses(file: PlayedFile, path: string, certain: boolean): void {
    const had = file.sure.delete(path) || file.perhaps.has(path)
    if (!had) return
    if (certain && !this.#forgetful) file.perhaps.delete(path)
    else file.perhaps.add(path)
    if (file.sure.size === 0) file.must = false
  }

  unlink(path: string): void {
    const file = this.at(path)
    this.#change(
      `unlink ${path}`,
      () => {
        this.session.unlink(path)
      },
      (certain) => {
        this.#loses(file, path, certain)
      },
    )
  }

  rename(from: string, to: string): void {
    const file = this.at(from)
    const replaced = this.files.find(({ sure, perhaps }) => sure.has(to) || perhaps.has(to))
    this.#change(
      `rename ${from} ${to}`,
      () => {
        this.session.rename(from, to)
      },
      (certain) => {
        if (replaced !== undefined) this.#loses(replaced, to, certain)
        this.#renamed(file, from, to, certain)
      },
    )
  }

  /** One of its two names it has. */
  #renamed(file: PlayedFile, from: string, to: string, certain: boolean): void {
    const { must } = file
    this.#loses(file, from, certain)
    if (certain && !this.#forgetful) file.sure.add(to)
    else file.perhaps.add(to)
    file.must = must
  }

  exchange(a: string, b: string): void {
    const [first, second] = [this.at(a), this.at(b)]
    this.#change(
      `exchange ${a} ${b}`,
      () => {
        this.session.rename(a, b, 2)
      },
      (certain) => {
        this.#renamed(first, a, b, certain)
        this.#renamed(second, b, a, certain)
      },
    )
  }

  link(from: string, to: string): void {
    const file = this.at(from)
    this.#change(
      `link ${from} ${to}`,
      () => {
        this.session.link(from, to)
      },
      (certain) => {
        if (certain && !this.#forgetful) file.sure.add(to)
        else file.perhaps.add(to)
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
        for (const file of this.files) this.#movedAlong(file, from, to, certain)
      },
    )
  }

  #movedAlong(file: PlayedFile, from: string, to: string, certain: boolean): void {
    for (const name of [...file.sure, ...file.perhaps]) {
      if (!name.startsWith(`${from}/`)) continue
      const moved = to + name.slice(from.length)
      if (file.sure.has(name)) this.#renamed(file, name, moved, certain)
      else file.perhaps.add(moved)
    }
  }

  /** Five seconds pass in which the drive is asked to do what is due. */
  tend(pass: () => void): void {
    pass()
    this.#call('tend', () => {
      this.session.drive.tend()
    })
  }

  /** Everything that a fresh drive shows. */
  judge(session: Session): Violation[] {
    const seen = new Set<PlayedFile>()
    const found = new Set<string>()
    for (const path of this.#filesBelow(session, '')) {
      found.add(path)
      this.#judgeFile(session, path, seen)
    }
    for (const file of this.files) {
      for (const name of file.sure)
        if (!found.has(name)) this.#violation('missing', `${name} is not there`)
      if (file.must && file.sure.size === 0 && !seen.has(file))
        this.#violation('missing', `none of ${[...file.perhaps].join(' ')} is there`)
    }
    return this.violations
  }

  #judgeFile(session: Session, path: string, seen: Set<PlayedFile>): void {
    const candidates = this.files.filter(({ sure, perhaps }) => sure.has(path) || perhaps.has(path))
    if (candidates.length === 0) {
      this.#violation('extra', path)
      return
    }
    for (const file of candidates) seen.add(file)
    const unsynced = this.#forgetful && candidates.some(({ fresh }) => fresh) ? 'unsynced ' : ''
    try {
      const content = session.read(path)
      const problems = candidates.map(({ versions }) => versions.judge(content, true))
      const problem = problems.includes(null) ? null : problems[0]
      if (problem) this.#violation(unsynced + problem.kind, `${path}: ${problem.detail}`)
    } catch (error) {
      this.#violation(`${unsynced}refused ${codeOf(error)}`, `${path}: ${(error as Error).message}`)
    }
  }

  #filesBelow(session: Session, folder: string): string[] {
    try {
      return [...session.list(folder).keys()].flatMap((name) => {
        const path = `${folder}/${name}`
        return session.type(path) === 'directory' ? this.#filesBelow(session, path) : [path]
      })
    } catch (error) {
      this.#violation(
        `directory refused ${codeOf(error)}`,
        `${folder}: ${(error as Error).message}`,
      )
      return []
    }
  }
}
