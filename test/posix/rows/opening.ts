// open(2): flags, what stands in the way, modes of new files.

import { constants, fstatSync, mkdirSync, openSync, readSync, symlinkSync } from 'node:fs'
import { Buffer } from 'node:buffer'
import { withUmask } from '../calls.js'
import { read, write } from '../folder.js'
import { errorOf, type Row } from '../row.js'

const {
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_DSYNC,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_RDWR,
  O_SYNC,
  O_TRUNC,
  O_WRONLY,
} = constants

export const rows: readonly Row[] = [
  ['a missing file', (f) => f.open('x', O_RDONLY), 'ENOENT'],
  ['a missing file, to write', (f) => f.open('x', O_WRONLY), 'ENOENT'],
  ['an empty path', () => openSync('', O_RDONLY), 'ENOENT'],
  ['below a missing directory', (f) => f.open('d/x', O_WRONLY | O_CREAT), 'ENOENT'],
  ['below a file', (f) => (f.put('a'), f.open('a/x', O_RDONLY)), 'ENOTDIR'],
  ['new, below a file', (f) => (f.put('a'), f.open('a/x', O_WRONLY | O_CREAT)), 'ENOTDIR'],
  ['a file with a slash behind', (f) => (f.put('a'), f.open('a/', O_RDONLY)), 'ENOTDIR'],
  ['new, with a slash behind', (f) => f.open('a/', O_WRONLY | O_CREAT), 'EISDIR'],
  ['a path of 5000 bytes', (f) => f.open('d/'.repeat(2500) + 'x', O_RDONLY), 'ENAMETOOLONG'],
  ['O_CREAT makes it, empty', (f) => (f.open('x', O_WRONLY | O_CREAT), f.size('x')), 0],
  [
    'O_CREAT of what is there leaves it',
    (f) => (f.put('x', 'old'), f.open('x', O_WRONLY | O_CREAT), f.text('x')),
    'old',
  ],
  ['O_EXCL makes it', (f) => (f.open('x', O_WRONLY | O_CREAT | O_EXCL), f.list()), ['x']],
  ['O_EXCL of a file', (f) => (f.put('x'), f.open('x', O_WRONLY | O_CREAT | O_EXCL)), 'EEXIST'],
  [
    'O_EXCL of a directory',
    (f) => (f.dir('x'), f.open('x', O_WRONLY | O_CREAT | O_EXCL)),
    'EEXIST',
  ],
  [
    'O_EXCL of a dangling link',
    (f) => (symlinkSync('y', f.at('x')), f.open('x', O_WRONLY | O_CREAT | O_EXCL)),
    'EEXIST',
  ],
  [
    'O_EXCL of a file that was made a moment ago and is still open',
    (f) => (f.open('x', 'wx'), f.open('x', O_WRONLY | O_CREAT | O_EXCL)),
    'EEXIST',
  ],
  [
    'O_CREAT through a dangling link',
    (f) => (symlinkSync('y', f.at('x')), f.open('x', O_WRONLY | O_CREAT), f.list()),
    ['x', 'y'],
  ],
  ['O_TRUNC empties', (f) => (f.put('x', 'old'), f.open('x', O_WRONLY | O_TRUNC), f.size('x')), 0],
  [
    'O_TRUNC with O_RDONLY empties too',
    (f) => (f.put('x', 'old'), f.open('x', O_RDONLY | O_TRUNC), f.size('x')),
    0,
  ],
  [
    'O_TRUNC keeps the inode',
    (f) => {
      f.put('x', 'old')
      const before = f.ino('x')
      f.close(f.open('x', 'w'))
      return f.ino('x') === before
    },
    true,
  ],
  [
    'O_TRUNC is seen by another handle',
    (f) => {
      f.put('x', 'old content')
      const fd = f.open('x', 'r')
      read(fd, 3, 0)
      write(f.open('x', 'w'), 'new')
      return read(fd, 100, 0)
    },
    'new',
  ],
  [
    'O_APPEND writes at the end, wherever it is told to',
    (f) => {
      f.put('x', 'one ')
      const fd = f.open('x', O_WRONLY | O_APPEND)
      write(fd, 'two ', 0)
      write(f.open('x', 'a'), 'three ')
      write(fd, 'four')
      return f.text('x')
    },
    'one two three four',
  ],
  [
    'O_APPEND after another handle has cut the file',
    (f) => {
      const fd = f.open('x', 'a')
      write(fd, 'aaaa')
      f.close(f.open('x', 'w'))
      write(fd, 'b')
      return f.text('x')
    },
    'b',
  ],
  [
    'O_APPEND, to read as well',
    (f) => (f.put('x', 'ab'), read(f.open('x', O_RDWR | O_APPEND), 9)),
    'ab',
  ],
  [
    'O_SYNC and O_DSYNC',
    (f) => (
      write(f.open('x', O_WRONLY | O_CREAT | O_SYNC), 'abc'),
      write(f.open('x', O_WRONLY | O_DSYNC), 'X'),
      f.text('x')
    ),
    'Xbc',
  ],
  [
    'to write through a handle that reads',
    (f) => (f.put('x'), write(f.open('x', 'r'), 'a')),
    'EBADF',
  ],
  [
    'to read through a handle that writes',
    (f) => (f.put('x'), read(f.open('x', O_WRONLY), 1)),
    'EBADF',
  ],
  ['a directory, to write', (f) => (f.dir('d'), f.open('d', O_WRONLY)), 'EISDIR'],
  ['a directory, to read and write', (f) => (f.dir('d'), f.open('d', O_RDWR)), 'EISDIR'],
  ['O_CREAT of a directory', (f) => (f.dir('d'), f.open('d', O_RDONLY | O_CREAT)), 'EISDIR'],
  ['O_TRUNC of a directory', (f) => (f.dir('d'), f.open('d', O_WRONLY | O_TRUNC)), 'EISDIR'],
  [
    'to read a directory as bytes',
    (f) => (f.dir('d'), readSync(f.open('d', O_RDONLY), Buffer.alloc(9))),
    'EISDIR',
  ],
  ['O_DIRECTORY of a file', (f) => (f.put('x'), f.open('x', O_RDONLY | O_DIRECTORY)), 'ENOTDIR'],
  [
    'O_DIRECTORY of a directory',
    (f) => (f.dir('d'), fstatSync(f.open('d', O_RDONLY | O_DIRECTORY)).isDirectory()),
    true,
  ],
  [
    'O_NOFOLLOW of a link',
    (f) => (f.put('x'), symlinkSync('x', f.at('l')), f.open('l', O_RDONLY | O_NOFOLLOW)),
    'ELOOP',
  ],
  [
    'O_NOFOLLOW below a link',
    (f) => (
      f.dir('d'),
      f.put('d/x', 'in'),
      symlinkSync('d', f.at('l')),
      read(f.open('l/x', O_RDONLY | O_NOFOLLOW), 9)
    ),
    'in',
  ],
  [
    'modes of new files are cut by the umask',
    (f) => withUmask(0o027, () => (f.open('x', 'w', 0o666), f.mode('x'))),
    '640',
  ],
  ['umask 0', (f) => withUmask(0, () => (f.open('x', 'w', 0o666), f.mode('x'))), '666'],
  ['umask 0777', (f) => withUmask(0o777, () => (f.open('x', 'w', 0o666), f.mode('x'))), '0'],
  [
    'a new file of mode 0000 can be written by who made it',
    (f) => (write(f.open('x', 'w', 0), 'a'), `${f.mode('x')} ${String(f.size('x'))}`),
    '0 1',
  ],
  [
    'a new file of mode 0444 too',
    (f) => (write(f.open('x', 'w', 0o444), 'ab'), `${f.mode('x')} ${f.text('x')}`),
    '444 ab',
  ],
  [
    'a new set-uid file',
    (f) => withUmask(0o022, () => (f.open('x', 'w', 0o4755), f.mode('x'))),
    '4755',
  ],
  [
    'the mode of open is for new files only',
    (f) => (f.put('x', '', 0o600), f.open('x', 'w', 0o777), f.mode('x')),
    '600',
  ],
  [
    'a new file opened to read alone',
    (f) => (f.open('x', O_RDONLY | O_CREAT), write(f.open('x', 'r+'), 'a'), f.text('x')),
    'a',
  ],
  [
    '500 handles of one file',
    (f) => (
      f.put('x', 'abc'),
      Array.from({ length: 500 }, () => f.open('x', 'r')).every((fd) => read(fd, 9) === 'abc')
    ),
    true,
  ],
  [
    '300 files open at once',
    (f) =>
      Array.from({ length: 300 }, (_, i) => f.open(`x${String(i)}`, 'w+'))
        .map((fd, i) => (write(fd, String(i)), read(fd, 9, 0)))
        .every((text, i) => text === String(i)),
    true,
  ],
  [
    '"." and ".." in a path',
    (f) => (
      f.dir('d'),
      mkdirSync(f.at('d/e')),
      f.put('x', 'up'),
      read(f.open('d/./e/../../x', 'r'), 9)
    ),
    'up',
  ],
  [
    'a handle outlives errors on its name',
    (f) => {
      const fd = f.open('x', 'w+')
      const seen = errorOf(() => f.open('x/y', 'r'))
      write(fd, 'ok')
      return `${seen} ${read(fd, 9, 0)}`
    },
    'ENOTDIR ok',
  ],
]
