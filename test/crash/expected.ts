// What must be on the drive after a kill, by the ledger of what was done before it.

import { Buffer } from 'node:buffer'
import { piece, type Known, type Operation } from './ledger.js'
import { Versions } from './versions.js'

const CHUNK = 32 * 1024

export interface ExpectedFile {
  id: number
  path: string
  versions: Versions
  /** it may be missing: it has not been sealed yet, or was being removed */
  maybe: boolean
  state: 'rest' | 'closed' | 'writing'
}

/** A rename that was cut short: either name may be the file's. */
export interface Moving {
  file: ExpectedFile
  from: string
  replaced: ExpectedFile | null
}

export class Expected {
  readonly files = new Map<number, ExpectedFile>()
  /** true where it must be there, false where it may */
  readonly directories = new Map<string, boolean>()
  moving: Moving | null = null

  at(path: string): ExpectedFile | null {
    for (const file of this.files.values()) if (file.path === path) return file
    return null
  }

  get known(): Known[] {
    return [...this.files.values()].map(({ id, path, versions: { size } }) => ({ id, path, size }))
  }

  apply({ number, file: id, intent, outcome }: Operation): void {
    const done = outcome === 'ok'
    if (intent[0] === 'create') {
      const versions = new Versions(CHUNK)
      this.files.set(id, { id, path: intent[1], versions, maybe: true, state: 'writing' })
      return
    }
    if (intent[0] === 'mkdir' || intent[0] === 'rmdir') {
      if (intent[0] === 'rmdir' && done) this.directories.delete(intent[1])
      else this.directories.set(intent[1], done)
      return
    }
    const file = this.files.get(id)
    if (file === undefined) throw new Error(`the ledger knows no file ${String(id)}`)
    const { versions } = file
    switch (intent[0]) {
      case 'open':
        file.state = 'writing'
        if (intent[1]) versions.truncate(0, done)
        break
      case 'write':
        if (outcome?.startsWith('short ') === true)
          versions.write(intent[1], piece(number, Number(outcome.slice(6))), false)
        versions.write(intent[1], piece(number, intent[2]), done)
        break
      case 'map':
        for (const [offset, length] of intent[1])
          versions.write(offset, piece(number, length), done)
        if (done) this.#durable(file)
        break
      case 'truncate':
        versions.truncate(intent[1], done)
        // by name, with nobody having it open
        if (file.state !== 'writing') {
          if (done) this.#durable(file)
          file.state = done ? 'closed' : 'writing'
        }
        break
      case 'fsync':
        if (done) this.#durable(file)
        break
      case 'close':
        if (!done) break
        this.#durable(file)
        file.state = 'closed'
        break
      case 'rename':
        this.#rename(file, intent[1], done)
        break
      case 'unlink':
        if (done) this.files.delete(id)
        else file.maybe = true
        break
      case 'read':
    }
  }

  #durable(file: ExpectedFile): void {
    file.versions.settle()
    file.maybe = false
  }

  #rename(file: ExpectedFile, to: string, done: boolean): void {
    const replaced = this.at(to)
    if (done) {
      if (replaced !== null) this.files.delete(replaced.id)
      file.path = to
      // the old file is gone, so the new one has to be there
      file.maybe = false
    } else {
      this.moving = { file, from: file.path, replaced }
      if (replaced !== null) this.files.delete(replaced.id)
      file.path = to
    }
  }

  /** After a look at everything: what was found is what must stay. */
  found(file: ExpectedFile, content: Buffer): void {
    file.versions.adopt(content)
    file.maybe = false
    file.state = 'rest'
  }
}
