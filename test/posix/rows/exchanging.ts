// renameat2(2): RENAME_EXCHANGE and RENAME_NOREPLACE.

import { appendFileSync, linkSync, lstatSync, symlinkSync } from 'node:fs'
import { renameAt } from '../../../lib/native/files.js'
import { AT_FDCWD } from '../calls.js'
import { write, type Folder } from '../folder.js'
import type { Row } from '../row.js'

const NOREPLACE = 1
const EXCHANGE = 2
const LONG = 'n'.repeat(255)

const move = (f: Folder, from: string, to: string, flags: number): void => {
  renameAt(AT_FDCWD, f.at(from), AT_FDCWD, f.at(to), flags)
}
const exchange = (f: Folder, a: string, b: string): void => {
  move(f, a, b, EXCHANGE)
}

export const rows: readonly Row[] = [
  [
    'two files',
    (f) => {
      f.put('a', 'A')
      f.put('b', 'BB')
      const [a, b] = [f.ino('a'), f.ino('b')]
      exchange(f, 'a', 'b')
      appendFileSync(f.at('a'), '+')
      return [f.text('a'), f.text('b'), f.ino('a') === b, f.ino('b') === a, f.list()]
    },
    ['BB+', 'A', true, true, ['a', 'b']],
  ],
  [
    'two files, there and back',
    (f) => {
      f.put('a', 'A')
      f.put('b', 'B')
      for (let i = 0; i < 5; i++) exchange(f, i % 2 === 0 ? 'a' : 'b', i % 2 === 0 ? 'b' : 'a')
      return [f.text('a'), f.text('b')]
    },
    ['B', 'A'],
  ],
  [
    'two directories',
    (f) => {
      f.dir('a', 'b', 'a/in')
      f.put('a/in/x', 'X')
      f.put('b/y', 'Y')
      exchange(f, 'a', 'b')
      f.put('b/in/z', 'Z')
      return [f.list('a'), f.list('b/in'), f.text('b/in/x'), f.text('a/y')]
    },
    [['y'], ['x', 'z'], 'X', 'Y'],
  ],
  [
    'a file and a directory',
    (f) => {
      f.dir('d')
      f.put('d/x', 'X')
      f.put('a', 'A')
      exchange(f, 'a', 'd')
      return [f.text('d'), f.text('a/x'), f.list()]
    },
    ['A', 'X', ['a', 'd']],
  ],
  [
    'a directory and a file, of other directories',
    (f) => {
      f.dir('p', 'q', 'p/d')
      f.put('p/d/x', 'X')
      f.put('q/a', 'A')
      exchange(f, 'p/d', 'q/a')
      return [f.text('p/d'), f.text('q/a/x'), f.list('p'), f.list('q')]
    },
    ['A', 'X', ['d'], ['a']],
  ],
  [
    'a file and a symbolic link',
    (f) => {
      f.put('a', 'A')
      symlinkSync('a', f.at('l'))
      exchange(f, 'l', 'a')
      return [lstatSync(f.at('a')).isSymbolicLink(), f.text('l'), lstatSync(f.at('l')).nlink]
    },
    [true, 'A', 1],
  ],
  [
    'two symbolic links, a long name',
    (f) => {
      symlinkSync('one', f.at('l'))
      symlinkSync('three', f.at(LONG))
      exchange(f, 'l', LONG)
      return [lstatSync(f.at('l')).size, lstatSync(f.at(LONG)).size]
    },
    [5, 3],
  ],
  [
    'files that are open and not stored',
    (f) => {
      const [a, b] = [f.open('a', 'wx+'), f.open('b', 'wx+')]
      write(a, 'A')
      write(b, 'B')
      exchange(f, 'a', 'b')
      write(a, 'a')
      write(b, 'b')
      f.close(a)
      f.close(b)
      return [f.text('a'), f.text('b')]
    },
    ['Bb', 'Aa'],
  ],
  [
    'hard links: with another file, and with each other',
    (f) => {
      f.put('a', 'A')
      linkSync(f.at('a'), f.at('b'))
      f.put('c', 'C')
      exchange(f, 'b', 'c')
      exchange(f, 'a', 'c')
      appendFileSync(f.at('c'), '+')
      return [f.text('a'), f.text('b'), f.text('c'), lstatSync(f.at('a')).nlink]
    },
    ['A+', 'C', 'A+', 2],
  ],
  [
    'with nothing',
    (f) => {
      f.put('a')
      exchange(f, 'a', 'none')
    },
    'ENOENT',
  ],
  [
    'with what lies in it',
    (f) => {
      f.dir('d', 'd/e')
      exchange(f, 'd', 'd/e')
    },
    'EINVAL',
  ],
  [
    'with itself',
    (f) => {
      f.put('a', 'A')
      exchange(f, 'a', 'a')
      return f.text('a')
    },
    'A',
  ],
  [
    'and no replacing at once',
    (f) => {
      f.put('a')
      f.put('b')
      move(f, 'a', 'b', EXCHANGE | NOREPLACE)
    },
    'EINVAL',
  ],
  [
    'no replacing: a free name',
    (f) => {
      f.put('a', 'A')
      move(f, 'a', 'b', NOREPLACE)
      return [f.list(), f.text('b')]
    },
    [['b'], 'A'],
  ],
  [
    'no replacing: a file',
    (f) => {
      f.put('a')
      f.put('b')
      move(f, 'a', 'b', NOREPLACE)
    },
    'EEXIST',
  ],
  [
    'no replacing: an empty directory',
    (f) => {
      f.dir('a', 'b')
      move(f, 'a', 'b', NOREPLACE)
    },
    'EEXIST',
  ],
  [
    'no replacing: another name of the file',
    (f) => {
      f.put('a')
      linkSync(f.at('a'), f.at('b'))
      move(f, 'a', 'b', NOREPLACE)
    },
    'EEXIST',
  ],
]
