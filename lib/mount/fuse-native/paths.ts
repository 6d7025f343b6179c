// From libfuse's paths to inodes. A walk asks for every name of a path each time, since the sync client may
// have changed any of them; it never trusts what it found before.

import { CofferError } from '../../errors.js'
import { emptyEntry, type Entry, type Filesystem } from '../../fs/filesystem.js'
import type { HiddenFiles } from './hidden-files.js'
import type { InodeReferences } from './inode-references.js'

const ROOT_NODEID = 1
// thrown again and again: a stack trace each time would cost more than the request
const NO_ENTRY = new CofferError('ENOENT', 'there is no such file')

export interface Place {
  parent: number
  name: string
}

export class Paths {
  readonly #fs: Filesystem
  readonly #references: InodeReferences
  readonly #hidden: HiddenFiles
  readonly #entry = emptyEntry()

  constructor(fs: Filesystem, references: InodeReferences, hidden: HiddenFiles) {
    this.#fs = fs
    this.#references = references
    this.#hidden = hidden
  }

  /** The inode at a path with its attributes, until the next call. Throws ENOENT. */
  find(path: string): Entry {
    const entry = this.#entry
    const hidden = this.#hidden.nodeid(path)
    if (path === '/' || hidden !== null) {
      entry.nodeid = hidden ?? ROOT_NODEID
      this.#fs.getattr(entry.nodeid, entry.attributes)
      // libfuse takes one off, for the name that it believes to be there
      if (hidden !== null) entry.attributes.nlink++
      return entry
    }
    const { parent, name } = this.place(path)
    this.#look(parent, name)
    return entry
  }

  nodeid(path: string): number {
    if (path === '/') return ROOT_NODEID
    return this.#hidden.nodeid(path) ?? this.find(path).nodeid
  }

  /** The directory that a path's last name lies in, whether or not that name is there. */
  place(path: string): Place {
    const last = path.lastIndexOf('/')
    let parent = ROOT_NODEID
    for (let at = 1; at <= last;) {
      const next = path.indexOf('/', at)
      parent = this.#look(parent, path.slice(at, next))
      at = next + 1
    }
    return { parent, name: path.slice(last + 1) }
  }

  #look(parent: number, name: string): number {
    const entry = this.#entry
    if (!this.#fs.lookup(parent, name, entry)) throw NO_ENTRY
    this.#references.note(entry.nodeid)
    return entry.nodeid
  }
}
