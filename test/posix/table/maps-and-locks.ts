// mmap(2), mprotect(2), msync(2), flock(2), fcntl(2).

import { spawnSync } from 'node:child_process'
import { constants } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { noise, read, write, type Folder } from '../folder.js'
import type { Row } from '../row.js'
import * as system from '../system-calls.js'
import { sys } from '../system-calls.js'
import { table } from './line.js'

const { O_APPEND, O_RDONLY, O_WRONLY } = constants
const { F_GETLK, F_OFD_GETLK, F_OFD_SETLK, F_RDLCK, F_SETLK, F_UNLCK, F_WRLCK, lockRange } = system
const ASKER = fileURLToPath(new URL('../lock-asker.js', import.meta.url))
const READ = 1
const WRITE = 2
const SHARED = 1
const PRIVATE = 2
const SHARED_VALIDATE = 3
const SYNC_MAP = 0x80000
const MS_ASYNC = 1
const MS_INVALIDATE = 2
const MS_SYNC = 4
const SH = 1
const EX = 2
const NB = 4
const UN = 8
const F_GETFL = 3
const F_SETFL = 4
const F_DUPFD = 0
const F_ADD_SEALS = 1033
const PAGE = 4096
const NOT_OPEN = 9999

const x = (f: Folder, flags: number | string = 'r+'): number => (
  f.put('x', noise(3 * PAGE)),
  f.open('x', flags)
)
const again = (f: Folder, flags: number | string = 'r+'): number => f.open('x', flags)

/** What comes of a mapping of `x` while it lasts. */
function mapped<T>(
  f: Folder,
  protection: number,
  flags: number,
  act: (at: number, fd: number) => T,
  fd = x(f),
): T {
  const at = sys.mmap(0, 3 * PAGE, protection, flags, fd, 0)
  try {
    return act(at, fd)
  } finally {
    sys.munmap(at, 3 * PAGE)
  }
}
/** The system writes into a mapping, or reads from it, as a program would. */
const poke = (f: Folder, at: number, text: string): number => {
  f.put('poke', text)
  return sys.pread(f.open('poke', 'r'), at, text.length, 0)
}
const peek = (f: Folder, at: number, length: number): string => {
  const fd = f.open('peek', 'w+')
  sys.write(fd, at, length)
  return read(fd, length, 0)
}
const map = (protection: number, flags: number, fd: number, offset = 0, length = PAGE) =>
  mappedOnce(sys.mmap(0, length, protection, flags, fd, offset), length)
const mappedOnce = (at: number, length: number): boolean => sys.munmap(at, length) === 0

/** Another process tries `type` on the file, and says what it met: 'done', or an error and a lock. */
const asked = (f: Folder, type: 'read' | 'write'): string =>
  spawnSync(process.execPath, [ASKER, f.at('x'), type], { encoding: 'utf8' }).stdout
const codeOf = (said: string): string => said.split(' ')[0] ?? ''

export const rows: readonly Row[] = table([
  [
    'mmap',
    'PROT_READ,MAP_PRIVATE',
    'a file',
    'ok',
    (f) => mapped(f, READ, PRIVATE, (at) => peek(f, at, 9) === noise(9).toString('latin1')),
  ],
  [
    'mmap',
    'PROT_READ,MAP_SHARED',
    'what another handle writes is seen',
    'ok',
    (f) =>
      mapped(
        f,
        READ,
        SHARED,
        (at) => (write(again(f), 'seen', 5000), peek(f, at + 5000, 4) === 'seen'),
      ),
  ],
  [
    'mmap',
    'PROT_READ|PROT_WRITE,MAP_SHARED',
    'what is written is read at once',
    'ok',
    (f) =>
      mapped(
        f,
        READ | WRITE,
        SHARED,
        (at, fd) => (poke(f, at + 5000, 'mapped'), read(fd, 6, 5000) === 'mapped'),
      ),
  ],
  [
    'mmap',
    'PROT_READ|PROT_WRITE,MAP_PRIVATE',
    'what is written stays private',
    'ok',
    (f) =>
      mapped(
        f,
        READ | WRITE,
        PRIVATE,
        (at, fd) => (poke(f, at, 'private'), read(fd, 7, 0) !== 'private'),
      ),
  ],
  [
    'mmap',
    'PROT_READ|PROT_WRITE,MAP_PRIVATE,O_RDONLY',
    'a handle that reads',
    'ok',
    (f) => map(READ | WRITE, PRIVATE, x(f, O_RDONLY)),
  ],
  [
    'mmap',
    'PROT_READ|PROT_WRITE,MAP_SHARED',
    'a handle that reads',
    'EACCES',
    (f) => map(READ | WRITE, SHARED, x(f, O_RDONLY)),
  ],
  [
    'mmap',
    'PROT_READ,MAP_SHARED',
    'a handle that writes',
    'EACCES',
    (f) => map(READ, SHARED, x(f, O_WRONLY)),
  ],
  [
    'mmap',
    'PROT_WRITE,MAP_SHARED',
    'a handle that appends',
    'ok',
    (f) => map(WRITE, SHARED, x(f, 'a+')),
  ],
  ['mmap', 'PROT_READ,MAP_SHARED', 'of no bytes', 'EINVAL', (f) => map(READ, SHARED, x(f), 0, 0)],
  ['mmap', 'PROT_READ,MAP_SHARED', 'no descriptor', 'EBADF', () => map(READ, SHARED, NOT_OPEN)],
  [
    'mmap',
    'PROT_READ,MAP_SHARED',
    'a directory',
    'ENODEV',
    (f) => map(READ, SHARED, f.open('', 'r')),
  ],
  ['mmap', 'offset', 'in the midst of a page', 'EINVAL', (f) => map(READ, SHARED, x(f), 100)],
  ['mmap', 'offset', 'of a page', 'ok', (f) => map(READ, SHARED, x(f), PAGE)],
  ['mmap', '0', 'neither shared nor private', 'EINVAL', (f) => map(READ, 0, x(f))],
  ['mmap', 'MAP_SHARED_VALIDATE', 'a file', 'ok', (f) => map(READ, SHARED_VALIDATE, x(f))],
  [
    'mmap',
    'MAP_SHARED_VALIDATE|MAP_SYNC',
    'a file that is no memory',
    'EOPNOTSUPP',
    (f) => map(READ, SHARED_VALIDATE | SYNC_MAP, x(f)),
  ],
  [
    'munmap',
    '',
    'in the midst of a page',
    'EINVAL',
    (f) => mapped(f, READ, SHARED, (at) => sys.munmap(at + 1, PAGE)),
  ],
  [
    'mprotect',
    'PROT_READ|PROT_WRITE',
    'a shared mapping of a handle that reads',
    'EACCES',
    (f) => mapped(f, READ, SHARED, (at) => sys.mprotect(at, PAGE, READ | WRITE), x(f, O_RDONLY)),
  ],
  [
    'mprotect',
    'PROT_READ|PROT_WRITE',
    'a private one',
    'ok',
    (f) =>
      mapped(f, READ, PRIVATE, (at) => sys.mprotect(at, PAGE, READ | WRITE) === 0, x(f, O_RDONLY)),
  ],
  [
    'mprotect',
    'PROT_READ',
    'in the midst of a page',
    'EINVAL',
    (f) => mapped(f, READ, PRIVATE, (at) => sys.mprotect(at + 1, PAGE, READ)),
  ],
  [
    'msync',
    'MS_SYNC',
    'what was written',
    'ok',
    (f) =>
      mapped(
        f,
        READ | WRITE,
        SHARED,
        (at) => (poke(f, at, 'synced'), sys.msync(at, PAGE, MS_SYNC) === 0),
      ),
  ],
  [
    'msync',
    'MS_ASYNC',
    'what was written',
    'ok',
    (f) => mapped(f, READ | WRITE, SHARED, (at) => sys.msync(at, PAGE, MS_ASYNC) === 0),
  ],
  [
    'msync',
    'MS_SYNC|MS_INVALIDATE',
    'what was written',
    'ok',
    (f) =>
      mapped(f, READ | WRITE, SHARED, (at) => sys.msync(at, PAGE, MS_SYNC | MS_INVALIDATE) === 0),
  ],
  [
    'msync',
    'MS_SYNC|MS_ASYNC',
    'both',
    'EINVAL',
    (f) => mapped(f, READ, SHARED, (at) => sys.msync(at, PAGE, MS_SYNC | MS_ASYNC)),
  ],
  [
    'msync',
    'MS_SYNC',
    'in the midst of a page',
    'EINVAL',
    (f) => mapped(f, READ, SHARED, (at) => sys.msync(at + 1, PAGE, MS_SYNC)),
  ],
  [
    'msync',
    'MS_SYNC',
    'what is not mapped',
    'ENOMEM',
    (f) =>
      sys.msync(
        mapped(f, READ, SHARED, (at) => at),
        PAGE,
        MS_SYNC,
      ),
  ],
  ['flock', 'LOCK_EX', 'a file', 'ok', (f) => sys.flock(x(f), EX) === 0],
  [
    'flock',
    'LOCK_SH|LOCK_NB',
    'by two handles',
    'ok',
    (f) => (sys.flock(x(f), SH), sys.flock(again(f), SH | NB) === 0),
  ],
  [
    'flock',
    'LOCK_EX|LOCK_NB',
    'what another handle shares',
    'EAGAIN',
    (f) => (sys.flock(x(f), SH), sys.flock(again(f), EX | NB)),
  ],
  [
    'flock',
    'LOCK_SH|LOCK_NB',
    'what another handle has alone',
    'EAGAIN',
    (f) => (sys.flock(x(f), EX), sys.flock(again(f), SH | NB)),
  ],
  [
    'flock',
    'LOCK_UN',
    'then another handle may',
    'ok',
    (f) => {
      const fd = x(f)
      sys.flock(fd, EX)
      sys.flock(fd, UN)
      return sys.flock(again(f), EX | NB) === 0
    },
  ],
  [
    'flock',
    'LOCK_EX|LOCK_NB',
    'a copy of the descriptor',
    'ok',
    (f) => {
      const fd = x(f)
      sys.flock(fd, EX)
      return sys.flock(f.keep(sys.dup(fd)), EX | NB) === 0
    },
  ],
  ['flock', '0', 'no known way', 'EINVAL', (f) => sys.flock(x(f), 0)],
  ['flock', 'LOCK_EX', 'no descriptor', 'EBADF', () => sys.flock(NOT_OPEN, EX)],
  [
    'fcntl',
    'F_SETLK,F_WRLCK',
    'a range',
    'ok',
    (f) => lockRange(x(f), F_SETLK, { type: F_WRLCK, start: 10, length: 5 }).type === F_WRLCK,
  ],
  [
    'fcntl',
    'F_SETLK,F_WRLCK',
    'a handle that reads',
    'EBADF',
    (f) => lockRange(x(f, O_RDONLY), F_SETLK, { type: F_WRLCK }),
  ],
  [
    'fcntl',
    'F_SETLK,F_RDLCK',
    'a handle that writes',
    'EBADF',
    (f) => lockRange(x(f, O_WRONLY), F_SETLK, { type: F_RDLCK }),
  ],
  [
    'fcntl',
    'F_SETLK,F_WRLCK',
    'what another process has',
    'EAGAIN',
    (f) => (lockRange(x(f), F_SETLK, { type: F_WRLCK }), codeOf(asked(f, 'write'))),
  ],
  [
    'fcntl',
    'F_SETLK,F_RDLCK',
    'what another process has alone',
    'EAGAIN',
    (f) => (lockRange(x(f), F_SETLK, { type: F_WRLCK }), codeOf(asked(f, 'read'))),
  ],
  [
    'fcntl',
    'F_SETLK,F_RDLCK',
    'what another process shares',
    'ok',
    (f) => (lockRange(x(f), F_SETLK, { type: F_RDLCK }), codeOf(asked(f, 'read')) === 'done'),
  ],
  [
    'fcntl',
    'F_GETLK',
    'what another process has: its type, range and process',
    'ok',
    (f) => (
      lockRange(x(f), F_SETLK, { type: F_WRLCK, start: 3, length: 4 }),
      asked(f, 'write') === `EAGAIN 1 3 4 ${String(process.pid)}`
    ),
  ],
  [
    'fcntl',
    'F_GETLK,F_WRLCK',
    'nothing in the way',
    'ok',
    (f) => lockRange(x(f), F_GETLK, { type: F_WRLCK }).type === F_UNLCK,
  ],
  [
    'fcntl',
    'F_SETLK,F_UNLCK',
    'then another process may',
    'ok',
    (f) => {
      const fd = x(f)
      lockRange(fd, F_SETLK, { type: F_WRLCK })
      lockRange(fd, F_SETLK, { type: F_UNLCK })
      return asked(f, 'write') === 'done'
    },
  ],
  [
    'fcntl',
    'F_SETLK',
    'closing another handle lets go',
    'ok',
    (f) => {
      const fd = x(f)
      lockRange(fd, F_SETLK, { type: F_WRLCK })
      f.close(again(f))
      return asked(f, 'write') === 'done'
    },
  ],
  ['fcntl', 'F_SETLK', 'an unknown type', 'EINVAL', (f) => lockRange(x(f), F_SETLK, { type: 9 })],
  [
    'fcntl',
    'F_SETLK,SEEK_SET',
    'before the file',
    'EINVAL',
    (f) => lockRange(x(f), F_SETLK, { type: F_WRLCK, start: -1 }),
  ],
  [
    'fcntl',
    'F_SETLK,SEEK_END',
    'backwards from the end',
    'ok',
    (f) =>
      lockRange(x(f), F_SETLK, { type: F_WRLCK, start: 0, length: -5, whence: 2 }).type === F_WRLCK,
  ],
  [
    'fcntl',
    'F_SETLK',
    'no descriptor',
    'EBADF',
    () => lockRange(NOT_OPEN, F_SETLK, { type: F_WRLCK }),
  ],
  [
    'fcntl',
    'F_OFD_SETLK,F_WRLCK',
    'what another handle has',
    'EAGAIN',
    (f) => (
      lockRange(x(f), F_OFD_SETLK, { type: F_WRLCK }),
      lockRange(again(f), F_OFD_SETLK, { type: F_WRLCK })
    ),
  ],
  [
    'fcntl',
    'F_OFD_SETLK,F_WRLCK',
    'ranges side by side',
    'ok',
    (f) => (
      lockRange(x(f), F_OFD_SETLK, { type: F_WRLCK, length: 10 }),
      lockRange(again(f), F_OFD_SETLK, { type: F_WRLCK, start: 10 }).start === 10
    ),
  ],
  [
    'fcntl',
    'F_OFD_SETLK,F_RDLCK',
    'by two handles',
    'ok',
    (f) => (
      lockRange(x(f), F_OFD_SETLK, { type: F_RDLCK }),
      lockRange(again(f), F_OFD_SETLK, { type: F_RDLCK }).type === F_RDLCK
    ),
  ],
  [
    'fcntl',
    'F_OFD_GETLK',
    'what another handle has',
    'ok',
    (f) => (
      lockRange(x(f), F_OFD_SETLK, { type: F_WRLCK, start: 7, length: 2 }),
      JSON.stringify(lockRange(again(f), F_OFD_GETLK, { type: F_WRLCK })) ===
        '{"type":1,"start":7,"length":2,"pid":-1}'
    ),
  ],
  [
    'fcntl',
    'F_OFD_SETLK',
    'the close of another handle keeps it',
    'ok',
    (f) => {
      lockRange(x(f), F_OFD_SETLK, { type: F_WRLCK })
      f.close(again(f))
      return codeOf(asked(f, 'write')) === 'EAGAIN'
    },
  ],
  [
    'fcntl',
    'F_GETFL',
    'how it was opened',
    'ok',
    (f) => (sys.fcntl(x(f, 'a'), F_GETFL, 0) & (O_APPEND | O_WRONLY)) === (O_APPEND | O_WRONLY),
  ],
  [
    'fcntl',
    'F_SETFL,O_APPEND',
    'writes go to the end from then on',
    'ok',
    (f) => {
      f.put('y', 'abc')
      const fd = f.open('y', 'r+')
      sys.fcntl(fd, F_SETFL, O_APPEND)
      write(fd, 'd')
      return f.text('y') === 'abcd'
    },
  ],
  [
    'fcntl',
    'F_DUPFD',
    'a second descriptor of one place',
    'ok',
    (f) => {
      const fd = x(f)
      const second = f.keep(sys.fcntl(fd, F_DUPFD, 0))
      read(fd, 5)
      return sys.lseek(second, 0, 1) === 5
    },
  ],
  [
    'fcntl',
    'F_ADD_SEALS',
    'a file that is no memory',
    'EINVAL',
    (f) => sys.fcntl(x(f), F_ADD_SEALS, 1),
  ],
])
