// fallocate(2), holes by lseek(2), copy_file_range(2), O_DIRECT, and what sparse files take.

import { spawnSync } from 'node:child_process'
import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
} from 'node:fs'
import { copyRange, fallocate, SEEK_DATA, SEEK_HOLE, seek } from '../calls.js'
import { noise, read, write, type Folder } from '../folder.js'
import type { Row } from '../row.js'

const KEEP_SIZE = 1
const PUNCH_HOLE = 2 | KEEP_SIZE
const COLLAPSE_RANGE = 8
const ZERO_RANGE = 16
const INSERT_RANGE = 32
const KiB = 1024
const MiB = 1 << 20
const GiB = 2 ** 30

const allocated = (fd: number): number => fstatSync(fd).blocks * 512

/** A file of one MiB of noise, open. */
function full(f: Folder): number {
  const fd = f.open('x', 'w+')
  write(fd, noise(MiB))
  return fd
}

/** Is `x` the noise with zeros from `from` to `to`, and is it that for the next who opens it? */
function erased(f: Folder, fd: number, from: number, to: number): boolean {
  const wanted = noise(MiB)
  wanted.fill(0, from, to)
  const open = readFileSync(f.at('x')).equals(wanted)
  f.close(fd)
  return open && readFileSync(f.at('x')).equals(wanted)
}

const run = (f: Folder, script: string): string => {
  const { stdout, stderr } = spawnSync('/bin/sh', ['-euc', script], {
    cwd: f.path,
    encoding: 'utf8',
  })
  return stdout + stderr
}

/** A sparse file of `size` bytes is made, written in the midst, cut, and grown again. */
function sparse(f: Folder, size: number): unknown {
  const started = Date.now()
  const fd = f.open('x', 'w+')
  ftruncateSync(fd, size)
  write(fd, 'middle', size / 2)
  fsyncSync(fd)
  write(fd, 'quarter', size / 4)
  const seen = [
    fstatSync(fd).size,
    read(fd, 8, size / 2 - 1),
    read(fd, 7, size / 4),
    read(fd, 1, size - 1),
  ]
  const small = allocated(fd) < MiB
  f.close(fd)
  const again = f.open('x', 'r+')
  const data = seek(again, SEEK_DATA, 64 * KiB)
  const found = data <= size / 4 && data > size / 4 - 128 * KiB
  fallocate(again, PUNCH_HOLE, 1, size / 3)
  const gone = read(again, 7, size / 4)
  ftruncateSync(again, size / 2 + 3)
  const middle = read(again, 9, size / 2)
  ftruncateSync(again, 5)
  ftruncateSync(again, size)
  f.close(again)
  truncateSync(f.at('x'), 5)
  return [seen, small, found, gone, middle, f.text('x'), Date.now() - started < 2000]
}
const sparseSeen = (size: number): unknown => [
  [size, '\0middle\0', 'quarter', '\0'],
  true,
  true,
  '\0'.repeat(7),
  'mid',
  '\0'.repeat(5),
  true,
]

export const rows: readonly Row[] = [
  [
    'the file grows and is zero',
    (f) => {
      const fd = f.open('x', 'w+')
      write(fd, 'abc')
      fallocate(fd, 0, 0, 100_000)
      return [f.size('x'), read(fd, 4, 0), read(fd, 9, 99_999), allocated(fd) >= 100_000]
    },
    [100_000, 'abc\0', '\0', true],
  ],
  [
    'beyond what is there: old bytes stay',
    (f) => {
      const fd = full(f)
      fallocate(fd, 0, 10, 100)
      fallocate(fd, 0, 2 * MiB, MiB)
      ftruncateSync(fd, MiB)
      return erased(f, fd, 0, 0)
    },
    true,
  ],
  [
    'the size is kept, the room is taken, until it is truncated',
    (f) => {
      const fd = f.open('x', 'w+')
      write(fd, 'abc')
      fallocate(fd, KEEP_SIZE, 0, 8 * MiB)
      const seen = [f.size('x'), allocated(fd) >= 8 * MiB]
      fsyncSync(fd)
      write(fd, 'def')
      fsyncSync(fd)
      const held = allocated(fd) >= 8 * MiB
      ftruncateSync(fd, 3)
      fsyncSync(fd)
      return [...seen, held, allocated(fd) < 100 * KiB, read(fd, 9, 0)]
    },
    [3, true, true, true, 'abc'],
  ],
  [
    'a hole is made, and its room given back',
    (f) => {
      const fd = full(f)
      fsyncSync(fd)
      fallocate(fd, PUNCH_HOLE, 100_001, 500_000)
      fsyncSync(fd)
      return [f.size('x'), allocated(fd) < MiB - 400_000, erased(f, fd, 100_001, 600_001)]
    },
    [MiB, true, true],
  ],
  [
    'a hole in what has just been written',
    (f) => {
      const fd = full(f)
      fallocate(fd, PUNCH_HOLE, 7, 900_000)
      return erased(f, fd, 7, 900_007)
    },
    true,
  ],
  [
    'a hole up to the end and beyond',
    (f) => {
      const fd = full(f)
      fallocate(fd, PUNCH_HOLE, 700_000, 2 * MiB)
      return [f.size('x'), erased(f, fd, 700_000, MiB)]
    },
    [MiB, true],
  ],
  [
    'a hole of everything',
    (f) => {
      const fd = full(f)
      fallocate(fd, PUNCH_HOLE, 0, 2 ** 40)
      return [f.size('x'), erased(f, fd, 0, MiB)]
    },
    [MiB, true],
  ],
  [
    'a hole inside one block',
    (f) => {
      const fd = full(f)
      fallocate(fd, PUNCH_HOLE, 33_000, 10)
      return erased(f, fd, 33_000, 33_010)
    },
    true,
  ],
  [
    'a hole beyond the end changes nothing',
    (f) => {
      const fd = full(f)
      fallocate(fd, PUNCH_HOLE, MiB, MiB)
      return [f.size('x'), erased(f, fd, 0, 0)]
    },
    [MiB, true],
  ],
  [
    'a hole is written to again',
    (f) => {
      const fd = full(f)
      fallocate(fd, PUNCH_HOLE, 0, 500_000)
      fsyncSync(fd)
      write(fd, noise(MiB).subarray(0, 500_000), 0)
      return erased(f, fd, 0, 0)
    },
    true,
  ],
  [
    'a mapping does not keep what was in a hole',
    (f) => {
      const fd = full(f)
      const before = read(fd, 4096, 131_072)
      fallocate(fd, PUNCH_HOLE, 131_072, 4096)
      return [before === read(fd, 4096, 131_072), read(fd, 4096, 131_072) === '\0'.repeat(4096)]
    },
    [false, true],
  ],
  [
    'a range is made zero and keeps its room',
    (f) => {
      const fd = full(f)
      fallocate(fd, ZERO_RANGE | KEEP_SIZE, 100_001, 500_000)
      fsyncSync(fd)
      return [f.size('x'), allocated(fd) >= MiB, erased(f, fd, 100_001, 600_001)]
    },
    [MiB, true, true],
  ],
  [
    'a range is made zero beyond the end',
    (f) => {
      const fd = f.open('x', 'w+')
      write(fd, 'abcdef')
      fallocate(fd, ZERO_RANGE | KEEP_SIZE, 4, 100_000)
      const kept = f.size('x')
      fallocate(fd, ZERO_RANGE, 2, 100_000)
      return [kept, f.size('x'), read(fd, 6, 0)]
    },
    [6, 100_002, 'ab\0\0\0\0'],
  ],
  [
    'bytes are taken out',
    (f) => {
      const fd = full(f)
      fallocate(fd, COLLAPSE_RANGE, 0, 64 * KiB)
      return f.size('x')
    },
    MiB - 64 * KiB,
    { onDrive: 'EOPNOTSUPP' },
  ],
  [
    'bytes are put in',
    (f) => {
      const fd = full(f)
      fallocate(fd, INSERT_RANGE, 0, 64 * KiB)
      return f.size('x')
    },
    MiB + 64 * KiB,
    { onDrive: 'EOPNOTSUPP' },
  ],
  [
    'of no bytes',
    (f) => {
      fallocate(full(f), 0, 0, 0)
    },
    'EINVAL',
  ],
  [
    'before the file',
    (f) => {
      fallocate(full(f), 0, -1, 1)
    },
    'EINVAL',
  ],
  [
    'a hole that would grow the file',
    (f) => {
      fallocate(full(f), 2, 0, 1)
    },
    'EOPNOTSUPP',
  ],
  [
    'beyond all bounds',
    (f) => {
      fallocate(full(f), 0, 2 ** 62, 2 ** 61)
    },
    'EFBIG',
  ],
  [
    'beyond what ext4 holds',
    (f) => {
      fallocate(full(f), 0, 2 ** 45, 1)
    },
    'EFBIG',
  ],
  [
    'by a handle that reads',
    (f) => {
      f.put('x', 'a')
      fallocate(f.open('x', 'r'), 0, 0, 1)
    },
    'EBADF',
  ],
  [
    'a directory',
    (f) => {
      fallocate(f.open('', 'r'), 0, 0, 1)
    },
    'EBADF',
  ],
  [
    'a device',
    (f) => {
      fallocate(f.keep(openSync('/dev/null', 'r+')), 0, 0, 1)
    },
    'ENODEV',
  ],
  [
    'mtime moves',
    (f) => {
      const fd = full(f)
      fsyncSync(fd)
      const { mtime } = f.times(fd)
      spawnSync('sleep', ['0.02'])
      fallocate(fd, PUNCH_HOLE, 0, 100_000)
      return f.times(fd).mtime > mtime
    },
    true,
  ],
  [
    'data and holes are found',
    (f) => {
      const fd = f.open('x', 'w+')
      write(fd, noise(128 * KiB), 0)
      write(fd, noise(128 * KiB), MiB)
      ftruncateSync(fd, 2 * MiB + 1000)
      const look = (): number[] => [
        seek(fd, SEEK_DATA, 0),
        seek(fd, SEEK_DATA, 77),
        seek(fd, SEEK_HOLE, 0),
        seek(fd, SEEK_DATA, 128 * KiB),
        seek(fd, SEEK_HOLE, 256 * KiB),
        seek(fd, SEEK_HOLE, MiB),
      ]
      const now = look()
      fsyncSync(fd)
      return [now, look()]
    },
    Array.from({ length: 2 }, () => [0, 77, 128 * KiB, MiB, 256 * KiB, MiB + 128 * KiB]),
    {
      // the chunk in which the file ended before it grew is no hole
      onDrive: Array.from({ length: 2 }, () => [
        0,
        77,
        160 * KiB,
        128 * KiB,
        256 * KiB,
        MiB + 160 * KiB,
      ]),
    },
  ],
  [
    'a hole that was made is found',
    (f) => {
      const fd = full(f)
      fallocate(fd, PUNCH_HOLE, 256 * KiB, 256 * KiB)
      return [seek(fd, SEEK_HOLE, 0), seek(fd, SEEK_DATA, 300_000), seek(fd, SEEK_HOLE, 600_000)]
    },
    [256 * KiB, 512 * KiB, MiB],
  ],
  [
    'a hole that was made in a large file is found',
    (f) => {
      const fd = f.open('x', 'w+')
      for (let i = 0; i < 8; i++) write(fd, noise(MiB))
      fallocate(fd, PUNCH_HOLE, 2 * MiB, 64 * KiB)
      fallocate(fd, PUNCH_HOLE, 4 * MiB, MiB)
      f.close(fd)
      const again = f.open('x', 'r')
      return [
        seek(again, SEEK_HOLE, 0),
        seek(again, SEEK_DATA, 2 * MiB + 1),
        seek(again, SEEK_HOLE, 3 * MiB),
        seek(again, SEEK_DATA, 4 * MiB),
      ]
    },
    [2 * MiB, 2 * MiB + 64 * KiB, 4 * MiB, 5 * MiB],
  ],
  [
    'the end of a file is a hole',
    (f) => (f.put('x', 'abc'), seek(f.open('x', 'r'), SEEK_HOLE, 1)),
    3,
  ],
  ['data at the end', (f) => (f.put('x', 'abc'), seek(f.open('x', 'r'), SEEK_DATA, 3)), 'ENXIO'],
  ['a hole at the end', (f) => (f.put('x', 'abc'), seek(f.open('x', 'r'), SEEK_HOLE, 3)), 'ENXIO'],
  ['data in an empty file', (f) => (f.put('x'), seek(f.open('x', 'r'), SEEK_DATA, 0)), 'ENXIO'],
  ['100 GiB of nothing', (f) => sparse(f, 100 * GiB), sparseSeen(100 * GiB)],
  ['8 TiB of nothing', (f) => sparse(f, 8192 * GiB), sparseSeen(8192 * GiB)],
  [
    'larger than ext4 holds: nothing changes',
    (f) => {
      const fd = f.open('x', 'w+')
      write(fd, 'abc')
      const errors = [
        () => {
          ftruncateSync(fd, 2 ** 45)
        },
        () => {
          write(fd, 'x', 2 ** 45)
        },
        () => {
          write(fd, noise(100_000), 2 ** 45)
        },
      ].map((act) => {
        try {
          act()
          return 'done'
        } catch (error) {
          return (error as NodeJS.ErrnoException).code
        }
      })
      f.close(fd)
      return [...errors, f.text('x')]
    },
    ['EFBIG', 'EFBIG', 'EFBIG', 'abc'],
  ],
  [
    'a range is copied within a file and to another',
    (f) => {
      const fd = full(f)
      const other = f.open('y', 'w+')
      const copied = [
        copyRange(fd, 1000, other, 70_000, 300_000),
        copyRange(fd, 0, fd, 500_001, 99_999),
      ]
      const wanted = noise(MiB)
      wanted.copy(wanted, 500_001, 0, 99_999)
      const there = readFileSync(f.at('y'))
      return [
        copied,
        there.subarray(70_000).equals(noise(MiB).subarray(1000, 301_000)),
        there.subarray(0, 70_000).every((byte) => byte === 0),
        readFileSync(f.at('x')).equals(wanted),
      ]
    },
    [[300_000, 99_999], true, true, true],
  ],
  ['a range is copied from the end', (f) => copyRange(full(f), MiB, f.open('y', 'w'), 0, 9), 0],
  [
    'a range is copied onto itself',
    (f) => {
      const fd = full(f)
      return copyRange(fd, 0, fd, 10, 20)
    },
    'EINVAL',
  ],
  [
    'a range is copied by a handle that writes',
    (f) => copyRange(f.open('x', 'w'), 0, f.open('y', 'w'), 0, 9),
    'EBADF',
  ],
  [
    'cp keeps holes and bytes',
    (f) => {
      const size = 100 * MiB
      f.put('x', noise(MiB))
      truncateSync(f.at('x'), size)
      const fd = openSync(f.at('x'), 'r+')
      write(fd, noise(200_000), size / 2)
      closeSync(fd)
      const said = run(
        f,
        'cp --reflink=auto x y && cp --sparse=always x z && cmp -n 2097152 x y && cmp -n 2097152 x z',
      )
      const same = ['y', 'z'].map((name) => {
        const copy = f.open(name, 'r')
        const { size: whole, blocks } = statSync(f.at(name))
        return [
          whole,
          blocks * 512 < 2 * MiB,
          read(copy, 200_000, size / 2) === noise(200_000).toString('latin1'),
        ]
      })
      return [said, ...same]
    },
    ['', [100 * MiB, true, true], [100 * MiB, true, true]],
  ],
  [
    'du counts no holes',
    (f) => {
      f.put('x', 'abc')
      truncateSync(f.at('x'), GiB)
      return [Number(run(f, 'du -k x').split('\t')[0]) < 200, run(f, 'du -b x')]
    },
    [true, `${String(GiB)}\tx\n`],
  ],
  [
    'past the page cache',
    (f) => {
      f.put('x', noise(MiB + 4096))
      const said = run(f, 'dd if=x of=y bs=64k iflag=direct oflag=direct status=none && cmp x y')
      return [said, readFileSync(f.at('y')).equals(noise(MiB + 4096))]
    },
    ['', true],
  ],
]
