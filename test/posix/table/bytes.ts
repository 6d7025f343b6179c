// read(2), write(2) and their kin, lseek(2), truncate(2), fallocate(2), what copies inside the kernel,
// and what takes bytes to the disk.

import { constants, ftruncateSync } from 'node:fs'
import { as, NOBODY } from '../calls.js'
import { noise, read, write, type Folder } from '../folder.js'
import type { Row } from '../row.js'
import { addressOf, memory, pipe, sys, vector, withFileLimit } from '../system-calls.js'
import { root, table } from './line.js'

const { O_APPEND, O_DIRECT, O_RDONLY, O_RDWR, O_WRONLY } = constants
const SEEK_SET = 0
const SEEK_CUR = 1
const SEEK_END = 2
const SEEK_DATA = 3
const SEEK_HOLE = 4
const KEEP_SIZE = 1
const PUNCH_HOLE = 2
const COLLAPSE_RANGE = 8
const ZERO_RANGE = 16
const INSERT_RANGE = 32
const RWF_HIPRI = 1
const RWF_DSYNC = 2
const RWF_SYNC = 4
const RWF_APPEND = 16
const GiB = 2 ** 30
/** an address that no process has */
const NOWHERE = 8
const NOT_OPEN = 9999
const KiB = 1024

const room = memory(4096)
const at = addressOf(room)
const two = [memory(2), memory(3)]
const parts = vector(two)
const refused = { onDrive: 'EOPNOTSUPP' } as const

const x = (f: Folder, flags: number | string = 'r+', content: string | Uint8Array = 'abcdef') => (
  f.put('x', content),
  f.open('x', flags)
)
const y = (f: Folder, flags: number | string = 'w+'): number => f.open('y', flags)
const ends = (f: Folder): [number, number] => {
  const [from, to] = pipe()
  return [f.keep(from), f.keep(to)]
}
const offset = (value: number): number => {
  places.writeBigInt64LE(BigInt(value))
  return addressOf(places)
}
const places = memory(8)
const outcomeOf = (error: number): number => {
  if (error !== 0) throw Object.assign(new Error(), { code: ADVICE_ERRORS[error] ?? String(error) })
  return 0
}
/** posix_fadvise gives its error as its result */
const ADVICE_ERRORS: Record<number, string> = { 9: 'EBADF', 22: 'EINVAL', 29: 'ESPIPE' }

export const rows: readonly Row[] = table([
  [
    'read',
    '',
    'a file',
    'ok',
    (f) => sys.read(x(f), at, 9) === 6 && room.toString('latin1', 0, 6) === 'abcdef',
  ],
  ['read', 'count', 'nothing, at the end', 'ok', (f) => sys.pread(x(f), at, 9, 6) === 0],
  ['read', '', 'no descriptor', 'EBADF', () => sys.read(NOT_OPEN, at, 1)],
  ['read', 'O_WRONLY', 'a handle that writes', 'EBADF', (f) => sys.read(x(f, O_WRONLY), at, 1)],
  ['read', '', 'a directory', 'EISDIR', (f) => sys.read(f.open('', 'r'), at, 1)],
  ['read', '', 'into no memory', 'EFAULT', (f) => sys.read(x(f), NOWHERE, 1)],
  [
    'readv',
    '',
    'in parts',
    'ok',
    (f) =>
      sys.readv(x(f), addressOf(parts), 2) === 5 &&
      `${String(two[0])}${String(two[1])}` === 'abcde',
  ],
  ['readv', 'iovcnt', 'less than no parts', 'EINVAL', (f) => sys.readv(x(f), addressOf(parts), -1)],
  ['readv', 'IOV_MAX', '1025 parts', 'EINVAL', (f) => sys.readv(x(f), addressOf(parts), 1025)],
  ['readv', '', 'a directory', 'EISDIR', (f) => sys.readv(f.open('', 'r'), addressOf(parts), 2)],
  [
    'pread',
    '',
    'in the midst',
    'ok',
    (f) => sys.pread(x(f), at, 2, 2) === 2 && room.toString('latin1', 0, 2) === 'cd',
  ],
  ['pread', '', 'before the file', 'EINVAL', (f) => sys.pread(x(f), at, 1, -1)],
  ['pread', '', 'a pipe', 'ESPIPE', (f) => sys.pread(ends(f)[0], at, 1, 0)],
  [
    'pread',
    'O_WRONLY',
    'a handle that writes',
    'EBADF',
    (f) => sys.pread(x(f, O_WRONLY), at, 1, 0),
  ],
  ['pread', '', 'a directory', 'EISDIR', (f) => sys.pread(f.open('', 'r'), at, 1, 0)],
  [
    'preadv2',
    '',
    'in parts',
    'ok',
    (f) => sys.preadv2(x(f), addressOf(parts), 2, 1, 0) === 5 && String(two[0]) === 'bc',
  ],
  [
    'preadv2',
    'RWF_HIPRI',
    'in parts',
    'ok',
    (f) => sys.preadv2(x(f), addressOf(parts), 2, 1, RWF_HIPRI) === 5,
  ],
  [
    'preadv2',
    '1<<30',
    'an unknown flag',
    'EOPNOTSUPP',
    (f) => sys.preadv2(x(f), addressOf(parts), 2, 0, 1 << 30),
  ],
  [
    'read',
    'O_DIRECT',
    'a file, past the page cache',
    'ok',
    (f) => {
      const fd = x(f, O_DIRECT, noise(8192))
      const whole = memory(12288)
      const from = (4096 - (addressOf(whole) % 4096)) % 4096
      return (
        sys.read(fd, addressOf(whole) + from, 4096) === 4096 &&
        whole.subarray(from, from + 4096).equals(noise(8192).subarray(0, 4096))
      )
    },
  ],
  ['write', '', 'a file', 'ok', (f) => (write(x(f), 'XY'), f.text('x') === 'XYcdef')],
  ['write', '', 'no descriptor', 'EBADF', () => sys.write(NOT_OPEN, at, 1)],
  ['write', 'O_RDONLY', 'a handle that reads', 'EBADF', (f) => sys.write(x(f, O_RDONLY), at, 1)],
  ['write', '', 'from no memory', 'EFAULT', (f) => sys.write(x(f), NOWHERE, 1)],
  [
    'write',
    'RLIMIT_FSIZE',
    'beyond what the process may',
    'EFBIG',
    (f) => {
      const fd = x(f)
      return withFileLimit(1000, () => sys.pwrite(fd, at, 1, 1000))
    },
  ],
  [
    'write',
    'RLIMIT_FSIZE',
    'up to what the process may',
    'ok',
    (f) => {
      const fd = x(f)
      return withFileLimit(1000, () => sys.pwrite(fd, at, 100, 950)) === 50 && f.size('x') === 1000
    },
  ],
  [
    'write',
    'O_APPEND',
    'at the end, wherever it is told to',
    'ok',
    (f) => (sys.pwrite(x(f, O_RDWR | O_APPEND), addressOf(noise(1)), 1, 0), f.size('x') === 7),
  ],
  ['pwrite', '', 'in the midst', 'ok', (f) => (write(x(f), 'XY', 2), f.text('x') === 'abXYef')],
  ['pwrite', '', 'before the file', 'EINVAL', (f) => sys.pwrite(x(f), at, 1, -1)],
  ['pwrite', '', 'a pipe', 'ESPIPE', (f) => sys.pwrite(ends(f)[1], at, 1, 0)],
  ['pwrite', '', 'beyond all bounds', 'EFBIG', (f) => sys.pwrite(x(f), at, 1, 2 ** 62)],
  [
    'pwrite',
    'O_RDONLY',
    'a handle that reads',
    'EBADF',
    (f) => sys.pwrite(x(f, O_RDONLY), at, 1, 0),
  ],
  [
    'writev',
    '',
    'in parts',
    'ok',
    (f) => (
      two[0]?.write('12'),
      two[1]?.write('345'),
      sys.writev(x(f), addressOf(parts), 2) === 5 && f.text('x') === '12345f'
    ),
  ],
  ['writev', '', 'less than no parts', 'EINVAL', (f) => sys.writev(x(f), addressOf(parts), -1)],
  [
    'writev',
    'O_RDONLY',
    'a handle that reads',
    'EBADF',
    (f) => sys.writev(x(f, O_RDONLY), addressOf(parts), 2),
  ],
  [
    'pwritev2',
    'RWF_APPEND',
    'at the end',
    'ok',
    (f) => (sys.pwritev2(x(f), addressOf(parts), 2, 0, RWF_APPEND), f.size('x') === 11),
  ],
  [
    'pwritev2',
    'RWF_SYNC',
    'in the midst',
    'ok',
    (f) => sys.pwritev2(x(f), addressOf(parts), 2, 1, RWF_SYNC) === 5,
  ],
  [
    'pwritev2',
    'RWF_DSYNC',
    'in the midst',
    'ok',
    (f) => sys.pwritev2(x(f), addressOf(parts), 2, 1, RWF_DSYNC) === 5,
  ],
  [
    'pwritev2',
    '1<<30',
    'an unknown flag',
    'EOPNOTSUPP',
    (f) => sys.pwritev2(x(f), addressOf(parts), 2, 0, 1 << 30),
  ],
  ['lseek', 'SEEK_SET', 'to a place', 'ok', (f) => sys.lseek(x(f), 3, SEEK_SET) === 3],
  ['lseek', 'SEEK_SET', 'before the file', 'EINVAL', (f) => sys.lseek(x(f), -1, SEEK_SET)],
  ['lseek', 'SEEK_SET', 'a pipe', 'ESPIPE', (f) => sys.lseek(ends(f)[0], 0, SEEK_SET)],
  ['lseek', 'SEEK_SET', 'no descriptor', 'EBADF', () => sys.lseek(NOT_OPEN, 0, SEEK_SET)],
  [
    'lseek',
    'SEEK_CUR',
    'on',
    'ok',
    (f) => {
      const fd = x(f)
      read(fd, 2)
      return sys.lseek(fd, 3, SEEK_CUR) === 5
    },
  ],
  ['lseek', 'SEEK_CUR', 'before the file', 'EINVAL', (f) => sys.lseek(x(f), -1, SEEK_CUR)],
  ['lseek', 'SEEK_END', 'from the end', 'ok', (f) => sys.lseek(x(f), -2, SEEK_END) === 4],
  ['lseek', 'SEEK_END', 'before the file', 'EINVAL', (f) => sys.lseek(x(f), -7, SEEK_END)],
  ['lseek', 'SEEK_DATA', 'data', 'ok', (f) => sys.lseek(x(f), 2, SEEK_DATA) === 2],
  ['lseek', 'SEEK_DATA', 'beyond the end', 'ENXIO', (f) => sys.lseek(x(f), 6, SEEK_DATA)],
  ['lseek', 'SEEK_HOLE', 'the end', 'ok', (f) => sys.lseek(x(f), 2, SEEK_HOLE) === 6],
  ['lseek', 'SEEK_HOLE', 'beyond the end', 'ENXIO', (f) => sys.lseek(x(f), 6, SEEK_HOLE)],
  ['lseek', '9', 'from no known place', 'EINVAL', (f) => sys.lseek(x(f), 0, 9)],
  ['truncate', '', 'a file', 'ok', (f) => (x(f), sys.truncate(f.at('x'), 2), f.text('x') === 'ab')],
  ['truncate', '', 'below nothing', 'EINVAL', (f) => (x(f), sys.truncate(f.at('x'), -1))],
  ['truncate', '', 'a directory', 'EISDIR', (f) => sys.truncate(f.path, 0)],
  ['truncate', '', 'beyond all bounds', 'EFBIG', (f) => (x(f), sys.truncate(f.at('x'), 2 ** 62))],
  [
    'truncate',
    'RLIMIT_FSIZE',
    'beyond what the process may',
    'EFBIG',
    (f) => (x(f), withFileLimit(1000, () => sys.truncate(f.at('x'), 1001))),
  ],
  ['ftruncate', '', 'longer', 'ok', (f) => (sys.ftruncate(x(f), 8), f.text('x') === 'abcdef\0\0')],
  ['ftruncate', '', 'below nothing', 'EINVAL', (f) => sys.ftruncate(x(f), -1)],
  [
    'ftruncate',
    'O_RDONLY',
    'a handle that reads',
    'EINVAL',
    (f) => sys.ftruncate(x(f, O_RDONLY), 0),
  ],
  ['ftruncate', '', 'no descriptor', 'EBADF', () => sys.ftruncate(NOT_OPEN, 0)],
  ['ftruncate', '', 'beyond all bounds', 'EFBIG', (f) => sys.ftruncate(x(f), 2 ** 62)],
  [
    'ftruncate',
    'RLIMIT_FSIZE',
    'beyond what the process may',
    'EFBIG',
    (f) => {
      const fd = x(f)
      return withFileLimit(1000, () => sys.ftruncate(fd, 1001))
    },
  ],
  [
    'fallocate',
    '0',
    'a range',
    'ok',
    (f) => (sys.fallocate(x(f), 0, 0, 9000), f.size('x') === 9000),
  ],
  ['fallocate', '0', 'of no bytes', 'EINVAL', (f) => sys.fallocate(x(f), 0, 0, 0)],
  ['fallocate', '0', 'beyond all bounds', 'EFBIG', (f) => sys.fallocate(x(f), 0, 2 ** 62, 1)],
  ['fallocate', '0', 'a directory', 'EBADF', (f) => sys.fallocate(f.open('', 'r'), 0, 0, 1)],
  ['fallocate', '0', 'a pipe', 'ESPIPE', (f) => sys.fallocate(ends(f)[1], 0, 0, 1)],
  [
    'fallocate',
    'RLIMIT_FSIZE',
    'beyond what the process may',
    'EFBIG',
    (f) => {
      const fd = x(f)
      return withFileLimit(1000, () => sys.fallocate(fd, 0, 0, 1001))
    },
  ],
  [
    'fallocate',
    'FALLOC_FL_KEEP_SIZE',
    'a range',
    'ok',
    (f) => (sys.fallocate(x(f), KEEP_SIZE, 0, 9000), f.size('x') === 6),
  ],
  [
    'fallocate',
    'FALLOC_FL_KEEP_SIZE',
    'before the file',
    'EINVAL',
    (f) => sys.fallocate(x(f), KEEP_SIZE, -1, 1),
  ],
  [
    'fallocate',
    'FALLOC_FL_PUNCH_HOLE',
    'without keeping the size',
    'EOPNOTSUPP',
    (f) => sys.fallocate(x(f), PUNCH_HOLE, 0, 1),
  ],
  [
    'fallocate',
    'FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE',
    'a range',
    'ok',
    (f) => (sys.fallocate(x(f), PUNCH_HOLE | KEEP_SIZE, 1, 2), f.text('x') === 'a\0\0def'),
  ],
  [
    'fallocate',
    'FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE',
    'a handle that reads',
    'EBADF',
    (f) => sys.fallocate(x(f, O_RDONLY), PUNCH_HOLE | KEEP_SIZE, 1, 2),
  ],
  [
    'fallocate',
    'FALLOC_FL_ZERO_RANGE',
    'a range',
    'ok',
    (f) => (sys.fallocate(x(f), ZERO_RANGE, 4, 4), f.text('x') === 'abcd\0\0\0\0'),
  ],
  [
    'fallocate',
    'FALLOC_FL_ZERO_RANGE|FALLOC_FL_KEEP_SIZE',
    'a range',
    'ok',
    (f) => (sys.fallocate(x(f), ZERO_RANGE | KEEP_SIZE, 4, 4), f.text('x') === 'abcd\0\0'),
  ],
  [
    'fallocate',
    'FALLOC_FL_PUNCH_HOLE|FALLOC_FL_ZERO_RANGE',
    'two ways at once',
    'EOPNOTSUPP',
    (f) => sys.fallocate(x(f), PUNCH_HOLE | ZERO_RANGE | KEEP_SIZE, 0, 1),
  ],
  [
    'fallocate',
    'FALLOC_FL_COLLAPSE_RANGE',
    'a range',
    'ok',
    (f) => {
      const fd = x(f, 'r+', noise(128 * KiB))
      sys.fallocate(fd, COLLAPSE_RANGE, 0, 64 * KiB)
      return f.size('x') === 64 * KiB
    },
    refused,
  ],
  [
    'fallocate',
    'FALLOC_FL_INSERT_RANGE',
    'a range',
    'ok',
    (f) => {
      const fd = x(f, 'r+', noise(128 * KiB))
      sys.fallocate(fd, INSERT_RANGE, 0, 64 * KiB)
      return f.size('x') === 192 * KiB
    },
    refused,
  ],
  ['fallocate', '1<<14', 'an unknown way', 'EOPNOTSUPP', (f) => sys.fallocate(x(f), 1 << 14, 0, 1)],
  [
    'copy_file_range',
    '',
    'to another file',
    'ok',
    (f) => sys.copy_file_range(x(f), 0, y(f), 0, 9, 0) === 6 && f.text('y') === 'abcdef',
  ],
  [
    'copy_file_range',
    '1',
    'an unknown flag',
    'EINVAL',
    (f) => sys.copy_file_range(x(f), 0, y(f), 0, 9, 1),
  ],
  [
    'copy_file_range',
    'O_WRONLY',
    'from a handle that writes',
    'EBADF',
    (f) => sys.copy_file_range(x(f, O_WRONLY), 0, y(f), 0, 9, 0),
  ],
  [
    'copy_file_range',
    'O_RDONLY',
    'to a handle that reads',
    'EBADF',
    (f) => (f.put('y'), sys.copy_file_range(x(f), 0, y(f, 'r'), 0, 9, 0)),
  ],
  [
    'copy_file_range',
    'O_APPEND',
    'to a handle that appends',
    'EBADF',
    (f) => sys.copy_file_range(x(f), 0, y(f, 'a'), 0, 9, 0),
  ],
  [
    'copy_file_range',
    '',
    'from a directory',
    'EISDIR',
    (f) => sys.copy_file_range(f.open('', 'r'), 0, y(f), 0, 9, 0),
  ],
  [
    'copy_file_range',
    '',
    'from a pipe',
    'EINVAL',
    (f) => sys.copy_file_range(ends(f)[0], 0, y(f), 0, 9, 0),
  ],
  [
    'copy_file_range',
    '',
    'no descriptor',
    'EBADF',
    (f) => sys.copy_file_range(NOT_OPEN, 0, y(f), 0, 9, 0),
  ],
  [
    'copy_file_range',
    'off_out',
    'beyond all bounds',
    'EFBIG',
    (f) => sys.copy_file_range(x(f), 0, y(f), offset(2 ** 62), 9, 0),
  ],
  [
    'copy_file_range',
    'RLIMIT_FSIZE',
    'beyond what the process may',
    'EFBIG',
    (f) => {
      const [from, to] = [x(f), y(f)]
      return withFileLimit(1000, () => sys.copy_file_range(from, 0, to, offset(1000), 9, 0))
    },
  ],
  [
    'sendfile',
    '',
    'to another file',
    'ok',
    (f) => sys.sendfile(y(f), x(f), 0, 9) === 6 && f.text('y') === 'abcdef',
  ],
  [
    'sendfile',
    'offset',
    'from the midst',
    'ok',
    (f) => sys.sendfile(y(f), x(f), offset(4), 9) === 2 && f.text('y') === 'ef',
  ],
  [
    'sendfile',
    'offset',
    'before the file',
    'EINVAL',
    (f) => sys.sendfile(y(f), x(f), offset(-1), 9),
  ],
  [
    'sendfile',
    'O_APPEND',
    'to a handle that appends',
    'EINVAL',
    (f) => sys.sendfile(y(f, 'a'), x(f), 0, 9),
  ],
  [
    'sendfile',
    'O_RDONLY',
    'to a handle that reads',
    'EBADF',
    (f) => (f.put('y'), sys.sendfile(y(f, 'r'), x(f), 0, 9)),
  ],
  [
    'sendfile',
    'O_WRONLY',
    'from a handle that writes',
    'EBADF',
    (f) => sys.sendfile(y(f), x(f, O_WRONLY), 0, 9),
  ],
  ['sendfile', '', 'from a directory', 'EINVAL', (f) => sys.sendfile(y(f), f.open('', 'r'), 0, 9)],
  [
    'splice',
    '',
    'a file into a pipe and into a file',
    'ok',
    (f) => {
      const [from, to] = ends(f)
      return (
        sys.splice(x(f), 0, to, 0, 9, 0) === 6 &&
        sys.splice(from, 0, y(f), 0, 9, 0) === 6 &&
        f.text('y') === 'abcdef'
      )
    },
  ],
  [
    'splice',
    'SPLICE_F_MOVE',
    'a file into a pipe',
    'ok',
    (f) => sys.splice(x(f), offset(1), ends(f)[1], 0, 9, 1) === 5,
  ],
  ['splice', '', 'without a pipe', 'EINVAL', (f) => sys.splice(x(f), 0, y(f), 0, 9, 0)],
  [
    'splice',
    'off_out',
    'with a place in a pipe',
    'ESPIPE',
    (f) => sys.splice(x(f), 0, ends(f)[1], offset(0), 9, 0),
  ],
  [
    'splice',
    'O_APPEND',
    'to a handle that appends',
    'EINVAL',
    (f) => {
      const [from, to] = ends(f)
      write(to, 'abc')
      sys.splice(from, 0, y(f, 'a'), 0, 9, 0)
    },
  ],
  [
    'splice',
    'O_WRONLY',
    'from a handle that writes',
    'EBADF',
    (f) => sys.splice(x(f, O_WRONLY), 0, ends(f)[1], 0, 9, 0),
  ],
  [
    'posix_fadvise',
    'POSIX_FADV_DONTNEED',
    'a file',
    'ok',
    (f) => outcomeOf(sys.posix_fadvise(x(f), 0, 0, 4)) === 0,
  ],
  [
    'posix_fadvise',
    'POSIX_FADV_WILLNEED',
    'a file',
    'ok',
    (f) => outcomeOf(sys.posix_fadvise(x(f), 0, 0, 3)) === 0,
  ],
  [
    'posix_fadvise',
    'POSIX_FADV_SEQUENTIAL',
    'a file',
    'ok',
    (f) => outcomeOf(sys.posix_fadvise(x(f), 0, 0, 2)) === 0,
  ],
  [
    'posix_fadvise',
    '99',
    'an unknown advice',
    'EINVAL',
    (f) => outcomeOf(sys.posix_fadvise(x(f), 0, 0, 99)),
  ],
  [
    'posix_fadvise',
    'POSIX_FADV_NORMAL',
    'a pipe',
    'ESPIPE',
    (f) => outcomeOf(sys.posix_fadvise(ends(f)[0], 0, 0, 0)),
  ],
  [
    'posix_fadvise',
    'POSIX_FADV_NORMAL',
    'no descriptor',
    'EBADF',
    () => outcomeOf(sys.posix_fadvise(NOT_OPEN, 0, 0, 0)),
  ],
  ['readahead', '', 'a file', 'ok', (f) => sys.readahead(x(f), 0, 4096) === 0],
  [
    'readahead',
    'O_WRONLY',
    'a handle that writes',
    'EBADF',
    (f) => sys.readahead(x(f, O_WRONLY), 0, 4096),
  ],
  ['readahead', '', 'a pipe', 'EINVAL', (f) => sys.readahead(ends(f)[0], 0, 4096)],
  ['fsync', '', 'a file', 'ok', (f) => sys.fsync(x(f)) === 0],
  ['fsync', 'O_RDONLY', 'a handle that reads', 'ok', (f) => sys.fsync(x(f, O_RDONLY)) === 0],
  ['fsync', 'O_DIRECTORY', 'a directory', 'ok', (f) => sys.fsync(f.open('', 'r')) === 0],
  ['fsync', '', 'a pipe', 'EINVAL', (f) => sys.fsync(ends(f)[1])],
  ['fsync', '', 'no descriptor', 'EBADF', () => sys.fsync(NOT_OPEN)],
  ['fdatasync', '', 'a file', 'ok', (f) => sys.fdatasync(x(f)) === 0],
  ['fdatasync', '', 'a pipe', 'EINVAL', (f) => sys.fdatasync(ends(f)[1])],
  ['fdatasync', '', 'no descriptor', 'EBADF', () => sys.fdatasync(NOT_OPEN)],
  [
    'sync_file_range',
    'SYNC_FILE_RANGE_WRITE',
    'a range',
    'ok',
    (f) => sys.sync_file_range(x(f), 0, 6, 2) === 0,
  ],
  [
    'sync_file_range',
    'SYNC_FILE_RANGE_WAIT_BEFORE',
    'a range',
    'ok',
    (f) => sys.sync_file_range(x(f), 0, 6, 1) === 0,
  ],
  [
    'sync_file_range',
    'SYNC_FILE_RANGE_WAIT_BEFORE|WRITE|WAIT_AFTER',
    'to the end',
    'ok',
    (f) => sys.sync_file_range(x(f), 0, 0, 7) === 0,
  ],
  ['sync_file_range', '8', 'an unknown flag', 'EINVAL', (f) => sys.sync_file_range(x(f), 0, 6, 8)],
  [
    'sync_file_range',
    'SYNC_FILE_RANGE_WRITE',
    'before the file',
    'EINVAL',
    (f) => sys.sync_file_range(x(f), -1, 6, 2),
  ],
  [
    'sync_file_range',
    'SYNC_FILE_RANGE_WRITE',
    'a pipe',
    'ESPIPE',
    (f) => sys.sync_file_range(ends(f)[1], 0, 6, 2),
  ],
  [
    'sync_file_range',
    'SYNC_FILE_RANGE_WRITE',
    'no descriptor',
    'EBADF',
    () => sys.sync_file_range(NOT_OPEN, 0, 6, 2),
  ],
  ['syncfs', '', 'a directory', 'ok', (f) => sys.syncfs(f.open('', 'r')) === 0],
  ['syncfs', '', 'no descriptor', 'EBADF', () => sys.syncfs(NOT_OPEN)],
  [
    'ioctl',
    'FIGETBSZ',
    'a file',
    'ok',
    (f) => sys.ioctl(x(f), 2, at) === 0 && room.readUInt32LE(0) > 0,
  ],
  [
    'ioctl',
    'FIONREAD',
    'a file',
    'ok',
    (f) => sys.ioctl(x(f), 0x541b, at) === 0 && room.readUInt32LE(0) === 6,
  ],
  ['ioctl', 'TCGETS', 'a file', 'ENOTTY', (f) => sys.ioctl(x(f), 0x5401, at)],
  ['ioctl', 'FICLONE', 'a file', 'EOPNOTSUPP', (f) => sys.ioctl(y(f), 0x40049409, x(f))],
  [
    'ioctl',
    'FS_IOC_FIEMAP',
    'a file',
    'ok',
    (f) => (
      room.fill(0),
      room.writeBigUInt64LE(2n ** 40n, 8),
      sys.ioctl(x(f), 0xc020660b, at) === 0
    ),
    refused,
  ],
  ['getdents64', '', 'a directory', 'ok', (f) => sys.getdents64(f.open('', 'r'), at, 4096) > 0],
  ['getdents64', '', 'a file', 'ENOTDIR', (f) => sys.getdents64(x(f), at, 4096)],
  ['getdents64', '', 'too little room', 'EINVAL', (f) => sys.getdents64(f.open('', 'r'), at, 4)],
  ['getdents64', '', 'no descriptor', 'EBADF', () => sys.getdents64(NOT_OPEN, at, 4096)],
  [
    'getdents64',
    '',
    'a directory that is gone',
    'ENOENT',
    (f) => {
      f.dir('d')
      const fd = f.open('d', 'r')
      sys.rmdir(f.at('d'))
      sys.getdents64(fd, at, 4096)
    },
  ],
  [
    'truncate',
    'of another',
    'that one may not write',
    'EACCES',
    (f) => (x(f), as(NOBODY, () => sys.truncate(f.at('x'), 0))),
    root,
  ],
  [
    'ftruncate',
    'O_LARGEFILE',
    'a file of 5 GiB',
    'ok',
    (f) => (ftruncateSync(x(f), 5 * GiB), f.size('x') === 5 * GiB),
  ],
])
