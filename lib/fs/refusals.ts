// What a drive refuses to serve: told to the log, though not at every turn of a program that asks again and
// again; and what of it is damage, for as long as it is there.

import { LRUCache } from 'lru-cache'
import { CofferError, withHint, type ErrorCode } from '../errors.js'
import { emptyStat } from '../store/backing.js'
import { LateMeta } from './directory.js'
import { blobPath, plainPath, type Inode } from './inode.js'
import { Later } from './later.js'
import { locate } from './locate.js'
import { openBody } from './open-body.js'
import { isPlaceholder } from './placeholders.js'
import { isUnchanged, stampOf, type Stamp } from './stamp.js'
import { isDirectory, type Tree } from './tree.js'

/** A damaged object by its plain path. */
export interface Damaged {
  path: string
  code: ErrorCode
}

const DAMAGED_MAX = 50
const TOLD_MAX = 4096
/** The same of the same object is told again after that time. */
const TOLD_MS = 60_000
/** What changed less than this ago may have been changed again between a look at it and at its stamp. */
const RACY_MS = 2000

/** Nothing is wrong with the object itself. */
const PASSING: readonly ErrorCode[] = [
  'VAULT_GONE',
  'OBJECT_SUPERSEDED',
  'ONLINE_ONLY',
  'WAITS_FOR_ENGINE',
]

const stat = emptyStat()

interface Damage {
  code: ErrorCode
  /** of the blob that was damaged; null where that is not certain, and for directories */
  stamp: Stamp | null
}

export class Refusals {
  readonly #tree: Tree
  /** by plain path */
  readonly #damaged = new Map<string, Damage>()
  /** wall clock of when it was told, milliseconds */
  readonly #told = new LRUCache<string, number>({ max: TOLD_MAX })

  constructor(tree: Tree) {
    this.#tree = tree
  }

  /** Tells what a user must hear of: damage, tampering, a vault that is gone. */
  note(error: unknown, inode: Inode): void {
    // told when it began
    if (error instanceof LateMeta || !(error instanceof CofferError)) return
    const { code } = error
    if (code !== 'EIO' && code.startsWith('E')) return
    const path = plainPath(inode)
    this.#tell(code, withHint(error), blobPath(inode), path)
    const isNew = !this.#damaged.has(path)
    if (PASSING.includes(code) || (isNew && this.#damaged.size >= DAMAGED_MAX)) return
    this.#damaged.set(path, { code, stamp: this.#stampOf(inode) })
  }

  #tell(code: ErrorCode, message: string, blob: string, path: string): void {
    const { log, clock } = this.#tree.ctx
    const what = `${blob} ${message}`
    const age = clock() - (this.#told.get(what) ?? -Infinity)
    // each error of the system may be another
    if (code !== 'EIO' && age >= 0 && age < TOLD_MS) return
    this.#told.set(what, clock())
    log({ level: 'error', event: 'refused', code, message, blob, path })
  }

  #stampOf(inode: Inode): Stamp | null {
    try {
      if (isDirectory(inode) || !this.#tree.stat(inode, stat)) return null
    } catch {
      return null
    }
    const age = this.#tree.ctx.clock() - stat.ctimeSec * 1000
    return age >= 0 && age < RACY_MS ? null : stampOf(stat)
  }

  /** What is still there, and was not found whole again. Fetches nothing. */
  get damaged(): Damaged[] {
    for (const [path, damage] of this.#damaged) {
      try {
        if (!this.#isStill(this.#tree.root, path.split('/').filter(Boolean), damage))
          this.#damaged.delete(path)
      } catch (error) {
        if (!(error instanceof CofferError || error instanceof Later)) throw error
      }
    }
    return [...this.#damaged].map(([path, { code }]) => ({ path, code }))
  }

  /** Throws where it cannot be looked at, or is refused again. */
  #isStill(at: Inode, [name, ...below]: readonly string[], damage: Damage): boolean {
    if (name === undefined) return this.#isDamaged(at, damage)
    const inode = locate(this.#tree, at, name, stat)
    if (inode === null) return false
    inode.lookups++
    try {
      return this.#isStill(inode, below, damage)
    } finally {
      this.#tree.forget(inode, 1)
    }
  }

  #isDamaged(inode: Inode, damage: Damage): boolean {
    if (isDirectory(inode)) {
      if (inode.directory !== null) inode.directory.stale = true
      this.#tree.directory(inode)
      return false
    }
    if (!this.#tree.stat(inode, stat)) return false
    if (isUnchanged(damage.stamp, stat) || isPlaceholder(this.#tree, inode, stat)) return true
    if (inode.body !== null) return inode.body.superseded
    const wasCertain = damage.stamp !== null
    damage.stamp = this.#stampOf(inode)
    // an open reads no chunk of a large file, so only a change since says that it may be whole
    if (damage.code === 'CHUNK_DAMAGED' && !wasCertain) return true
    openBody(this.#tree, inode, false).close()
    return false
  }
}
