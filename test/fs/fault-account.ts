// The account of a script on a disk that goes wrong: what each file may hold, which names it has and
// which it may have. By it a fresh drive is judged.

import { Versions } from '../crash/versions.js'
import { codeOf } from './fault-backing.js'
import type { OpenFile, Session } from './session.js'

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

  constructor(chunkSize: number, path: string) {
    this.versions = new Versions(chunkSize)
    this.perhaps.add(path)
  }

  get names(): string[] {
    return [...this.sure, ...this.perhaps]
  }
}

export class Account {
  readonly files: PlayedFile[] = []
  readonly #chunkSize: number
  /** the machine may forget what was not synced: close makes nothing durable, and no name is sure */
  readonly #forgetful: boolean

  constructor(chunkSize: number, forgetful: boolean) {
    this.#chunkSize = chunkSize
    this.#forgetful = forgetful
  }

  create(path: string): PlayedFile {
    const file = new PlayedFile(this.#chunkSize, path)
    this.files.push(file)
    return file
  }

  find(path: string): PlayedFile | undefined {
    return this.files.find(({ sure, perhaps }) => sure.has(path) || perhaps.has(path))
  }

  at(path: string): PlayedFile {
    const file = this.find(path)
    if (file === undefined) throw new Error(`the script has no ${path}`)
    return file
  }

  /** It was said to be stored, by fsync or else by close. */
  durable(file: PlayedFile, synced: boolean): void {
    if (this.#forgetful && !synced) return
    file.versions.settle()
    if (file.sure.size === 0 && file.perhaps.size === 1) {
      for (const name of file.perhaps) file.sure.add(name)
      file.perhaps.clear()
    }
    file.must = file.names.length > 0
    file.fresh = false
  }

  named(file: PlayedFile, name: string, certain: boolean): void {
    if (certain && !this.#forgetful) file.sure.add(name)
    else file.perhaps.add(name)
  }

  unnamed(file: PlayedFile, name: string, certain: boolean): void {
    if (!file.sure.delete(name) && !file.perhaps.has(name)) return
    if (certain && !this.#forgetful) file.perhaps.delete(name)
    else file.perhaps.add(name)
    if (file.sure.size === 0) file.must = false
  }

  /** Not certain: it has one of the two names. */
  renamed(file: PlayedFile, from: string, to: string, certain: boolean): void {
    const { must } = file
    this.unnamed(file, from, certain)
    this.named(file, to, certain)
    file.must = must
  }

  directoryRenamed(from: string, to: string, certain: boolean): void {
    for (const file of this.files) {
      for (const name of file.names) {
        if (!name.startsWith(`${from}/`)) continue
        const moved = to + name.slice(from.length)
        if (file.sure.has(name)) this.renamed(file, name, moved, certain)
        else file.perhaps.add(moved)
      }
    }
  }

  /** What a fresh drive shows that it must not, or does not show. */
  judge(session: Session): Violation[] {
    const violations: Violation[] = []
    const seen = new Set<PlayedFile>()
    const found = new Set(this.#filesBelow(session, '', violations))
    for (const path of found) {
      const candidates = this.files.filter(({ names }) => names.includes(path))
      for (const file of candidates) seen.add(file)
      const violation = this.#look(session, path, candidates)
      if (violation !== null) violations.push(violation)
    }
    for (const file of this.files) {
      for (const name of file.sure)
        if (!found.has(name)) violations.push({ kind: 'missing', detail: name })
      if (file.must && file.sure.size === 0 && !seen.has(file))
        violations.push({ kind: 'missing', detail: [...file.perhaps].join(' or ') })
    }
    return violations
  }

  #look(session: Session, path: string, candidates: readonly PlayedFile[]): Violation | null {
    if (candidates.length === 0) return { kind: 'extra', detail: path }
    const unsynced = this.#forgetful && candidates.some(({ fresh }) => fresh) ? 'unsynced ' : ''
    try {
      const content = session.read(path)
      const problems = candidates.map(({ versions }) => versions.judge(content, true))
      const problem = problems.includes(null) ? null : problems[0]
      return problem
        ? { kind: unsynced + problem.kind, detail: `${path}: ${problem.detail}` }
        : null
    } catch (error) {
      const detail = `${path}: ${(error as Error).message}`
      return { kind: `${unsynced}refused ${codeOf(error)}`, detail }
    }
  }

  #filesBelow(session: Session, folder: string, violations: Violation[]): string[] {
    try {
      return [...session.list(folder).keys()].flatMap((name) => {
        const path = `${folder}/${name}`
        const isDirectory = session.type(path) === 'directory'
        return isDirectory ? this.#filesBelow(session, path, violations) : [path]
      })
    } catch (error) {
      const detail = `${folder}: ${(error as Error).message}`
      const needed = this.files.some(
        ({ must, names }) => must && names.some((name) => name.startsWith(`${folder}/`)),
      )
      const unsynced = this.#forgetful && !needed ? 'unsynced ' : ''
      violations.push({ kind: `${unsynced}directory refused ${codeOf(error)}`, detail })
      return []
    }
  }
}
