// Directories whose metas have not all arrived: served from this machine's memory, or waiting. They
// are looked at again until the metas are there, and one that has been still for long gets its meta
// back, if something lies in it. FORMAT.md §7.

import { CofferError } from '../errors.js'
import { emptyStat } from '../store/backing.js'
import { LateMeta, sealMetas, type Directory, type Meta } from './directory.js'
import { forgetElsewhere } from './find-directory.js'
import { holdsVerified } from './holds-verified.js'
import { isHusk, removeHusk } from './husks.js'
import { idsOf } from './load-directory.js'
import { backingName, blobPath, plainPath, type Inode } from './inode.js'
import { isThere } from './is-there.js'
import { Later } from './later.js'
import { isElsewhere } from './shared-metas.js'
import { isStill, isStillBelow } from './still.js'
import { bringHome } from './strays.js'
import type { Tree } from './tree.js'

const TEND_EVERY_MS = 30_000
/** At the end of a drive there is no time to wait longer for a client that is in the middle of something. */
const LEAVING_MS = 3000
/** What is late beyond that number is served as well, but not told of, and not tended. */
const LATE_MAX = 1000
const stat = emptyStat()

const EMPTY = 'a directory has no meta file and is empty; one of the two may not have arrived yet'

type State = 'remembered' | 'waiting'

interface Late {
  state: State
  /** ctime of the backing directory when all was done that can be, seconds */
  doneAt: number
  /** something has come into it, or was made in it, since its meta went */
  wanted: boolean
}

/** A directory by its plain path. `state` 'waiting': it cannot be read. */
export interface LateDirectory {
  path: string
  state: State
}

export class LateDirectories {
  readonly #tree: Tree
  readonly #late = new Map<Inode, Late>()
  #tendedAt = 0

  constructor(tree: Tree) {
    this.#tree = tree
  }

  /** The directory has been read. */
  loaded(inode: Inode, directory: Directory): void {
    if (directory.isKept) {
      this.#note(inode, 'remembered', directory.returned)
      this.#restore(inode, directory)
    } else if (directory.isHusk) this.#note(inode, 'waiting', false, EMPTY)
    else this.#arrived(inode)
    forgetElsewhere(this.#tree, inode, directory)
  }

  /** It could not be. */
  failed(inode: Inode, error: unknown): void {
    if (error instanceof LateMeta) this.#note(inode, 'waiting', false, error.message)
    else this.#late.delete(inode)
  }

  #note(inode: Inode, state: State, returned: boolean, problem = ''): void {
    const before = this.#late.get(inode)
    if (before?.state === state || (before === undefined && this.#late.size >= LATE_MAX)) return
    this.#late.set(inode, { state, doneAt: -1, wanted: false })
    if (returned) {
      const message =
        'a directory that was removed or moved away here is there again, without its meta file and with something in it that others have kept'
      this.#tell(inode, 'meta-returned', message)
      return
    }
    const message =
      state === 'waiting'
        ? problem
        : "a directory is read from this machine's memory; its meta file is missing or has not arrived yet"
    this.#tell(inode, `meta-${state}`, message)
  }

  /**
   * Something has come into the directory, or was made in it: whoever may have removed it, it stays, and
   * without its meta others could not read what lies there.
   */
  wanted(inode: Inode): void {
    const late = this.#late.get(inode)
    if (late === undefined || this.#tree.ctx.readOnly) return
    late.wanted = true
    this.#tendedAt = -Infinity
  }

  #arrived(inode: Inode): void {
    if (!this.#late.delete(inode)) return
    const message = 'the meta file of a directory is there again'
    const where = { blob: blobPath(inode), path: plainPath(inode) }
    this.#tree.ctx.log({ level: 'info', event: 'meta-arrived', message, ...where })
  }

  /** Has it been still for long, and is there something left to be tried? */
  #isDue(inode: Inode): boolean {
    const late = this.#late.get(inode)
    const { ctx } = this.#tree
    if (late === undefined || ctx.readOnly) return false
    ctx.backing.statDirectory(this.#tree.descriptor(inode), stat)
    if (!isStill(ctx.clock, stat) || late.doneAt === stat.ctimeSec) return false
    late.doneAt = stat.ctimeSec
    return true
  }

  #tend(inode: Inode, directory: Directory): void {
    const late = this.#late.get(inode)
    if (late?.wanted === true) {
      late.wanted = false
      this.#answer(inode, directory)
    }
    if (!directory.isHusk) this.#restore(inode, directory)
    else if (this.#isDue(inode))
      this.#tried(inode, () => {
        this.#clear(inode)
      })
  }

  /** Writes back what is only remembered, sealed anew: whoever removed it shall see that it is wanted. */
  #restore(inode: Inode, directory: Directory): void {
    if (!directory.isKept || !this.#isDue(inode)) return
    const stay = this.#giveUp(inode, directory)
    if (stay.length < directory.metas.length)
      this.#tried(inode, () => {
        this.#bringHome(inode, stay)
      })
    if (stay.length === 0) return
    this.#giveBack(inode, stay)
    if (directory.metas.every(({ kept }) => kept === null)) this.#late.delete(inode)
    else if (directory.pending.size === 0)
      this.#tried(inode, () => {
        this.#clear(inode)
      })
  }

  /** Gives back what is not known to have another place by now. */
  #answer(inode: Inode, directory: Directory): void {
    const { memory } = this.#tree.ctx
    const place = memory.place(inode.dirId, inode.name)
    this.#giveBack(
      inode,
      directory.metas.filter((meta) => !isElsewhere(memory, place, meta)),
    )
  }

  /** Of these metas, those under which something lies there. */
  #giveBack(inode: Inode, metas: readonly Meta[]): void {
    const { ctx } = this.#tree
    const fd = this.#tree.descriptor(inode)
    const place = { parentDirId: inode.dirId, name: inode.name }
    this.#tried(inode, () => {
      for (const meta of metas) {
        if (meta.kept === null || !holdsVerified(ctx, fd, meta)) continue
        sealMetas(ctx, fd, [meta], { place, mode: meta.seal.mode, leaving: null }, 0, true)
        this.#tell(
          inode,
          'meta-restored',
          'a directory that had lost its meta file has got it back',
        )
      }
    })
  }

  /**
   * The metas that are left when those are given up whose directories somebody has renamed. One that was
   * sealed for two places by one machine would not count at the first of them for others.
   */
  #giveUp({ dirId, name }: Inode, directory: Directory): Meta[] {
    const { memory } = this.#tree.ctx
    const place = memory.place(dirId, name)
    const gone =
      directory.pending.size > 0
        ? []
        : directory.metas.filter((meta) => isElsewhere(memory, place, meta))
    for (const { objectId } of gone) memory.left(objectId, place)
    if (gone.length > 0) directory.stale = true
    return directory.metas.filter((meta) => !gone.includes(meta))
  }

  /** What lies in a directory under the id of none of these metas, but is sealed for another, goes there. */
  #bringHome(inode: Inode, stay: readonly Meta[] = []): void {
    const moved = bringHome(this.#tree, this.#tree.descriptor(inode), idsOf(this.#tree.ctx, stay))
    if (moved > 0) {
      const message = `${String(moved)} entries of a directory that was renamed elsewhere have gone there`
      this.#tell(inode, 'brought-home', message)
    }
    if (stay.length === 0) this.#clear(inode)
  }

  /** A directory that was here, as this device knows, and in which nothing is left, has gone. */
  #clear(inode: Inode): void {
    const { ctx } = this.#tree
    const { memory } = ctx
    const { parent, name, dirId } = inode
    const place = memory.place(dirId, name)
    const isKnown = memory.keptAt(place).length + memory.goneFrom(place).length > 0
    const fd = this.#tree.descriptor(inode)
    if (parent === null || !isKnown || !isHusk(ctx, fd)) return
    if (!isStillBelow(ctx, fd)) {
      const late = this.#late.get(inode)
      if (late !== undefined) late.doneAt = -1
      return
    }
    removeHusk(ctx, this.#tree.descriptor(parent), backingName(inode))
    memory.removed(place)
    this.#tree.outdated(parent, name)
    this.#tree.unlinked(inode)
  }

  /** What fails is tried again when something has changed. */
  #tried(inode: Inode, act: () => void): void {
    try {
      act()
    } catch (error) {
      if (!(error instanceof CofferError)) throw error
      const { code, message } = error
      const { log } = this.#tree.ctx
      log({ level: 'warn', event: 'meta-restored', code, message, blob: blobPath(inode) })
    }
  }

  #tell(inode: Inode, event: string, message: string): void {
    const where = { blob: blobPath(inode), path: plainPath(inode) }
    this.#tree.ctx.log({ level: 'warn', event, message, ...where })
  }

  /** Looks at all that are late; milliseconds until the next time. */
  tend(): number {
    if (this.#late.size === 0) return Infinity
    const now = this.#tree.ctx.clock()
    const wait = this.#tendedAt + TEND_EVERY_MS - now
    if (wait > 0 && wait <= TEND_EVERY_MS) return wait
    this.#tendedAt = now
    this.#each((inode, directory) => {
      this.#tend(inode, directory)
    })
    return this.#late.size === 0 ? Infinity : TEND_EVERY_MS
  }

  #each(act: (inode: Inode, directory: Directory) => void): void {
    for (const inode of [...this.#late.keys()]) {
      try {
        if (this.#tree.stat(inode, stat)) act(inode, this.#tree.directory(inode))
        else this.#late.delete(inode)
      } catch (error) {
        if (!(error instanceof CofferError)) throw error
        // one above it was removed
        if (error.code === 'ENOENT') this.#late.delete(inode)
        // whoever asks for it is told of anything else
        if (error instanceof LateMeta && this.#isDue(inode))
          this.#tried(inode, () => {
            this.#bringHome(inode)
          })
      }
      // the kernel may have forgotten it
      this.#tree.closed(inode)
    }
  }

  /** The drive ends: what only this machine's memory can read must not be left so to others. */
  leave(): void {
    const { ctx } = this.#tree
    if (ctx.readOnly) return
    this.#each((inode, directory) => {
      ctx.backing.statDirectory(this.#tree.descriptor(inode), stat)
      // of what was removed here, others have to say that they want it
      if (!directory.returned && isStill(ctx.clock, stat, LEAVING_MS))
        this.#answer(inode, directory)
    })
  }

  /** It is not forgotten before. */
  has(inode: Inode): boolean {
    return this.#late.has(inode)
  }

  forget(inode: Inode): void {
    this.#late.delete(inode)
  }

  /** As they are now: what has gone, or has all its metas, is none of them any more. */
  get list(): LateDirectory[] {
    for (const inode of [...this.#late.keys()]) {
      try {
        if (!isThere(this.#tree, inode)) this.#late.delete(inode)
        else {
          if (inode.directory !== null) inode.directory.stale = true
          this.#tree.directory(inode)
        }
      } catch (error) {
        if (!(error instanceof CofferError || error instanceof Later)) throw error
        if (error instanceof CofferError && error.code === 'ENOENT') this.#late.delete(inode)
      }
      this.#tree.closed(inode)
    }
    return [...this.#late].map(([inode, { state }]) => ({ path: plainPath(inode), state }))
  }
}
