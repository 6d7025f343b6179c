// What a drive offers to its adapters: POSIX by inode, synchronous, one request at a time. This is
// the law between `fs` and `mount`; `Drive` implements it over a vault. Method names are system
// calls. A method throws `CofferError`; the adapter maps it to an errno.
//
// "nodeid" names an inode towards the adapter. Every successful lookup, create, mkdir, mknod,
// symlink and link adds one to the inode's lookup count; `forget` takes some away, and at zero the
// nodeid may be dropped. The root is nodeid 1 and is never forgotten.

import { constants } from 'node:fs'

const { O_RDONLY, O_TRUNC } = constants
const O_ACCMODE = 3

/** Times are seconds and nanoseconds, since a JavaScript number cannot hold both. */
export interface Attributes {
  ino: number
  /** bytes of plaintext */
  size: number
  /** 512-byte units */
  blocks: number
  /** type and permission bits */
  mode: number
  nlink: number
  uid: number
  gid: number
  rdev: number
  atimeSec: number
  atimeNsec: number
  mtimeSec: number
  mtimeNsec: number
  ctimeSec: number
  ctimeNsec: number
  /** for how long an adapter may believe them without asking again, milliseconds */
  validMs: number
}

/** Filled in by the callee, owned and reused by the caller. */
export interface Entry {
  nodeid: number
  generation: number
  /** for how long the name leads there, or where there is none, to nothing, milliseconds */
  validMs: number
  attributes: Attributes
}

/** Where nobody says otherwise, an answer is believed for so long. */
export const MOMENT_MS = 1000

/** All zero, to be filled in. */
export const emptyAttributes = (): Attributes => ({
  ino: 0,
  size: 0,
  blocks: 0,
  mode: 0,
  nlink: 0,
  uid: 0,
  gid: 0,
  rdev: 0,
  atimeSec: 0,
  atimeNsec: 0,
  mtimeSec: 0,
  mtimeNsec: 0,
  ctimeSec: 0,
  ctimeNsec: 0,
  validMs: MOMENT_MS,
})

export const emptyEntry = (): Entry => ({
  nodeid: 0,
  generation: 0,
  validMs: MOMENT_MS,
  attributes: emptyAttributes(),
})

/** Whoever made the request. */
export interface Caller {
  uid: number
  gid: number
  umask: number
}

/** Absent members stay as they are. 'now' is the time of the call. */
export interface AttributeChanges {
  mode?: number
  uid?: number
  gid?: number
  size?: number
  atime?: { sec: number; nsec: number } | 'now'
  mtime?: { sec: number; nsec: number } | 'now'
  /** the open file that ftruncate was called on */
  fh?: number
  /** the kernel asks that set-uid and set-gid bits go (FATTR_KILL_SUIDGID) */
  killPriv?: boolean
}

export interface Opened {
  fh: number
  /** the kernel's cached pages of this inode are still true */
  keepCache: boolean
}

/** O_TRUNC empties a file through a handle that only reads, too. */
export const opensToWrite = (flags: number): boolean =>
  (flags & O_ACCMODE) !== O_RDONLY || (flags & O_TRUNC) !== 0

export interface Statfs {
  blockSize: number
  blocks: number
  blocksFree: number
  blocksAvailable: number
  files: number
  filesFree: number
  nameMax: number
}

export const emptyStatfs = (): Statfs => ({
  blockSize: 0,
  blocks: 0,
  blocksFree: 0,
  blocksAvailable: 0,
  files: 0,
  filesFree: 0,
  nameMax: 0,
})

/** Return false to stop: this entry did not fit and will be asked for again by its cookie. */
export type EmitEntry = (name: string, ino: number, type: number, nextCookie: number) => boolean

export interface Filesystem {
  /**
   * False where there is no such entry; `out` then has its validity alone. Otherwise fills `out` and counts one lookup. `tid` is the
   * thread that asks, where the adapter knows it.
   */
  lookup(parent: number, name: string, out: Entry, tid?: number): boolean
  forget(nodeid: number, lookups: number): void
  getattr(nodeid: number, out: Attributes): void
  setattr(nodeid: number, changes: AttributeChanges, out: Attributes): void
  readlink(nodeid: number): Uint8Array
  symlink(parent: number, name: string, target: Uint8Array, caller: Caller, out: Entry): void
  mknod(parent: number, name: string, mode: number, rdev: number, caller: Caller, out: Entry): void
  mkdir(parent: number, name: string, mode: number, caller: Caller, out: Entry): void
  unlink(parent: number, name: string): void
  rmdir(parent: number, name: string): void
  /** flags: RENAME_NOREPLACE 1, RENAME_EXCHANGE 2, RENAME_WHITEOUT 4, as in renameat2(2) */
  rename(parent: number, name: string, newParent: number, newName: string, flags: number): void
  link(nodeid: number, newParent: number, newName: string, out: Entry): void
  /** flags as in open(2); O_CREAT never comes here */
  open(nodeid: number, flags: number): Opened
  create(
    parent: number,
    name: string,
    mode: number,
    flags: number,
    caller: Caller,
    out: Entry,
  ): Opened
  /** A file without a name (O_TMPFILE), which `link` may give one. */
  tmpfile(parent: number, mode: number, caller: Caller, out: Entry): Opened
  /** Bytes read into `into[intoOffset…]`, less than `length` only at the end of the file. */
  read(fh: number, offset: number, length: number, into: Uint8Array, intoOffset: number): number
  /** Takes `from` only until it returns. Writes everything or throws. */
  write(
    fh: number,
    offset: number,
    from: Uint8Array,
    fromOffset: number,
    length: number,
    killPriv: boolean,
  ): number
  /** mode: FALLOC_FL_KEEP_SIZE 1, PUNCH_HOLE 2, ZERO_RANGE 16, as in fallocate(2) on Linux */
  fallocate(fh: number, mode: number, offset: number, length: number): void
  /** whence: SEEK_DATA 3, SEEK_HOLE 4, as in lseek(2) on Linux. ENXIO from the end of the file on. */
  lseek(fh: number, offset: number, whence: number): number
  /** Bytes copied: perhaps fewer than `length`, 0 only at the end of `from`. */
  copyFileRange(from: number, offset: number, to: number, toOffset: number, length: number): number
  /** One close(2); of a handle that does not write an adapter need not tell. What cannot be stored is told here. */
  flush(fh: number): void
  fsync(fh: number, dataOnly: boolean): void
  release(fh: number): void
  opendir(nodeid: number): number
  /**
   * Calls `emit` for each entry from `cookie` on (0 is the start), "." and ".." included. `type` is
   * the S_IFMT bits of the mode.
   */
  readdir(fh: number, cookie: number, emit: EmitEntry): void
  releasedir(fh: number): void
  fsyncdir(nodeid: number): void
  /** Extended attributes that applications set, by a name without a namespace. Throws ENODATA. */
  getxattr(nodeid: number, name: string): Uint8Array
  /** flags: XATTR_CREATE 1, XATTR_REPLACE 2, as in setxattr(2) */
  setxattr(nodeid: number, name: string, value: Uint8Array, flags: number): void
  listxattr(nodeid: number): string[]
  removexattr(nodeid: number, name: string): void
  statfs(out: Statfs): void
  /** Runs what is due (seals of files that stay open); milliseconds until the next, or Infinity. */
  tend(): number
  /** Readable when there is something to tend before that; -1 or absent: there is no such thing. */
  readonly tendFd?: number
  /** Flushes and seals every open file. Throws the first error after having tried all. */
  sync(): void
}
