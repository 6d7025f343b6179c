// Which times every operation moves: of what it works on, of the other names of that, and of the
// directories. atime by the rule of relatime: a read moves it where it is not younger than mtime.

import {
  chmodSync,
  chownSync,
  copyFileSync,
  fdatasyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
} from 'node:fs'
import { spawnSync } from 'node:child_process'
import { renameAt, RENAME_EXCHANGE, utimesAt } from '../../../lib/native/files.js'
import { AT_FDCWD, copyRange, fallocate, map, removeXattr, setXattr } from '../calls.js'
import { later, noise, read, write, type Folder } from '../folder.js'
import { errorOf, type Row } from '../row.js'
import { sys } from '../system-calls.js'

const O_TMPFILE = 0o20200002
const AT_SYMLINK_FOLLOW = 0x400
const O_NOATIME = 0o1000000
const KEEP_SIZE = 1
const PUNCH_HOLE = 2 | KEEP_SIZE
const ZERO_RANGE = 16

const TIMES = ['atime', 'mtime', 'ctime'] as const

type Act = (f: Folder) => unknown

/** Which times of `name` the second act moves, after the first has made things ready. */
const moves = (what: string, ready: Act, name: string, act: Act, ...times: string[]): Row => [
  what,
  (f) => {
    ready(f)
    const before = f.times(name)
    later()
    act(f)
    const after = f.times(name)
    return TIMES.filter((time) => after[time] > before[time])
  },
  times,
]

const onDrive = (times: string[], [what, act, expected]: Row): Row => [
  what,
  act,
  expected,
  { onDrive: times },
]

const x: Act = (f) => f.put('x', 'content')
/** `x` and another name for it */
const two: Act = (f) => {
  x(f)
  linkSync(f.at('x'), f.at('y'))
}
const xy: Act = (f) => (x(f), f.put('y', 'other'))
const d: Act = (f) => f.dir('d')
const link: Act = (f) => {
  symlinkSync('x', f.at('l'))
}
/** `x`, read once: its atime is younger than its mtime from then on. */
const wasRead: Act = (f) => (x(f), later(), f.text('x'))
const mapped =
  (act: (m: ReturnType<typeof map>) => unknown): Act =>
  (f) => {
    const m = map(f.open('x', 'r+'), 7, 'shared')
    try {
      act(m)
    } finally {
      m.unmap()
    }
  }

const DATA = ['mtime', 'ctime']

export const rows: readonly Row[] = [
  moves('a read', x, 'x', (f) => f.text('x'), 'atime'),
  moves('a second read', wasRead, 'x', (f) => f.text('x')),
  moves(
    'a read after a write',
    (f) => (wasRead(f), later(), f.put('x', 'new')),
    'x',
    (f) => f.text('x'),
    'atime',
  ),
  moves(
    'a read after a chmod',
    (f) => {
      wasRead(f)
      later()
      chmodSync(f.at('x'), 0o600)
    },
    'x',
    (f) => f.text('x'),
    'atime',
  ),
  moves(
    'a read after a day',
    (f) => {
      x(f)
      utimesAt(AT_FDCWD, f.at('x'), { sec: 2, nsec: 0 }, { sec: 1, nsec: 0 })
    },
    'x',
    (f) => f.text('x'),
    'atime',
  ),
  moves('a read of one byte', x, 'x', (f) => read(f.open('x', 'r'), 1), 'atime'),
  // the kernel answers by itself that there is nothing to read
  onDrive(
    [],
    moves(
      'a read of an empty file',
      (f) => f.put('x'),
      'x',
      (f) => f.text('x'),
      'atime',
    ),
  ),
  moves('a read with O_NOATIME', x, 'x', (f) => read(f.open('x', O_NOATIME), 9)),
  moves(
    'a read by mapping',
    x,
    'x',
    mapped((m) => m.read(0, 7)),
    'atime',
  ),
  moves(
    'a read by sendfile',
    xy,
    'x',
    (f) => sys.sendfile(f.open('y', 'r+'), f.open('x', 'r'), 0, 9),
    'atime',
  ),
  moves('open and close to read', x, 'x', (f) => {
    f.close(f.open('x', 'r'))
  }),
  moves('a read of another name', two, 'y', (f) => f.text('x'), 'atime'),
  moves('stat', x, 'x', (f) => f.size('x')),
  moves(
    'a run',
    (f) => {
      copyFileSync('/bin/true', f.at('x'))
      chmodSync(f.at('x'), 0o755)
    },
    'x',
    (f) => spawnSync(f.at('x')),
    'atime',
  ),
  moves('a listing', d, 'd', (f) => readdirSync(f.at('d')), 'atime'),
  moves('readlink', link, 'l', (f) => readlinkSync(f.at('l')), 'atime'),
  moves(
    'following a link',
    (f) => (x(f), link(f)),
    'l',
    (f) => f.size('l'),
    'atime',
  ),
  moves(
    'a write by mapping',
    x,
    'x',
    mapped((m) => {
      m.write(0, 'new')
      m.sync()
    }),
    ...TIMES,
  ),
  moves(
    'a write by mapping, unmapped',
    x,
    'x',
    (f) => {
      mapped((m) => {
        m.write(0, 'new')
      })(f)
      f.closeAll()
    },
    ...TIMES,
  ),
  moves('a write of what is there', x, 'x', (f) => write(f.open('x', 'r+'), 'content'), ...DATA),
  moves(
    'a write and fdatasync',
    x,
    'x',
    (f) => {
      const fd = f.open('x', 'r+')
      write(fd, 'a')
      fdatasyncSync(fd)
    },
    ...DATA,
  ),
  moves('a write seen by another name', two, 'y', (f) => write(f.open('x', 'r+'), 'a'), ...DATA),
  moves(
    'a copied range: to',
    xy,
    'y',
    (f) => copyRange(f.open('x', 'r'), 0, f.open('y', 'r+'), 0, 5),
    ...DATA,
  ),
  moves(
    'a copied range: from',
    xy,
    'x',
    (f) => copyRange(f.open('x', 'r'), 0, f.open('y', 'r+'), 0, 5),
    'atime',
  ),
  moves(
    'a range sent: to',
    xy,
    'y',
    (f) => sys.sendfile(f.open('y', 'r+'), f.open('x', 'r'), 0, 9),
    ...DATA,
  ),
  moves(
    'fallocate that grows',
    x,
    'x',
    (f) => {
      fallocate(f.open('x', 'r+'), 0, 0, 9000)
    },
    ...DATA,
  ),
  moves(
    'fallocate inside',
    (f) => f.put('x', noise(9000)),
    'x',
    (f) => {
      fallocate(f.open('x', 'r+'), 0, 0, 4096)
    },
    ...DATA,
  ),
  moves(
    'fallocate beyond, keeping the size',
    x,
    'x',
    (f) => {
      fallocate(f.open('x', 'r+'), KEEP_SIZE, 0, 90000)
    },
    ...DATA,
  ),
  moves(
    'a hole',
    x,
    'x',
    (f) => {
      fallocate(f.open('x', 'r+'), PUNCH_HOLE, 0, 3)
    },
    ...DATA,
  ),
  moves(
    'a hole beyond the end',
    x,
    'x',
    (f) => {
      fallocate(f.open('x', 'r+'), PUNCH_HOLE, 90000, 3)
    },
    ...DATA,
  ),
  moves(
    'a range made zero',
    x,
    'x',
    (f) => {
      fallocate(f.open('x', 'r+'), ZERO_RANGE, 0, 3)
    },
    ...DATA,
  ),
  moves(
    'truncate to the same size',
    x,
    'x',
    (f) => {
      truncateSync(f.at('x'), 7)
    },
    ...DATA,
  ),
  moves(
    'truncate of an empty file',
    (f) => f.put('x'),
    'x',
    (f) => {
      truncateSync(f.at('x'), 0)
    },
    ...DATA,
  ),
  moves('truncate that fails', x, 'x', (f) =>
    errorOf(() => {
      ftruncateSync(f.open('x', 'r+'), 2 ** 60)
    }),
  ),
  moves('O_CREAT of what is there', x, 'x', (f) => f.open('x', 0o101)),
  moves('O_EXCL of what is there', x, 'x', (f) => errorOf(() => f.open('x', 'wx'))),
  moves(
    'chmod to the same mode',
    x,
    'x',
    (f) => {
      chmodSync(f.at('x'), 0o644)
    },
    'ctime',
  ),
  moves(
    'chown to the same owner',
    x,
    'x',
    (f) => {
      chownSync(f.at('x'), process.getuid?.() ?? 0, process.getgid?.() ?? 0)
    },
    'ctime',
  ),
  moves(
    'setting atime alone',
    x,
    'x',
    (f) => {
      utimesAt(AT_FDCWD, f.at('x'), { sec: 1, nsec: 1 }, 'omit')
    },
    'ctime',
  ),
  moves(
    'setting mtime alone',
    x,
    'x',
    (f) => {
      utimesAt(AT_FDCWD, f.at('x'), 'omit', { sec: 1, nsec: 1 })
    },
    'ctime',
  ),
  moves(
    'setting atime alone of what is being written',
    (f) => write(f.open('x', 'w'), 'a'),
    'x',
    (f) => {
      utimesAt(AT_FDCWD, f.at('x'), { sec: 1, nsec: 1 }, 'omit')
    },
    'ctime',
  ),
  moves(
    'an attribute',
    x,
    'x',
    (f) => {
      setXattr(f.at('x'), 'user.a', 'v')
    },
    'ctime',
  ),
  moves(
    'an attribute by another name',
    two,
    'y',
    (f) => {
      setXattr(f.at('x'), 'user.a', 'v')
    },
    'ctime',
  ),
  moves('an attribute that is not there', x, 'x', (f) =>
    errorOf(() => {
      removeXattr(f.at('x'), 'user.a')
    }),
  ),
  moves(
    'a link',
    x,
    'x',
    (f) => {
      linkSync(f.at('x'), f.at('y'))
    },
    'ctime',
  ),
  moves(
    'a link: its directory',
    x,
    '',
    (f) => {
      linkSync(f.at('x'), f.at('y'))
    },
    ...DATA,
  ),
  moves(
    'unlink of the other name',
    two,
    'x',
    (f) => {
      unlinkSync(f.at('y'))
    },
    'ctime',
  ),
  moves(
    'unlink of the first name',
    two,
    'y',
    (f) => {
      unlinkSync(f.at('x'))
    },
    'ctime',
  ),
  moves('unlink of nothing: its directory', x, '', (f) =>
    errorOf(() => {
      unlinkSync(f.at('none'))
    }),
  ),
  moves(
    'rename of the other name',
    two,
    'x',
    (f) => {
      renameSync(f.at('y'), f.at('z'))
    },
    'ctime',
  ),
  moves(
    'rename over the other name of it',
    (f) => (two(f), f.put('z')),
    'x',
    (f) => {
      renameSync(f.at('z'), f.at('y'))
    },
    'ctime',
  ),
  moves('rename over the other name of it: nothing', two, 'x', (f) => {
    renameSync(f.at('y'), f.at('x'))
  }),
  moves(
    'rename of a directory',
    d,
    'd',
    (f) => {
      renameSync(f.at('d'), f.at('e'))
      renameSync(f.at('e'), f.at('d'))
    },
    'ctime',
  ),
  moves(
    'rename of a directory to another: where it goes',
    (f) => f.dir('d', 'e'),
    'd',
    (f) => {
      renameSync(f.at('e'), f.at('d/e'))
    },
    ...DATA,
  ),
  moves(
    'rename of a directory to another: where it was',
    (f) => f.dir('d', 'e'),
    '',
    (f) => {
      renameSync(f.at('e'), f.at('d/e'))
    },
    ...DATA,
  ),
  moves(
    'rename over a file: the directory',
    xy,
    '',
    (f) => {
      renameSync(f.at('x'), f.at('y'))
    },
    ...DATA,
  ),
  moves('rename of nothing: the directory', x, '', (f) =>
    errorOf(() => {
      renameSync(f.at('none'), f.at('y'))
    }),
  ),
  moves(
    'an exchange',
    xy,
    'x',
    (f) => {
      renameAt(AT_FDCWD, f.at('x'), AT_FDCWD, f.at('y'), RENAME_EXCHANGE)
      renameAt(AT_FDCWD, f.at('x'), AT_FDCWD, f.at('y'), RENAME_EXCHANGE)
    },
    'ctime',
  ),
  moves(
    'an exchange: the directory',
    xy,
    '',
    (f) => {
      renameAt(AT_FDCWD, f.at('x'), AT_FDCWD, f.at('y'), RENAME_EXCHANGE)
    },
    ...DATA,
  ),
  moves('mkdir of what is there: the directory', d, '', (f) => errorOf(() => f.dir('d'))),
  moves('mkdir below: the directory above', d, '', (f) => {
    mkdirSync(f.at('d/e'))
  }),
  moves(
    'rmdir of a full directory',
    (f) => f.dir('d', 'd/e'),
    'd',
    (f) =>
      errorOf(() => {
        rmdirSync(f.at('d'))
      }),
  ),
  moves(
    'rmdir below',
    (f) => f.dir('d', 'd/e'),
    'd',
    (f) => {
      rmdirSync(f.at('d/e'))
    },
    ...DATA,
  ),
  moves('a fifo: its directory', d, 'd', (f) => sys.mknod(f.at('d/p'), 0o10644, 0), ...DATA),
  moves(
    'unlink of a fifo: its directory',
    (f) => (d(f), sys.mknod(f.at('d/p'), 0o10644, 0)),
    'd',
    (f) => {
      unlinkSync(f.at('d/p'))
    },
    ...DATA,
  ),
  moves(
    'unlink of a link: its directory',
    link,
    '',
    (f) => {
      unlinkSync(f.at('l'))
    },
    ...DATA,
  ),
  moves(
    'rename of a link',
    link,
    'l',
    (f) => {
      renameSync(f.at('l'), f.at('m'))
      renameSync(f.at('m'), f.at('l'))
    },
    'ctime',
  ),
  moves(
    'a link to a link',
    link,
    'l',
    (f) => {
      linkSync(f.at('l'), f.at('m'))
    },
    'ctime',
  ),
  moves('a file without a name', d, 'd', (f) => f.keep(sys.open(f.at('d'), O_TMPFILE, 0o644))),
  moves(
    'a file without a name gets one',
    d,
    'd',
    (f) => {
      const fd = f.keep(sys.open(f.at('d'), O_TMPFILE, 0o644))
      sys.linkat(AT_FDCWD, `/proc/self/fd/${String(fd)}`, AT_FDCWD, f.at('d/x'), AT_SYMLINK_FOLLOW)
    },
    ...DATA,
  ),
  moves('reading a file: its directory', x, '', (f) => f.text('x')),
  moves('an attribute: its directory', x, '', (f) => {
    setXattr(f.at('x'), 'user.a', 'v')
  }),
  moves('a cut: its directory', x, '', (f) => {
    truncateSync(f.at('x'), 1)
  }),
  [
    'a new file: its times are near to each other, and to the clock',
    (f) => {
      const from = BigInt(Date.now() - 20) * 1_000_000n
      x(f)
      const to = BigInt(Date.now() + 20) * 1_000_000n
      const times = f.times('x')
      return TIMES.filter((time) => times[time] < from || times[time] > to)
    },
    [],
  ],
  [
    'unlink of an open file moves its ctime',
    (f) => {
      x(f)
      const fd = f.open('x', 'r+')
      const before = f.times(fd)
      later()
      unlinkSync(f.at('x'))
      const after = f.times(fd)
      return TIMES.filter((time) => after[time] > before[time])
    },
    ['ctime'],
  ],
]
