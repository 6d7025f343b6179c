// Setting times, to the nanosecond.

import { chmodSync, renameSync, symlinkSync, utimesSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { utimesAt, utimesFd, type FileTime } from '../../../lib/native/files.js'
import { AT_FDCWD } from '../calls.js'
import { later, write, type Folder } from '../folder.js'
import type { Row } from '../row.js'

const SECOND = 1_000_000_000n
const set = (f: Folder, name: string, atime: FileTime, mtime: FileTime): void => {
  utimesAt(AT_FDCWD, f.at(name), atime, mtime)
}
const at = (sec: number, nsec: number): FileTime => ({ sec, nsec })

/** Which times `act` moves. */
function moved(f: Folder, name: string, act: () => void): string[] {
  const before = f.times(name)
  later()
  act()
  const after = f.times(name)
  const names = ['mtime', 'ctime'] as const
  return names.filter((time) => after[time] > before[time])
}

const touch = (f: Folder, ...words: string[]) => spawnSync('touch', words, { cwd: f.path }).status

export const rows: readonly Row[] = [
  [
    'nanoseconds',
    (f) => {
      f.put('x')
      set(f, 'x', at(1_000_000_001, 123_456_789), at(1_100_000_000, 987_654_321))
      const { atime, mtime } = f.times('x')
      return [atime, mtime]
    },
    [1_000_000_001_123_456_789n, 1_100_000_000_987_654_321n],
  ],
  [
    'before 1970, and far ahead',
    (f) => {
      f.put('x')
      return [-1, -86_400, 0, 2 ** 31, 2 ** 32, 10_000_000_000].filter((sec) => {
        set(f, 'x', 'omit', at(sec, 1))
        return f.times('x').mtime !== BigInt(sec) * SECOND + 1n
      })
    },
    [],
  ],
  [
    'atime alone',
    (f) => {
      f.put('x')
      set(f, 'x', at(5, 6), at(7, 8))
      set(f, 'x', at(1, 2), 'omit')
      const { atime, mtime } = f.times('x')
      return [atime, mtime]
    },
    [SECOND + 2n, 7n * SECOND + 8n],
  ],
  [
    'mtime alone',
    (f) => {
      f.put('x')
      set(f, 'x', at(5, 6), at(7, 8))
      set(f, 'x', 'omit', at(1, 2))
      const { atime, mtime } = f.times('x')
      return [atime, mtime]
    },
    [5n * SECOND + 6n, SECOND + 2n],
  ],
  [
    'now',
    (f) => {
      f.put('x')
      set(f, 'x', at(5, 6), at(7, 8))
      const before = BigInt(Date.now()) * 1_000_000n
      set(f, 'x', 'now', 'now')
      const { atime, mtime } = f.times('x')
      return [atime, mtime].every(
        (time) => time > before - SECOND / 10n && time < before + 5n * SECOND,
      )
    },
    true,
  ],
  [
    'touch -a',
    (f) => {
      f.put('x')
      set(f, 'x', at(5, 6), at(7, 8))
      touch(f, '-a', 'x')
      const { atime, mtime } = f.times('x')
      return [atime > 1_000_000n * SECOND, mtime]
    },
    [true, 7n * SECOND + 8n],
  ],
  [
    'touch -m',
    (f) => {
      f.put('x')
      set(f, 'x', at(5, 6), at(7, 8))
      touch(f, '-m', 'x')
      const { atime, mtime } = f.times('x')
      return [atime, mtime > 1_000_000n * SECOND]
    },
    [5n * SECOND + 6n, true],
  ],
  [
    'touch -d',
    (f) => {
      f.put('x')
      touch(f, '-d', '2001-02-03 04:05:06.123456789 UTC', 'x')
      return f.times('x').mtime
    },
    981_173_106_123_456_789n,
  ],
  ['touch makes a file', (f) => [touch(f, 'new'), f.list()], [0, ['new']]],
  [
    'of a directory',
    (f) => {
      f.dir('d')
      set(f, 'd', at(1, 2), at(3, 4))
      const { atime, mtime } = f.times('d')
      return [atime, mtime]
    },
    [SECOND + 2n, 3n * SECOND + 4n],
  ],
  [
    'of a link',
    (f) => {
      symlinkSync('none', f.at('l'))
      set(f, 'l', at(1, 2), at(3, 4))
      const { atime, mtime } = f.times('l')
      return [atime, mtime]
    },
    [SECOND + 2n, 3n * SECOND + 4n],
  ],
  [
    'of files of any mode',
    (f) =>
      [0, 0o200, 0o444, 0o4755].filter((mode) => {
        f.put(`x${String(mode)}`)
        chmodSync(f.at(`x${String(mode)}`), mode)
        set(f, `x${String(mode)}`, 'omit', at(9, 9))
        return (
          f.times(`x${String(mode)}`).mtime !== 9n * SECOND + 9n ||
          f.mode(`x${String(mode)}`) !== mode.toString(8)
        )
      }),
    [],
  ],
  [
    'set on an open file before its close',
    (f) => {
      const fd = f.open('x', 'w')
      write(fd, 'a')
      utimesFd(fd, at(1, 2), at(3, 4))
      const open = f.times(fd).mtime
      f.close(fd)
      later(1100)
      const { atime, mtime } = f.times('x')
      return [open, atime, mtime]
    },
    [3n * SECOND + 4n, SECOND + 2n, 3n * SECOND + 4n],
  ],
  [
    'set by path while a file is open',
    (f) => {
      const fd = f.open('x', 'w')
      write(fd, 'a')
      set(f, 'x', 'omit', at(3, 4))
      f.close(fd)
      return f.times('x').mtime
    },
    3n * SECOND + 4n,
  ],
  [
    'a write after that moves it again',
    (f) => {
      const fd = f.open('x', 'w')
      write(fd, 'a')
      utimesFd(fd, 'omit', at(3, 4))
      write(fd, 'b')
      f.close(fd)
      return f.times('x').mtime > 1_000_000n * SECOND
    },
    true,
  ],
  [
    'set, then mode and owner: it stays',
    (f) => {
      const fd = f.open('x', 'w')
      write(fd, 'a')
      utimesFd(fd, 'omit', at(3, 4))
      chmodSync(f.at('x'), 0o4711)
      f.close(fd)
      chmodSync(f.at('x'), 0o600)
      return f.times('x').mtime
    },
    3n * SECOND + 4n,
  ],
  [
    'set, then renamed: it stays',
    (f) => {
      f.put('x', 'a')
      set(f, 'x', 'omit', at(3, 4))
      renameSync(f.at('x'), f.at('y'))
      return f.times('y').mtime
    },
    3n * SECOND + 4n,
  ],
  [
    'set, then opened and read: it stays',
    (f) => {
      f.put('x', 'a')
      set(f, 'x', 'omit', at(3, 4))
      f.text('x')
      f.close(f.open('x', 'r+'))
      return f.times('x').mtime
    },
    3n * SECOND + 4n,
  ],
  [
    'setting moves ctime',
    (f) => {
      f.put('x')
      return moved(f, 'x', () => {
        utimesSync(f.at('x'), 1, 2)
      })
    },
    ['ctime'],
  ],
  [
    'of nothing',
    (f) => {
      utimesSync(f.at('x'), 1, 1)
    },
    'ENOENT',
  ],
]
