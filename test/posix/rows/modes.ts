// chmod(2): every mode is kept and told, and none locks the program out of its own blob.

import {
  chmodSync,
  fchmodSync,
  fstatSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  accessSync,
  constants,
} from 'node:fs'
import { as, NOBODY } from '../calls.js'
import { later, write, type Folder } from '../folder.js'
import type { Row } from '../row.js'

const SAMPLE = [
  0o0, 0o1, 0o100, 0o111, 0o200, 0o222, 0o400, 0o444, 0o500, 0o600, 0o644, 0o700, 0o755, 0o777,
  0o1000, 0o1755, 0o2000, 0o2755, 0o4000, 0o4755, 0o6711, 0o7000, 0o7777,
]

/** The modes that do not come back. */
function lost(modes: readonly number[], set: (mode: number) => void, get: () => number): string[] {
  const wrong: string[] = []
  for (const mode of modes) {
    set(mode)
    if ((get() & 0o7777) !== mode)
      wrong.push(`${mode.toString(8)} became ${(get() & 0o7777).toString(8)}`)
  }
  return wrong
}

const all = Array.from({ length: 4096 }, (_, mode) => mode)

function byPath(f: Folder, name: string, modes: readonly number[]): string[] {
  const path = f.at(name)
  return lost(
    modes,
    (mode) => {
      chmodSync(path, mode)
    },
    () => statSync(path).mode,
  )
}

export const rows: readonly Row[] = [
  [
    'all 4096 of a file',
    (f) => {
      f.put('x', 'a')
      return byPath(f, 'x', all)
    },
    [],
  ],
  [
    'many of a directory',
    (f) => {
      f.dir('d')
      const wrong = byPath(f, 'd', SAMPLE)
      chmodSync(f.at('d'), 0o755)
      return wrong
    },
    [],
  ],
  [
    'many of an open file',
    (f) => {
      const fd = f.open('x', 'w')
      write(fd, 'a')
      return lost(
        SAMPLE,
        (mode) => {
          fchmodSync(fd, mode)
        },
        () => fstatSync(fd).mode,
      )
    },
    [],
  ],
  [
    'of an open file, told after the close',
    (f) =>
      SAMPLE.filter((mode) => {
        const fd = f.open('x', 'w')
        write(fd, 'a')
        fchmodSync(fd, mode)
        f.close(fd)
        const same = f.mode('x') === mode.toString(8)
        chmodSync(f.at('x'), 0o600)
        return !same
      }),
    [],
  ],
  [
    'told by a listing too',
    (f) => {
      for (const mode of SAMPLE) {
        f.put(`x${String(mode)}`, 'a')
        chmodSync(f.at(`x${String(mode)}`), mode)
      }
      later(1100)
      return f.list().filter((name) => f.mode(name) !== Number(name.slice(1)).toString(8))
    },
    [],
  ],
  [
    'an open handle goes on, whatever the mode',
    (f) => {
      const fd = f.open('x', 'w+')
      chmodSync(f.at('x'), 0)
      write(fd, 'still')
      f.close(fd)
      chmodSync(f.at('x'), 0o600)
      return f.text('x')
    },
    'still',
  ],
  [
    'content survives every mode',
    (f) => {
      f.put('x', 'content')
      for (const mode of SAMPLE) chmodSync(f.at('x'), mode)
      chmodSync(f.at('x'), 0o600)
      return f.text('x')
    },
    'content',
  ],
  [
    'a directory of mode 0000 comes back with what was in it',
    (f) => {
      f.dir('d')
      f.put('d/x', 'in')
      chmodSync(f.at('d'), 0)
      chmodSync(f.at('d'), 0o700)
      return f.text('d/x')
    },
    'in',
  ],
  [
    'moves ctime, not mtime',
    (f) => {
      f.put('x')
      const before = f.times('x')
      later()
      chmodSync(f.at('x'), 0o4755)
      const after = f.times('x')
      return [after.mtime === before.mtime, after.ctime > before.ctime]
    },
    [true, true],
  ],
  [
    'of a directory: the same',
    (f) => {
      f.dir('d')
      const before = f.times('d')
      later()
      chmodSync(f.at('d'), 0o1777)
      const after = f.times('d')
      return [after.mtime === before.mtime, after.ctime > before.ctime]
    },
    [true, true],
  ],
  [
    'of nothing',
    (f) => {
      chmodSync(f.at('x'), 0o600)
    },
    'ENOENT',
  ],
  [
    'below a file',
    (f) => {
      f.put('x')
      chmodSync(f.at('x/y'), 0o600)
    },
    'ENOTDIR',
  ],
  [
    'through a write that follows',
    (f) => {
      f.put('x')
      chmodSync(f.at('x'), 0o1751)
      writeFileSync(f.at('x'), 'more')
      return f.mode('x')
    },
    '1751',
  ],
  [
    'through a rename',
    (f) => {
      f.put('x')
      chmodSync(f.at('x'), 0o7040)
      const before = f.at('x')
      mkdirSync(f.at('d'))
      renameSync(before, f.at('d/y'))
      return f.mode('d/y')
    },
    '7040',
  ],
  [
    'root reads and writes in spite of 0000',
    (f) => {
      f.put('x', 'a', 0)
      writeFileSync(f.at('x'), 'b')
      return [readFileSync(f.at('x'), 'utf8'), f.mode('x')]
    },
    ['b', '0'],
    { need: 'root' },
  ],
  [
    'root may not execute what nobody may',
    (f) => {
      f.put('x', '', 0o666)
      accessSync(f.at('x'), constants.X_OK)
    },
    'EACCES',
    { need: 'root' },
  ],
  [
    'set-user-ID goes when somebody else writes',
    (f) => {
      f.put('x')
      chmodSync(f.at('x'), 0o6777)
      as(NOBODY, () => {
        writeFileSync(f.at('x'), 'a')
      })
      return f.mode('x')
    },
    '777',
    { need: 'root' },
  ],
  [
    'set-user-ID stays when root writes',
    (f) => {
      f.put('x')
      chmodSync(f.at('x'), 0o6777)
      writeFileSync(f.at('x'), 'a')
      return f.mode('x')
    },
    '6777',
    { need: 'root' },
  ],
  [
    'set-user-ID goes with the owner',
    (f) => {
      f.put('x')
      chmodSync(f.at('x'), 0o6755)
      lchownSync(f.at('x'), 1, 1)
      return f.mode('x')
    },
    '755',
    { need: 'root' },
  ],
]
