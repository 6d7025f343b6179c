// Owners and groups: root gives away, others have what is theirs.

import {
  chmodSync,
  chownSync,
  fchownSync,
  lchownSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
} from 'node:fs'
import { as, NOBODY } from '../calls.js'
import { later, write, type Folder } from '../folder.js'
import type { Row } from '../row.js'

const KEEP = 0xffffffff
const root = { need: 'root' } as const

/** A folder in which everybody may write. */
function common(f: Folder, mode = 0o777): string {
  f.dir('c')
  chmodSync(f.at('c'), mode)
  return f.at('c')
}

const byNobody = <T>(act: () => T): T => as(NOBODY, act)

export const rows: readonly Row[] = [
  [
    'what I make is mine',
    (f) => {
      f.put('x')
      f.dir('d')
      symlinkSync('x', f.at('l'))
      return ['x', 'd', 'l'].every((name) => statSync(f.at(name)).uid === process.getuid?.())
    },
    true,
  ],
  [
    'chown',
    (f) => {
      f.put('x')
      chownSync(f.at('x'), 12, 34)
      return f.owner('x')
    },
    '12:34',
    root,
  ],
  [
    'chown of the user alone',
    (f) => {
      f.put('x')
      chownSync(f.at('x'), 12, 34)
      chownSync(f.at('x'), 56, KEEP)
      return f.owner('x')
    },
    '56:34',
    root,
  ],
  [
    'chown of the group alone',
    (f) => {
      f.put('x')
      chownSync(f.at('x'), 12, 34)
      chownSync(f.at('x'), KEEP, 56)
      return f.owner('x')
    },
    '12:56',
    root,
  ],
  [
    'chown of a directory',
    (f) => {
      f.dir('d')
      chownSync(f.at('d'), 12, 34)
      f.put('d/x', 'in')
      return [f.owner('d'), f.text('d/x')]
    },
    ['12:34', 'in'],
    root,
  ],
  [
    'chown of a link',
    (f) => {
      f.put('x')
      symlinkSync('x', f.at('l'))
      lchownSync(f.at('l'), 12, 34)
      return [f.owner('l'), f.owner('x')]
    },
    ['12:34', '0:0'],
    root,
  ],
  [
    'chown of an open new file',
    (f) => {
      const fd = f.open('x', 'w')
      write(fd, 'a')
      fchownSync(fd, 12, 34)
      f.close(fd)
      return [f.owner('x'), f.text('x')]
    },
    ['12:34', 'a'],
    root,
  ],
  [
    'large ids',
    (f) => {
      f.put('x')
      chownSync(f.at('x'), 4_000_000_000, 4_000_000_001)
      return f.owner('x')
    },
    '4000000000:4000000001',
    root,
  ],
  [
    'chown moves ctime, not mtime',
    (f) => {
      f.put('x')
      const before = f.times('x')
      later()
      chownSync(f.at('x'), 1, 1)
      const after = f.times('x')
      return [after.mtime === before.mtime, after.ctime > before.ctime]
    },
    [true, true],
    root,
  ],
  [
    "somebody else's file is his",
    (f) => {
      common(f)
      byNobody(() => {
        f.put('c/x', 'his')
        f.dir('c/d')
        symlinkSync('x', f.at('c/l'))
      })
      return ['x', 'd', 'l'].map((name) => f.owner(`c/${name}`))
    },
    ['65534:65534', '65534:65534', '65534:65534'],
    root,
  ],
  [
    'and he can use it',
    (f) => {
      common(f)
      return byNobody(() => {
        f.put('c/x', 'his', 0o600)
        f.put('c/x', 'more')
        truncateSync(f.at('c/x'), 2)
        chmodSync(f.at('c/x'), 0o400)
        utimesSync(f.at('c/x'), 1, 1)
        renameSync(f.at('c/x'), f.at('c/y'))
        const text = f.text('c/y')
        unlinkSync(f.at('c/y'))
        return text
      })
    },
    'mo',
    root,
  ],
  [
    'a set-gid directory gives its group',
    (f) => {
      common(f)
      chownSync(f.at('c'), 0, 77)
      chmodSync(f.at('c'), 0o2777)
      byNobody(() => {
        f.put('c/x')
        f.dir('c/d')
        symlinkSync('x', f.at('c/l'))
      })
      return [f.owner('c/x'), f.owner('c/d'), f.owner('c/l'), f.mode('c/d')]
    },
    ['65534:77', '65534:77', '65534:77', '2755'],
    root,
  ],
]
