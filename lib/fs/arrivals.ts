// Blobs that somebody has put into the vault folder while the drive is open: whose they are. Looked at
// a few at a time, so that a thousand files that come at once keep no request waiting. Only where the
// kernel tells of others' doing; a placeholder is not fetched for this.

import { CofferError } from '../errors.js'
import { KIND_FILE } from '../format/constants.js'
import { emptyStat } from '../store/backing.js'
import type { Inode } from './inode.js'
import { SealedObject } from './sealed-object.js'
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
    const { ctx } = this.#tree
    if (parent.watch < 0) return
    try {
      const dirfd = this.#tree.descriptor(parent)
      if (ctx.fetches.isMarked(dirfd, file)) return
      const fd = ctx.backing.openRead(dirfd, file)
      try {
        ctx.backing.statFd(fd, stat)
        const object = SealedObject.read(ctx, fd, KIND_FILE)
        if (object.seal !== null) ctx.writers.met(object.seal, stat, true)
        object.wipe()
      } finally {
        ctx.backing.close(fd)
      }
    } catch (error) {
      if (!(error instanceof CofferError)) throw error
    }
  }
}
