// Symbolic links.

import {
  lstatSync,
  lutimesSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  chmodSync,
  writeFileSync,
} from 'node:fs'
import { Buffer } from 'node:buffer'
import type { Folder } from '../folder.js'
import type { Row } from '../row.js'

function link(f: Folder, target: string, name: string): string {
  symlinkSync(target, f.at(name))
  return f.at(name)
}

/** l0 leads to l1, and so on; the last leads to a file. */
function chain(f: Folder, length: number): string {
  f.put(`l${String(length)}`, 'end')
  for (let i = 0; i < length; i++) link(f, `l${String(i + 1)}`, `l${String(i)}`)
  return f.text('l0')
}

export const rows: readonly Row[] = [
  ['the target as given', (f) => readlinkSync(link(f, '../a//b/./c ', 'l')), '../a//b/./c '],
  [
    'to a file beside it',
    (f) => {
      f.put('x', 'here')
      link(f, 'x', 'l')
      return f.text('l')
    },
    'here',
  ],
  [
    'to a file above',
    (f) => {
      f.put('x', 'up')
      f.dir('d')
      link(f, '../x', 'd/l')
      return f.text('d/l')
    },
    'up',
  ],
  [
    'absolute',
    (f) => {
      link(f, f.put('x', 'abs'), 'l')
      return f.text('l')
    },
    'abs',
  ],
  [
    'through a directory',
    (f) => {
      f.dir('d')
      f.put('d/x', 'in')
      link(f, 'd', 'l')
      return [f.text('l/x'), f.list('l')]
    },
    ['in', ['x']],
  ],
  [
    'with a slash behind',
    (f) => {
      f.dir('d')
      link(f, 'd', 'l')
      return lstatSync(`${f.at('l')}/`).isDirectory()
    },
    true,
  ],
  ['dangling: stat', (f) => statSync(link(f, 'none', 'l')), 'ENOENT'],
  ['dangling: open', (f) => readFileSync(link(f, 'none', 'l')), 'ENOENT'],
  ['dangling: lstat', (f) => lstatSync(link(f, 'none', 'l')).isSymbolicLink(), true],
  ['its size is that of its target', (f) => lstatSync(link(f, 'ä/b', 'l')).size, 4],
  [
    'its mode',
    (f) => {
      link(f, 'a', 'l')
      return f.mode('l')
    },
    '777',
  ],
  ['4095 bytes', (f) => readlinkSync(link(f, 't'.repeat(4095), 'l')) === 't'.repeat(4095), true],
  ['4096 bytes', (f) => link(f, 't'.repeat(4096), 'l'), 'ENAMETOOLONG'],
  [
    'lengths around 60, where ext4 changes its ways',
    (f) =>
      [1, 59, 60, 61, 1000, 1024, 2048].filter(
        (n) => readlinkSync(link(f, 'u'.repeat(n), `l${String(n)}`)) !== 'u'.repeat(n),
      ),
    [],
  ],
  ['an empty target', (f) => link(f, '', 'l'), 'ENOENT'],
  [
    'a target that is not UTF-8',
    (f) => {
      const target = Buffer.from('61ff80', 'hex')
      symlinkSync(target, f.at('l'))
      return readlinkSync(f.at('l'), { encoding: 'buffer' }).equals(target)
    },
    true,
  ],
  [
    'over a file',
    (f) => {
      f.put('x')
      link(f, 'a', 'x')
    },
    'EEXIST',
  ],
  [
    'over a link',
    (f) => {
      link(f, 'a', 'x')
      link(f, 'b', 'x')
    },
    'EEXIST',
  ],
  ['below nothing', (f) => link(f, 'a', 'd/l'), 'ENOENT'],
  [
    'below a file',
    (f) => {
      f.put('x')
      link(f, 'a', 'x/l')
    },
    'ENOTDIR',
  ],
  ['to itself', (f) => readFileSync(link(f, 'l', 'l')), 'ELOOP'],
  [
    'to each other',
    (f) => {
      link(f, 'b', 'a')
      return statSync(link(f, 'a', 'b'))
    },
    'ELOOP',
  ],
  ['40 in a row', (f) => chain(f, 40), 'end'],
  ['41 in a row', (f) => chain(f, 41), 'ELOOP'],
  ['readlink of a file', (f) => readlinkSync(f.put('x')), 'EINVAL'],
  ['readlink of a directory', (f) => readlinkSync(f.dir('x')), 'EINVAL'],
  ['readlink of nothing', (f) => readlinkSync(f.at('x')), 'ENOENT'],
  [
    'unlink takes the link',
    (f) => {
      f.put('x', 'stays')
      unlinkSync(link(f, 'x', 'l'))
      return [f.list(), f.text('x')]
    },
    [['x'], 'stays'],
  ],
  [
    'rename moves the link',
    (f) => {
      f.put('x', 'stays')
      renameSync(link(f, 'x', 'l'), f.at('m'))
      return [readlinkSync(f.at('m')), f.text('x')]
    },
    ['x', 'stays'],
  ],
  [
    'rename over a link replaces it, not its target',
    (f) => {
      f.put('x', 'old')
      link(f, 'x', 'l')
      renameSync(f.put('y', 'new'), f.at('l'))
      return [f.text('x'), lstatSync(f.at('l')).isFile()]
    },
    ['old', true],
  ],
  [
    'write through a link',
    (f) => {
      f.put('x', 'old')
      writeFileSync(link(f, 'x', 'l'), 'new')
      return [f.text('x'), f.list()]
    },
    ['new', ['l', 'x']],
  ],
  [
    'chmod through a link',
    (f) => {
      f.put('x')
      chmodSync(link(f, 'x', 'l'), 0o600)
      return [f.mode('x'), f.mode('l')]
    },
    ['600', '777'],
  ],
  [
    'times of its own',
    (f) => {
      f.put('x')
      const before = f.times('x')
      lutimesSync(link(f, 'x', 'l'), 1000, 2000)
      const { atime, mtime } = f.times('l')
      return [atime, mtime, f.times('x').mtime === before.mtime]
    },
    [1_000_000_000_000n, 2_000_000_000_000n, true],
  ],
  [
    'remade with another target',
    (f) => {
      for (const target of ['a', 'bb', 'ccc']) {
        link(f, target, 'l')
        if (target !== 'ccc') {
          readlinkSync(f.at('l'))
          unlinkSync(f.at('l'))
        }
      }
      return [readlinkSync(f.at('l')), lstatSync(f.at('l')).size]
    },
    ['ccc', 3],
  ],
]
