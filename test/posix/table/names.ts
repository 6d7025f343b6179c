// link(2), unlink(2), rename(2), mkdir(2), rmdir(2), symlink(2), readlink(2), mknod(2), chdir(2).

import { chmodSync, constants, readlinkSync, symlinkSync } from 'node:fs'
import { as, AT_FDCWD, NOBODY } from '../calls.js'
import type { Folder } from '../folder.js'
import { errorOf, type Row } from '../row.js'
import { addressOf, memory, sys, withBind } from '../system-calls.js'
import { mounts, root, table } from './line.js'

const O_PATH = 0o10000000
const O_NOFOLLOW = constants.O_NOFOLLOW
const REMOVEDIR = 0x200
const FOLLOW = 0x400
const EMPTY_PATH = 0x1000
const NOREPLACE = 1
const EXCHANGE = 2
const WHITEOUT = 4
const S_IFSOCK = 0o140000
const S_IFREG = 0o100000
const S_IFBLK = 0o60000
const S_IFDIR = 0o40000
const S_IFLNK = 0o120000
const S_IFCHR = 0o20000
const S_IFIFO = 0o10000
const NOT_OPEN = 9999

const room = memory(4096)
const at = addressOf(room)
const byNobody = <T>(act: () => T): T => as(NOBODY, act)

/** A file, a directory with a file in it, an empty one, a link to the file. */
const furnished = (f: Folder): Folder => {
  f.put('x', 'X')
  f.put('y', 'Y')
  f.dir('full', 'empty')
  f.put('full/z')
  symlinkSync('x', f.at('l'))
  return f
}
/** A sticky directory in which everybody may write, with a file and a directory of ours. */
const sticky = (f: Folder): Folder => {
  f.dir('s')
  chmodSync(f.at('s'), 0o1777)
  f.put('s/x')
  f.dir('s/d')
  return f
}
const move = (f: Folder, from: string, to: string): number => sys.rename(f.at(from), f.at(to))
const move2 = (f: Folder, from: string, to: string, flags: number): number =>
  sys.renameat2(AT_FDCWD, f.at(from), AT_FDCWD, f.at(to), flags)
const linked = (f: Folder, from: string, to: string, flags: number): number =>
  sys.linkat(AT_FDCWD, f.at(from), AT_FDCWD, f.at(to), flags)
/** What comes of `act` in that working directory. */
function inside<T>(path: string, act: () => T): T {
  const before = process.cwd()
  process.chdir(path)
  try {
    return act()
  } finally {
    process.chdir(before)
  }
}
const here = (): string => readlinkSync('/proc/self/cwd')
/** The directory is removed under its user's feet. */
const stranded = (f: Folder, act: () => unknown): string =>
  inside(f.dir('d'), () => (sys.rmdir(f.at('d')), errorOf(act)))

export const rows: readonly Row[] = table([
  [
    'link',
    '',
    'a file',
    'ok',
    (f) => (furnished(f), sys.link(f.at('x'), f.at('n')), f.ino('n') === f.ino('x')),
  ],
  ['link', '', 'a directory', 'EPERM', (f) => (furnished(f), sys.link(f.at('empty'), f.at('n')))],
  [
    'link',
    '',
    'a name that is taken',
    'EEXIST',
    (f) => (furnished(f), sys.link(f.at('x'), f.at('y'))),
  ],
  [
    'link',
    '',
    'to another file system',
    'EXDEV',
    (f) => (furnished(f), sys.link(f.at('x'), '/dev/shm/coffer-table')),
  ],
  [
    'link',
    '',
    "into another's directory",
    'EACCES',
    (f) => (
      furnished(f),
      chmodSync(f.at('x'), 0o666),
      byNobody(() => sys.link(f.at('x'), f.at('n')))
    ),
    root,
  ],
  [
    'link',
    'from',
    'through the mount of another place',
    'EXDEV',
    (f) => (furnished(f), withBind(f.at('full'), false, () => sys.link(f.at('full/z'), f.at('n')))),
    mounts,
  ],
  [
    'linkat',
    '0',
    'a link: the link itself',
    'ok',
    (f) => (furnished(f), linked(f, 'l', 'n', 0), f.ino('n') === f.ino('l')),
  ],
  [
    'linkat',
    'AT_SYMLINK_FOLLOW',
    'a link: what it leads to',
    'ok',
    (f) => (furnished(f), linked(f, 'l', 'n', FOLLOW), f.ino('n') === f.ino('x')),
  ],
  [
    'linkat',
    'AT_EMPTY_PATH',
    'a descriptor',
    'ok',
    (f) => (
      furnished(f),
      sys.linkat(f.keep(sys.open(f.at('x'), O_PATH, 0)), '', AT_FDCWD, f.at('n'), EMPTY_PATH),
      f.ino('n') === f.ino('x')
    ),
    root,
  ],
  [
    'linkat',
    'AT_EMPTY_PATH',
    'a file that is open and gone',
    'ENOENT',
    (f) => {
      furnished(f)
      const fd = f.open('x', 'r+')
      sys.unlink(f.at('x'))
      sys.linkat(fd, '', AT_FDCWD, f.at('n'), EMPTY_PATH)
    },
    root,
  ],
  [
    'linkat',
    '0',
    'an empty path',
    'ENOENT',
    (f) => (furnished(f), sys.linkat(f.open('x', 'r'), '', AT_FDCWD, f.at('n'), 0)),
  ],
  ['linkat', '1', 'an unknown flag', 'EINVAL', (f) => (furnished(f), linked(f, 'x', 'n', 1))],
  [
    'linkat',
    'olddirfd',
    'that is none',
    'EBADF',
    (f) => sys.linkat(NOT_OPEN, 'x', AT_FDCWD, f.at('n'), 0),
  ],
  [
    'linkat',
    'olddirfd',
    'of a file',
    'ENOTDIR',
    (f) => (furnished(f), sys.linkat(f.open('x', 'r'), 'a', AT_FDCWD, f.at('n'), 0)),
  ],
  ['unlink', '', 'a file', 'ok', (f) => (furnished(f), sys.unlink(f.at('x')), !f.has('x'))],
  ['unlink', '', 'a directory', 'EISDIR', (f) => (furnished(f), sys.unlink(f.at('empty')))],
  [
    'unlink',
    '',
    'in a sticky directory',
    'EPERM',
    (f) => (sticky(f), byNobody(() => sys.unlink(f.at('s/x')))),
    root,
  ],
  [
    'unlink',
    '',
    'a mount point',
    'EBUSY',
    (f) => (furnished(f), withBind(f.at('x'), false, () => sys.unlink(f.at('x')))),
    mounts,
  ],
  [
    'unlinkat',
    '0',
    'a file',
    'ok',
    (f) => (furnished(f), sys.unlinkat(f.open('full', 'r'), 'z', 0), f.list('full').length === 0),
  ],
  [
    'unlinkat',
    '0',
    'a directory',
    'EISDIR',
    (f) => (furnished(f), sys.unlinkat(AT_FDCWD, f.at('empty'), 0)),
  ],
  [
    'unlinkat',
    'AT_REMOVEDIR',
    'an empty directory',
    'ok',
    (f) => (furnished(f), sys.unlinkat(AT_FDCWD, f.at('empty'), REMOVEDIR), !f.has('empty')),
  ],
  [
    'unlinkat',
    'AT_REMOVEDIR',
    'a full directory',
    'ENOTEMPTY',
    (f) => (furnished(f), sys.unlinkat(AT_FDCWD, f.at('full'), REMOVEDIR)),
  ],
  [
    'unlinkat',
    'AT_REMOVEDIR',
    'in a sticky directory',
    'EPERM',
    (f) => (sticky(f), byNobody(() => sys.unlinkat(AT_FDCWD, f.at('s/d'), REMOVEDIR))),
    root,
  ],
  [
    'unlinkat',
    '1',
    'an unknown flag',
    'EINVAL',
    (f) => (furnished(f), sys.unlinkat(AT_FDCWD, f.at('x'), 1)),
  ],
  ['unlinkat', 'dirfd', 'that is none', 'EBADF', () => sys.unlinkat(NOT_OPEN, 'x', 0)],
  [
    'unlinkat',
    'dirfd',
    'of a file',
    'ENOTDIR',
    (f) => (furnished(f), sys.unlinkat(f.open('x', 'r'), 'a', 0)),
  ],
  [
    'rmdir',
    '',
    'an empty directory',
    'ok',
    (f) => (furnished(f), sys.rmdir(f.at('empty')), !f.has('empty')),
  ],
  ['rmdir', '', 'a full directory', 'ENOTEMPTY', (f) => (furnished(f), sys.rmdir(f.at('full')))],
  ['rmdir', '', '"."', 'EINVAL', (f) => (furnished(f), sys.rmdir(f.at('empty/.')))],
  [
    'rmdir',
    '',
    'in a sticky directory',
    'EPERM',
    (f) => (sticky(f), byNobody(() => sys.rmdir(f.at('s/d')))),
    root,
  ],
  [
    'rmdir',
    '',
    'a mount point',
    'EBUSY',
    (f) => (furnished(f), withBind(f.at('empty'), false, () => sys.rmdir(f.at('empty')))),
    mounts,
  ],
  [
    'rename',
    '',
    'a file over a file',
    'ok',
    (f) => (furnished(f), move(f, 'x', 'y'), f.text('y') === 'X' && !f.has('x')),
  ],
  ['rename', '', 'a file over a directory', 'EISDIR', (f) => (furnished(f), move(f, 'x', 'empty'))],
  [
    'rename',
    '',
    'a directory over a file',
    'ENOTDIR',
    (f) => (furnished(f), move(f, 'empty', 'x')),
  ],
  [
    'rename',
    '',
    'a directory over a full one',
    'ENOTEMPTY',
    (f) => (furnished(f), move(f, 'empty', 'full')),
  ],
  [
    'rename',
    '',
    'a directory into itself',
    'EINVAL',
    (f) => (furnished(f), move(f, 'empty', 'empty/e')),
  ],
  ['rename', '', '"."', 'EBUSY', (f) => (furnished(f), move(f, 'empty/.', 'e'))],
  ['rename', 'to', '".."', 'EBUSY', (f) => (furnished(f), move(f, 'empty', 'full/..'))],
  [
    'rename',
    '',
    'out of a sticky directory',
    'EPERM',
    (f) => (sticky(f), byNobody(() => move(f, 's/x', 's/n'))),
    root,
  ],
  [
    'rename',
    '',
    'to another file system',
    'EXDEV',
    (f) => (furnished(f), sys.rename(f.at('x'), '/dev/shm/coffer-table')),
  ],
  [
    'rename',
    'from',
    'through the mount of another place',
    'EXDEV',
    (f) => (furnished(f), withBind(f.at('full'), false, () => move(f, 'full/z', 'n'))),
    mounts,
  ],
  [
    'rename',
    '',
    "another's directory to a new parent",
    'EACCES',
    (f) => {
      f.dir('c', 'c/d', 'c/e')
      chmodSync(f.at('c'), 0o777)
      chmodSync(f.at('c/e'), 0o777)
      byNobody(() => move(f, 'c/d', 'c/e/d'))
    },
    root,
  ],
  [
    'renameat',
    '',
    'by descriptors',
    'ok',
    (f) => (
      furnished(f),
      sys.renameat(f.open('full', 'r'), 'z', f.open('empty', 'r'), 'n'),
      f.has('empty/n')
    ),
  ],
  [
    'renameat',
    'olddirfd',
    'that is none',
    'EBADF',
    (f) => sys.renameat(NOT_OPEN, 'x', AT_FDCWD, f.at('n')),
  ],
  [
    'renameat',
    'newdirfd',
    'of a file',
    'ENOTDIR',
    (f) => (furnished(f), sys.renameat(AT_FDCWD, f.at('y'), f.open('x', 'r'), 'n')),
  ],
  [
    'renameat2',
    '0',
    'a file over a file',
    'ok',
    (f) => (furnished(f), move2(f, 'x', 'y', 0), f.text('y') === 'X'),
  ],
  [
    'renameat2',
    'RENAME_NOREPLACE',
    'a free name',
    'ok',
    (f) => (furnished(f), move2(f, 'x', 'n', NOREPLACE), f.text('n') === 'X'),
  ],
  [
    'renameat2',
    'RENAME_NOREPLACE',
    'a name that is taken',
    'EEXIST',
    (f) => (furnished(f), move2(f, 'x', 'y', NOREPLACE)),
  ],
  [
    'renameat2',
    'RENAME_EXCHANGE',
    'two files',
    'ok',
    (f) => (furnished(f), move2(f, 'x', 'y', EXCHANGE), f.text('x') === 'Y' && f.text('y') === 'X'),
  ],
  [
    'renameat2',
    'RENAME_EXCHANGE',
    'a directory with what lies in it',
    'EINVAL',
    (f) => (furnished(f), move2(f, 'full', 'full/z', EXCHANGE)),
  ],
  [
    'renameat2',
    'RENAME_EXCHANGE|RENAME_NOREPLACE',
    'both',
    'EINVAL',
    (f) => (furnished(f), move2(f, 'x', 'y', EXCHANGE | NOREPLACE)),
  ],
  [
    'renameat2',
    'RENAME_EXCHANGE|RENAME_WHITEOUT',
    'both',
    'EINVAL',
    (f) => (furnished(f), move2(f, 'x', 'y', EXCHANGE | WHITEOUT)),
    root,
  ],
  [
    'renameat2',
    'RENAME_WHITEOUT',
    'a file: a device of number 0 takes its place',
    'ok',
    (f) => (furnished(f), move2(f, 'x', 'n', WHITEOUT), f.text('n') === 'X' && f.has('x')),
    root,
  ],
  ['renameat2', '8', 'an unknown flag', 'EINVAL', (f) => (furnished(f), move2(f, 'x', 'n', 8))],
  ['mkdir', '', 'a free name', 'ok', (f) => (sys.mkdir(f.at('d'), 0o700), f.mode('d') === '700')],
  [
    'mkdir',
    '',
    'a name that is taken',
    'EEXIST',
    (f) => (furnished(f), sys.mkdir(f.at('x'), 0o700)),
  ],
  [
    'mkdirat',
    '',
    'by a descriptor',
    'ok',
    (f) => (furnished(f), sys.mkdirat(f.open('empty', 'r'), 'd', 0o755), f.has('empty/d')),
  ],
  [
    'mkdirat',
    '',
    'a name that is taken',
    'EEXIST',
    (f) => (furnished(f), sys.mkdirat(f.open('full', 'r'), 'z', 0o755)),
  ],
  ['mkdirat', 'dirfd', 'that is none', 'EBADF', () => sys.mkdirat(NOT_OPEN, 'd', 0o755)],
  [
    'mkdirat',
    'dirfd',
    'of a file',
    'ENOTDIR',
    (f) => (furnished(f), sys.mkdirat(f.open('x', 'r'), 'd', 0o755)),
  ],
  [
    'mkdirat',
    'dirfd',
    'of a directory that is gone',
    'ENOENT',
    (f) => {
      furnished(f)
      const fd = f.open('empty', 'r')
      sys.rmdir(f.at('empty'))
      sys.mkdirat(fd, 'd', 0o755)
    },
  ],
  [
    'symlink',
    '',
    'a free name',
    'ok',
    (f) => (sys.symlink('anywhere', f.at('n')), sys.readlink(f.at('n'), at, 99) === 8),
  ],
  [
    'symlink',
    '',
    'a name that is taken',
    'EEXIST',
    (f) => (furnished(f), sys.symlink('anywhere', f.at('x'))),
  ],
  ['symlink', 'target', 'of no bytes', 'ENOENT', (f) => sys.symlink('', f.at('n'))],
  [
    'symlink',
    'target',
    'of 4096 bytes',
    'ENAMETOOLONG',
    (f) => sys.symlink('t'.repeat(4096), f.at('n')),
  ],
  [
    'symlink',
    'target',
    'of 4095 bytes',
    'ok',
    (f) => (sys.symlink('t'.repeat(4095), f.at('n')), sys.readlink(f.at('n'), at, 4096) === 4095),
  ],
  [
    'symlinkat',
    '',
    'by a descriptor',
    'ok',
    (f) => (furnished(f), sys.symlinkat('x', f.open('empty', 'r'), 'n') === 0),
  ],
  [
    'symlinkat',
    '',
    'a name that is taken',
    'EEXIST',
    (f) => (furnished(f), sys.symlinkat('x', f.open('full', 'r'), 'z')),
  ],
  ['symlinkat', 'dirfd', 'that is none', 'EBADF', () => sys.symlinkat('x', NOT_OPEN, 'n')],
  [
    'symlinkat',
    'dirfd',
    'of a file',
    'ENOTDIR',
    (f) => (furnished(f), sys.symlinkat('x', f.open('x', 'r'), 'n')),
  ],
  ['readlink', '', 'a link', 'ok', (f) => (furnished(f), sys.readlink(f.at('l'), at, 99) === 1)],
  ['readlink', '', 'a file', 'EINVAL', (f) => (furnished(f), sys.readlink(f.at('x'), at, 99))],
  ['readlink', 'size', 'of 0', 'EINVAL', (f) => (furnished(f), sys.readlink(f.at('l'), at, 0))],
  [
    'readlink',
    'size',
    'less than the target',
    'ok',
    (f) => (
      sys.symlink('a longer one', f.at('n')),
      sys.readlink(f.at('n'), at, 4) === 4 && room.toString('latin1', 0, 4) === 'a lo'
    ),
  ],
  [
    'readlinkat',
    'O_PATH|O_NOFOLLOW',
    'an empty path',
    'ok',
    (f) => (
      furnished(f),
      sys.readlinkat(f.keep(sys.open(f.at('l'), O_PATH | O_NOFOLLOW, 0)), '', at, 99) === 1
    ),
  ],
  [
    'readlinkat',
    '',
    'a directory',
    'EINVAL',
    (f) => (furnished(f), sys.readlinkat(AT_FDCWD, f.at('empty'), at, 99)),
  ],
  ['readlinkat', 'dirfd', 'that is none', 'EBADF', () => sys.readlinkat(NOT_OPEN, 'x', at, 99)],
  [
    'readlinkat',
    'dirfd',
    'of a file',
    'ENOTDIR',
    (f) => (furnished(f), sys.readlinkat(f.open('x', 'r'), 'a', at, 99)),
  ],
  ['mknod', 'S_IFIFO', 'a free name', 'ok', (f) => sys.mknod(f.at('n'), S_IFIFO | 0o644, 0) === 0],
  [
    'mknod',
    'S_IFIFO',
    'a name that is taken',
    'EEXIST',
    (f) => (furnished(f), sys.mknod(f.at('x'), S_IFIFO | 0o644, 0)),
  ],
  [
    'mknod',
    'S_IFREG',
    'a free name',
    'ok',
    (f) => (sys.mknod(f.at('n'), S_IFREG | 0o640, 0), f.size('n') === 0 && f.mode('n') === '640'),
  ],
  ['mknod', '0', 'a file too', 'ok', (f) => (sys.mknod(f.at('n'), 0o640, 0), f.text('n') === '')],
  [
    'mknod',
    'S_IFSOCK',
    'a free name',
    'ok',
    (f) => sys.mknod(f.at('n'), S_IFSOCK | 0o644, 0) === 0,
  ],
  [
    'mknod',
    'S_IFCHR',
    'as root',
    'ok',
    (f) => sys.mknod(f.at('n'), S_IFCHR | 0o644, 0x103) === 0,
    root,
  ],
  [
    'mknod',
    'S_IFBLK',
    'as root',
    'ok',
    (f) => sys.mknod(f.at('n'), S_IFBLK | 0o644, 0x701) === 0,
    root,
  ],
  [
    'mknod',
    'S_IFCHR',
    'as somebody else',
    'EPERM',
    (f) => (sticky(f), byNobody(() => sys.mknod(f.at('s/n'), S_IFCHR | 0o644, 0x103))),
    root,
  ],
  [
    'mknod',
    'S_IFBLK',
    'as somebody else',
    'EPERM',
    (f) => (sticky(f), byNobody(() => sys.mknod(f.at('s/n'), S_IFBLK | 0o644, 0x701))),
    root,
  ],
  ['mknod', 'S_IFDIR', 'a free name', 'EPERM', (f) => sys.mknod(f.at('n'), S_IFDIR | 0o755, 0)],
  ['mknod', 'S_IFLNK', 'a free name', 'EINVAL', (f) => sys.mknod(f.at('n'), S_IFLNK | 0o755, 0)],
  [
    'chdir',
    '',
    'a directory',
    'ok',
    (f) => (furnished(f), inside(f.path, () => (sys.chdir(f.at('full')), here() === f.at('full')))),
  ],
  [
    'fchdir',
    '',
    'a directory',
    'ok',
    (f) => (
      furnished(f),
      inside(f.path, () => (sys.fchdir(f.open('full', 'r')), here() === f.at('full')))
    ),
  ],
  ['fchdir', '', 'a file', 'ENOTDIR', (f) => (furnished(f), sys.fchdir(f.open('x', 'r')))],
  ['fchdir', '', 'no descriptor', 'EBADF', () => sys.fchdir(NOT_OPEN)],
  [
    'fchdir',
    '',
    "another's 0600",
    'EACCES',
    (f) => {
      f.dir('d')
      chmodSync(f.at('d'), 0o600)
      const fd = f.open('d', 'r')
      byNobody(() => sys.fchdir(fd))
    },
    root,
  ],
  ['getcwd', '', 'a directory that is gone', 'ENOENT', (f) => stranded(f, () => process.cwd())],
  [
    'open',
    'O_CREAT|O_WRONLY',
    'in a working directory that is gone',
    'ENOENT',
    (f) => stranded(f, () => f.keep(sys.open('x', 0o101, 0o644))),
  ],
])
