// System calls by their own names, arguments and flags (man section 2), for the table of the suite.
// Nothing is added: a flag goes through as it is, also one that no system knows.

import { Buffer } from 'node:buffer'
import { constants } from 'node:os'
import { addressOf, lastErrno, native, type NativeFunction } from '../../lib/native/libc.js'

const PATH = 'const char *path'

const PROTOTYPES = {
  access: `int access(${PATH}, int mode)`,
  chdir: `int chdir(${PATH})`,
  chmod: `int chmod(${PATH}, uint32_t mode)`,
  chown: `int chown(${PATH}, uint32_t uid, uint32_t gid)`,
  close: 'int close(int fd)',
  copy_file_range:
    'int64_t copy_file_range(int from, uintptr_t a, int to, uintptr_t b, size_t n, uint32_t flags)',
  creat: `int creat(${PATH}, uint32_t mode)`,
  dup: 'int dup(int fd)',
  faccessat: `int faccessat(int dirfd, ${PATH}, int mode, int flags)`,
  fallocate: 'int fallocate(int fd, int mode, int64_t offset, int64_t length)',
  fchdir: 'int fchdir(int fd)',
  fchmod: 'int fchmod(int fd, uint32_t mode)',
  fchmodat: `int fchmodat(int dirfd, ${PATH}, uint32_t mode, int flags)`,
  fchown: 'int fchown(int fd, uint32_t uid, uint32_t gid)',
  fchownat: `int fchownat(int dirfd, ${PATH}, uint32_t uid, uint32_t gid, int flags)`,
  fcntl: 'int fcntl(int fd, int command, uintptr_t argument)',
  fdatasync: 'int fdatasync(int fd)',
  fgetxattr: 'int64_t fgetxattr(int fd, const char *name, uintptr_t value, size_t size)',
  flock: 'int flock(int fd, int how)',
  fsetxattr: 'int fsetxattr(int fd, const char *name, uintptr_t value, size_t size, int flags)',
  fstatfs: 'int fstatfs(int fd, uintptr_t out)',
  fsync: 'int fsync(int fd)',
  ftruncate: 'int ftruncate(int fd, int64_t length)',
  futimens: 'int futimens(int fd, uintptr_t times)',
  getcwd: 'uintptr_t getcwd(uintptr_t into, size_t size)',
  getdents64: 'int64_t getdents64(int fd, uintptr_t into, size_t size)',
  getxattr: `int64_t getxattr(${PATH}, const char *name, uintptr_t value, size_t size)`,
  inotify_add_watch: `int inotify_add_watch(int fd, ${PATH}, uint32_t mask)`,
  inotify_init1: 'int inotify_init1(int flags)',
  ioctl: 'int ioctl(int fd, uint64_t request, uintptr_t argument)',
  lchown: `int lchown(${PATH}, uint32_t uid, uint32_t gid)`,
  lgetxattr: `int64_t lgetxattr(${PATH}, const char *name, uintptr_t value, size_t size)`,
  link: `int link(${PATH}, const char *to)`,
  linkat: `int linkat(int from, ${PATH}, int to, const char *name, int flags)`,
  listxattr: `int64_t listxattr(${PATH}, uintptr_t list, size_t size)`,
  llistxattr: `int64_t llistxattr(${PATH}, uintptr_t list, size_t size)`,
  lremovexattr: `int lremovexattr(${PATH}, const char *name)`,
  lseek: 'int64_t lseek(int fd, int64_t offset, int whence)',
  lsetxattr: `int lsetxattr(${PATH}, const char *name, uintptr_t value, size_t size, int flags)`,
  mkdir: `int mkdir(${PATH}, uint32_t mode)`,
  mkdirat: `int mkdirat(int dirfd, ${PATH}, uint32_t mode)`,
  mknod: `int mknod(${PATH}, uint32_t mode, uint64_t device)`,
  mmap: 'int64_t mmap(uintptr_t at, size_t n, int protection, int flags, int fd, int64_t offset)',
  mount: `int mount(const char *source, ${PATH}, const char *type, uint64_t flags, uintptr_t data)`,
  mprotect: 'int mprotect(uintptr_t at, size_t n, int protection)',
  msync: 'int msync(uintptr_t at, size_t n, int flags)',
  munmap: 'int munmap(uintptr_t at, size_t n)',
  open: `int open(${PATH}, int flags, uint32_t mode)`,
  openat: `int openat(int dirfd, ${PATH}, int flags, uint32_t mode)`,
  pipe: 'int pipe(uintptr_t both)',
  posix_fadvise: 'int posix_fadvise(int fd, int64_t offset, int64_t length, int advice)',
  pread: 'int64_t pread(int fd, uintptr_t into, size_t n, int64_t offset)',
  preadv2: 'int64_t preadv2(int fd, uintptr_t parts, int count, int64_t offset, int flags)',
  pwrite: 'int64_t pwrite(int fd, uintptr_t from, size_t n, int64_t offset)',
  pwritev2: 'int64_t pwritev2(int fd, uintptr_t parts, int count, int64_t offset, int flags)',
  read: 'int64_t read(int fd, uintptr_t into, size_t n)',
  readahead: 'int64_t readahead(int fd, int64_t offset, size_t n)',
  readlink: `int64_t readlink(${PATH}, uintptr_t into, size_t size)`,
  readlinkat: `int64_t readlinkat(int dirfd, ${PATH}, uintptr_t into, size_t size)`,
  readv: 'int64_t readv(int fd, uintptr_t parts, int count)',
  removexattr: `int removexattr(${PATH}, const char *name)`,
  rename: `int rename(${PATH}, const char *to)`,
  renameat: `int renameat(int from, ${PATH}, int to, const char *name)`,
  renameat2: `int renameat2(int from, ${PATH}, int to, const char *name, uint32_t flags)`,
  rmdir: `int rmdir(${PATH})`,
  sendfile: 'int64_t sendfile(int to, int from, uintptr_t offset, size_t n)',
  setrlimit: 'int setrlimit(int resource, uintptr_t limit)',
  setxattr: `int setxattr(${PATH}, const char *name, uintptr_t value, size_t size, int flags)`,
  splice: 'int64_t splice(int from, uintptr_t a, int to, uintptr_t b, size_t n, uint32_t flags)',
  statfs: `int statfs(${PATH}, uintptr_t out)`,
  statx: `int statx(int dirfd, ${PATH}, int flags, uint32_t mask, uintptr_t out)`,
  symlink: 'int symlink(const char *target, const char *path)',
  symlinkat: 'int symlinkat(const char *target, int dirfd, const char *path)',
  sync_file_range: 'int sync_file_range(int fd, int64_t offset, int64_t length, uint32_t flags)',
  syncfs: 'int syncfs(int fd)',
  truncate: `int truncate(${PATH}, int64_t length)`,
  umount2: `int umount2(${PATH}, int flags)`,
  unlink: `int unlink(${PATH})`,
  unlinkat: `int unlinkat(int dirfd, ${PATH}, int flags)`,
  utimensat: `int utimensat(int dirfd, ${PATH}, uintptr_t times, int flags)`,
  write: 'int64_t write(int fd, uintptr_t from, size_t n)',
  writev: 'int64_t writev(int fd, uintptr_t parts, int count)',
} as const

type Name = keyof typeof PROTOTYPES
type Argument = number | bigint | string | null

const nameOf = new Map(Object.entries(constants.errno).map(([name, errno]) => [errno, name]))
nameOf.set(constants.errno.EAGAIN, 'EAGAIN').set(constants.errno.EOPNOTSUPP, 'EOPNOTSUPP')

function check(result: number, call: string): number {
  if (result >= 0) return result
  const code = nameOf.get(lastErrno()) ?? 'EUNKNOWN'
  throw Object.assign(new Error(`${call}: ${code}`), { code })
}

/** Each gives its result, or throws the system's error. */
export const sys = {} as Record<Name, (...args: Argument[]) => number>
for (const name of Object.keys(PROTOTYPES) as Name[]) {
  let bound: NativeFunction | null = null
  sys[name] = (...args) => check((bound ??= native(PROTOTYPES[name]))(...args), name)
}

/** Memory that the system may read and write; whoever passes its address keeps it. */
export const memory = (size: number): Buffer => Buffer.from(new ArrayBuffer(size))
export { addressOf }

const openat2 = (): NativeFunction =>
  native(`int64_t syscall(int64_t number, int dirfd, ${PATH}, uintptr_t how, size_t size)`)
const OPENAT2 = 437

export function openAt2(dirfd: number, path: string, flags: number, resolve: number): number {
  const how = memory(24)
  how.writeBigUInt64LE(BigInt(flags), 0)
  how.writeBigUInt64LE(BigInt(resolve), 16)
  return check(openat2()(OPENAT2, dirfd, path, addressOf(how), how.length), 'openat2')
}

export const UTIME_NOW = 0x3fffffff
export const UTIME_OMIT = 0x3ffffffe

/** struct timespec[2], by nanoseconds alone */
export function timespecs(atime: number, mtime: number): Buffer {
  const times = memory(32)
  times.writeBigInt64LE(BigInt(atime), 8)
  times.writeBigInt64LE(BigInt(mtime), 24)
  return times
}

/** struct iovec[] over `parts` */
export function vector(parts: readonly Uint8Array[]): Buffer {
  const out = memory(16 * parts.length)
  for (const [i, part] of parts.entries()) {
    out.writeBigUInt64LE(BigInt(addressOf(part)), 16 * i)
    out.writeBigUInt64LE(BigInt(part.length), 16 * i + 8)
  }
  return out
}

/** Both ends of a pipe: to read, to write. */
export function pipe(): [number, number] {
  const both = memory(8)
  sys.pipe(addressOf(both))
  return [both.readInt32LE(0), both.readInt32LE(4)]
}

export const F_RDLCK = 0
export const F_WRLCK = 1
export const F_UNLCK = 2
/** since 5.14 F_GETLK and its kin: struct flock on 64-bit systems */
export const F_GETLK = 5
export const F_SETLK = 6
export const F_OFD_GETLK = 36
export const F_OFD_SETLK = 37

export interface RangeLock {
  type: number
  start: number
  length: number
  pid: number
}

/** fcntl(2) on a range; what the system left in the structure. */
export function lockRange(
  fd: number,
  command: number,
  { type, start = 0, length = 0, whence = 0 }: Partial<RangeLock> & { whence?: number },
): RangeLock {
  const lock = memory(32)
  lock.writeInt16LE(type ?? F_UNLCK, 0)
  lock.writeInt16LE(whence, 2)
  lock.writeBigInt64LE(BigInt(start), 8)
  lock.writeBigInt64LE(BigInt(length), 16)
  sys.fcntl(fd, command, addressOf(lock))
  return {
    type: lock.readInt16LE(0),
    start: Number(lock.readBigInt64LE(8)),
    length: Number(lock.readBigInt64LE(16)),
    pid: lock.readInt32LE(24),
  }
}

const RLIMIT_FSIZE = 1
/** tap ends the process at this signal where nobody else listens; it comes with the error EFBIG */
const unmoved = (): void => undefined

/** No file may be written beyond `bytes` by this process while `act` runs. */
export function withFileLimit<T>(bytes: number, act: () => T): T {
  const limit = memory(16)
  const set = (soft: bigint): void => {
    limit.writeBigUInt64LE(soft, 0)
    limit.writeBigUInt64LE(0xffffffffffffffffn, 8)
    sys.setrlimit(RLIMIT_FSIZE, addressOf(limit))
  }
  // for good: a signal is told only when the loop turns again
  if (!process.listeners('SIGXFSZ').includes(unmoved)) process.on('SIGXFSZ', unmoved)
  set(BigInt(bytes))
  try {
    return act()
  } finally {
    set(0xffffffffffffffffn)
  }
}

const MS_RDONLY = 1
const MS_REMOUNT = 32
const MS_BIND = 4096
const MNT_DETACH = 2

/** The directory is mounted on itself, perhaps read-only, while `act` runs. */
export function withBind<T>(path: string, readOnly: boolean, act: () => T): T {
  sys.mount(path, path, null, MS_BIND, 0)
  try {
    if (readOnly) sys.mount(null, path, null, MS_BIND | MS_REMOUNT | MS_RDONLY, 0)
    return act()
  } finally {
    sys.umount2(path, MNT_DETACH)
  }
}
