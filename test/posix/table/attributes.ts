// stat(2), chmod(2), chown(2), utimensat(2), access(2), setxattr(2), statfs(2), inotify(7), and their kin.

import { chmodSync, chownSync, symlinkSync } from 'node:fs'
import { as, AT_FDCWD, NOBODY } from '../calls.js'
import { read, type Folder } from '../folder.js'
import type { Row } from '../row.js'
import { addressOf, memory, sys, timespecs, UTIME_NOW, UTIME_OMIT } from '../system-calls.js'
import { root, table } from './line.js'

const NOFOLLOW = 0x100
const EACCESS = 0x200
const EMPTY_PATH = 0x1000
const NO_AUTOMOUNT = 0x800
const FORCE_SYNC = 0x2000
const DONT_SYNC = 0x4000
const BASIC_STATS = 0x7ff
const RESERVED = 0x80000000
const XATTR_CREATE = 1
const XATTR_REPLACE = 2
const KEEP = -1 >>> 0
const NOT_OPEN = 9999
const O_PATH = 0o10000000

const room = memory(65536)
const at = addressOf(room)
const x = (f: Folder, mode = 0o644): string => (f.put('x', 'abc', mode), f.at('x'))
const fd = (f: Folder): number => (x(f), f.open('x', 'r+'))
const byNobody = <T>(act: () => T): T => as(NOBODY, act)
const refused = { onDrive: 'EOPNOTSUPP' } as const
const refusedToRoot = { ...root, ...refused }

/** A file of somebody else's, which may be written by all or by nobody else. */
const his = (f: Folder, mode: number): string => {
  x(f)
  chownSync(f.at('x'), 1234, 1234)
  chmodSync(f.at('x'), mode)
  return f.at('x')
}
/** A file of the one who then acts. */
const nobodys = (f: Folder, mode = 0o644): string => {
  x(f)
  chownSync(f.at('x'), NOBODY, NOBODY)
  chmodSync(f.at('x'), mode)
  return f.at('x')
}
const stat = (path: string, flags: number, mask = BASIC_STATS, dirfd = AT_FDCWD): number =>
  sys.statx(dirfd, path, flags, mask, at)
const size = (): number => room.readUInt32LE(40)
const type = (): number => room.readUInt16LE(28) >> 12
const touch = (path: string | null, atime: number, mtime: number, flags = 0, dirfd = AT_FDCWD) => {
  const times = timespecs(atime, mtime)
  return sys.utimensat(dirfd, path, addressOf(times), flags)
}
const set = (path: string, name: string, flags = 0, length = 5): number =>
  sys.setxattr(path, name, at, length, flags)
const marked = (f: Folder): string => (set(x(f), 'user.a'), f.at('x'))

export const rows: readonly Row[] = table([
  [
    'statx',
    '',
    'a link: what it leads to',
    'ok',
    (f) => (x(f), symlinkSync('x', f.at('l')), stat(f.at('l'), 0) === 0 && size() === 3),
  ],
  [
    'statx',
    'AT_SYMLINK_NOFOLLOW',
    'a link: the link itself',
    'ok',
    (f) => (symlinkSync('x', f.at('l')), stat(f.at('l'), NOFOLLOW) === 0 && type() === 10),
  ],
  [
    'statx',
    'AT_EMPTY_PATH',
    'a descriptor',
    'ok',
    (f) => stat('', EMPTY_PATH, BASIC_STATS, fd(f)) === 0 && size() === 3,
  ],
  [
    'statx',
    'AT_EMPTY_PATH',
    'no descriptor',
    'EBADF',
    () => stat('', EMPTY_PATH, BASIC_STATS, NOT_OPEN),
  ],
  ['statx', '0', 'an empty path', 'ENOENT', (f) => stat('', 0, BASIC_STATS, fd(f))],
  [
    'statx',
    'AT_STATX_FORCE_SYNC',
    'a file',
    'ok',
    (f) => stat(x(f), FORCE_SYNC) === 0 && size() === 3,
  ],
  ['statx', 'AT_STATX_DONT_SYNC', 'a file', 'ok', (f) => stat(x(f), DONT_SYNC) === 0],
  [
    'statx',
    'AT_STATX_FORCE_SYNC|AT_STATX_DONT_SYNC',
    'both',
    'EINVAL',
    (f) => stat(x(f), FORCE_SYNC | DONT_SYNC),
  ],
  ['statx', 'AT_NO_AUTOMOUNT', 'a file', 'ok', (f) => stat(x(f), NO_AUTOMOUNT) === 0],
  ['statx', '1', 'an unknown flag', 'EINVAL', (f) => stat(x(f), 1)],
  ['statx', 'STATX__RESERVED', 'a mask of the future', 'EINVAL', (f) => stat(x(f), 0, RESERVED)],
  ['statx', 'dirfd', 'of a file', 'ENOTDIR', (f) => stat('a', 0, BASIC_STATS, fd(f))],
  ['statx', 'out', 'into no memory', 'EFAULT', (f) => sys.statx(AT_FDCWD, x(f), 0, BASIC_STATS, 8)],
  ['chmod', '', 'a file', 'ok', (f) => (sys.chmod(x(f), 0o4711), f.mode('x') === '4711')],
  [
    'chmod',
    '',
    "another's",
    'EPERM',
    (f) => (x(f), byNobody(() => sys.chmod(f.at('x'), 0o777))),
    root,
  ],
  [
    'chmod',
    'S_ISGID',
    'of a group that is not one’s own: the bit goes',
    'ok',
    (f) => (
      nobodys(f),
      chownSync(f.at('x'), NOBODY, 1234),
      byNobody(() => sys.chmod(f.at('x'), 0o2755)),
      f.mode('x') === '755'
    ),
    root,
  ],
  ['fchmod', '', 'a file', 'ok', (f) => (sys.fchmod(fd(f), 0o600), f.mode('x') === '600')],
  [
    'fchmod',
    '',
    "another's",
    'EPERM',
    (f) => {
      const open = fd(f)
      byNobody(() => sys.fchmod(open, 0o777))
    },
    root,
  ],
  ['fchmod', '', 'no descriptor', 'EBADF', () => sys.fchmod(NOT_OPEN, 0o600)],
  [
    'fchmodat',
    'AT_SYMLINK_NOFOLLOW',
    'a link',
    'EOPNOTSUPP',
    (f) => (symlinkSync('x', f.at('l')), sys.fchmodat(AT_FDCWD, f.at('l'), 0o600, NOFOLLOW)),
  ],
  ['fchmodat', '1', 'an unknown flag', 'EINVAL', (f) => sys.fchmodat(AT_FDCWD, x(f), 0o600, 1)],
  ['fchmodat', 'dirfd', 'that is none', 'EBADF', () => sys.fchmodat(NOT_OPEN, 'x', 0o600, 0)],
  ['chown', '', 'a file', 'ok', (f) => (sys.chown(x(f), 12, 34), f.owner('x') === '12:34'), root],
  [
    'chown',
    '-1',
    'nothing: all stays',
    'ok',
    (f) => (
      sys.chown(x(f), KEEP, KEEP),
      f.owner('x') === `${String(process.getuid?.())}:${String(process.getgid?.())}`
    ),
  ],
  [
    'chown',
    'uid',
    "one's own, to another",
    'EPERM',
    (f) => (nobodys(f), byNobody(() => sys.chown(f.at('x'), 12, KEEP))),
    root,
  ],
  [
    'chown',
    'gid',
    "one's own, to a group that one is not in",
    'EPERM',
    (f) => (nobodys(f), byNobody(() => sys.chown(f.at('x'), KEEP, 34))),
    root,
  ],
  [
    'chown',
    'gid',
    "one's own, to a group that one is in",
    'ok',
    (f) => (
      nobodys(f),
      as(NOBODY, () => sys.chown(f.at('x'), KEEP, 34), [34]),
      f.owner('x') === '65534:34'
    ),
    root,
  ],
  [
    'chown',
    'S_ISUID|S_ISGID',
    'by its owner: set-user-ID and set-group-ID go',
    'ok',
    (f) => (
      nobodys(f, 0o6755),
      as(NOBODY, () => sys.chown(f.at('x'), KEEP, 34), [34]),
      f.mode('x') === '755'
    ),
    root,
  ],
  [
    'lchown',
    '',
    'a link',
    'ok',
    (f) => (symlinkSync('x', f.at('l')), sys.lchown(f.at('l'), 12, 34), f.owner('l') === '12:34'),
    root,
  ],
  [
    'fchown',
    '',
    'a file',
    'ok',
    (f) => (sys.fchown(fd(f), 12, 34), f.owner('x') === '12:34'),
    root,
  ],
  ['fchown', '', 'no descriptor', 'EBADF', () => sys.fchown(NOT_OPEN, 1, 1)],
  [
    'fchown',
    '',
    "another's",
    'EPERM',
    (f) => {
      const open = fd(f)
      byNobody(() => sys.fchown(open, NOBODY, KEEP))
    },
    root,
  ],
  [
    'fchownat',
    'AT_EMPTY_PATH',
    'a descriptor',
    'ok',
    (f) => (sys.fchownat(fd(f), '', 12, 34, EMPTY_PATH), f.owner('x') === '12:34'),
    root,
  ],
  [
    'fchownat',
    '1',
    'an unknown flag',
    'EINVAL',
    (f) => sys.fchownat(AT_FDCWD, x(f), KEEP, KEEP, 1),
  ],
  [
    'utimensat',
    'UTIME_NOW',
    'both',
    'ok',
    (f) => (
      touch(x(f), 1, 1),
      touch(f.at('x'), UTIME_NOW, UTIME_NOW),
      f.times('x').mtime > 10n ** 18n
    ),
  ],
  [
    'utimensat',
    'UTIME_OMIT',
    'both: nothing',
    'ok',
    (f) => {
      x(f)
      const before = f.times('x')
      touch(f.at('x'), UTIME_OMIT, UTIME_OMIT)
      return f.times('x').ctime === before.ctime
    },
  ],
  [
    'utimensat',
    'UTIME_OMIT, of another',
    "both, of another's: nothing",
    'ok',
    (f) => (his(f, 0o644), byNobody(() => touch(f.at('x'), UTIME_OMIT, UTIME_OMIT)) === 0),
    root,
  ],
  [
    'utimensat',
    'UTIME_OMIT,1',
    'mtime alone',
    'ok',
    (f) => {
      x(f)
      const before = f.times('x')
      touch(f.at('x'), UTIME_OMIT, 1)
      return f.times('x').mtime === 1n && f.times('x').atime === before.atime
    },
  ],
  [
    'utimensat',
    '1,UTIME_OMIT',
    'atime alone',
    'ok',
    (f) => {
      x(f)
      const before = f.times('x')
      touch(f.at('x'), 1, UTIME_OMIT)
      return f.times('x').atime === 1n && f.times('x').mtime === before.mtime
    },
  ],
  [
    'utimensat',
    'UTIME_NOW',
    "another's 0644",
    'EACCES',
    (f) => (his(f, 0o644), byNobody(() => touch(f.at('x'), UTIME_NOW, UTIME_NOW))),
    root,
  ],
  [
    'utimensat',
    'NULL',
    "another's 0644",
    'EACCES',
    (f) => (his(f, 0o644), byNobody(() => sys.utimensat(AT_FDCWD, f.at('x'), 0, 0))),
    root,
  ],
  [
    'utimensat',
    'NULL',
    "another's 0666",
    'ok',
    (f) => (his(f, 0o666), byNobody(() => sys.utimensat(AT_FDCWD, f.at('x'), 0, 0)) === 0),
    root,
  ],
  [
    'utimensat',
    'UTIME_NOW,UTIME_OMIT',
    "another's 0666",
    'EPERM',
    (f) => (his(f, 0o666), byNobody(() => touch(f.at('x'), UTIME_NOW, UTIME_OMIT))),
    root,
  ],
  [
    'utimensat',
    '1,1',
    "another's 0666",
    'EPERM',
    (f) => (his(f, 0o666), byNobody(() => touch(f.at('x'), 1, 1))),
    root,
  ],
  [
    'utimensat',
    '1,1',
    "one's own 0400",
    'ok',
    (f) => (nobodys(f, 0o400), byNobody(() => touch(f.at('x'), 1, 1)) === 0),
    root,
  ],
  [
    'utimensat',
    '1000000000',
    'more nanoseconds than a second has',
    'EINVAL',
    (f) => touch(x(f), 1_000_000_000, 1),
  ],
  [
    'utimensat',
    'AT_SYMLINK_NOFOLLOW',
    'a link',
    'ok',
    (f) => (
      symlinkSync('x', f.at('l')),
      touch(f.at('l'), 1, 1, NOFOLLOW),
      f.times('l').mtime === 1n
    ),
  ],
  ['utimensat', '1', 'an unknown flag', 'EINVAL', (f) => touch(x(f), 1, 1, 1)],
  ['utimensat', 'dirfd', 'that is none', 'EBADF', () => touch('x', 1, 1, 0, NOT_OPEN)],
  [
    'futimens',
    '',
    'a file',
    'ok',
    (f) => {
      const times = timespecs(1, 2)
      return sys.futimens(fd(f), addressOf(times)) === 0 && f.times('x').mtime === 2n
    },
  ],
  ['futimens', '', 'no descriptor', 'EBADF', () => sys.futimens(NOT_OPEN, 0)],
  ['access', 'F_OK', 'a file', 'ok', (f) => sys.access(x(f, 0), 0) === 0],
  ['access', 'R_OK|W_OK', 'a file', 'ok', (f) => sys.access(x(f), 6) === 0],
  ['access', 'X_OK', 'a file that nobody may execute', 'EACCES', (f) => sys.access(x(f), 1)],
  ['access', 'X_OK', 'a program', 'ok', (f) => sys.access(x(f, 0o755), 1) === 0],
  ['access', '8', 'an unknown right', 'EINVAL', (f) => sys.access(x(f), 8)],
  [
    'faccessat',
    'AT_EACCESS,W_OK',
    "another's 0600, W_OK",
    'EACCES',
    (f) => (x(f, 0o600), byNobody(() => sys.faccessat(AT_FDCWD, f.at('x'), 2, EACCESS))),
    root,
  ],
  [
    'faccessat',
    '0',
    "another's 0600, by who is root in truth",
    'ok',
    (f) => (x(f, 0o600), byNobody(() => sys.faccessat(AT_FDCWD, f.at('x'), 2, 0)) === 0),
    root,
  ],
  [
    'faccessat',
    'AT_SYMLINK_NOFOLLOW',
    'a dangling link',
    'ok',
    (f) => (symlinkSync('x', f.at('l')), sys.faccessat(AT_FDCWD, f.at('l'), 0, NOFOLLOW) === 0),
  ],
  [
    'faccessat',
    'AT_EMPTY_PATH',
    'a descriptor',
    'ok',
    (f) => sys.faccessat(fd(f), '', 4, EMPTY_PATH) === 0,
  ],
  ['faccessat', '1', 'an unknown flag', 'EINVAL', (f) => sys.faccessat(AT_FDCWD, x(f), 0, 1)],
  [
    'setxattr',
    '0',
    'a file',
    'ok',
    (f) => (marked(f), sys.getxattr(f.at('x'), 'user.a', at, 99) === 5),
  ],
  [
    'setxattr',
    'XATTR_CREATE',
    'what is there',
    'EEXIST',
    (f) => set(marked(f), 'user.a', XATTR_CREATE),
  ],
  [
    'setxattr',
    'XATTR_CREATE',
    'what is not',
    'ok',
    (f) => set(marked(f), 'user.b', XATTR_CREATE) === 0,
  ],
  [
    'setxattr',
    'XATTR_REPLACE',
    'what is there',
    'ok',
    (f) => set(marked(f), 'user.a', XATTR_REPLACE) === 0,
  ],
  [
    'setxattr',
    'XATTR_REPLACE',
    'what is not',
    'ENODATA',
    (f) => set(marked(f), 'user.b', XATTR_REPLACE),
  ],
  ['setxattr', '4', 'an unknown flag', 'EINVAL', (f) => set(x(f), 'user.a', 4)],
  ['setxattr', 'name', 'of 256 bytes', 'ERANGE', (f) => set(x(f), `user.${'n'.repeat(251)}`)],
  ['setxattr', 'name', 'without a namespace', 'EOPNOTSUPP', (f) => set(x(f), 'a')],
  ['setxattr', 'size', 'of 65537 bytes', 'E2BIG', (f) => set(x(f), 'user.a', 0, 65537)],
  [
    'setxattr',
    'user.',
    "another's",
    'EACCES',
    (f) => (x(f), byNobody(() => set(f.at('x'), 'user.a'))),
    root,
  ],
  [
    'setxattr',
    'user.',
    "another's sticky directory",
    'EPERM',
    (f) => {
      f.dir('s')
      chmodSync(f.at('s'), 0o1777)
      byNobody(() => set(f.at('s'), 'user.a'))
    },
    root,
  ],
  [
    'setxattr',
    'S_IFIFO',
    'a fifo',
    'EPERM',
    (f) => (sys.mknod(f.at('p'), 0o10644, 0), set(f.at('p'), 'user.a')),
  ],
  [
    'lsetxattr',
    'user.',
    'a link',
    'EPERM',
    (f) => (symlinkSync('x', f.at('l')), sys.lsetxattr(f.at('l'), 'user.a', at, 1, 0)),
  ],
  [
    'setxattr',
    'trusted.',
    'by somebody else',
    'EPERM',
    (f) => (nobodys(f), byNobody(() => set(f.at('x'), 'trusted.a'))),
    root,
  ],
  [
    'getxattr',
    'trusted.',
    'by somebody else',
    'ENODATA',
    (f) => (nobodys(f), byNobody(() => sys.getxattr(f.at('x'), 'trusted.a', at, 99))),
    root,
  ],
  ['setxattr', 'trusted.', 'by root', 'ok', (f) => set(x(f), 'trusted.a') === 0, refusedToRoot],
  ['setxattr', 'security.', 'by root', 'ok', (f) => set(x(f), 'security.a') === 0, refusedToRoot],
  ['setxattr', 'system.', 'an unknown name', 'EOPNOTSUPP', (f) => set(x(f), 'system.a')],
  [
    'getxattr',
    'system.',
    'an unknown name',
    'EOPNOTSUPP',
    (f) => sys.getxattr(x(f), 'system.a', at, 99),
  ],
  [
    'getxattr',
    'system.posix_acl_access',
    'none',
    'ENODATA',
    (f) => sys.getxattr(x(f), 'system.posix_acl_access', at, 99),
    refused,
  ],
  ['fsetxattr', '0', 'a file', 'ok', (f) => sys.fsetxattr(fd(f), 'user.a', at, 1, 0) === 0],
  ['fsetxattr', '0', 'no descriptor', 'EBADF', () => sys.fsetxattr(NOT_OPEN, 'user.a', at, 1, 0)],
  ['getxattr', 'user.', 'a file', 'ok', (f) => sys.getxattr(marked(f), 'user.a', at, 99) === 5],
  ['getxattr', 'user.', 'none', 'ENODATA', (f) => sys.getxattr(marked(f), 'user.b', at, 99)],
  [
    'getxattr',
    'size',
    'less than there is',
    'ERANGE',
    (f) => sys.getxattr(marked(f), 'user.a', at, 4),
  ],
  [
    'getxattr',
    'size',
    'of 0: how much there is',
    'ok',
    (f) => sys.getxattr(marked(f), 'user.a', 0, 0) === 5,
  ],
  [
    'getxattr',
    'user.',
    "another's 0600",
    'EACCES',
    (f) => (
      marked(f),
      chmodSync(f.at('x'), 0o600),
      byNobody(() => sys.getxattr(f.at('x'), 'user.a', at, 99))
    ),
    root,
  ],
  [
    'lgetxattr',
    'user.',
    'a link',
    'ENODATA',
    (f) => (symlinkSync('x', f.at('l')), sys.lgetxattr(f.at('l'), 'user.a', at, 99)),
  ],
  ['listxattr', '', 'a file', 'ok', (f) => sys.listxattr(marked(f), at, 99) === 7],
  ['listxattr', 'size', 'less than there is', 'ERANGE', (f) => sys.listxattr(marked(f), at, 3)],
  [
    'listxattr',
    'size',
    'of 0: how much there is',
    'ok',
    (f) => sys.listxattr(marked(f), 0, 0) === 7,
  ],
  [
    'removexattr',
    '',
    'a file',
    'ok',
    (f) => (sys.removexattr(marked(f), 'user.a'), sys.listxattr(f.at('x'), at, 99) === 0),
  ],
  ['removexattr', '', 'none', 'ENODATA', (f) => sys.removexattr(x(f), 'user.a')],
  [
    'removexattr',
    'user.',
    "another's",
    'EACCES',
    (f) => (marked(f), byNobody(() => sys.removexattr(f.at('x'), 'user.a'))),
    root,
  ],
  ['removexattr', 'name', 'without a namespace', 'EOPNOTSUPP', (f) => sys.removexattr(x(f), 'a')],
  [
    'lremovexattr',
    'user.',
    'a link',
    'EPERM',
    (f) => (symlinkSync('x', f.at('l')), sys.lremovexattr(f.at('l'), 'user.a')),
  ],
  [
    'statfs',
    '',
    'a directory',
    'ok',
    (f) => sys.statfs(f.path, at) === 0 && room.readUInt32LE(64) === 255,
  ],
  [
    'fstatfs',
    '',
    'a file',
    'ok',
    (f) => sys.fstatfs(fd(f), at) === 0 && room.readUInt32LE(64) === 255,
  ],
  [
    'fstatfs',
    'O_PATH',
    'a file',
    'ok',
    (f) => sys.fstatfs(f.keep(sys.open(x(f), O_PATH, 0)), at) === 0,
  ],
  ['fstatfs', '', 'no descriptor', 'EBADF', () => sys.fstatfs(NOT_OPEN, at)],
  [
    'inotify_add_watch',
    'IN_CREATE',
    'a directory: a new name is told',
    'ok',
    (f) => {
      const watch = f.keep(sys.inotify_init1(0o4000))
      sys.inotify_add_watch(watch, f.path, 0x100)
      f.put('told')
      return read(watch, 99).includes('told')
    },
  ],
  [
    'inotify_add_watch',
    'IN_CREATE|IN_ONLYDIR',
    'a file',
    'ENOTDIR',
    (f) => sys.inotify_add_watch(f.keep(sys.inotify_init1(0)), x(f), 0x1000100),
  ],
  [
    'inotify_add_watch',
    '0',
    'nothing to tell',
    'EINVAL',
    (f) => sys.inotify_add_watch(f.keep(sys.inotify_init1(0)), f.path, 0),
  ],
  [
    'inotify_add_watch',
    'IN_MODIFY',
    'no descriptor',
    'EBADF',
    (f) => sys.inotify_add_watch(NOT_OPEN, f.path, 2),
  ],
])
