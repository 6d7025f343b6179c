// A `Filesystem` that answers from memory: what the driver is tested with, and the floor that a
// vault's speed is measured against. With `discard` it keeps sizes only and reads zeros.

import { constants } from 'node:fs'
import { CofferError } from '../../lib/errors.js'
import type {
  AttributeChanges,
  Attributes,
  Caller,
  EmitEntry,
  Entry,
  Filesystem,
  Opened,
  Statfs,
} from '../../lib/fs/filesystem.js'

const { S_IFMT, S_IFDIR, S_IFREG, S_IFLNK, O_TRUNC, O_EXCL } = constants
const KILLED = 0o6000

interface Inode {
  attributes: Attributes
  content: Buffer
  entries: Map<string, Inode>
  xattrs: Map<string, Buffer>
  parent: Inode | null
  generation: number
  lookups: number
  opens: number
}

interface Now {
  sec: number
  nsec: number
}

function now(): Now {
  const at = performance.timeOrigin + performance.now()
  return { sec: Math.floor(at / 1000), nsec: Math.floor((at % 1000) * 1e6) }
}

export interface Seen {
  /** size of WRITE → how many */
  writes: Record<string, number>
  /** size of READ → how many */
  reads: Record<string, number>
  changes: AttributeChanges[]
  forgotten: number
  tends: number
}

export class MemoryFilesystem implements Filesystem {
  readonly seen: Seen = { writes: {}, reads: {}, changes: [], forgotten: 0, tends: 0 }
  readonly inodes = new Map<number, Inode>()
  /** thrown by the next call of `getattr` */
  trap: Error | null = null
  readonly #handles = new Map<number, Inode>()
  readonly #listings = new Map<number, [string, number, number][]>()
  readonly #discard: boolean
  #next = 1
  #nextHandle = 1

  constructor(discard = false, uid = 0, gid = 0) {
    this.#discard = discard
    this.#make(S_IFDIR | 0o755, { uid, gid, umask: 0 }).parent = null
  }

  lookup(parent: number, name: string, out: Entry): boolean {
    const found = this.#child(parent, name)
    if (found === undefined) return false
    this.#tell(found, out)
    return true
  }

  forget(nodeid: number, lookups: number): void {
    const inode = this.#inode(nodeid)
    inode.lookups -= lookups
    if (inode.lookups < 0) throw new Error('forgotten more often than looked up')
    this.seen.forgotten += lookups
    this.#collect(inode)
  }

  getattr(nodeid: number, out: Attributes): void {
    const { trap } = this
    this.trap = null
    if (trap !== null) throw trap
    Object.assign(out, this.#inode(nodeid).attributes)
  }

  setattr(nodeid: number, changes: AttributeChanges, out: Attributes): void {
    if (this.seen.changes.length < 100) this.seen.changes.push(changes)
    const inode = this.#inode(nodeid)
    const a = inode.attributes
    const time = now()
    if (changes.mode !== undefined) a.mode = (a.mode & S_IFMT) | changes.mode
    if (changes.uid !== undefined) a.uid = changes.uid
    if (changes.gid !== undefined) a.gid = changes.gid
    if (changes.size !== undefined) this.#resize(inode, changes.size)
    if (changes.killPriv === true) a.mode &= ~KILLED
    if (changes.atime !== undefined) {
      const { sec, nsec } = changes.atime === 'now' ? time : changes.atime
      a.atimeSec = sec
      a.atimeNsec = nsec
    }
    if (changes.mtime !== undefined) {
      const { sec, nsec } = changes.mtime === 'now' ? time : changes.mtime
      a.mtimeSec = sec
      a.mtimeNsec = nsec
    }
    a.ctimeSec = time.sec
    a.ctimeNsec = time.nsec
    Object.assign(out, a)
  }

  readlink(nodeid: number): Uint8Array {
    return this.#inode(nodeid).content
  }

  symlink(parent: number, name: string, target: Uint8Array, caller: Caller, out: Entry): void {
    const made = this.#add(parent, name, S_IFLNK | 0o777, caller, out)
    made.content = Buffer.from(target)
    made.attributes.size = target.length
    Object.assign(out.attributes, made.attributes)
  }

  mknod(
    parent: number,
    name: string,
    mode: number,
    rdev: number,
    caller: Caller,
    out: Entry,
  ): void {
    const made = this.#add(parent, name, mode, caller, out)
    made.attributes.rdev = rdev
    out.attributes.rdev = rdev
  }

  mkdir(parent: number, name: string, mode: number, caller: Caller, out: Entry): void {
    this.#add(parent, name, S_IFDIR | mode, caller, out)
    this.#inode(parent).attributes.nlink++
  }

  unlink(parent: number, name: string): void {
    const inode = this.#child(parent, name)
    if (inode === undefined) throw new CofferError('ENOENT', name)
    this.#inode(parent).entries.delete(name)
    this.#touch(this.#inode(parent))
    inode.attributes.nlink--
    this.#collect(inode)
  }

  rmdir(parent: number, name: string): void {
    const inode = this.#child(parent, name)
    if (inode === undefined) throw new CofferError('ENOENT', name)
    if (inode.entries.size > 0) throw new CofferError('ENOTEMPTY', name)
    this.#inode(parent).entries.delete(name)
    this.#inode(parent).attributes.nlink--
    inode.attributes.nlink = 0
    this.#collect(inode)
  }

  rename(parent: number, name: string, newParent: number, newName: string, flags: number): void {
    const from = this.#inode(parent)
    const to = this.#inode(newParent)
    const moved = this.#child(parent, name)
    const replaced = this.#child(newParent, newName)
    if (moved === undefined) throw new CofferError('ENOENT', name)
    if (replaced !== undefined) {
      if (flags & 1) throw new CofferError('EEXIST', newName)
      if (replaced.entries.size > 0 && !(flags & 2)) throw new CofferError('ENOTEMPTY', newName)
    } else if (flags & 2) throw new CofferError('ENOENT', newName)
    from.entries.delete(name)
    to.entries.set(newName, moved)
    moved.parent = to
    if (replaced === undefined) return
    if (flags & 2) {
      from.entries.set(name, replaced)
      replaced.parent = from
    } else {
      replaced.attributes.nlink--
      this.#collect(replaced)
    }
  }

  link(nodeid: number, newParent: number, newName: string, out: Entry): void {
    if (this.#child(newParent, newName)) throw new CofferError('EEXIST', newName)
    const inode = this.#inode(nodeid)
    this.#inode(newParent).entries.set(newName, inode)
    inode.attributes.nlink++
    this.#tell(inode, out)
  }

  open(nodeid: number, flags: number): Opened {
    const inode = this.#inode(nodeid)
    if (flags & O_TRUNC) this.#resize(inode, 0)
    return { fh: this.#handle(inode), keepCache: false }
  }

  create(
    parent: number,
    name: string,
    mode: number,
    flags: number,
    caller: Caller,
    out: Entry,
  ): Opened {
    const existing = this.#child(parent, name)
    if (existing === undefined) {
      return {
        fh: this.#handle(this.#add(parent, name, S_IFREG | mode, caller, out)),
        keepCache: false,
      }
    }
    if (flags & O_EXCL) throw new CofferError('EEXIST', name)
    this.#tell(existing, out)
    return this.open(existing.attributes.ino, flags)
  }

  tmpfile(_parent: number, _mode: number, _caller: Caller, _out: Entry): Opened {
    throw new CofferError('EOPNOTSUPP', 'every file here has a name')
  }

  read(fh: number, offset: number, length: number, into: Uint8Array, intoOffset: number): number {
    this.seen.reads[length] = (this.seen.reads[length] ?? 0) + 1
    const inode = this.#opened(fh)
    const n = Math.max(0, Math.min(length, inode.attributes.size - offset))
    if (!this.#discard) inode.content.copy(into, intoOffset, offset, offset + n)
    return n
  }

  write(
    fh: number,
    offset: number,
    from: Uint8Array,
    fromOffset: number,
    length: number,
    killPriv: boolean,
  ): number {
    this.seen.writes[length] = (this.seen.writes[length] ?? 0) + 1
    const inode = this.#opened(fh)
    if (offset + length > inode.attributes.size) this.#resize(inode, offset + length)
    if (!this.#discard) inode.content.set(from.subarray(fromOffset, fromOffset + length), offset)
    if (killPriv) inode.attributes.mode &= ~KILLED
    this.#touch(inode)
    return length
  }

  fallocate(): void {
    throw new CofferError('EOPNOTSUPP', 'memory has no blocks')
  }

  lseek(fh: number, offset: number, whence: number): number {
    const { size } = this.#opened(fh).attributes
    if (offset >= size) throw new CofferError('ENXIO', 'beyond the end')
    return whence === 4 ? size : offset
  }

  copyFileRange(
    _from: number,
    _offset: number,
    _to: number,
    _toOffset: number,
    _length: number,
  ): number {
    throw new CofferError('ENOSYS', 'the kernel copies')
  }

  flush(fh: number): void {
    this.#opened(fh)
  }

  fsync(fh: number): void {
    this.#opened(fh)
  }

  release(fh: number): void {
    const inode = this.#opened(fh)
    this.#handles.delete(fh)
    inode.opens--
    this.#collect(inode)
  }

  opendir(nodeid: number): number {
    const inode = this.#inode(nodeid)
    const fh = this.#handle(inode)
    const parent = inode.parent ?? inode
    this.#listings.set(fh, [
      ['.', inode.attributes.ino, S_IFDIR],
      ['..', parent.attributes.ino, S_IFDIR],
      ...Array.from(inode.entries, ([name, { attributes: a }]): [string, number, number] => [
        name,
        a.ino,
        a.mode & S_IFMT,
      ]),
    ])
    return fh
  }

  readdir(fh: number, cookie: number, emit: EmitEntry): void {
    const listing = this.#listings.get(fh) ?? []
    for (let i = cookie; i < listing.length; i++) {
      const [name, ino, type] = listing[i] ?? ['', 0, 0]
      if (!emit(name, ino, type, i + 1)) return
    }
  }

  releasedir(fh: number): void {
    this.#listings.delete(fh)
    this.release(fh)
  }

  fsyncdir(nodeid: number): void {
    this.#inode(nodeid)
  }

  getxattr(nodeid: number, name: string): Uint8Array {
    const value = this.#inode(nodeid).xattrs.get(name)
    if (value === undefined) throw new CofferError('ENODATA', name)
    return value
  }

  setxattr(nodeid: number, name: string, value: Uint8Array, flags: number): void {
    const { xattrs } = this.#inode(nodeid)
    if (flags & 1 && xattrs.has(name)) throw new CofferError('EEXIST', name)
    if (flags & 2 && !xattrs.has(name)) throw new CofferError('ENODATA', name)
    xattrs.set(name, Buffer.from(value))
  }

  listxattr(nodeid: number): string[] {
    return [...this.#inode(nodeid).xattrs.keys()]
  }

  removexattr(nodeid: number, name: string): void {
    if (!this.#inode(nodeid).xattrs.delete(name)) throw new CofferError('ENODATA', name)
  }

  statfs(out: Statfs): void {
    out.blockSize = 4096
    out.blocks = 2 ** 33
    out.blocksFree = out.blocksAvailable = 2 ** 32 + 7
    out.files = 1e6
    out.filesFree = 1e6 - this.inodes.size
    out.nameMax = 255
  }

  tend(): number {
    this.seen.tends++
    return Infinity
  }

  sync(): void {
    this.tend()
  }

  #inode(nodeid: number): Inode {
    const inode = this.inodes.get(nodeid)
    if (inode === undefined) throw new CofferError('ESTALE', `no inode ${String(nodeid)}`)
    return inode
  }

  #opened(fh: number): Inode {
    const inode = this.#handles.get(fh)
    if (inode === undefined) throw new CofferError('EBADF', `no handle ${String(fh)}`)
    return inode
  }

  #child(parent: number, name: string): Inode | undefined {
    if (Buffer.byteLength(name) > 255) throw new CofferError('ENAMETOOLONG', name)
    const inode = this.#inode(parent)
    if ((inode.attributes.mode & S_IFMT) !== S_IFDIR) throw new CofferError('ENOTDIR', name)
    return inode.entries.get(name)
  }

  #make(mode: number, { uid, gid }: Caller): Inode {
    const ino = this.#next++
    const { sec, nsec } = now()
    const inode: Inode = {
      attributes: {
        ino,
        size: 0,
        blocks: 0,
        mode,
        nlink: (mode & S_IFMT) === S_IFDIR ? 2 : 1,
        uid,
        gid,
        rdev: 0,
        atimeSec: sec,
        atimeNsec: nsec,
        mtimeSec: sec,
        mtimeNsec: nsec,
        ctimeSec: sec,
        ctimeNsec: nsec,
        validMs: 1000,
      },
      content: Buffer.alloc(0),
      entries: new Map(),
      xattrs: new Map(),
      parent: null,
      generation: 1,
      lookups: 0,
      opens: 0,
    }
    this.inodes.set(ino, inode)
    return inode
  }

  #add(parent: number, name: string, mode: number, caller: Caller, out: Entry): Inode {
    if (this.#child(parent, name)) throw new CofferError('EEXIST', name)
    const made = this.#make(mode, caller)
    made.parent = this.#inode(parent)
    made.parent.entries.set(name, made)
    this.#touch(made.parent)
    this.#tell(made, out)
    return made
  }

  #tell(inode: Inode, out: Entry): void {
    inode.lookups++
    out.nodeid = inode.attributes.ino
    out.generation = inode.generation
    Object.assign(out.attributes, inode.attributes)
  }

  #handle(inode: Inode): number {
    const fh = this.#nextHandle++
    this.#handles.set(fh, inode)
    inode.opens++
    return fh
  }

  #touch({ attributes: a }: Inode): void {
    const { sec, nsec } = now()
    a.mtimeSec = a.ctimeSec = sec
    a.mtimeNsec = a.ctimeNsec = nsec
  }

  #resize(inode: Inode, size: number): void {
    if (!this.#discard) {
      if (size > inode.content.length) {
        const grown = Buffer.alloc(Math.max(size, inode.content.length * 2, 4096))
        inode.content.copy(grown, 0, 0, inode.attributes.size)
        inode.content = grown
      } else inode.content.fill(0, size, Math.max(size, inode.attributes.size))
    }
    inode.attributes.size = size
    inode.attributes.blocks = Math.ceil(size / 512)
    this.#touch(inode)
  }

  #collect({ attributes, lookups, opens }: Inode): void {
    if (attributes.nlink <= 0 && lookups <= 0 && opens === 0) this.inodes.delete(attributes.ino)
  }
}
