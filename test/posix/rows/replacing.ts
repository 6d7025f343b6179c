// rename(2) with files that are open, names that are long, and saves that replace; renameat2(2).

import { constants, fstatSync, readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs'
import { openAt, renameAt } from '../../../lib/native/files.js'
import { AT_FDCWD } from '../calls.js'
import { later, noise, read, write, type Folder } from '../folder.js'
import type { Row } from '../row.js'

const RENAME_NOREPLACE = 1
const LONG = 'r'.repeat(250)

const move = (f: Folder, from: string, to: string): void => {
  renameSync(f.at(from), f.at(to))
}
const moveNew = (f: Folder, from: string, to: string): void => {
  renameAt(AT_FDCWD, f.at(from), AT_FDCWD, f.at(to), RENAME_NOREPLACE)
}

export const rows: readonly Row[] = [
  [
    'an open file is written on under its new name',
    (f) => {
      const fd = f.open('a', 'w+')
      write(fd, 'one ')
      move(f, 'a', 'b')
      write(fd, 'two')
      f.close(fd)
      return [f.list(), f.text('b')]
    },
    [['b'], 'one two'],
  ],
  [
    'an open file that was there before',
    (f) => {
      f.put('a', 'old ')
      const fd = f.open('a', 'r+')
      move(f, 'a', 'b')
      write(fd, 'new', 4)
      return f.text('b')
    },
    'old new',
  ],
  [
    'an open file, in a directory that moves',
    (f) => {
      f.dir('d')
      const fd = f.open('d/x', 'w+')
      write(fd, 'one ')
      move(f, 'd', 'e')
      write(fd, 'two')
      f.close(fd)
      return f.text('e/x')
    },
    'one two',
  ],
  [
    'by a handle of a directory that moved',
    (f) => {
      f.dir('d')
      const fd = f.open('d', 'r')
      move(f, 'd', 'e')
      write(f.keep(openAt(fd, 'x', constants.O_CREAT | constants.O_WRONLY)), 'by handle')
      return f.text('e/x')
    },
    'by handle',
  ],
  [
    'over an open file: its handle keeps the old content',
    (f) => {
      f.put('b', noise(90_000, 2))
      const fd = f.open('b', 'r+')
      f.put('a', 'new')
      move(f, 'a', 'b')
      const kept = read(fd, 90_000, 0) === noise(90_000, 2).toString('latin1')
      write(fd, 'more', 90_000)
      return [kept, read(fd, 9, 90_000), fstatSync(fd).nlink, f.text('b')]
    },
    [true, 'more', 0, 'new'],
  ],
  [
    'over an open file that has no name in the backing yet',
    (f) => {
      const fd = f.open('b', 'w+')
      write(fd, 'old')
      f.put('a', 'new')
      move(f, 'a', 'b')
      write(fd, '!', 3)
      f.close(fd)
      return [f.text('b'), f.list()]
    },
    ['new', ['b']],
  ],
  [
    'a save by way of a temporary file, 30 times',
    (f) => {
      for (let i = 0; i < 30; i++) {
        f.put('x.tmp', `version ${String(i)}`)
        move(f, 'x.tmp', 'x')
      }
      return [f.text('x'), f.list()]
    },
    ['version 29', ['x']],
  ],
  [
    'there and back, 30 times',
    (f) => {
      f.put('a', 'same')
      for (let i = 0; i < 30; i++) {
        move(f, 'a', 'b')
        move(f, 'b', 'a')
      }
      return [f.text('a'), f.list()]
    },
    ['same', ['a']],
  ],
  [
    'three change places',
    (f) => {
      for (const x of ['a', 'b', 'c']) f.put(x, x)
      move(f, 'a', 't')
      move(f, 'b', 'a')
      move(f, 'c', 'b')
      move(f, 't', 'c')
      return [f.text('a'), f.text('b'), f.text('c'), f.list().length]
    },
    ['b', 'c', 'a', 3],
  ],
  [
    'two seconds after it was written',
    (f) => {
      f.put('a', 'at rest')
      f.put('b', 'also')
      later(2100)
      move(f, 'a', 'n')
      move(f, 'b', 'n')
      const once = f.text('n')
      f.put('c', 'third')
      move(f, 'n', 'c')
      return [once, f.text('c'), f.list()]
    },
    ['also', 'also', ['c']],
  ],
  [
    'two seconds after, and then written',
    (f) => {
      f.put('a', 'at rest')
      later(2100)
      move(f, 'a', 'b')
      f.put('b', 'newer')
      move(f, 'b', 'c')
      return [f.text('c'), f.list()]
    },
    ['newer', ['c']],
  ],
  [
    'short name to long and back',
    (f) => {
      f.put('a', 'A')
      move(f, 'a', LONG)
      const long = f.text(LONG)
      move(f, LONG, 'b')
      return [long, f.text('b'), f.list()]
    },
    ['A', 'A', ['b']],
  ],
  [
    'long over long',
    (f) => {
      f.put(`${LONG}1`, '1')
      f.put(`${LONG}2`, '2')
      move(f, `${LONG}1`, `${LONG}2`)
      return [f.text(`${LONG}2`), f.list().length]
    },
    ['1', 1],
  ],
  [
    'a long directory to another long name',
    (f) => {
      f.dir(`${LONG}1`)
      f.put(`${LONG}1/x`, 'in')
      move(f, `${LONG}1`, `${LONG}2`)
      return [f.text(`${LONG}2/x`), f.list().length]
    },
    ['in', 1],
  ],
  [
    'the mtime stays',
    (f) => {
      f.put('a')
      const { mtime } = f.times('a')
      later()
      move(f, 'a', 'b')
      return f.times('b').mtime === mtime
    },
    true,
  ],
  [
    'the mtime of a directory stays',
    (f) => {
      f.dir('d')
      f.put('d/x')
      const { mtime } = f.times('d')
      later()
      move(f, 'd', 'e')
      return f.times('e').mtime === mtime
    },
    true,
  ],
  [
    'RENAME_NOREPLACE over a file',
    (f) => {
      f.put('a')
      f.put('b')
      moveNew(f, 'a', 'b')
    },
    'EEXIST',
  ],
  [
    'RENAME_NOREPLACE over an open new file',
    (f) => {
      f.put('a')
      f.open('b', 'w')
      moveNew(f, 'a', 'b')
    },
    'EEXIST',
  ],
  [
    'RENAME_NOREPLACE over an empty directory',
    (f) => {
      f.dir('a', 'b')
      moveNew(f, 'a', 'b')
    },
    'EEXIST',
  ],
  [
    'RENAME_NOREPLACE over nothing',
    (f) => {
      f.put('a', 'A')
      moveNew(f, 'a', 'b')
      return f.text('b')
    },
    'A',
  ],
  [
    'the old name is free at once',
    (f) => {
      f.put('a', '1')
      move(f, 'a', 'b')
      f.put('a', '2')
      return [f.text('a'), f.text('b')]
    },
    ['2', '1'],
  ],
  [
    'a directory that was emptied a moment ago',
    (f) => {
      f.dir('d', 'e')
      f.put('e/x')
      unlinkSync(f.at('e/x'))
      move(f, 'd', 'e')
      rmdirSync(f.at('e'))
      return readdirSync(f.path)
    },
    [],
  ],
]
