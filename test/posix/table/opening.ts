// open(2), openat(2), openat2(2), creat(2), execve(2).

import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, constants, copyFileSync, rmdirSync, symlinkSync } from 'node:fs'
import { as, AT_FDCWD, NOBODY } from '../calls.js'
import { later, noise, read, write, type Folder } from '../folder.js'
import type { Row } from '../row.js'
import { addressOf, memory, openAt2, sys } from '../system-calls.js'
import { root, table } from './line.js'

const { O_APPEND, O_CREAT, O_DIRECT, O_DIRECTORY, O_DSYNC, O_EXCL, O_NOFOLLOW } = constants
const { O_NOATIME, O_NONBLOCK, O_RDONLY, O_RDWR, O_SYNC, O_TRUNC, O_WRONLY } = constants
const O_PATH = 0o10000000
const O_TMPFILE = 0o20000000 | O_DIRECTORY
const RESOLVE_NO_XDEV = 1
const RESOLVE_NO_MAGICLINKS = 2
const RESOLVE_NO_SYMLINKS = 4
const RESOLVE_BENEATH = 8
const RESOLVE_IN_ROOT = 16
const AT_SYMLINK_FOLLOW = 0x400

const open = (f: Folder, name: string, flags: number, mode = 0o644): number =>
  f.keep(sys.open(f.at(name), flags, mode))
const at = (f: Folder, dirfd: number, name: string, flags: number): number =>
  f.keep(sys.openat(dirfd, name, flags, 0o644))
const at2 = (f: Folder, dirfd: number, name: string, resolve: number): number =>
  f.keep(openAt2(dirfd, name, O_RDONLY, resolve))
const file = (f: Folder, content = 'content', mode = 0o644): string => f.put('x', content, mode)
const byNobody = <T>(act: () => T): T => as(NOBODY, act)

/** What a program of this place meets that is running while `act` runs. */
function running(f: Folder, act: () => unknown): unknown {
  copyFileSync('/bin/sleep', f.at('program'))
  chmodSync(f.at('program'), 0o755)
  const child = spawn(f.at('program'), ['20'], { stdio: 'ignore' })
  // where nothing runs, the row comes to something else; a kill would be one of our own process group
  child.on('error', () => undefined)
  try {
    return act()
  } finally {
    if (child.pid !== undefined) child.kill('SIGKILL')
    // until it is gone the file cannot be written, nor its directory be removed
    later(50)
  }
}

/** A directory that is open and gone. */
function gone(f: Folder): number {
  f.dir('d')
  const fd = f.open('d', O_RDONLY)
  rmdirSync(f.at('d'))
  return fd
}

const started = (path: string): string => {
  const { error } = spawnSync(path, [], { stdio: 'ignore' })
  return (error as NodeJS.ErrnoException | undefined)?.code ?? 'done'
}

export const rows: readonly Row[] = table([
  [
    'open',
    'O_RDONLY',
    'a file',
    'ok',
    (f) => (file(f), read(open(f, 'x', O_RDONLY), 9) === 'content'),
  ],
  [
    'open',
    'O_RDONLY',
    'a socket',
    'ENXIO',
    (f) => (sys.mknod(f.at('s'), 0o140644, 0), open(f, 's', O_RDONLY)),
  ],
  [
    'open',
    'O_WRONLY',
    'a file',
    'ok',
    (f) => (file(f), write(open(f, 'x', O_WRONLY), 'N'), f.text('x') === 'Nontent'),
  ],
  ['open', 'O_WRONLY', 'a directory', 'EISDIR', (f) => open(f, '', O_WRONLY)],
  [
    'open',
    'O_WRONLY',
    'a running program',
    'ETXTBSY',
    (f) => running(f, () => open(f, 'program', O_WRONLY)),
  ],
  [
    'open',
    'O_WRONLY|O_NONBLOCK',
    'a fifo that nobody reads',
    'ENXIO',
    (f) => (sys.mknod(f.at('p'), 0o10644, 0), open(f, 'p', O_WRONLY | O_NONBLOCK)),
  ],
  [
    'open',
    'O_RDONLY|O_NONBLOCK',
    'a fifo that nobody writes',
    'ok',
    (f) => (sys.mknod(f.at('p'), 0o10644, 0), open(f, 'p', O_RDONLY | O_NONBLOCK) > 0),
  ],
  ['open', 'O_RDWR', 'a directory', 'EISDIR', (f) => open(f, '', O_RDWR)],
  [
    'open',
    'O_RDWR',
    'a running program',
    'ETXTBSY',
    (f) => running(f, () => open(f, 'program', O_RDWR)),
  ],
  [
    'open',
    'O_RDWR',
    "another's 0644",
    'EACCES',
    (f) => (file(f), byNobody(() => open(f, 'x', O_RDWR))),
    root,
  ],
  ['open', 'O_RDWR', 'a file', 'ok', (f) => (file(f), read(open(f, 'x', O_RDWR), 9) === 'content')],
  ['open', 'O_CREAT', 'a free name', 'ok', (f) => (open(f, 'x', O_CREAT), f.size('x') === 0)],
  ['open', 'O_CREAT', 'a directory', 'EISDIR', (f) => (f.dir('d'), open(f, 'd', O_CREAT))],
  ['open', 'O_CREAT', 'below nothing', 'ENOENT', (f) => open(f, 'none/x', O_CREAT)],
  [
    'open',
    'O_CREAT',
    "in another's directory",
    'EACCES',
    (f) => byNobody(() => open(f, 'x', O_CREAT)),
    root,
  ],
  [
    'open',
    'O_CREAT|O_EXCL',
    'a free name',
    'ok',
    (f) => (open(f, 'x', O_CREAT | O_EXCL), f.has('x')),
  ],
  ['open', 'O_CREAT|O_EXCL', 'a file', 'EEXIST', (f) => (file(f), open(f, 'x', O_CREAT | O_EXCL))],
  [
    'open',
    'O_CREAT|O_EXCL|O_NOFOLLOW',
    'a dangling link',
    'EEXIST',
    (f) => (symlinkSync('y', f.at('x')), open(f, 'x', O_CREAT | O_EXCL | O_NOFOLLOW)),
  ],
  [
    'open',
    'O_CREAT|O_NOFOLLOW',
    'a dangling link',
    'ELOOP',
    (f) => (symlinkSync('y', f.at('x')), open(f, 'x', O_CREAT | O_NOFOLLOW)),
  ],
  [
    'open',
    'O_CREAT|O_WRONLY|O_TRUNC',
    'a file',
    'ok',
    (f) => (file(f), open(f, 'x', O_CREAT | O_WRONLY | O_TRUNC), f.size('x') === 0),
  ],
  [
    'open',
    'O_CREAT|O_WRONLY|O_APPEND',
    'a file',
    'ok',
    (f) => (
      file(f, 'a'),
      write(open(f, 'x', O_CREAT | O_WRONLY | O_APPEND), 'b', 0),
      f.text('x') === 'ab'
    ),
  ],
  [
    'open',
    'O_WRONLY|O_TRUNC',
    'a file',
    'ok',
    (f) => (file(f), open(f, 'x', O_WRONLY | O_TRUNC), f.size('x') === 0),
  ],
  ['open', 'O_WRONLY|O_TRUNC', 'a directory', 'EISDIR', (f) => open(f, '', O_WRONLY | O_TRUNC)],
  [
    'open',
    'O_WRONLY|O_TRUNC',
    "another's 0644",
    'EACCES',
    (f) => (file(f), byNobody(() => open(f, 'x', O_WRONLY | O_TRUNC))),
    root,
  ],
  [
    'open',
    'O_RDONLY|O_TRUNC',
    'a file',
    'ok',
    (f) => (file(f), open(f, 'x', O_RDONLY | O_TRUNC), f.size('x') === 0),
  ],
  [
    'open',
    'O_RDONLY|O_TRUNC',
    "another's 0644",
    'EACCES',
    (f) => (file(f), byNobody(() => open(f, 'x', O_RDONLY | O_TRUNC))),
    root,
  ],
  [
    'open',
    'O_RDONLY|O_DIRECTORY',
    'a directory',
    'ok',
    (f) => open(f, '', O_RDONLY | O_DIRECTORY) > 0,
  ],
  [
    'open',
    'O_WRONLY|O_DIRECTORY',
    'a directory',
    'EISDIR',
    (f) => open(f, '', O_WRONLY | O_DIRECTORY),
  ],
  [
    'open',
    'O_RDONLY|O_DIRECTORY|O_NOFOLLOW',
    'a link to a directory',
    'ENOTDIR',
    (f) => (symlinkSync('.', f.at('l')), open(f, 'l', O_DIRECTORY | O_NOFOLLOW)),
  ],
  [
    'open',
    'O_RDONLY|O_NOFOLLOW',
    'a link',
    'ELOOP',
    (f) => (symlinkSync('x', f.at('l')), open(f, 'l', O_NOFOLLOW)),
  ],
  ['open', 'O_RDONLY|O_NOFOLLOW', 'a file', 'ok', (f) => (file(f), open(f, 'x', O_NOFOLLOW) > 0)],
  [
    'open',
    'O_PATH',
    "another's 0000",
    'ok',
    (f) => (file(f, '', 0), byNobody(() => open(f, 'x', O_PATH)) > 0),
    root,
  ],
  [
    'open',
    'O_PATH|O_NOFOLLOW',
    'a link: the link itself',
    'ok',
    (f) => {
      symlinkSync('target', f.at('l'))
      const room = memory(99)
      return sys.readlinkat(open(f, 'l', O_PATH | O_NOFOLLOW), '', addressOf(room), 99) === 6
    },
  ],
  [
    'open',
    'O_PATH|O_DIRECTORY',
    'a file',
    'ENOTDIR',
    (f) => (file(f), open(f, 'x', O_PATH | O_DIRECTORY)),
  ],
  [
    'read',
    'O_PATH',
    'by such a descriptor',
    'EBADF',
    (f) => (file(f), read(open(f, 'x', O_PATH), 1)),
  ],
  [
    'write',
    'O_PATH',
    'by such a descriptor',
    'EBADF',
    (f) => (file(f), write(open(f, 'x', O_PATH), 'a')),
  ],
  [
    'fchmod',
    'O_PATH',
    'by such a descriptor',
    'EBADF',
    (f) => (file(f), sys.fchmod(open(f, 'x', O_PATH), 0o600)),
  ],
  [
    'fchown',
    'O_PATH',
    'by such a descriptor',
    'EBADF',
    (f) => (file(f), sys.fchown(open(f, 'x', O_PATH), -1 >>> 0, -1 >>> 0)),
  ],
  [
    'ioctl',
    'O_PATH',
    'by such a descriptor',
    'EBADF',
    (f) => (file(f), sys.ioctl(open(f, 'x', O_PATH), 2, 0)),
  ],
  [
    'fgetxattr',
    'O_PATH',
    'by such a descriptor',
    'EBADF',
    (f) => (file(f), sys.fgetxattr(open(f, 'x', O_PATH), 'user.a', 0, 0)),
  ],
  [
    'mmap',
    'O_PATH',
    'by such a descriptor',
    'EBADF',
    (f) => (file(f), sys.mmap(0, 4096, 1, 1, open(f, 'x', O_PATH), 0)),
  ],
  [
    'open',
    'O_TMPFILE|O_RDWR',
    'a directory: a file without a name',
    'ok',
    (f) => {
      const fd = open(f, '', O_TMPFILE | O_RDWR)
      write(fd, 'unseen')
      return read(fd, 9, 0) === 'unseen' && f.list().length === 0
    },
  ],
  [
    'open',
    'O_TMPFILE|O_WRONLY|O_EXCL',
    'a directory',
    'ok',
    (f) => open(f, '', O_TMPFILE | O_WRONLY | O_EXCL) > 0,
  ],
  ['open', 'O_TMPFILE|O_RDONLY', 'a directory', 'EINVAL', (f) => open(f, '', O_TMPFILE)],
  [
    'open',
    'O_TMPFILE|O_RDWR',
    'a file',
    'ENOTDIR',
    (f) => (file(f), open(f, 'x', O_TMPFILE | O_RDWR)),
  ],
  ['open', 'O_TMPFILE|O_RDWR', 'nothing', 'ENOENT', (f) => open(f, 'd', O_TMPFILE | O_RDWR)],
  [
    'open',
    'O_TMPFILE|O_RDWR',
    "another's directory",
    'EACCES',
    (f) => byNobody(() => open(f, '', O_TMPFILE | O_RDWR)),
    root,
  ],
  [
    'linkat',
    'O_TMPFILE',
    'a file without a name gets one',
    'ok',
    (f) => {
      const fd = open(f, '', O_TMPFILE | O_RDWR)
      write(fd, 'named')
      sys.linkat(AT_FDCWD, `/proc/self/fd/${String(fd)}`, AT_FDCWD, f.at('x'), AT_SYMLINK_FOLLOW)
      write(fd, '+')
      return f.text('x') === 'named+' && f.list().join() === 'x'
    },
  ],
  [
    'linkat',
    'O_TMPFILE|O_EXCL',
    'one that must not get any',
    'ENOENT',
    (f) => {
      const fd = open(f, '', O_TMPFILE | O_RDWR | O_EXCL)
      sys.linkat(AT_FDCWD, `/proc/self/fd/${String(fd)}`, AT_FDCWD, f.at('x'), AT_SYMLINK_FOLLOW)
    },
  ],
  [
    'linkat',
    'O_TMPFILE',
    'a name that is taken',
    'EEXIST',
    (f) => {
      file(f)
      const fd = open(f, '', O_TMPFILE | O_RDWR)
      sys.linkat(AT_FDCWD, `/proc/self/fd/${String(fd)}`, AT_FDCWD, f.at('x'), AT_SYMLINK_FOLLOW)
    },
  ],
  [
    'open',
    'O_RDONLY|O_DIRECT',
    'a file',
    'ok',
    (f) => (f.put('x', noise(8192)), open(f, 'x', O_DIRECT) > 0),
  ],
  [
    'open',
    'O_WRONLY|O_SYNC',
    'a file',
    'ok',
    (f) => (file(f, 'abc'), write(open(f, 'x', O_WRONLY | O_SYNC), 'X'), f.text('x') === 'Xbc'),
  ],
  [
    'open',
    'O_WRONLY|O_DSYNC',
    'a file',
    'ok',
    (f) => (file(f, 'abc'), write(open(f, 'x', O_WRONLY | O_DSYNC), 'X'), f.text('x') === 'Xbc'),
  ],
  [
    'open',
    'O_RDONLY|O_NOATIME',
    "one's own file",
    'ok',
    (f) => (file(f), open(f, 'x', O_NOATIME) > 0),
  ],
  [
    'open',
    'O_RDONLY|O_NOATIME',
    "another's file",
    'EPERM',
    (f) => (file(f), byNobody(() => open(f, 'x', O_NOATIME))),
    root,
  ],
  ['open', '', 'a path of 4096 bytes', 'ENAMETOOLONG', (f) => open(f, './'.repeat(2048), O_RDONLY)],
  [
    'open',
    '',
    'a path of many slashes',
    'ok',
    (f) => (file(f), open(f, `${'/'.repeat(2000)}x`, O_RDONLY) > 0),
  ],
  [
    'openat',
    'O_RDONLY',
    'below a directory',
    'ok',
    (f) => (
      f.dir('d'),
      f.put('d/x', 'in'),
      read(at(f, f.open('d', 'r'), 'x', O_RDONLY), 9) === 'in'
    ),
  ],
  [
    'openat',
    'dirfd',
    'an absolute path',
    'ok',
    (f) => (file(f), at(f, -1, f.at('x'), O_RDONLY) > 0),
  ],
  [
    'openat',
    'dirfd',
    'of a file',
    'ENOTDIR',
    (f) => (file(f), at(f, f.open('x', 'r'), 'y', O_RDONLY)),
  ],
  ['openat', 'dirfd', 'that is none', 'EBADF', (f) => at(f, 9999, 'x', O_RDONLY)],
  ['openat', 'dirfd', 'of a directory that is gone', 'ENOENT', (f) => at(f, gone(f), 'x', O_CREAT)],
  [
    'openat2',
    'RESOLVE_NO_SYMLINKS',
    'a link on the way',
    'ELOOP',
    (f) => (
      file(f),
      symlinkSync('.', f.at('l')),
      at2(f, f.open('', 'r'), 'l/x', RESOLVE_NO_SYMLINKS)
    ),
  ],
  [
    'openat2',
    'RESOLVE_NO_SYMLINKS',
    'none',
    'ok',
    (f) => (file(f), at2(f, f.open('', 'r'), './x', RESOLVE_NO_SYMLINKS) > 0),
  ],
  [
    'openat2',
    'RESOLVE_NO_MAGICLINKS',
    'a link of /proc',
    'ELOOP',
    (f) => (
      file(f),
      at2(f, AT_FDCWD, `/proc/self/fd/${String(f.open('x', 'r'))}`, RESOLVE_NO_MAGICLINKS)
    ),
  ],
  [
    'openat2',
    'RESOLVE_BENEATH',
    '".."',
    'EXDEV',
    (f) => (f.dir('d'), file(f), at2(f, f.open('d', 'r'), '../x', RESOLVE_BENEATH)),
  ],
  [
    'openat2',
    'RESOLVE_BENEATH',
    'a link that stays below',
    'ok',
    (f) => (
      file(f),
      symlinkSync('./x', f.at('l')),
      at2(f, f.open('', 'r'), 'l', RESOLVE_BENEATH) > 0
    ),
  ],
  [
    'openat2',
    'RESOLVE_NO_XDEV',
    'another file system',
    'EXDEV',
    (f) => (symlinkSync('/dev/shm', f.at('l')), at2(f, f.open('', 'r'), 'l/x', RESOLVE_NO_XDEV)),
  ],
  [
    'openat2',
    'RESOLVE_IN_ROOT',
    'an absolute path',
    'ok',
    (f) => (file(f), at2(f, f.open('', 'r'), '/../x', RESOLVE_IN_ROOT) > 0),
  ],
  [
    'openat2',
    'RESOLVE_IN_ROOT',
    'nothing',
    'ENOENT',
    (f) => at2(f, f.open('', 'r'), '/etc', RESOLVE_IN_ROOT),
  ],
  [
    'openat2',
    '1<<20',
    'an unknown way to resolve',
    'EINVAL',
    (f) => at2(f, AT_FDCWD, f.path, 1 << 20),
  ],
  [
    'creat',
    '',
    'a file is emptied',
    'ok',
    (f) => (
      file(f),
      f.keep(sys.creat(f.at('x'), 0o600)),
      f.size('x') === 0 && f.mode('x') === '644'
    ),
  ],
  ['creat', '', 'a directory', 'EISDIR', (f) => f.keep(sys.creat(f.path, 0o600))],
  [
    'creat',
    '',
    'a running program',
    'ETXTBSY',
    (f) => running(f, () => f.keep(sys.creat(f.at('program'), 0o755))),
  ],
  [
    'execve',
    '',
    'a program',
    'ok',
    (f) => (
      copyFileSync('/bin/true', f.at('t')),
      chmodSync(f.at('t'), 0o755),
      started(f.at('t')) === 'done'
    ),
  ],
  [
    'execve',
    '',
    'a file that nobody may execute',
    'EACCES',
    (f) => (copyFileSync('/bin/true', f.at('t')), chmodSync(f.at('t'), 0o644), started(f.at('t'))),
  ],
  [
    'execve',
    '',
    'a program that is being written',
    'ETXTBSY',
    (f) => {
      copyFileSync('/bin/true', f.at('t'))
      chmodSync(f.at('t'), 0o755)
      f.open('t', 'r+')
      return started(f.at('t'))
    },
  ],
  ['execve', '', 'nothing', 'ENOENT', (f) => started(f.at('t'))],
  ['execve', '', 'below a file', 'ENOTDIR', (f) => (file(f), started(f.at('x/t')))],
])
