// Bytes in, the same bytes out: by position, across handles, across chunk borders.

import {
  copyFileSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  readFileSync,
  readvSync,
  statSync,
  writevSync,
  chmodSync,
} from 'node:fs'
import { Buffer } from 'node:buffer'
import { spawnSync } from 'node:child_process'
import { noise, read, write, type Folder } from '../folder.js'
import type { Row } from '../row.js'

const KiB = 1024
const MiB = 1024 * KiB

/** Writes, cuts and reads at random, and compares every answer with a plain array. */
function againstModel(f: Folder, seed: number, reopen: boolean): string {
  const random = noise(40_000, seed)
  let at = 0
  const below = (limit: number): number => {
    const value = random.readUInt32LE(at % (random.length - 4))
    at += 4
    return value % limit
  }
  let model = Buffer.alloc(0)
  let fd = f.open('x', 'w+')
  for (let step = 0; step < 400; step++) {
    const position = below(300 * KiB)
    const length = below(10) < 7 ? below(9000) : below(100 * KiB)
    const what = below(10)
    if (what < 5) {
      const data = noise(length, step + 7)
      write(fd, data, position)
      if (length > 0 && model.length < position + length) {
        model = Buffer.concat([model, Buffer.alloc(position + length - model.length)])
      }
      data.copy(model, position)
    } else if (what < 9) {
      const seen = read(fd, length, position)
      if (seen !== model.toString('latin1', position, position + length)) {
        return `step ${String(step)}: ${String(length)} bytes at ${String(position)} differ`
      }
    } else if (reopen) {
      f.close(fd)
      fd = f.open('x', 'r+')
    }
  }
  f.close(fd)
  return readFileSync(f.at('x')).equals(model) ? 'same' : 'the whole differs'
}

export const rows: readonly Row[] = [
  ['random reads and writes', (f) => againstModel(f, 3, false), 'same'],
  ['random reads and writes, closed and opened between', (f) => againstModel(f, 5, true), 'same'],
  [
    'sizes around every border come back',
    (f) =>
      [
        0, 1, 15, 16, 1023, 1024, 4095, 4096, 4097, 32767, 32768, 32769, 65535, 65536, 65537, 98304,
        1048575, 1048576, 1048577,
      ].filter((size) => {
        const data = noise(size, size)
        f.put('x', data)
        return !readFileSync(f.at('x')).equals(data) || f.size('x') !== size
      }),
    [],
  ],
  [
    'one write of 3 MiB',
    (f) => (f.put('x', noise(3 * MiB)), readFileSync(f.at('x')).equals(noise(3 * MiB))),
    true,
  ],
  [
    'single bytes across a border',
    (f) => {
      const fd = f.open('x', 'w+')
      for (let i = 32760; i < 32776; i++) write(fd, 'b', i)
      return read(fd, 20, 32758)
    },
    '\0\0bbbbbbbbbbbbbbbb',
  ],
  [
    'nothing beyond the end',
    (f) => (f.put('x', 'abc'), read(f.open('x', 'r'), 9, 3) + read(f.open('x', 'r'), 9, 2 ** 40)),
    '',
  ],
  ['less at the end', (f) => (f.put('x', 'abc'), read(f.open('x', 'r'), 100, 1)), 'bc'],
  [
    'a write beyond the end leaves zeros',
    (f) => {
      const fd = f.open('x', 'w+')
      write(fd, 'ab')
      write(fd, 'z', 5)
      return read(fd, 9, 0)
    },
    'ab\0\0\0z',
  ],
  [
    'a hole of many chunks reads as zeros',
    (f) => {
      const fd = f.open('x', 'w+')
      write(fd, 'head')
      write(fd, 'tail', 5 * MiB)
      f.close(fd)
      const all = readFileSync(f.at('x'))
      return [
        all.length,
        all.toString('latin1', 0, 4),
        all.subarray(4, 5 * MiB).every((byte) => byte === 0),
        all.toString('latin1', 5 * MiB),
      ]
    },
    [5 * MiB + 4, 'head', true, 'tail'],
  ],
  [
    'bytes at 5 GiB take little room',
    (f) => {
      const fd = f.open('x', 'w+')
      write(fd, 'far', 5 * 2 ** 30)
      const seen = [fstatSync(fd).size, read(fd, 5, 5 * 2 ** 30 - 2), read(fd, 2, 2 ** 31)]
      f.close(fd)
      return [...seen, statSync(f.at('x')).blocks < 4096]
    },
    [5 * 2 ** 30 + 3, '\0\0far', '\0\0', true],
  ],
  [
    'bytes into a hole, on both its sides',
    (f) => {
      const fd = f.open('x', 'w+')
      write(fd, 'a', 400_000)
      write(fd, 'b', 200_000)
      f.close(fd)
      const again = f.open('x', 'r+')
      write(again, 'c', 300_000)
      return [read(again, 3, 199_999), read(again, 3, 299_999), read(again, 3, 399_999)]
    },
    ['\0b\0', '\0c\0', '\0a'],
  ],
  [
    'one handle reads at once what another writes',
    (f) => {
      const a = f.open('x', 'w')
      const b = f.open('x', 'r')
      write(a, 'one')
      const first = read(b, 9, 0)
      write(a, 'TWO', 1)
      return [first, read(b, 9, 0)]
    },
    ['one', 'oTWO'],
  ],
  [
    'two writers take turns',
    (f) => {
      const a = f.open('x', 'w')
      const b = f.open('x', 'r+')
      for (let i = 0; i < 40; i++) write(i % 2 === 0 ? a : b, String(i % 10).repeat(5000), i * 5000)
      return [...f.text('x').matchAll(/(.)\1{4999}/g)].map(([, c]) => c).join('')
    },
    '0123456789'.repeat(4),
  ],
  [
    'what is written is read by path before any close',
    (f) => {
      write(f.open('x', 'w'), 'early')
      return f.text('x')
    },
    'early',
  ],
  [
    'a write of nothing',
    (f) => {
      const fd = f.open('x', 'w')
      write(fd, '', 100)
      return f.size('x')
    },
    0,
  ],
  [
    'readv and writev',
    (f) => {
      const fd = f.open('x', 'w+')
      writevSync(fd, [Buffer.from('ab'), Buffer.from('cde')], 0)
      const out = [Buffer.alloc(1), Buffer.alloc(3)]
      readvSync(fd, out, 1)
      return Buffer.concat(out).toString()
    },
    'bcde',
  ],
  [
    'fsync and fdatasync',
    (f) => {
      const fd = f.open('x', 'w')
      write(fd, 'a')
      fsyncSync(fd)
      write(fd, 'b')
      fdatasyncSync(fd)
      fsyncSync(f.open('x', 'r'))
      return f.text('x')
    },
    'ab',
  ],
  [
    'fsync of a directory',
    (f) => {
      f.put('x')
      fsyncSync(f.open('', 'r'))
    },
    undefined,
  ],
  [
    'a copy by the kernel',
    (f) => {
      f.put('x', noise(300_000))
      copyFileSync(f.at('x'), f.at('y'))
      return readFileSync(f.at('y')).equals(noise(300_000))
    },
    true,
  ],
  [
    'a program runs from it',
    (f) => {
      f.put('x', '#!/bin/sh\necho "ran $1"\n')
      chmodSync(f.at('x'), 0o755)
      return spawnSync(f.at('x'), ['well'], { encoding: 'utf8' }).stdout
    },
    'ran well\n',
  ],
  [
    'overwritten in place a hundred times',
    (f) => {
      f.put('x', noise(70_000))
      const fd = f.open('x', 'r+')
      for (let i = 0; i < 100; i++) write(fd, `<${String(i).padStart(3)}>`, 32_766)
      return [read(fd, 5, 32_766), f.size('x'), read(fd, 5, 0) === noise(5).toString('latin1')]
    },
    ['< 99>', 70_000, true],
  ],
  [
    'a file that stays open goes on after a second file',
    (f) => {
      const a = f.open('a', 'w+')
      write(a, 'one')
      f.put('b', 'other')
      write(a, ' two')
      return [f.text('a'), f.text('b')]
    },
    ['one two', 'other'],
  ],
]
