// Directories whose metas have not all arrived: served from this machine's memory, or waiting. They
// are looked at again until the metas are there, and one that has been still for long gets its meta
// back, if something lies in it. FORMAT.md §7.

import { CofferError } from '../errors.js'
import { emptyStat } from '../store/backing.js'
import { LateMeta, sealMetas, type Directory } from './directory.js'
import { forgetElsewhere } from './find-directory.js'
import { holdsVerified } from './holds-verified.js'
import { blobPath, plainPath, type Inode } from './inode.js'
import type { Tree } from './tree.js'

const TEND_EVERY_MS = 30_000
/** What is late beyond that number is served as well, but not told of, and not tended. */
const LATE_MAX = 1000
/** By then a sync client has delivered, or deleted, what belongs together. */
export const STILL_MS = 10 * 60_000
const stat = emptyStat()

type State = 'remembered' | 'waiting'

/** A directory by its plain path. `state` 'waiting': it cannot be read. */
export interface LateDirectory {
  path: string
  state: State
}

export class LateDirectories {
  readonly #tree: Tree
  readonly #late = new Map<Inode, State>()
  #tendedAt = 0

  constructor(tree: Tree) {
    this.#tree = tree
  }

  /** The directory has been read. */
  loaded(inode: Inode, directory: Directory): void {
    if (directory.isKept) {
      this.#note(inode, 'remembered')
      this.#restore(inode, directory)
    } else this.#arrived(inode)
    forgetElsewhere(this.#tree, inode, directory)
  }

  /** It could not be. */
  failed(inode: Inode, error: unknown): void {
    if (error instanceof LateMeta) this.#note(inode, 'waiting')
    else this.#late.delete(inode)
  }

  #note(inode: Inode, state: State): void {
    const before = this.#late.get(inode)
    if (before === state || (before === undefined && this.#late.size >= LATE_MAX)) return
    this.#late.set(inode, state)
    const message =
      state === 'waiting'
        ? 'a directory waits for its meta file, which has not arrived yet'
        : "a directory is read from this machine's memory; its meta file is missing or has not arrived yet"
    const where = { blob: blobPath(inode), path: plainPath(inode) }
    this.#tree.ctx.log({ level: 'warn', event: `meta-${state}`, message, ...where })
  }

  #arrived(inode: Inode): void {
    if (!this.#late.delete(inode)) return
    const message = 'the meta file of a directory is there again'
    const where = { blob: blobPath(inode), path: plainPath(inode) }
    this.#tree.ctx.log({ level: 'info', event: 'meta-arrived', message, ...where })
  }

  /** Writes back what is only remembered, sealed anew: whoever removed it shall see that it is wanted. */
  #restore(inode: Inode, directory: Directory): void {
    const { ctx } = this.#tree
    if (!directory.isKept || ctx.readOnly || !this.#isStill(inode)) return
    const fd = this.#tree.descriptor(inode)
    const place = { parentDirId: inode.dirId, name: inode.name }
    try {
      for (const meta of directory.metas) {
        if (meta.kept === null || !holdsVerified(ctx, fd, meta)) continue
        sealMetas(ctx, fd, [meta], { place, mode: meta.seal.mode, leaving: null }, 0, true)
        const message = 'a directory that had lost its meta file has got it back'
        const where = { blob: blobPath(inode), path: plainPath(inode) }
        ctx.log({ level: 'warn', event: 'meta-restored', message, ...where })
      }
    } catch (error) {
      if (!(error instanceof CofferError)) throw error
      const { code, message } = error
      ctx.log({ level: 'warn', event: 'meta-restored', code, message, blob: blobPath(inode) })
    }
    if (!directory.isKept) this.#late.delete(inode)
  }

  /** Neither of the clocks may be trusted to be the right one: what lies ahead is not still. */
  #isStill(inode: Inode): boolean {
    const { ctx } = this.#tree
    ctx.backing.statDirectory(this.#tree.descriptor(inode), stat)
    return ctx.clock() - stat.ctimeSec * 1000 >= STILL_MS
  }

  /** Looks at all that are late; milliseconds until the next time. */
  tend(): number {
    if (this.#late.size === 0) return Infinity
    const now = this.#tree.ctx.clock()
    const wait = this.#tendedAt + TEND_EVERY_MS - now
    if (wait > 0 && wait <= TEND_EVERY_MS) return wait
    this.#tendedAt = now
    for (const inode of [...this.#late.keys()]) {
      try {
        if (this.#tree.stat(inode, stat)) this.#restore(inode, this.#tree.directory(inode))
        else this.#late.delete(inode)
      } catch (error) {
        // whoever asks for it is told
        if (!(error instanceof CofferError)) throw error
      }
      // the kernel may have forgotten it
      this.#tree.closed(inode)
    }
    return this.#late.size === 0 ? Infinity : TEND_EVERY_MS
  }

  /** It is not forgotten before. */
  has(inode: Inode): boolean {
    return this.#late.has(inode)
  }

  forget(inode: Inode): void {
    this.#late.delete(inode)
  }

  get list(): LateDirectory[] {
    return [...this.#late].map(([inode, state]) => ({ path: plainPath(inode), state }))
  }
}
