// mmap(2) and flock(2).

import { unlinkSync } from 'node:fs'
import { flock, LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, map } from '../calls.js'
import { noise, read, write } from '../folder.js'
import { errorOf, type Row } from '../row.js'

export const rows: readonly Row[] = [
  [
    'a mapping reads the file',
    (f) => {
      f.put('x', noise(100_000))
      const m = map(f.open('x', 'r'), 100_000, 'private')
      try {
        return m.read(0, 100_000) === noise(100_000).toString('latin1')
      } finally {
        m.unmap()
      }
    },
    true,
  ],
  [
    'a shared mapping sees what a handle writes',
    (f) => {
      f.put('x', 'abcdef')
      const fd = f.open('x', 'r+')
      const m = map(fd, 6, 'shared')
      try {
        const before = m.read(0, 6)
        write(fd, 'XY', 2)
        return [before, m.read(0, 6)]
      } finally {
        m.unmap()
      }
    },
    ['abcdef', 'abXYef'],
  ],
  [
    'what a shared mapping writes is in the file',
    (f) => {
      f.put('x', noise(80_000))
      const fd = f.open('x', 'r+')
      const m = map(fd, 80_000, 'shared')
      m.write(40_000, 'mapped')
      m.sync()
      const seen = read(fd, 6, 40_000)
      m.unmap()
      f.close(fd)
      return [seen, f.text('x').slice(40_000, 40_006), f.size('x')]
    },
    ['mapped', 'mapped', 80_000],
  ],
  [
    'also without msync, after the handle was closed',
    (f) => {
      f.put('x', 'abcdef')
      const fd = f.open('x', 'r+')
      const m = map(fd, 6, 'shared')
      f.close(fd)
      m.write(1, 'ZZ')
      m.unmap()
      return f.text('x')
    },
    'aZZdef',
  ],
  [
    'a mapping outlives handle and name',
    (f) => {
      f.put('x', 'abcdef')
      const fd = f.open('x', 'r')
      const m = map(fd, 6, 'private')
      f.close(fd)
      unlinkSync(f.at('x'))
      try {
        return m.read(0, 6)
      } finally {
        m.unmap()
      }
    },
    'abcdef',
  ],
  [
    'a mapping reads zeros behind the end',
    (f) => {
      f.put('x', 'abc')
      const m = map(f.open('x', 'r'), 8, 'private')
      try {
        return m.read(0, 8)
      } finally {
        m.unmap()
      }
    },
    'abc\0\0\0\0\0',
  ],
  [
    'one lock excludes the other',
    (f) => {
      f.put('x')
      const a = f.open('x', 'r+')
      const b = f.open('x', 'r+')
      flock(a, LOCK_EX)
      const held = errorOf(() => {
        flock(b, LOCK_EX | LOCK_NB)
      })
      flock(a, LOCK_UN)
      return [
        held,
        errorOf(() => {
          flock(b, LOCK_EX | LOCK_NB)
        }),
      ]
    },
    ['EAGAIN', 'done'],
  ],
  [
    'shared locks go together',
    (f) => {
      f.put('x')
      flock(f.open('x', 'r'), LOCK_SH)
      flock(f.open('x', 'r'), LOCK_SH | LOCK_NB)
    },
    undefined,
  ],
  [
    'close lets go of a lock',
    (f) => {
      f.put('x')
      const a = f.open('x', 'r+')
      flock(a, LOCK_EX)
      f.close(a)
      flock(f.open('x', 'r+'), LOCK_EX | LOCK_NB)
    },
    undefined,
  ],
]
