// Blobs that somebody has put into the vault folder while the drive is open: whose they are, and what
// the client did not carry of them. Looked at a few at a time, so that a thousand files that come at
// once keep no request waiting. Only where the kernel tells of others' doing; a placeholder is not
// fetched for this.

import { CofferError } from '../errors.js'
import { parseBackingName } from '../format/name.js'
import { emptyStat } from '../store/backing.js'
import { arrived } from './arrived.js'
import { decodeEntry } from './entry-names.js'
import { backingName, type Inode } from './inode.js'
import { Later } from './later.js'
import { locate } from './locate.js'
import type { Tree } from './tree.js'

/** Beyond this nobody waits for the count to be right. */
const WAITING_MAX = 10_000
const AT_ONCE = 32
const stat = emptyStat()

export class Arrivals {
  readonly #tree: Tree
  /** directories by backing name, each name once */
  readonly #waiting = new Map<Inode, Set<string>>()
  #count = 0

  constructor(tree: Tree) {
    this.#tree = tree
  }

  /** A blob came there, or was written over; only those of files are counted. */
  add(parent: Inode, file: string): void {
    if (!file.endsWith('.cff')) return
    const files = this.#waiting.get(parent) ?? new Set<string>()
    if (files.has(file) || this.#count === WAITING_MAX) return
    this.#waiting.set(parent, files.add(file))
    this.#count++
  }

  /** True where more are waiting. */
  look(): boolean {
    let left = AT_ONCE
    for (const [parent, files] of this.#waiting) {
      for (const file of files) {
        if (left-- === 0) return true
        files.delete(file)
        this.#count--
        this.#lookAt(parent, file)
      }
      this.#waiting.delete(parent)
    }
    return false
  }

  /** What is not whole, or is gone, says nothing: another event comes with the rest of it. */
  #lookAt(parent: Inode, file: string): void {
    const tree = this.#tree
    const parsed = parseBackingName(file)
    if (parent.watch < 0 || parsed.what !== 'object') return
    try {
      const { ids } = tree.directory(parent)
      const dirfd = tree.descriptor(parent)
      const name = decodeEntry(tree.ctx, ids, dirfd, parsed.base, parsed.extension)?.name
      const inode = name === undefined ? null : locate(tree, parent, name, stat)
      if (inode === null) return
      if (backingName(inode) === file) arrived(tree, inode, stat)
      tree.closed(inode)
    } catch (error) {
      if (!(error instanceof CofferError || error instanceof Later)) throw error
    }
  }
}
