// truncate(2), ftruncate(2), statfs(2).

import {
  ftruncateSync,
  mkdirSync,
  readFileSync,
  statfsSync,
  statSync,
  symlinkSync,
  truncateSync,
} from 'node:fs'
import { spawnSync } from 'node:child_process'
import { truncateFd } from '../../../lib/native/files.js'
import { noise, read, write } from '../folder.js'
import type { Row } from '../row.js'

const MAX_64 = 2 ** 62

export const rows: readonly Row[] = [
  ['up, from nothing', (f) => (f.put('x'), truncateSync(f.at('x'), 5), f.text('x')), '\0\0\0\0\0'],
  ['up by one', (f) => (f.put('x', 'ab'), truncateSync(f.at('x'), 3), f.text('x')), 'ab\0'],
  ['down', (f) => (f.put('x', 'abcdef'), truncateSync(f.at('x'), 2), f.text('x')), 'ab'],
  ['to the same', (f) => (f.put('x', 'abc'), truncateSync(f.at('x'), 3), f.text('x')), 'abc'],
  ['to nothing', (f) => (f.put('x', noise(100_000)), truncateSync(f.at('x')), f.text('x')), ''],
  [
    'down and up: no old bytes',
    (f) => (
      f.put('x', 'abcdef'),
      truncateSync(f.at('x'), 2),
      truncateSync(f.at('x'), 6),
      f.text('x')
    ),
    'ab\0\0\0\0',
  ],
  [
    'down and up over many chunks: no old bytes',
    (f) => {
      f.put('x', noise(200_000))
      truncateSync(f.at('x'), 50_001)
      truncateSync(f.at('x'), 200_000)
      const all = readFileSync(f.at('x'))
      return [
        all.subarray(0, 50_001).equals(noise(200_000).subarray(0, 50_001)),
        all.subarray(50_001).every((byte) => byte === 0),
      ]
    },
    [true, true],
  ],
  [
    'to and from every border',
    (f) => {
      const data = noise(140_000)
      const wrong: number[] = []
      for (const size of [98_305, 98_304, 98_303, 65_537, 65_536, 32_769, 32_768, 32_767, 1, 0]) {
        f.put('x', data)
        truncateSync(f.at('x'), size)
        truncateSync(f.at('x'), 140_000)
        const all = readFileSync(f.at('x'))
        if (
          !all.subarray(0, size).equals(data.subarray(0, size)) ||
          all.subarray(size).some((byte) => byte !== 0)
        )
          wrong.push(size)
      }
      return wrong
    },
    [],
  ],
  [
    'by handle',
    (f) => {
      const fd = f.open('x', 'w+')
      write(fd, 'abcdef')
      ftruncateSync(fd, 3)
      write(fd, 'Z', 4)
      return read(fd, 9, 0)
    },
    'abc\0Z',
  ],
  [
    'a handle sees a cut by path',
    (f) => {
      f.put('x', 'abcdef')
      const fd = f.open('x', 'r+')
      read(fd, 6, 0)
      truncateSync(f.at('x'), 2)
      return [read(fd, 9, 0), read(fd, 9, 2)]
    },
    ['ab', ''],
  ],
  [
    'a handle at the old end leaves a hole',
    (f) => {
      const fd = f.open('x', 'w+')
      write(fd, 'abcdef')
      truncateSync(f.at('x'), 1)
      write(fd, 'Z')
      return f.text('x')
    },
    'a\0\0\0\0\0Z',
  ],
  [
    'the size is told while the file is open',
    (f) => {
      const fd = f.open('x', 'w')
      write(fd, noise(40_000))
      const grown = f.size('x')
      ftruncateSync(fd, 7)
      return [grown, f.size('x')]
    },
    [40_000, 7],
  ],
  [
    'up to 5 GiB and back',
    (f) => {
      f.put('x', 'abc')
      truncateSync(f.at('x'), 5 * 2 ** 30)
      const { size, blocks } = statSync(f.at('x'))
      truncateSync(f.at('x'), 3)
      return [size, blocks < 4096, f.text('x')]
    },
    [5 * 2 ** 30, true, 'abc'],
  ],
  [
    'by a handle that reads',
    (f) => {
      f.put('x')
      ftruncateSync(f.open('x', 'r'), 1)
    },
    'EINVAL',
  ],
  [
    'below nothing',
    (f) => {
      truncateFd(f.open('x', 'w'), -1)
    },
    'EINVAL',
  ],
  [
    'beyond all bounds',
    (f) => {
      truncateFd(f.open('x', 'w'), MAX_64)
    },
    'EFBIG',
  ],
  [
    'a directory',
    (f) => {
      f.dir('d')
      truncateSync(f.at('d'), 0)
    },
    'EISDIR',
  ],
  [
    'a missing file',
    (f) => {
      truncateSync(f.at('x'), 0)
    },
    'ENOENT',
  ],
  [
    'below a file',
    (f) => {
      f.put('a')
      truncateSync(f.at('a/x'), 0)
    },
    'ENOTDIR',
  ],
  [
    'through a link',
    (f) => {
      f.put('x', 'abc')
      symlinkSync('x', f.at('l'))
      truncateSync(f.at('l'), 1)
      return f.text('x')
    },
    'a',
  ],
  [
    'of blocks: about as much as was written',
    (f) => {
      f.put('x', noise(1_000_000))
      const { blocks } = statSync(f.at('x'))
      return blocks * 512 > 900_000 && blocks * 512 < 1_300_000
    },
    true,
  ],
  [
    'of the whole: real numbers',
    (f) => {
      const { bsize, blocks, bfree, bavail, files } = statfsSync(f.path)
      return bsize >= 512 && blocks > bfree && bfree >= bavail && bavail > 0 && files > 0
    },
    true,
  ],
  [
    'df shows them',
    (f) => {
      mkdirSync(f.at('d'))
      const { stdout } = spawnSync('df', ['-P', '-k', f.at('d')], { encoding: 'utf8' })
      const [, size, used, free] =
        stdout
          .trim()
          .split('\n')
          .at(-1)
          ?.match(/\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%/) ?? []
      return Number(size) > Number(free) && Number(used) > 0 && Number(free) > 0
    },
    true,
  ],
]
