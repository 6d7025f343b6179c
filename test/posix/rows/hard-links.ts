// link(2), and files with several names. Special nodes too.

import {
  appendFileSync,
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
} from 'node:fs'
import { read, write, type Folder } from '../folder.js'
import { errorOf, type Row } from '../row.js'

const LONG = 'n'.repeat(255)
const link = (f: Folder, from: string, to: string): void => {
  linkSync(f.at(from), f.at(to))
}
const links = (f: Folder, name: string): number => lstatSync(f.at(name)).nlink

export const rows: readonly Row[] = [
  [
    'one inode, two links, one size',
    (f) => {
      f.put('a', 'content')
      link(f, 'a', 'b')
      return [f.ino('a') === f.ino('b'), links(f, 'a'), links(f, 'b'), f.size('b'), f.text('b')]
    },
    [true, 2, 2, 7, 'content'],
  ],
  [
    'written by one name, appended by the other',
    (f) => {
      f.put('a', 'one ')
      link(f, 'a', 'b')
      appendFileSync(f.at('b'), 'two ')
      appendFileSync(f.at('a'), 'three')
      return [f.text('a'), f.text('b')]
    },
    ['one two three', 'one two three'],
  ],
  [
    'open by both names',
    (f) => {
      f.put('a', '0123456789')
      link(f, 'a', 'b')
      const [a, b] = [f.open('a', 'r+'), f.open('b', 'r+')]
      write(a, 'AAA', 0)
      write(b, 'BBB', 5)
      return [read(a, 10, 0), read(b, 10, 0)]
    },
    ['AAA34BBB89', 'AAA34BBB89'],
  ],
  [
    'made while it is open and not stored',
    (f) => {
      const fd = f.open('a', 'wx+')
      write(fd, 'before ')
      link(f, 'a', 'b')
      write(fd, 'after')
      f.close(fd)
      return [f.text('a'), f.text('b'), links(f, 'a')]
    },
    ['before after', 'before after', 2],
  ],
  [
    'the first name goes',
    (f) => {
      f.put('a', 'kept')
      link(f, 'a', 'b')
      unlinkSync(f.at('a'))
      return [f.list(), f.text('b'), links(f, 'b')]
    },
    [['b'], 'kept', 1],
  ],
  [
    'the second name goes',
    (f) => {
      f.put('a', 'kept')
      link(f, 'a', 'b')
      unlinkSync(f.at('b'))
      return [f.list(), f.text('a'), links(f, 'a')]
    },
    [['a'], 'kept', 1],
  ],
  [
    'the name goes by which it was opened',
    (f) => {
      f.put('a', 'one ')
      link(f, 'a', 'b')
      const fd = f.open('a', 'a')
      unlinkSync(f.at('a'))
      write(fd, 'two')
      f.close(fd)
      return [f.text('b'), links(f, 'b')]
    },
    ['one two', 1],
  ],
  [
    'three names, all renamed, one over another file',
    (f) => {
      f.put('a', 'x')
      f.dir('d')
      link(f, 'a', 'b')
      link(f, 'b', 'd/c')
      f.put('over', 'gone')
      renameSync(f.at('a'), f.at('d/a'))
      renameSync(f.at('b'), f.at('over'))
      renameSync(f.at('d/c'), f.at('c'))
      appendFileSync(f.at('c'), 'y')
      return [f.list(), f.list('d'), f.text('d/a'), f.text('over'), links(f, 'c')]
    },
    [['c', 'd', 'over'], ['a'], 'xy', 'xy', 3],
  ],
  [
    'rename of one name over another does nothing',
    (f) => {
      f.put('a', 'x')
      link(f, 'a', 'b')
      renameSync(f.at('a'), f.at('b'))
      return [f.list(), links(f, 'a')]
    },
    [['a', 'b'], 2],
  ],
  [
    'a file over one of the names',
    (f) => {
      f.put('a', 'old')
      link(f, 'a', 'b')
      f.put('new', 'new')
      renameSync(f.at('new'), f.at('b'))
      return [f.text('a'), f.text('b'), links(f, 'a'), links(f, 'b')]
    },
    ['old', 'new', 1, 1],
  ],
  [
    'saved over and over beside its link',
    (f) => {
      f.put('a', '0')
      link(f, 'a', 'backup')
      for (let i = 1; i < 4; i++) {
        f.put('tmp', String(i))
        renameSync(f.at('tmp'), f.at('a'))
        rmSync(f.at('backup'))
        link(f, 'a', 'backup')
      }
      return [f.text('a'), f.text('backup'), links(f, 'a')]
    },
    ['3', '3', 2],
  ],
  [
    'mode, size and times are one',
    (f) => {
      f.put('a', 'xyz')
      link(f, 'a', 'b')
      chmodSync(f.at('a'), 0o4711)
      truncateSync(f.at('b'), 1)
      return [f.mode('b'), f.size('a'), f.times('a').mtime === f.times('b').mtime]
    },
    ['4711', 1, true],
  ],
  [
    'a long name, in another directory',
    (f) => {
      f.dir('d')
      f.put(LONG, 'long')
      link(f, LONG, `d/${LONG}`)
      unlinkSync(f.at(LONG))
      return [f.list(), f.list('d')[0] === LONG, f.text(`d/${LONG}`)]
    },
    [['d'], true, 'long'],
  ],
  [
    'a symbolic link itself',
    (f) => {
      symlinkSync('nowhere', f.at('l'))
      link(f, 'l', 'm')
      return [lstatSync(f.at('m')).isSymbolicLink(), links(f, 'l')]
    },
    [true, 2],
  ],
  [
    'many names',
    (f) => {
      f.put('a', 'x')
      for (let i = 0; i < 100; i++) link(f, i === 0 ? 'a' : `n${String(i - 1)}`, `n${String(i)}`)
      const most = links(f, 'n50')
      for (let i = 0; i < 100; i++) unlinkSync(f.at(`n${String(i)}`))
      return [most, links(f, 'a'), f.text('a'), f.list()]
    },
    [101, 1, 'x', ['a']],
  ],
  [
    'of a directory',
    (f) => {
      f.dir('d')
      link(f, 'd', 'e')
    },
    'EPERM',
  ],
  [
    'to a name that is taken',
    (f) => {
      f.put('a')
      f.put('b')
      f.dir('d')
      symlinkSync('nowhere', f.at('l'))
      return ['a', 'b', 'd', 'l'].map((to) =>
        errorOf(() => {
          link(f, 'a', to)
        }),
      )
    },
    ['EEXIST', 'EEXIST', 'EEXIST', 'EEXIST'],
  ],
  [
    'of nothing',
    (f) => {
      link(f, 'none', 'b')
    },
    'ENOENT',
  ],
  [
    'into nothing',
    (f) => {
      f.put('a')
      link(f, 'a', 'none/b')
    },
    'ENOENT',
  ],
  [
    'into a file',
    (f) => {
      f.put('a')
      link(f, 'a', 'a/b')
    },
    'ENOTDIR',
  ],
  [
    'to another file system',
    (f) => {
      linkSync(f.put('a'), '/dev/shm/coffer-hard-link')
    },
    'EXDEV',
  ],
  [
    'to a name of 256 bytes',
    (f) => {
      f.put('a')
      link(f, 'a', `${LONG}n`)
    },
    'ENAMETOOLONG',
  ],
  [
    'made, removed, made again',
    (f) => {
      f.put('a', 'x')
      for (let i = 0; i < 20; i++) {
        link(f, 'a', 'b')
        appendFileSync(f.at('b'), 'x')
        unlinkSync(f.at('a'))
        renameSync(f.at('b'), f.at('a'))
      }
      return [f.size('a'), links(f, 'a')]
    },
    [21, 1],
  ],
  [
    'nlink of a directory does not count them',
    (f) => {
      mkdirSync(f.at('d'))
      f.put('d/a')
      link(f, 'd/a', 'd/b')
      return statSync(f.at('d')).nlink
    },
    2,
  ],
]
