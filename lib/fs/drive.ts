// A drive: the file system of one vault, by inode. It implements the operation table for its
// adapters, owns the open handles, and seals what stays open. Synchronous, one request at a time.

import { constants } from 'node:fs'
import { CofferError } from '../errors.js'
import { parseBackingName } from '../format/name.js'
import { emptyStat } from '../store/backing.js'
import { AccessTimes } from './access-times.js'
import { arrived } from './arrived.js'
import { attributes } from './attributes.js'
import { commit } from './commit.js'
import type { Stored } from './context.js'
import { create, mkdir, mknod, symlink, tmpfile } from './create.js'
import { syncDirectory } from './durability.js'
import { fallocate } from './fallocate.js'
import {
  MOMENT_MS,
  opensToWrite,
  type AttributeChanges,
  type Attributes,
  type Caller,
  type EmitEntry,
  type Entry,
  type Filesystem,
  type Opened,
  type Statfs,
} from './filesystem.js'
import { plainPath, type Inode } from './inode.js'
import type { LateDirectory } from './late-directories.js'
import { link } from './link.js'
import type { NotCarriedKind } from './not-carried.js'
import { openBody } from './open-body.js'
import { OpenDirectories } from './open-directories.js'
import { OpenFiles } from './open-files.js'
import { openTree, type DriveOptions } from './open-tree.js'
import { Refusals, type Damaged } from './refusals.js'
import { rmdir, unlink } from './remove.js'
import { rename } from './rename.js'
import { setattr } from './setattr.js'
import { countForeign } from './survey.js'
import type { Tree } from './tree.js'
import type { Watch } from './watch.js'
import { walkConflicts, type ConflictStep } from './walk-conflicts.js'
import type { OtherWriter } from './writers.js'
import { getxattr, listxattr, removexattr, setxattr } from './xattr.js'

const { S_IFMT, S_IFREG } = constants

/** Nothing of ours is in the listing of a backing directory. */
const isBare = (listing: readonly string[]): boolean =>
  listing.every((file) => !['object', 'copy'].includes(parseBackingName(file).what))

/** What `status` tells. */
export interface DriveCounters {
  /** why the vault folder cannot be used now, and what to do; empty where it can */
  vaultProblem: string
  openFiles: number
  /** plain paths of files that are open for writing, some of them where they are many */
  writing: string[]
  foreignFiles: number
  damaged: Damaged[]
  /** directories whose meta files have not all arrived */
  late: LateDirectory[]
  /** what the user should know of how an earlier drive ended */
  recovered: string[]
  /** null where changes by others are not watched for */
  watch: { directories: number; problem: string } | null
  /** wall clock of this drive's last seal, milliseconds; 0 where there is none */
  sealedAt: number
  /** devices whose seals were met, the one that came last first */
  others: OtherWriter[]
  notCarried: NotCarriedKind[]
}

/** Bytes that one call of copy_file_range copies at most, so that others are not kept waiting. */
const COPY_MAX = 4 * 1024 * 1024
const WRITING_MAX = 50
/** The least that a kernel can be told. */
const MADE_MS = 1

export class Drive implements Filesystem {
  readonly #tree: Tree
  readonly #files: OpenFiles
  readonly #access: AccessTimes
  readonly #directories: OpenDirectories
  readonly #stat = emptyStat()
  readonly #refusals: Refusals
  readonly #recovered: string[]
  readonly #watch: Watch | null
  /** plaintext on its way from file to file; nobody keeps it */
  #copied: Uint8Array | null = null

  constructor(options: DriveOptions) {
    const { tree, watch, recovered } = openTree(options)
    this.#tree = tree
    this.#watch = watch
    this.#recovered = recovered
    this.#refusals = new Refusals(tree)
    this.#files = new OpenFiles(tree)
    this.#directories = new OpenDirectories(tree)
    this.#access = new AccessTimes(tree)
  }

  get stored(): Stored {
    return this.#tree.ctx.stored
  }

  get counters(): DriveCounters {
    const vaultProblem = this.#tree.folder.problem
    const foreignFiles = countForeign(this.#tree)
    const { damaged } = this.#refusals
    const { list: late } = this.#tree.late
    const watch = this.#watch?.report() ?? null
    const writing: string[] = []
    for (const inode of this.#files.writing()) {
      if (writing.length === WRITING_MAX) break
      if (inode.parent !== null) writing.push(plainPath(inode))
    }
    const { writers, notCarried } = this.#tree.ctx
    return {
      vaultProblem,
      openFiles: this.#files.count,
      writing,
      foreignFiles,
      damaged,
      late,
      recovered: this.#recovered,
      watch,
      sealedAt: writers.ownAt,
      others: writers.others,
      notCarried: notCarried.kinds,
    }
  }

  lookup(parent: number, name: string, out: Entry): boolean {
    const at = this.#tree.inode(parent)
    try {
      const inode = this.#directories.locate(at, name, this.#stat)
      if (inode === null) {
        // not for long: names that are not there cannot be enumerated where changes were missed
        out.validMs = MOMENT_MS
        return false
      }
      this.#enter(inode, out)
      return true
    } catch (error) {
      throw this.#report(error, at)
    }
  }

  forget(nodeid: number, lookups: number): void {
    this.#tree.forget(this.#tree.inode(nodeid), lookups)
  }

  getattr(nodeid: number, out: Attributes): void {
    const inode = this.#tree.inode(nodeid)
    if (!this.#tree.stat(inode, this.#stat)) {
      throw new CofferError(
        inode.parent === null ? 'ENOENT' : 'ESTALE',
        'the file is not there any more',
      )
    }
    attributes(this.#tree, inode, this.#stat, out)
  }

  setattr(nodeid: number, changes: AttributeChanges, out: Attributes): void {
    this.#assertWritable()
    const inode = this.#tree.inode(nodeid)
    this.#told(inode, () => {
      setattr(this.#tree, inode, changes)
    })
    this.getattr(nodeid, out)
  }

  readlink(nodeid: number): Uint8Array {
    const inode = this.#tree.inode(nodeid)
    if (inode.extension !== '.cfl') throw new CofferError('EINVAL', 'not a symbolic link')
    try {
      const body = inode.body ?? openBody(this.#tree, inode, false)
      try {
        const { content } = body
        const target = new Uint8Array(content.size)
        content.read(0, content.size, target, 0)
        this.#access.readOnce(body)
        return target
      } finally {
        if (inode.body === null) body.close()
      }
    } catch (error) {
      throw this.#report(error, inode)
    }
  }

  symlink(parent: number, name: string, target: Uint8Array, caller: Caller, out: Entry): void {
    this.#make(parent, out, (at) => symlink(this.#tree, at, name, target, caller, this.#stat))
  }

  mknod(
    parent: number,
    name: string,
    mode: number,
    rdev: number,
    caller: Caller,
    out: Entry,
  ): void {
    this.#make(parent, out, (at) => {
      const type = mode & S_IFMT
      if (type !== 0 && type !== S_IFREG)
        return mknod(this.#tree, at, name, mode, rdev, caller, this.#stat)
      const inode = create(this.#tree, at, name, mode, caller, this.#stat)
      try {
        commit(this.#tree, inode)
        if (inode.body !== null) this.#tree.ctx.backing.statFd(inode.body.fd, this.#stat)
      } finally {
        inode.body?.close()
        inode.body = null
      }
      return inode
    })
  }

  mkdir(parent: number, name: string, mode: number, caller: Caller, out: Entry): void {
    this.#make(parent, out, (at) => mkdir(this.#tree, at, name, mode, caller, this.#stat))
  }

  /** `make` fills `#stat` from what it has made. */
  #make(parent: number, out: Entry, make: (at: Inode) => Inode): void {
    this.#assertWritable()
    const at = this.#tree.inode(parent)
    try {
      this.#enter(make(at), out)
    } catch (error) {
      throw this.#report(error, at)
    }
  }

  /** One more lookup of an inode whose backing file is `#stat`. */
  #enter(inode: Inode, out: Entry): void {
    inode.lookups++
    out.nodeid = inode.nodeid
    out.generation = 0
    // what a copy is shown as can change with what lies beside it
    const { parent, copy } = inode
    out.validMs = parent === null || copy !== null ? MOMENT_MS : this.#tree.validMs(parent)
    attributes(this.#tree, inode, this.#stat, out.attributes)
  }

  unlink(parent: number, name: string): void {
    this.#change(parent, (at) => {
      unlink(this.#tree, at, name)
    })
  }

  rmdir(parent: number, name: string): void {
    this.#change(parent, (at) => {
      rmdir(this.#tree, at, name)
    })
  }

  rename(parent: number, name: string, newParent: number, newName: string, flags: number): void {
    this.#change(parent, (at) => {
      rename(this.#tree, at, name, this.#tree.inode(newParent), newName, flags)
    })
  }

  #change(parent: number, change: (at: Inode) => void): void {
    this.#assertWritable()
    const at = this.#tree.inode(parent)
    this.#told(at, () => {
      change(at)
    })
  }

  link(nodeid: number, parent: number, name: string, out: Entry): void {
    const inode = this.#tree.inode(nodeid)
    this.#make(parent, out, (at) => {
      link(this.#tree, inode, at, name)
      if (!this.#tree.stat(inode, this.#stat))
        throw new CofferError('ENOENT', 'it was removed at once')
      return inode
    })
  }

  open(nodeid: number, flags: number): Opened {
    const inode = this.#tree.inode(nodeid)
    if (opensToWrite(flags)) this.#assertWritable()
    return this.#told(inode, () => {
      const opened = this.#files.open(inode, flags)
      const { body } = inode
      // a read from the kernel's pages would not be seen here
      if (body !== null && this.#access.opened(inode, body, opened.fh, flags) && inode.opens === 1)
        opened.keepCache = false
      return opened
    })
  }

  create(
    parent: number,
    name: string,
    mode: number,
    _flags: number,
    caller: Caller,
    out: Entry,
  ): Opened {
    this.#make(parent, out, (at) => create(this.#tree, at, name, mode, caller, this.#stat))
    return this.#opened(out)
  }

  tmpfile(parent: number, mode: number, caller: Caller, out: Entry): Opened {
    this.#make(parent, out, (at) =>
      tmpfile(this.#tree, at, mode & ~caller.umask, caller, this.#stat),
    )
    return this.#opened(out)
  }

  /** A handle on a file that was just made. */
  #opened({ nodeid, attributes }: Entry): Opened {
    // for the kernel's own look at the mode, which is part of the call that made the file
    attributes.validMs = MADE_MS
    return { fh: this.#files.add(this.#tree.inode(nodeid)), keepCache: false }
  }

  read(fh: number, offset: number, length: number, into: Uint8Array, intoOffset: number): number {
    const inode = this.#files.inode(fh)
    try {
      const n = this.#files.read(inode, offset, length, into, intoOffset)
      if (inode.body !== null) this.#access.read(inode, inode.body, fh)
      return n
    } catch (error) {
      throw this.#report(error, inode)
    }
  }

  write(
    fh: number,
    offset: number,
    from: Uint8Array,
    fromOffset: number,
    length: number,
    killPriv: boolean,
  ): number {
    const inode = this.#files.inode(fh)
    try {
      this.#files.write(inode, offset, from, fromOffset, length, killPriv)
      this.#access.written(inode)
      return length
    } catch (error) {
      throw this.#report(error, inode)
    }
  }

  fallocate(fh: number, mode: number, offset: number, length: number): void {
    const inode = this.#files.inode(fh)
    this.#told(inode, () => {
      for (const step of fallocate(mode, offset, length))
        this.#files.change(inode, (body) => {
          step(body.content)
        })
    })
  }

  lseek(fh: number, offset: number, whence: number): number {
    const inode = this.#files.inode(fh)
    return this.#told(inode, () => this.#files.seek(inode, offset, whence))
  }

  copyFileRange(
    from: number,
    offset: number,
    to: number,
    toOffset: number,
    length: number,
  ): number {
    this.#files.inode(to)
    const wanted = Math.min(length, COPY_MAX)
    this.#copied ??= new Uint8Array(COPY_MAX)
    const read = this.read(from, offset, wanted, this.#copied, 0)
    try {
      if (read > 0) this.write(to, toOffset, this.#copied, 0, read, false)
      return read
    } finally {
      this.#copied.fill(0, 0, read)
    }
  }

  flush(fh: number): void {
    const inode = this.#files.inode(fh)
    this.#told(inode, () => {
      this.#files.flush(inode)
    })
  }

  fsync(fh: number): void {
    const inode = this.#files.inode(fh)
    this.#told(inode, () => {
      this.#files.fsync(inode)
    })
  }

  release(fh: number): void {
    const inode = this.#files.inode(fh)
    this.#told(inode, () => {
      this.#access.closed(fh)
      this.#files.release(fh)
    })
  }

  opendir(nodeid: number): number {
    const inode = this.#tree.inode(nodeid)
    return this.#told(inode, () => this.#directories.open(inode))
  }

  readdir(fh: number, cookie: number, emit: EmitEntry): void {
    this.#told(this.#directories.inode(fh), () => {
      this.#directories.read(fh, cookie, emit)
    })
  }

  releasedir(fh: number): void {
    this.#directories.close(fh)
  }

  fsyncdir(nodeid: number): void {
    const inode = this.#tree.inode(nodeid)
    for (const pending of [...(inode.directory?.pending.values() ?? [])]) this.#files.fsync(pending)
    syncDirectory(this.#tree, inode)
  }

  getxattr(nodeid: number, name: string): Uint8Array {
    const inode = this.#tree.inode(nodeid)
    return this.#told(inode, () => getxattr(this.#tree, inode, name))
  }

  setxattr(nodeid: number, name: string, value: Uint8Array, flags: number): void {
    this.#assertWritable()
    const inode = this.#tree.inode(nodeid)
    this.#told(inode, () => {
      setxattr(this.#tree, inode, name, value, flags)
    })
  }

  listxattr(nodeid: number): string[] {
    const inode = this.#tree.inode(nodeid)
    return this.#told(inode, () => listxattr(this.#tree, inode))
  }

  removexattr(nodeid: number, name: string): void {
    this.#assertWritable()
    const inode = this.#tree.inode(nodeid)
    this.#told(inode, () => {
      removexattr(this.#tree, inode, name)
    })
  }

  /** A sync client has put another blob in the place of a file's, or a new one there. */
  arrived(nodeid: number): void {
    const inode = this.#tree.inode(nodeid)
    if (this.#tree.stat(inode, this.#stat)) arrived(this.#tree, inode, this.#stat)
  }

  statfs(out: Statfs): void {
    const { bsize, blocks, bfree, bavail, files, ffree } = this.#tree.folder.statfs()
    out.blockSize = bsize
    out.blocks = blocks
    out.blocksFree = bfree
    out.blocksAvailable = bavail
    out.files = files
    out.filesFree = ffree
    out.nameMax = 255
  }

  get tendFd(): number {
    return this.#watch?.fd ?? -1
  }

  /** Every conflict copy, a directory at a step; other requests may come between two. */
  conflicts(): Generator<ConflictStep, void> {
    return walkConflicts(this.#tree)
  }

  tend(): number {
    this.#watch?.take()
    const { late, ctx } = this.#tree
    // where a directory has gone is known when what has arrived has been looked at
    const looking = this.#watch?.arrivals.look() === true
    return Math.min(
      looking ? 0 : late.tend(),
      this.#files.tend((error, inode) => this.#report(error, inode)),
      ctx.memory.tend(),
      ctx.fetches.tend(),
    )
  }

  /** Whoever asks for this waits as long as it takes. */
  sync(): void {
    const { ctx, folder, late } = this.#tree
    const { fetches } = ctx
    const { parks } = fetches
    fetches.parks = false
    let first: unknown
    try {
      late.leave()
      first = this.#files.sync((error, inode) => this.#report(error, inode))
    } finally {
      fetches.parks = parks
    }
    if (!ctx.readOnly) {
      folder.assertPresent()
      ctx.backing.syncFileSystem(folder.rootFd)
      ctx.journal?.synced()
      if (isBare(fetches.standing(ctx.backing.list(folder.rootFd)))) ctx.memory.noteContent(false)
      ctx.memory.store()
    }
    if (first !== null) throw first as Error
  }

  /** Closes everything and wipes the keys. What was not synced is lost. */
  close(): void {
    this.#files.close()
    this.#tree.ctx.fetches.close()
    this.#tree.ctx.journal?.close()
    this.#tree.ctx.memory.close()
    this.#tree.ctx.keyring.wipe()
    this.#watch?.close()
    this.#tree.close()
  }

  #assertWritable(): void {
    if (this.#tree.ctx.readOnly) throw new CofferError('EROFS', 'the drive is read-only')
  }

  #told<T>(inode: Inode, act: () => T): T {
    try {
      return act()
    } catch (error) {
      throw this.#report(error, inode)
    }
  }

  /** Returns the error. */
  #report(error: unknown, inode: Inode): unknown {
    this.#refusals.note(error, inode)
    return error
  }
}
