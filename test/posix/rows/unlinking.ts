// unlink(2), above all of files that are open.

import {
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  futimesSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs'
import { noise, read, write, type Folder } from '../folder.js'
import type { Row } from '../row.js'

const gone = (f: Folder, name: string): void => {
  unlinkSync(f.at(name))
}

export const rows: readonly Row[] = [
  [
    'a file',
    (f) => {
      gone(f, (f.put('x'), 'x'))
      return f.list()
    },
    [],
  ],
  [
    'nothing',
    (f) => {
      gone(f, 'x')
    },
    'ENOENT',
  ],
  [
    'a directory',
    (f) => {
      f.dir('d')
      gone(f, 'd')
    },
    'EISDIR',
  ],
  [
    'below a file',
    (f) => {
      f.put('x')
      gone(f, 'x/y')
    },
    'ENOTDIR',
  ],
  [
    'with a slash behind',
    (f) => {
      f.put('x')
      unlinkSync(`${f.at('x')}/`)
    },
    'ENOTDIR',
  ],
  [
    'twice',
    (f) => {
      f.put('x')
      gone(f, 'x')
      gone(f, 'x')
    },
    'ENOENT',
  ],
  [
    'of mode 0000',
    (f) => {
      f.put('x', 'a', 0)
      gone(f, 'x')
      return f.list()
    },
    [],
  ],
  [
    'an open file is readable',
    (f) => {
      f.put('x', noise(100_000))
      const fd = f.open('x', 'r')
      gone(f, 'x')
      return read(fd, 100_000, 0) === noise(100_000).toString('latin1')
    },
    true,
  ],
  [
    'an open file is writable',
    (f) => {
      f.put('x', 'abc')
      const fd = f.open('x', 'r+')
      gone(f, 'x')
      write(fd, noise(70_000), 3)
      return [
        read(fd, 3, 0),
        read(fd, 70_000, 3) === noise(70_000).toString('latin1'),
        fstatSync(fd).size,
      ]
    },
    ['abc', true, 70_003],
  ],
  [
    'an open file that is new',
    (f) => {
      const fd = f.open('x', 'w+')
      gone(f, 'x')
      write(fd, 'after')
      fsyncSync(fd)
      return [read(fd, 9, 0), fstatSync(fd).nlink, f.list()]
    },
    ['after', 0, []],
  ],
  [
    'an open file has no link left',
    (f) => {
      f.put('x')
      const fd = f.open('x', 'r')
      const before = fstatSync(fd).nlink
      gone(f, 'x')
      return [before, fstatSync(fd).nlink]
    },
    [1, 0],
  ],
  [
    'an open file can be cut',
    (f) => {
      f.put('x', 'abcdef')
      const fd = f.open('x', 'r+')
      gone(f, 'x')
      ftruncateSync(fd, 2)
      ftruncateSync(fd, 4)
      return read(fd, 9, 0)
    },
    'ab\0\0',
  ],
  [
    'an open file takes mode and times',
    (f) => {
      f.put('x')
      const fd = f.open('x', 'r+')
      gone(f, 'x')
      fchmodSync(fd, 0o4711)
      futimesSync(fd, 100, 200)
      return [(fstatSync(fd).mode & 0o7777).toString(8), f.times(fd).mtime]
    },
    ['4711', 200_000_000_000n],
  ],
  [
    'two handles of a removed file',
    (f) => {
      const a = f.open('x', 'w+')
      const b = f.open('x', 'r+')
      gone(f, 'x')
      write(a, 'one')
      write(b, 'TWO', 3)
      return [read(a, 9, 0), read(b, 9, 0)]
    },
    ['oneTWO', 'oneTWO'],
  ],
  [
    'the name is free at once, for another inode',
    (f) => {
      f.put('x', 'old')
      const fd = f.open('x', 'r')
      gone(f, 'x')
      f.put('x', 'new')
      return [fstatSync(fd).ino !== f.ino('x'), read(fd, 9, 0), f.text('x')]
    },
    [true, 'old', 'new'],
  ],
  [
    'its directory can go before it',
    (f) => {
      f.dir('d')
      const fd = f.open('d/x', 'w+')
      write(fd, 'kept')
      gone(f, 'd/x')
      rmdirSync(f.at('d'))
      write(fd, '!', 4)
      return [read(fd, 9, 0), f.list()]
    },
    ['kept!', []],
  ],
  [
    'made and removed 100 times',
    (f) => {
      for (let i = 0; i < 100; i++) {
        f.put('x', String(i))
        gone(f, 'x')
      }
      return f.list()
    },
    [],
  ],
]
