// System calls on files by directory descriptor and name (openat(2) and its family), for Linux.
// `node:fs` has no *at calls, cuts times to milliseconds and throws where ENOENT is an answer.
// Positive flags and modes are the kernel's. Every function throws the system's error.

import { constants } from 'node:fs'
import { addressOf, calls, check, lastErrno } from './libc.js'
import { systemError } from '../errors.js'

const { O_CREAT, O_DIRECTORY, O_NOFOLLOW } = constants
const O_CLOEXEC = 0o2000000
const O_TMPFILE = 0o20000000 | O_DIRECTORY
export const RENAME_EXCHANGE = 2
export const O_NOATIME = 0o1000000
const F_SETFL = 4
const SYS_GETDENTS64 = new Map([
  ['x64', 217],
  ['arm64', 61],
]).get(process.arch)
const AT_FDCWD = -100
const AT_SYMLINK_NOFOLLOW = 0x100
const AT_SYMLINK_FOLLOW = 0x400
const AT_REMOVEDIR = 0x200
const AT_EMPTY_PATH = 0x1000
const STATX_BASIC_STATS = 0x7ff
const FALLOC_FL_KEEP_SIZE = 1
const FALLOC_FL_PUNCH_HOLE = 2
const SEEK_DATA = 3
const SEEK_HOLE = 4
const UTIME_OMIT = 0x3ffffffe
const UTIME_NOW = 0x3fffffff
const ENOENT = 2
const EINTR = 4
const ENXIO = 6
const EPERM = 1
const ENODATA = 61
/** of a value, and of a list of names */
const XATTR_SIZE_MAX = 65536

const c = calls({
  openat: 'int openat(int dirfd, const char *path, int flags, uint32_t mode)',
  close: 'int close(int fd)',
  statx: 'int statx(int dirfd, const char *path, int flags, uint32_t mask, uintptr_t out)',
  mkdirat: 'int mkdirat(int dirfd, const char *path, uint32_t mode)',
  unlinkat: 'int unlinkat(int dirfd, const char *path, int flags)',
  renameat2: 'int renameat2(int from, const char *a, int to, const char *b, uint32_t flags)',
  linkat: 'int linkat(int from, const char *a, int to, const char *b, int flags)',
  fchmod: 'int fchmod(int fd, uint32_t mode)',
  fchmodat: 'int fchmodat(int dirfd, const char *path, uint32_t mode, int flags)',
  fchownat: 'int fchownat(int dirfd, const char *path, uint32_t uid, uint32_t gid, int flags)',
  fchown: 'int fchown(int fd, uint32_t uid, uint32_t gid)',
  utimensat: 'int utimensat(int dirfd, const char *path, uintptr_t times, int flags)',
  futimens: 'int futimens(int fd, uintptr_t times)',
  pread: 'int64_t pread(int fd, uintptr_t buf, size_t n, int64_t at)',
  pwrite: 'int64_t pwrite(int fd, uintptr_t buf, size_t n, int64_t at)',
  ftruncate: 'int ftruncate(int fd, int64_t length)',
  lseek: 'int64_t lseek(int fd, int64_t at, int whence)',
  flock: 'int flock(int fd, int operation)',
  fsync: 'int fsync(int fd)',
  fdatasync: 'int fdatasync(int fd)',
  fallocate: 'int fallocate(int fd, int mode, int64_t at, int64_t length)',
  syncfs: 'int syncfs(int fd)',
  fcntl: 'int fcntl(int fd, int command, int flags)',
  syscall: 'int64_t syscall(int64_t number, int fd, uintptr_t into, size_t size)',
  copy_file_range:
    'int64_t copy_file_range(int from, uintptr_t a, int to, uintptr_t b, size_t n, uint32_t flags)',
  lgetxattr: 'int64_t lgetxattr(const char *path, const char *name, uintptr_t value, size_t size)',
  fgetxattr: 'int64_t fgetxattr(int fd, const char *name, uintptr_t value, size_t size)',
  fsetxattr: 'int fsetxattr(int fd, const char *name, uintptr_t value, size_t size, int flags)',
  flistxattr: 'int64_t flistxattr(int fd, uintptr_t list, size_t size)',
  fremovexattr: 'int fremovexattr(int fd, const char *name)',
})

/** What statx(2) says, in a form that is filled again and again. */
export interface FileStat {
  dev: number
  ino: number
  mode: number
  nlink: number
  uid: number
  gid: number
  rdev: number
  size: number
  blocks: number
  atimeSec: number
  atimeNsec: number
  mtimeSec: number
  mtimeNsec: number
  ctimeSec: number
  ctimeNsec: number
}

export const emptyStat = (): FileStat => ({
  dev: 0,
  ino: 0,
  mode: 0,
  nlink: 0,
  uid: 0,
  gid: 0,
  rdev: 0,
  size: 0,
  blocks: 0,
  atimeSec: 0,
  atimeNsec: 0,
  mtimeSec: 0,
  mtimeNsec: 0,
  ctimeSec: 0,
  ctimeNsec: 0,
})

// struct statx, the same on every architecture
const statxBuffer = Buffer.alloc(256)
let statxAddress = 0

const u64 = (offset: number): number =>
  statxBuffer.readUInt32LE(offset) + statxBuffer.readUInt32LE(offset + 4) * 2 ** 32
const i64 = (offset: number): number =>
  statxBuffer.readUInt32LE(offset) + statxBuffer.readInt32LE(offset + 4) * 2 ** 32
/** as makedev(3) of glibc packs it into 32 bits, which is what FUSE and the format carry */
const device = (major: number, minor: number): number =>
  ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0

function decodeStatx(out: FileStat): void {
  out.nlink = statxBuffer.readUInt32LE(16)
  out.uid = statxBuffer.readUInt32LE(20)
  out.gid = statxBuffer.readUInt32LE(24)
  out.mode = statxBuffer.readUInt16LE(28)
  out.ino = u64(32)
  out.size = u64(40)
  out.blocks = u64(48)
  out.atimeSec = i64(64)
  out.atimeNsec = statxBuffer.readUInt32LE(72)
  out.ctimeSec = i64(96)
  out.ctimeNsec = statxBuffer.readUInt32LE(104)
  out.mtimeSec = i64(112)
  out.mtimeNsec = statxBuffer.readUInt32LE(120)
  out.rdev = device(statxBuffer.readUInt32LE(128), statxBuffer.readUInt32LE(132))
  out.dev = device(statxBuffer.readUInt32LE(136), statxBuffer.readUInt32LE(140))
}

function statx(dirfd: number, name: string, flags: number): number {
  if (statxAddress === 0) statxAddress = addressOf(statxBuffer)
  return c.statx(dirfd, name, flags, STATX_BASIC_STATS, statxAddress)
}

/** False where there is no such name. Never follows a link. */
export function statAt(dirfd: number, name: string, out: FileStat): boolean {
  if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW) < 0) {
    const errno = lastErrno()
    if (errno === ENOENT) return false
    throw systemError(errno, 'statx')
  }
  decodeStatx(out)
  return true
}

export function statFd(fd: number, out: FileStat): void {
  check(statx(fd, '', AT_EMPTY_PATH), 'statx')
  decodeStatx(out)
}

/** By absolute path, the last component not followed; false where it is missing. */
export const statPath = (path: string, out: FileStat): boolean => statAt(AT_FDCWD, path, out)

/** One component below `dirfd`, never through a link. */
export function openAt(dirfd: number, name: string, flags: number, mode = 0o600): number {
  const fd = c.openat(dirfd, name, flags | O_NOFOLLOW | O_CLOEXEC, mode)
  if (fd >= 0) return fd
  const errno = lastErrno()
  // only the owner may ask for O_NOATIME
  if (errno === EPERM && (flags & O_NOATIME) !== 0 && (flags & O_CREAT) === 0) {
    return openAt(dirfd, name, flags & ~O_NOATIME, mode)
  }
  throw systemError(errno, 'openat')
}

export const openPath = (path: string, flags: number): number =>
  check(c.openat(AT_FDCWD, path, flags | O_CLOEXEC, 0), 'open')

/** An unnamed file in that directory (O_TMPFILE), or -1 where the file system has none. */
export const openUnnamed = (dirfd: number, mode: number): number =>
  c.openat(dirfd, '.', O_TMPFILE | constants.O_RDWR | O_NOATIME | O_CLOEXEC, mode)

export const closeFd = (fd: number): void => {
  c.close(fd)
}

let linksByDescriptor = true

/** Gives an unnamed file its name. EEXIST where the name is taken. */
export function nameUnnamed(fd: number, dirfd: number, name: string): void {
  // before Linux 6.10 only root may; everybody else is told ENOENT
  if (linksByDescriptor) {
    if (c.linkat(fd, '', dirfd, name, AT_EMPTY_PATH) === 0) return
    const errno = lastErrno()
    if (errno !== ENOENT) throw systemError(errno, 'linkat')
  }
  check(c.linkat(AT_FDCWD, `/proc/self/fd/${String(fd)}`, dirfd, name, AT_SYMLINK_FOLLOW), 'linkat')
  linksByDescriptor = false
}

/** A further name for the file `a` itself, not for what it may lead to. */
export const linkAt = (from: number, a: string, to: number, b: string): void => {
  check(c.linkat(from, a, to, b, 0), 'linkat')
}
export const mkdirAt = (dirfd: number, name: string, mode: number): void => {
  check(c.mkdirat(dirfd, name, mode), 'mkdirat')
}
export const unlinkAt = (dirfd: number, name: string): void => {
  check(c.unlinkat(dirfd, name, 0), 'unlinkat')
}
export const rmdirAt = (dirfd: number, name: string): void => {
  check(c.unlinkat(dirfd, name, AT_REMOVEDIR), 'rmdir')
}
export const renameAt = (from: number, a: string, to: number, b: string, flags = 0): void => {
  check(c.renameat2(from, a, to, b, flags), 'rename')
}
export const chmodAt = (dirfd: number, name: string, mode: number): void => {
  check(c.fchmodat(dirfd, name, mode, 0), 'chmod')
}
export const chmodFd = (fd: number, mode: number): void => {
  check(c.fchmod(fd, mode), 'fchmod')
}
/** 0xffffffff leaves an id as it is */
export const chownAt = (dirfd: number, name: string, uid: number, gid: number): void => {
  check(c.fchownat(dirfd, name, uid, gid, AT_SYMLINK_NOFOLLOW), 'chown')
}
export const chownFd = (fd: number, uid: number, gid: number): void => {
  check(c.fchown(fd, uid, gid), 'fchown')
}

export type FileTime = { sec: number; nsec: number } | 'now' | 'omit'

const timesBuffer = Buffer.alloc(32)

function setTimes(atime: FileTime, mtime: FileTime): number {
  for (const [at, time] of [
    [0, atime],
    [16, mtime],
  ] as const) {
    const sec = typeof time === 'string' ? 0 : time.sec
    const nsec = time === 'omit' ? UTIME_OMIT : time === 'now' ? UTIME_NOW : time.nsec
    timesBuffer.writeBigInt64LE(BigInt(sec), at)
    timesBuffer.writeBigInt64LE(BigInt(nsec), at + 8)
  }
  return addressOf(timesBuffer)
}

export const utimesAt = (dirfd: number, name: string, atime: FileTime, mtime: FileTime): void => {
  check(c.utimensat(dirfd, name, setTimes(atime, mtime), AT_SYMLINK_NOFOLLOW), 'utimensat')
}
export const utimesFd = (fd: number, atime: FileTime, mtime: FileTime): void => {
  check(c.futimens(fd, setTimes(atime, mtime)), 'futimens')
}

/** Bytes read, less than `length` only at the end of the file. */
export function readAt(
  fd: number,
  into: Uint8Array,
  offset: number,
  length: number,
  position: number,
): number {
  const address = addressOf(into) + offset
  let done = 0
  while (done < length) {
    const n = c.pread(fd, address + done, length - done, position + done)
    if (n < 0) {
      const errno = lastErrno()
      if (errno === EINTR) continue
      throw systemError(errno, 'pread')
    }
    if (n === 0) break
    done += n
  }
  return done
}

/** Writes all of it or throws. */
export function writeAt(
  fd: number,
  from: Uint8Array,
  offset: number,
  length: number,
  position: number,
): void {
  const address = addressOf(from) + offset
  let done = 0
  while (done < length) {
    const n = c.pwrite(fd, address + done, length - done, position + done)
    if (n < 0) {
      const errno = lastErrno()
      if (errno === EINTR) continue
      throw systemError(errno, 'pwrite')
    }
    done += n
  }
}

const offsets = new BigInt64Array(2)
const COPY_BYTES = 1024 * 1024

/** Copies a range to the same place of another file, without its bytes passing through here if it can be. */
export function copyRange(from: number, to: number, at: number, length: number): void {
  const address = addressOf(new Uint8Array(offsets.buffer))
  let done = 0
  while (done < length) {
    offsets[0] = offsets[1] = BigInt(at + done)
    const n = c.copy_file_range(from, address, to, address + 8, length - done, 0)
    if (n > 0) done += n
    else if (n === 0) return
    else if (lastErrno() !== EINTR) break
  }
  if (done === length) return
  // the two do not lie where the system can do it
  const bytes = Buffer.from(new ArrayBuffer(Math.min(COPY_BYTES, length - done)))
  while (done < length) {
    const n = readAt(from, bytes, 0, Math.min(bytes.length, length - done), at + done)
    if (n === 0) return
    writeAt(to, bytes, 0, n, at + done)
    done += n
  }
}

const oneByte = Buffer.from(new ArrayBuffer(1))

/** Reads a byte as any program would: the system moves atime if it does so at all. */
export function readAsUser(fd: number): void {
  c.fcntl(fd, F_SETFL, 0)
  c.pread(fd, addressOf(oneByte), 1, 0)
  c.fcntl(fd, F_SETFL, O_NOATIME)
}

const listBuffer = Buffer.from(new ArrayBuffer(65536))

/**
 * Of the entries of a directory those that are no regular files, and what the listing itself says of them.
 * Not every file system does.
 */
export type Types = Map<string, 'directory' | 'neither' | 'not said'>

const DT_UNKNOWN = 0
const DT_DIR = 4
const DT_REG = 8

/** Names in a directory, without "." and ".."; null where the call has no known number. `flags`: O_NOATIME, or 0. */
export function list(dirfd: number, flags: number, types?: Types): string[] | null {
  if (SYS_GETDENTS64 === undefined) return null
  const fd = openAt(dirfd, '.', constants.O_RDONLY | O_DIRECTORY | flags)
  try {
    const names: string[] = []
    for (;;) {
      const address = addressOf(listBuffer)
      const n = check(c.syscall(SYS_GETDENTS64, fd, address, listBuffer.length), 'getdents')
      if (n === 0) return names
      // struct linux_dirent64: inode and offset, 8 bytes each, its length, type, and name
      for (let at = 0; at < n; at += listBuffer.readUInt16LE(at + 16)) {
        const start = at + 19
        const name = listBuffer.toString('utf8', start, listBuffer.indexOf(0, start))
        if (name === '.' || name === '..') continue
        names.push(name)
        const type = listBuffer[at + 18]
        if (types === undefined || type === DT_REG) continue
        const is = type === DT_DIR ? 'directory' : 'neither'
        types.set(name, type === DT_UNKNOWN ? 'not said' : is)
      }
    }
  } finally {
    closeFd(fd)
  }
}

export const truncateFd = (fd: number, length: number): void => {
  check(c.ftruncate(fd, length), 'ftruncate')
}
/**
 * Offset of the first byte from `at` on that is not in a hole, Infinity where there is none, `at`
 * where the file system cannot tell. The position of the descriptor moves; nobody else uses it.
 */
export function nextData(fd: number, at: number): number {
  const found = c.lseek(fd, at, SEEK_DATA)
  if (found >= 0) return found
  return lastErrno() === ENXIO ? Infinity : at
}
/** Offset of the first byte from `at` on that is in a hole, Infinity where there is none. */
export function nextHole(fd: number, at: number): number {
  const found = c.lseek(fd, at, SEEK_HOLE)
  return found >= 0 ? found : Infinity
}
export const punchFd = (fd: number, at: number, length: number): void => {
  check(c.fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, length), 'fallocate')
}
const LOCK_EX_NB = 2 | 4
const EWOULDBLOCK = 11

/** flock(2), which goes with the descriptor. False where another one holds it; no word where there are no locks. */
export function lockFd(fd: number): boolean {
  return c.flock(fd, LOCK_EX_NB) === 0 || lastErrno() !== EWOULDBLOCK
}

export const fsyncFd = (fd: number): void => {
  check(c.fsync(fd), 'fsync')
}
export const fdatasyncFd = (fd: number): void => {
  check(c.fdatasync(fd), 'fdatasync')
}
/** Everything of that file system, to the disk. */
export const syncFileSystem = (fd: number): void => {
  check(c.syncfs(fd), 'syncfs')
}

const EOPNOTSUPP = 95
const ENOSYS = 38

/** Takes blocks for a range without changing the size. False where the file system cannot promise. */
export function reserveFd(fd: number, at: number, length: number): boolean {
  if (c.fallocate(fd, FALLOC_FL_KEEP_SIZE, at, length) === 0) return true
  const errno = lastErrno()
  if (errno === EOPNOTSUPP || errno === ENOSYS) return false
  throw systemError(errno, 'fallocate')
}

const xattrBuffer = Buffer.from(new ArrayBuffer(XATTR_SIZE_MAX))

/** A copy of the value, or null where there is no such attribute. */
export function getXattrFd(fd: number, name: string): Uint8Array | null {
  const n = c.fgetxattr(fd, name, addressOf(xattrBuffer), XATTR_SIZE_MAX)
  if (n >= 0) return new Uint8Array(xattrBuffer.subarray(0, n))
  const errno = lastErrno()
  if (errno === ENODATA) return null
  throw systemError(errno, 'fgetxattr')
}

/** The same without opening the file; null also where the file system knows no such attributes. */
export function getXattrAt(dirfd: number, name: string, attribute: string): Uint8Array | null {
  const path = `/proc/self/fd/${String(dirfd)}/${name}`
  const n = c.lgetxattr(path, attribute, addressOf(xattrBuffer), XATTR_SIZE_MAX)
  return n < 0 ? null : new Uint8Array(xattrBuffer.subarray(0, n))
}

/** flags as in setxattr(2) */
export const setXattrFd = (fd: number, name: string, value: Uint8Array, flags: number): void => {
  check(c.fsetxattr(fd, name, addressOf(value), value.length, flags), 'fsetxattr')
}

/** Names that are ASCII come as they are, others as Latin-1. None where the file system has none. */
export function listXattrFd(fd: number): string[] {
  const n = c.flistxattr(fd, addressOf(xattrBuffer), XATTR_SIZE_MAX)
  if (n > 0) return xattrBuffer.toString('latin1', 0, n - 1).split('\0')
  if (n === 0) return []
  const errno = lastErrno()
  if (errno === EOPNOTSUPP) return []
  throw systemError(errno, 'flistxattr')
}

export const removeXattrFd = (fd: number, name: string): void => {
  check(c.fremovexattr(fd, name), 'fremovexattr')
}
