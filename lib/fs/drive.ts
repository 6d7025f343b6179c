// A drive: the file system of one vault, by inode. It implements the operation table for its
// adapters, owns the open handles, and seals what stays open. Synchronous, one request at a time.

import { constants, statfsSync } from 'node:fs'
import { CofferError } from '../errors.js'
import type { Engine } from '../crypto/engine.js'
import type { VaultBody } from '../format/config-body.js'
import { Keyring } from '../format/keys.js'
import { Layout } from '../format/layout.js'
import { openBacking, emptyStat } from '../store/backing.js'
import { VaultFolder } from '../store/vault-folder.js'
import { attributes } from './attributes.js'
import { commit } from './commit.js'
import { ChunkPool, RUN_RECORDS, type Context, type Log } from './context.js'
import { create, mkdir, mknod, symlink } from './create.js'
import type {
  AttributeChanges,
  Attributes,
  Caller,
  EmitEntry,
  Entry,
  Filesystem,
  Opened,
  Statfs,
} from './filesystem.js'
import { blobPath, plainPath, type Inode } from './inode.js'
import { list, type Listed } from './listing.js'
import { Nonces, type Clock, type Random } from './nonces.js'
import { makeWritable, openBody } from './open-body.js'
import { rmdir, unlink } from './remove.js'
import { rename } from './rename.js'
import { killPrivileges, setattr } from './setattr.js'
import { isDirectory, Tree } from './tree.js'

const { O_APPEND, O_RDONLY, O_TRUNC, S_IFDIR, S_IFMT, S_IFREG } = constants
const O_ACCMODE = 3

export interface DriveOptions {
  engine: Engine
  vaultPath: string
  vaultId: Uint8Array
  body: VaultBody
  /** 16 bytes */
  deviceId: Uint8Array
  readOnly: boolean
  log: Log
  random: Random
  clock?: Clock
  /** only reading, by `node:fs` alone */
  portable?: boolean
}

interface Handle {
  inode: Inode
  writable: boolean
  append: boolean
}

interface DirectoryHandle {
  inode: Inode
  entries: Listed[] | null
}

/** What `status` tells. */
export interface DriveCounters {
  openFiles: number
  foreignFiles: number
  damaged: { path: string; code: string }[]
}

/** Damaged objects that `status` names at most. */
const DAMAGED_MAX = 50
const TEND_EVERY_MS = 500

export class Drive implements Filesystem {
  readonly #tree: Tree
  readonly #handles = new Map<number, Handle>()
  readonly #directories = new Map<number, DirectoryHandle>()
  readonly #open = new Set<Inode>()
  readonly #stat = emptyStat()
  readonly #damaged = new Map<string, string>()
  #nextHandle = 1

  constructor(options: DriveOptions) {
    const { engine, vaultId, body, random, portable = false, clock = Date.now } = options
    const backing = openBacking(portable)
    const layout = new Layout(body.chunkLog2)
    const ctx: Context = {
      engine,
      vaultId,
      body,
      keyring: new Keyring(engine, vaultId, body.seeds),
      layout,
      backing,
      nonces: new Nonces(random, clock),
      random,
      clock,
      deviceId: options.deviceId,
      readOnly: options.readOnly || !backing.writable,
      log: options.log,
      pool: new ChunkPool(layout.chunkSize),
      records: new Uint8Array(RUN_RECORDS * layout.recordSize),
    }
    this.#tree = new Tree(ctx, new VaultFolder(backing, options.vaultPath, clock))
  }

  get counters(): DriveCounters {
    let foreignFiles = 0
    for (const inode of this.#tree.inodes()) foreignFiles += inode.directory?.foreign ?? 0
    const damaged = [...this.#damaged].map(([path, code]) => ({ path, code }))
    return { openFiles: this.#handles.size, foreignFiles, damaged }
  }

  lookup(parent: number, name: string, out: Entry): boolean {
    const at = this.#tree.inode(parent)
    try {
      const inode = this.#tree.locate(at, name, this.#stat)
      if (inode === null) return false
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
    try {
      setattr(this.#tree, inode, changes)
    } catch (error) {
      throw this.#report(error, inode)
    }
    this.getattr(nodeid, out)
  }

  readlink(nodeid: number): Uint8Array {
    const inode = this.#tree.inode(nodeid)
    if (inode.extension !== '.cfl') throw new CofferError('EINVAL', 'not a symbolic link')
    try {
      const body = inode.body ?? openBody(this.#tree, inode, false)
      try {
        const target = new Uint8Array(body.size)
        body.read(0, body.size, target, 0)
        return target
      } finally {
        if (inode.body === null) body.close()
      }
    } catch (error) {
      throw this.#report(error, inode)
    }
  }

  symlink(parent: number, name: string, target: Uint8Array, caller: Caller, out: Entry): void {
    this.#make(parent, out, (at) => symlink(this.#tree, at, name, target, caller))
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
      if (type !== 0 && type !== S_IFREG) return mknod(this.#tree, at, name, mode, rdev, caller)
      const inode = create(this.#tree, at, name, mode, caller)
      try {
        commit(this.#tree, inode)
      } finally {
        inode.body?.close()
        inode.body = null
      }
      return inode
    })
  }

  mkdir(parent: number, name: string, mode: number, caller: Caller, out: Entry): void {
    this.#make(parent, out, (at) => mkdir(this.#tree, at, name, mode, caller))
  }

  #make(parent: number, out: Entry, make: (at: Inode) => Inode): void {
    this.#assertWritable()
    const at = this.#tree.inode(parent)
    try {
      const inode = make(at)
      if (!this.#tree.stat(inode, this.#stat))
        throw new CofferError('ENOENT', 'it was removed at once')
      this.#enter(inode, out)
    } catch (error) {
      throw this.#report(error, at)
    }
  }

  /** One more lookup of an inode whose backing file is `#stat`. */
  #enter(inode: Inode, out: Entry): void {
    inode.lookups++
    out.nodeid = inode.nodeid
    out.generation = 0
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
    try {
      change(at)
    } catch (error) {
      throw this.#report(error, at)
    }
  }

  link(): void {
    throw new CofferError('EPERM', 'hard links are not supported yet')
  }

  open(nodeid: number, flags: number): Opened {
    const inode = this.#tree.inode(nodeid)
    const writable = (flags & O_ACCMODE) !== O_RDONLY
    const empty = (flags & O_TRUNC) !== 0 && writable
    if (writable) this.#assertWritable()
    if (isDirectory(inode)) throw new CofferError('EISDIR', 'it is a directory')
    try {
      inode.body ??= openBody(this.#tree, inode, writable)
      this.#open.add(inode)
      if (writable) makeWritable(this.#tree, inode)
      if (empty) inode.body.truncate(0)
    } catch (error) {
      if (inode.opens === 0) this.#closeBody(inode)
      throw this.#report(error, inode)
    }
    const keepCache = inode.opens > 0 || this.#pagesAreTrue(inode)
    return { fh: this.#addHandle(inode, writable, flags), keepCache }
  }

  create(
    parent: number,
    name: string,
    mode: number,
    flags: number,
    caller: Caller,
    out: Entry,
  ): Opened {
    let opened: Opened | null = null
    this.#make(parent, out, (at) => {
      const inode = create(this.#tree, at, name, mode, caller)
      this.#open.add(inode)
      opened = { fh: this.#addHandle(inode, true, flags), keepCache: false }
      return inode
    })
    if (opened === null) throw new CofferError('EIO', 'nothing was created')
    return opened
  }

  #addHandle(inode: Inode, writable: boolean, flags: number): number {
    const fh = this.#nextHandle++
    inode.opens++
    this.#handles.set(fh, { inode, writable, append: (flags & O_APPEND) !== 0 })
    return fh
  }

  #handle(fh: number): Handle {
    const handle = this.#handles.get(fh)
    if (handle === undefined) throw new CofferError('EBADF', 'the file is not open')
    return handle
  }

  read(fh: number, offset: number, length: number, into: Uint8Array, intoOffset: number): number {
    const { inode } = this.#handle(fh)
    if (inode.body === null) throw new CofferError('EBADF', 'the file is not open')
    try {
      return inode.body.read(offset, length, into, intoOffset)
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
    const { inode } = this.#handle(fh)
    const { body } = inode
    if (body === null) throw new CofferError('EBADF', 'the file is not open')
    try {
      if (killPriv) killPrivileges(this.#tree, inode)
      body.write(offset, from, fromOffset, length)
      if (body.due(this.#tree.ctx.clock())) commit(this.#tree, inode)
      return length
    } catch (error) {
      throw this.#report(error, inode)
    }
  }

  flush(fh: number): void {
    this.#commit(this.#handle(fh).inode, false)
  }

  fsync(fh: number, _dataOnly: boolean): void {
    const { inode } = this.#handle(fh)
    if (inode.body?.dirty === true) this.#commit(inode, true)
    else if (inode.body !== null) this.#tree.ctx.backing.sync(inode.body.fd)
  }

  #commit(inode: Inode, durable: boolean): void {
    if (inode.body?.dirty !== true) return
    try {
      commit(this.#tree, inode, durable)
    } catch (error) {
      throw this.#report(error, inode)
    }
  }

  release(fh: number): void {
    const { inode } = this.#handle(fh)
    this.#handles.delete(fh)
    inode.opens--
    if (inode.opens > 0) return
    try {
      this.#commit(inode, false)
    } finally {
      this.#closeBody(inode)
      this.#tree.closed(inode)
    }
  }

  #closeBody(inode: Inode): void {
    this.#open.delete(inode)
    if (inode.body === null) return
    const { body } = inode
    if (inode.pending) this.#tree.unlinked(inode)
    if (inode.parent !== null) this.#rememberPages(inode)
    inode.body = null
    body.close()
  }

  /** After a close the kernel's pages are those of the blob as it is now. */
  #rememberPages(inode: Inode): void {
    if (inode.body === null) return
    this.#tree.ctx.backing.statFd(inode.body.fd, this.#stat)
    const { size, mtimeSec, mtimeNsec, ctimeSec, ctimeNsec } = this.#stat
    inode.cached = { size, mtimeSec, mtimeNsec, ctimeSec, ctimeNsec }
  }

  #pagesAreTrue(inode: Inode): boolean {
    if (inode.body === null || inode.cached === null) return false
    this.#tree.ctx.backing.statFd(inode.body.fd, this.#stat)
    const { size, mtimeSec, mtimeNsec, ctimeSec, ctimeNsec } = this.#stat
    const { cached } = inode
    return (
      cached.size === size &&
      cached.mtimeSec === mtimeSec &&
      cached.mtimeNsec === mtimeNsec &&
      cached.ctimeSec === ctimeSec &&
      cached.ctimeNsec === ctimeNsec
    )
  }

  opendir(nodeid: number): number {
    const inode = this.#tree.inode(nodeid)
    try {
      this.#tree.directory(inode)
    } catch (error) {
      throw this.#report(error, inode)
    }
    const fh = this.#nextHandle++
    this.#directories.set(fh, { inode, entries: null })
    return fh
  }

  readdir(fh: number, cookie: number, emit: EmitEntry): void {
    const handle = this.#directories.get(fh)
    if (handle === undefined) throw new CofferError('EBADF', 'the directory is not open')
    const { inode } = handle
    if (cookie === 0 || handle.entries === null) {
      try {
        handle.entries = list(this.#tree, inode)
      } catch (error) {
        throw this.#report(error, inode)
      }
    }
    if (cookie === 0 && !emit('.', inode.ino, S_IFDIR, 1)) return
    if (cookie <= 1 && !emit('..', (inode.parent ?? inode).ino, S_IFDIR, 2)) return
    for (let i = Math.max(0, cookie - 2); i < handle.entries.length; i++) {
      const entry = handle.entries[i]
      if (entry !== undefined && !emit(entry.name, 0xffffffff, entry.type, i + 3)) return
    }
  }

  releasedir(fh: number): void {
    this.#directories.delete(fh)
  }

  fsyncdir(nodeid: number): void {
    const inode = this.#tree.inode(nodeid)
    for (const pending of [...(inode.directory?.pending.values() ?? [])])
      this.#commit(pending, true)
    this.#tree.ctx.backing.sync(this.#tree.descriptor(inode))
  }

  statfs(out: Statfs): void {
    this.#tree.folder.assertPresent()
    const { bsize, blocks, bfree, bavail, files, ffree } = statfsSync(this.#tree.folder.path)
    out.blockSize = bsize
    out.blocks = blocks
    out.blocksFree = bfree
    out.blocksAvailable = bavail
    out.files = files
    out.filesFree = ffree
    out.nameMax = 255
  }

  tend(): number {
    const now = this.#tree.ctx.clock()
    let waiting = false
    for (const inode of this.#open) {
      if (inode.body?.dirty !== true) continue
      waiting = true
      if (!inode.body.due(now)) continue
      try {
        commit(this.#tree, inode)
      } catch (error) {
        // told again at the file's own flush or fsync
        this.#report(error, inode)
        inode.body.dirtySince = now
      }
    }
    return waiting ? TEND_EVERY_MS : Infinity
  }

  sync(): void {
    let first: unknown = null
    for (const inode of this.#open) {
      try {
        this.#commit(inode, false)
      } catch (error) {
        first ??= error
      }
    }
    if (!this.#tree.ctx.readOnly) {
      try {
        this.#tree.ctx.backing.syncFileSystem(this.#tree.folder.rootFd)
      } catch (error) {
        first ??= error
      }
    }
    if (first !== null) throw first as Error
  }

  /** Closes everything and wipes the keys. What was not synced is lost. */
  close(): void {
    for (const inode of [...this.#open]) this.#closeBody(inode)
    this.#handles.clear()
    this.#directories.clear()
    this.#tree.ctx.keyring.wipe()
    this.#tree.close()
  }

  #assertWritable(): void {
    if (this.#tree.ctx.readOnly) throw new CofferError('EROFS', 'the drive is read-only')
  }

  /** Logs what a user must hear of: damage, tampering, a vault that is gone. Returns the error. */
  #report(error: unknown, inode: Inode): unknown {
    if (error instanceof CofferError && (error.code === 'EIO' || !error.code.startsWith('E'))) {
      const path = plainPath(inode)
      const { code, message } = error
      this.#tree.ctx.log({
        level: 'error',
        event: 'refused',
        code,
        message,
        blob: blobPath(inode),
        path,
      })
      if (code !== 'VAULT_GONE' && this.#damaged.size < DAMAGED_MAX) this.#damaged.set(path, code)
    }
    return error
  }
}
