// Open directories: handles, and what each lists. A listing stays as it was until it is begun again.

import { constants } from 'node:fs'
import { CofferError } from '../errors.js'
import type { FileStat } from '../store/backing.js'
import type { Directory } from './directory.js'
import type { EmitEntry } from './filesystem.js'
import type { Inode } from './inode.js'
import { list, type Listed } from './listing.js'
import { locate, locateListed } from './locate.js'
import type { Tree } from './tree.js'

const { S_IFDIR } = constants

interface Handle {
  inode: Inode
  entries: Listed[] | null
  /** what the inode was when they were listed */
  directory: Directory | null
  /** the entry that an adapter is being told of */
  shown: Listed | null
}

export class OpenDirectories {
  readonly #tree: Tree
  readonly #handles = new Map<number, Handle>()
  /** its entries are being shown */
  #showing: Handle | null = null
  #next = 1

  constructor(tree: Tree) {
    this.#tree = tree
  }

  inode(fh: number): Inode {
    return this.#handle(fh).inode
  }

  #handle(fh: number): Handle {
    const handle = this.#handles.get(fh)
    if (handle === undefined) throw new CofferError('EBADF', 'the directory is not open')
    return handle
  }

  open(inode: Inode): number {
    this.#tree.directory(inode)
    const fh = this.#next++
    this.#handles.set(fh, { inode, entries: null, directory: null, shown: null })
    return fh
  }

  /** Cookies: 1 is after ".", 2 after "..", i + 3 after the i-th entry. */
  read(fh: number, cookie: number, emit: EmitEntry): void {
    const handle = this.#handle(fh)
    const { inode } = handle
    if (cookie === 0 || handle.entries === null) {
      handle.entries = list(this.#tree, inode)
      handle.directory = inode.directory
    }
    if (cookie === 0 && !emit('.', inode.ino, S_IFDIR, 1)) return
    if (cookie <= 1 && !emit('..', (inode.parent ?? inode).ino, S_IFDIR, 2)) return
    this.#showing = handle
    try {
      for (let i = Math.max(0, cookie - 2); i < handle.entries.length; i++) {
        const entry = handle.entries[i]
        if (entry === undefined) continue
        handle.shown = entry
        if (!emit(entry.name, 0xffffffff, entry.type, i + 3)) return
      }
    } finally {
      this.#showing = null
    }
  }

  /** An adapter that is being told of an entry asks for it at once: then the listing knows where it lies. */
  locate(parent: Inode, name: string, stat: FileStat): Inode | null {
    const { inode, directory = null, shown = null } = this.#showing ?? {}
    if (inode !== parent || directory === null || shown?.name !== name || shown.bearer === null)
      return locate(this.#tree, parent, name, stat)
    return locateListed(this.#tree, parent, directory, shown.bearer, stat)
  }

  close(fh: number): void {
    this.#handles.delete(fh)
  }
}
