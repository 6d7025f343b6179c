// rename(2): what goes where, and what stands in the way.

import { mkdirSync, renameSync, statSync, symlinkSync } from 'node:fs'
import { type Folder } from '../folder.js'
import type { Row } from '../row.js'

const move = (f: Folder, from: string, to: string): void => {
  renameSync(f.at(from), f.at(to))
}

export const rows: readonly Row[] = [
  [
    'a file',
    (f) => {
      f.put('a', 'A')
      move(f, 'a', 'b')
      return [f.list(), f.text('b')]
    },
    [['b'], 'A'],
  ],
  [
    'a file keeps its inode',
    (f) => {
      f.put('a')
      const ino = f.ino('a')
      move(f, 'a', 'b')
      return f.ino('b') === ino
    },
    true,
  ],
  [
    'a file over a file',
    (f) => {
      f.put('a', 'A')
      f.put('b', 'B')
      move(f, 'a', 'b')
      return [f.list(), f.text('b')]
    },
    [['b'], 'A'],
  ],
  [
    "a file over a file: the inode is the mover's",
    (f) => {
      f.put('a')
      f.put('b')
      const ino = f.ino('a')
      move(f, 'a', 'b')
      return f.ino('b') === ino
    },
    true,
  ],
  [
    'a file over itself',
    (f) => {
      f.put('a', 'A')
      move(f, 'a', 'a')
      return f.text('a')
    },
    'A',
  ],
  [
    'nothing',
    (f) => {
      move(f, 'a', 'b')
    },
    'ENOENT',
  ],
  [
    'into nothing',
    (f) => {
      f.put('a')
      move(f, 'a', 'd/a')
    },
    'ENOENT',
  ],
  [
    'into a file',
    (f) => {
      f.put('a')
      f.put('b')
      move(f, 'a', 'b/a')
    },
    'ENOTDIR',
  ],
  [
    'a file to a name with a slash behind',
    (f) => {
      f.put('a')
      renameSync(f.at('a'), `${f.at('b')}/`)
    },
    'ENOTDIR',
  ],
  [
    'a file over a directory',
    (f) => {
      f.put('a')
      f.dir('d')
      move(f, 'a', 'd')
    },
    'EISDIR',
  ],
  [
    'a link over a directory',
    (f) => {
      symlinkSync('x', f.at('a'))
      f.dir('d')
      move(f, 'a', 'd')
    },
    'EISDIR',
  ],
  [
    'a directory over a file',
    (f) => {
      f.dir('d')
      f.put('a')
      move(f, 'd', 'a')
    },
    'ENOTDIR',
  ],
  [
    'a directory over a link to a directory',
    (f) => {
      f.dir('d', 'e')
      symlinkSync('e', f.at('l'))
      move(f, 'd', 'l')
    },
    'ENOTDIR',
  ],
  [
    'a directory over an empty one',
    (f) => {
      f.dir('d', 'e')
      f.put('d/x', 'in')
      move(f, 'd', 'e')
      return [f.list(), f.text('e/x')]
    },
    [['e'], 'in'],
  ],
  [
    'a directory over one with a file',
    (f) => {
      f.dir('d', 'e')
      f.put('e/x')
      move(f, 'd', 'e')
    },
    'ENOTEMPTY',
  ],
  [
    'a directory over one with an open new file',
    (f) => {
      f.dir('d', 'e')
      f.open('e/x', 'w')
      move(f, 'd', 'e')
    },
    'ENOTEMPTY',
  ],
  [
    'a directory over itself',
    (f) => {
      f.dir('d')
      move(f, 'd', 'd')
      return f.list()
    },
    ['d'],
  ],
  [
    'a directory into itself',
    (f) => {
      f.dir('d')
      move(f, 'd', 'd/e')
    },
    'EINVAL',
  ],
  [
    'a directory into what it holds',
    (f) => {
      f.dir('d', 'd/e')
      move(f, 'd', 'd/e/f')
    },
    'EINVAL',
  ],
  [
    'a directory over its parent',
    (f) => {
      f.dir('d', 'd/e')
      move(f, 'd/e', 'd')
    },
    'ENOTEMPTY',
  ],
  [
    '"."',
    (f) => {
      f.dir('d')
      renameSync(`${f.at('d')}/.`, f.at('e'))
    },
    'EBUSY',
  ],
  [
    'a directory with all that is in it',
    (f) => {
      f.dir('d', 'd/e', 'd/e/g')
      f.put('d/e/g/x', 'deep')
      f.text('d/e/g/x')
      move(f, 'd', 'n')
      return [f.text('n/e/g/x'), f.has('d/e/g/x'), f.list('n/e')]
    },
    ['deep', false, ['g']],
  ],
  [
    'a directory keeps its inode',
    (f) => {
      f.dir('d')
      const ino = f.ino('d')
      move(f, 'd', 'e')
      return f.ino('e') === ino
    },
    true,
  ],
  [
    'a file between directories',
    (f) => {
      f.dir('d', 'e')
      f.put('d/x', 'X')
      move(f, 'd/x', 'e/y')
      return [f.list('d'), f.text('e/y')]
    },
    [[], 'X'],
  ],
  [
    'a directory between directories, and its ".."',
    (f) => {
      f.dir('d', 'e', 'd/s')
      f.put('d/s/x', 'X')
      move(f, 'd/s', 'e/s')
      return [f.text('e/s/x'), statSync(`${f.at('e/s')}/..`).ino === f.ino('e'), f.list('d')]
    },
    ['X', true, []],
  ],
  [
    'a directory, then more is made in it',
    (f) => {
      f.dir('d')
      move(f, 'd', 'e')
      f.put('e/x', 'new')
      mkdirSync(f.at('e/s'))
      move(f, 'e', 'd')
      return [f.list('d'), f.text('d/x')]
    },
    [['s', 'x'], 'new'],
  ],
]
