// Open files: handles, the bodies behind them, and the seals of those that stay open.

import { constants } from 'node:fs'
import { CofferError } from '../errors.js'
import { emptyStat } from '../store/backing.js'
import { commit, commitSome, stage } from './commit.js'
import { syncFile } from './durability.js'
import type { FileBody } from './file-body.js'
import { NO_ERASE } from './file-content.js'
import { opensToWrite, type Opened } from './filesystem.js'
import type { Inode } from './inode.js'
import { Later } from './later.js'
import { makeWritable, openBody } from './open-body.js'
import { giveUpRescue, namesItsBlob } from './rescue.js'
import { killPrivileges } from './setattr.js'
import { isUnchanged, stampOf } from './stamp.js'
import { isDirectory, type Tree } from './tree.js'

const { O_TRUNC } = constants
/** lseek(2), as on Linux */
const SEEK_DATA = 3
const SEEK_HOLE = 4
const TEND_EVERY_MS = 500
/** until the next part of much that waits, so that others are served between two */
const TEND_MORE_MS = 10
const stat = emptyStat()

const superseded = (): CofferError =>
  new CofferError(
    'OBJECT_SUPERSEDED',
    'the blob was written over in the vault folder while the file was open',
  )

export class OpenFiles {
  readonly #tree: Tree
  readonly #handles = new Map<number, Inode>()
  /** inodes with a body */
  readonly #open = new Set<Inode>()
  #next = 1

  constructor(tree: Tree) {
    this.#tree = tree
  }

  get count(): number {
    return this.#handles.size
  }

  /** Those that may have something that their programs did not write yet. */
  *writing(): Generator<Inode> {
    for (const inode of this.#open) if (inode.body?.writable === true) yield inode
  }

  inode(fh: number): Inode {
    const inode = this.#handles.get(fh)
    if (inode === undefined) throw new CofferError('EBADF', 'the file is not open')
    return inode
  }

  open(inode: Inode, flags: number): Opened {
    if (isDirectory(inode)) throw new CofferError('EISDIR', 'it is a directory')
    const writing = opensToWrite(flags)
    const truncating = (flags & O_TRUNC) !== 0
    try {
      inode.body ??= openBody(this.#tree, inode, writing, truncating)
      this.#open.add(inode)
      if (writing) makeWritable(this.#tree, inode)
      if (truncating) {
        this.#endRescue(inode)
        inode.body.content.truncate(0)
      }
    } catch (error) {
      if (inode.opens === 0) this.#close(inode)
      throw error
    }
    const keepCache = inode.opens > 0 || this.#pagesAreTrue(inode, inode.body)
    return { fh: this.add(inode), keepCache }
  }

  /** A handle on an inode whose body is open. */
  add(inode: Inode): number {
    const fh = this.#next++
    inode.opens++
    this.#open.add(inode)
    this.#handles.set(fh, inode)
    return fh
  }

  read(inode: Inode, offset: number, length: number, into: Uint8Array, at: number): number {
    const body = this.#body(inode)
    const read = body.content.read(offset, length, into, at)
    // chunks of two versions in one answer would all verify
    if (!body.writable && !body.isOurs()) {
      this.#tree.supersede(inode)
      throw superseded()
    }
    return read
  }

  write(
    inode: Inode,
    offset: number,
    from: Uint8Array,
    at: number,
    length: number,
    killPriv: boolean,
  ): void {
    this.change(inode, (body) => {
      if (killPriv) killPrivileges(this.#tree, inode)
      body.content.write(offset, from, at, length)
    })
  }

  /** Changes the content, and seals where it is time to. */
  change(inode: Inode, act: (body: FileBody) => void): void {
    this.#endRescue(inode)
    const body = this.#body(inode)
    act(body)
    try {
      if (body.due(this.#tree.ctx.clock())) commitSome(this.#tree, inode)
    } catch (error) {
      // what was changed is in memory, and the next change waits
      if (error instanceof Later) return
      // it is told, and must not happen to what is written there later
      body.content.erased = NO_ERASE
      throw error
    }
    this.#relieve()
  }

  /** A blob that is being copied is not changed: this throws `Later`, or seals what was waiting. */
  #endRescue(inode: Inode): void {
    if (inode.rescue !== null) commit(this.#tree, inode)
  }

  /** Empties a journal that has grown large; what waits in memory is sealed first, of much of it some. */
  #relieve(): void {
    const { journal } = this.#tree.ctx
    if (journal?.large !== true) return
    for (const inode of this.#open) {
      try {
        if (inode.body?.dirty === true) commitSome(this.#tree, inode)
      } catch {
        // told at the file's own flush or fsync; the others must not pay for it
      }
    }
    journal.checkpoint()
  }

  seek(inode: Inode, offset: number, whence: number): number {
    const body = this.#body(inode)
    if (whence === SEEK_DATA) return body.content.nextData(offset)
    if (whence === SEEK_HOLE) return body.content.nextHole(offset)
    throw new CofferError('EINVAL', 'a position is found by data or hole')
  }

  #body(inode: Inode): FileBody {
    if (inode.body === null) throw new CofferError('EBADF', 'the file is not open')
    if (inode.body.superseded) throw superseded()
    return inode.body
  }

  /**
   * A descriptor was closed; there may be others of the same handle. A shell makes one for its child
   * and closes the first before anything is written: so what is empty waits until the last is closed,
   * or a client would see it come empty, and then full.
   */
  flush(inode: Inode): void {
    const { body } = inode
    if (body === null || body.isEmptied) return
    if (body.dirty || this.#isReplaced(inode, body)) commit(this.#tree, inode)
    body.unflushed = false
  }

  /** Has the name gone, or to another blob, since something was sealed that no program has flushed yet? */
  #isReplaced(inode: Inode, body: FileBody): boolean {
    if (!body.unflushed || inode.parent === null) return false
    body.dirty = !namesItsBlob(this.#tree, inode, body)
    return body.dirty
  }

  fsync(inode: Inode): void {
    const body = this.#body(inode)
    if (body.dirty || this.#isReplaced(inode, body)) commit(this.#tree, inode, true)
    body.unflushed = false
    if (inode.synced && !body.attributesChanged) return
    // the body may be another one now
    syncFile(this.#tree, inode, this.#body(inode))
    body.attributesChanged = false
  }

  release(fh: number): void {
    const inode = this.inode(fh)
    let problem: unknown = null
    try {
      if (inode.opens === 1 && inode.body?.dirty === true) commit(this.#tree, inode)
    } catch (error) {
      if (error instanceof Later) throw error
      problem = error
    }
    this.#handles.delete(fh)
    inode.opens--
    if (inode.opens > 0) return
    this.#close(inode)
    this.#tree.closed(inode)
    if (problem !== null) throw problem as Error
  }

  #close(inode: Inode): void {
    const { body } = inode
    this.#open.delete(inode)
    if (body === null) return
    giveUpRescue(this.#tree, inode)
    // its content could not be stored, as was told at flush
    if (inode.pending) this.#tree.unlinked(inode)
    if (inode.parent !== null) {
      this.#rememberPages(inode, body)
      // the base of a conflict copy is that of the other version
      if (inode.extension === '.cff' && inode.copy === null)
        this.#tree.ctx.memory.noteSize(inode.dirId, inode.base, body.content.size)
    }
    inode.body = null
    body.close()
  }

  /** After a close the kernel's pages are those of the blob as it is now. */
  #rememberPages(inode: Inode, body: FileBody): void {
    this.#tree.ctx.backing.statFd(body.fd, stat)
    inode.cached = stampOf(stat)
  }

  #pagesAreTrue({ cached }: Inode, body: FileBody): boolean {
    if (cached === null) return false
    this.#tree.ctx.backing.statFd(body.fd, stat)
    return isUnchanged(cached, stat)
  }

  /** Seals what has been open and dirty for long enough; milliseconds until the next look. Throws `Later` last. */
  tend(report: (error: unknown, inode: Inode) => unknown): number {
    const now = this.#tree.ctx.clock()
    const { journal } = this.#tree.ctx
    let waiting = false
    let last: Inode | null = null
    let left = 0
    let later: Later | null = null
    for (const inode of this.#open) {
      const { body } = inode
      if (body?.dirty !== true) continue
      waiting = true
      if (!body.due(now)) continue
      try {
        left = body.content.paged
        stage(this.#tree, inode, false, true)
        last = inode
        if (journal?.full === true) journal.flush()
      } catch (error) {
        // the oldest first, and then the next time the others
        if (error instanceof Later) later ??= error
        else {
          // told again at the file's own flush or fsync
          report(error, inode)
          body.dirtySince = now
        }
      }
    }
    let quiet = Infinity
    try {
      if (last !== null) journal?.flush()
      this.#relieve()
      quiet = journal?.tend() ?? Infinity
    } catch (error) {
      report(error, last ?? this.#tree.root)
    }
    if (later !== null) throw later
    const { paged = 0 } = last?.body?.content ?? {}
    if (paged > 0 && paged < left) return TEND_MORE_MS
    return waiting ? TEND_EVERY_MS : quiet
  }

  /** Seals everything. Every file is tried; returns the first error, or null. */
  sync(report: (error: unknown, inode: Inode) => unknown): unknown {
    let first: unknown = null
    const { journal } = this.#tree.ctx
    let last = this.#tree.root
    for (const inode of this.#open) {
      try {
        if (inode.body?.dirty !== true) continue
        last = inode
        stage(this.#tree, inode)
        if (journal?.full === true) journal.flush()
      } catch (error) {
        first ??= report(error, inode)
      }
    }
    try {
      journal?.flush()
    } catch (error) {
      first ??= report(error, last)
    }
    return first
  }

  close(): void {
    for (const inode of [...this.#open]) this.#close(inode)
    this.#handles.clear()
  }
}
