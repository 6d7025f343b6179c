// System calls that neither node:fs nor lib/native/files.ts has, for the suite alone, and ways to make
// calls as somebody else. They block this process only: the drive is served by another.

import { Buffer } from 'node:buffer'
import { addressOf, check, native, type NativeFunction } from '../../lib/native/libc.js'

export const AT_FDCWD = -100
export const NOBODY = 65534

const PROT_READ = 1
const PROT_WRITE = 2
const MAP_SHARED = 1
const MAP_PRIVATE = 2
const MS_SYNC = 4
export const LOCK_EX = 2
export const LOCK_SH = 1
export const LOCK_UN = 8
export const LOCK_NB = 4

const bound = new Map<string, NativeFunction>()

function call(prototype: string): NativeFunction {
  let known = bound.get(prototype)
  if (known === undefined) bound.set(prototype, (known = native(prototype)))
  return known
}

export interface Mapping {
  read(offset: number, length: number): string
  write(offset: number, text: string): void
  sync(): void
  unmap(): void
}

/** mmap(2) of the first `length` bytes. */
export function map(fd: number, length: number, how: 'private' | 'shared'): Mapping {
  const protection = how === 'shared' ? PROT_READ | PROT_WRITE : PROT_READ
  const flags = how === 'shared' ? MAP_SHARED : MAP_PRIVATE
  const at = check(
    call('int64_t mmap(uintptr_t at, size_t n, int protection, int flags, int fd, int64_t offset)')(
      0,
      length,
      protection,
      flags,
      fd,
      0,
    ),
    'mmap',
  )
  const copy = call('uintptr_t memcpy(uintptr_t to, uintptr_t from, size_t n)')
  return {
    read(offset, n) {
      const into = Buffer.from(new ArrayBuffer(n))
      copy(addressOf(into), at + offset, n)
      return into.toString('latin1')
    },
    write(offset, text) {
      const from = Buffer.from(new ArrayBuffer(text.length))
      from.write(text, 'latin1')
      copy(at + offset, addressOf(from), from.length)
    },
    sync() {
      check(call('int msync(uintptr_t at, size_t n, int flags)')(at, length, MS_SYNC), 'msync')
    },
    unmap() {
      check(call('int munmap(uintptr_t at, size_t n)')(at, length), 'munmap')
    },
  }
}

export const flock = (fd: number, how: number): void => {
  check(call('int flock(int fd, int how)')(fd, how), 'flock')
}

export const fallocate = (fd: number, mode: number, offset: number, length: number): void => {
  const f = call('int fallocate(int fd, int mode, int64_t offset, int64_t length)')
  check(f(fd, mode, offset, length), 'fallocate')
}

export const SEEK_DATA = 3
export const SEEK_HOLE = 4
export const seek = (fd: number, whence: number, offset: number): number =>
  check(call('int64_t lseek(int fd, int64_t offset, int whence)')(fd, offset, whence), 'lseek')

/** copy_file_range(2) once. */
export function copyRange(
  from: number,
  offset: number,
  to: number,
  toOffset: number,
  length: number,
): number {
  const places = Buffer.from(new ArrayBuffer(16))
  places.writeBigInt64LE(BigInt(offset), 0)
  places.writeBigInt64LE(BigInt(toOffset), 8)
  const at = addressOf(places)
  return check(
    call(
      'int64_t copy_file_range(int from, uintptr_t a, int to, uintptr_t b, size_t n, uint32_t flags)',
    )(from, at, to, at + 8, length, 0),
    'copy_file_range',
  )
}

export function withUmask<T>(mask: number, act: () => T): T {
  const before = process.umask(mask)
  try {
    return act()
  } finally {
    process.umask(before)
  }
}

/** Root becomes another user, in those groups besides, for the time of `act`, for file access too. */
export function as<T>(uid: number, act: () => T, groups: readonly number[] = []): T {
  process.setgroups?.([...groups])
  process.setegid?.(uid)
  process.seteuid?.(uid)
  try {
    return act()
  } finally {
    process.seteuid?.(0)
    process.setegid?.(0)
  }
}

const AT_SYMLINK_NOFOLLOW = 0x100
const AT_EMPTY_PATH = 0x1000
const AT_STATX_FORCE_SYNC = 0x2000
const STATX_BASIC_STATS = 0x7ff

export interface Times {
  atime: bigint
  mtime: bigint
  ctime: bigint
}

/** Times in nanoseconds as the file system has them now, not as the kernel remembers them. */
export function timesOf(what: string | number): Times {
  const out = Buffer.from(new ArrayBuffer(256))
  const [fd, path] = typeof what === 'number' ? [what, ''] : [AT_FDCWD, what]
  check(
    call('int statx(int dirfd, const char *path, int flags, uint32_t mask, uintptr_t out)')(
      fd,
      path,
      AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_STATX_FORCE_SYNC,
      STATX_BASIC_STATS,
      addressOf(out),
    ),
    'statx',
  )
  const time = (at: number) =>
    out.readBigInt64LE(at) * 1_000_000_000n + BigInt(out.readUInt32LE(at + 8))
  return { atime: time(64), mtime: time(112), ctime: time(96) }
}

export const XATTR_CREATE = 1
export const XATTR_REPLACE = 2
const SETXATTR = 'const char *name, uintptr_t value, size_t size, int flags)'

/** By path, never through a link, or by descriptor; the value as Latin-1. */
export function setXattr(what: string | number, name: string, value: string, flags = 0): void {
  const from = Buffer.from(new ArrayBuffer(Math.max(value.length, 1)))
  from.write(value, 'latin1')
  const result =
    typeof what === 'number'
      ? call(`int fsetxattr(int fd, ${SETXATTR}`)(what, name, addressOf(from), value.length, flags)
      : call(`int lsetxattr(const char *path, ${SETXATTR}`)(
          what,
          name,
          addressOf(from),
          value.length,
          flags,
        )
  check(result, 'setxattr')
}

const GETXATTR = 'const char *name, uintptr_t value, size_t size)'

/** `room` 0 asks for the size alone, and gives that many spaces. */
export function getXattr(what: string | number, name: string, room = 65536): string {
  const into = Buffer.from(new ArrayBuffer(Math.max(room, 1)))
  const n =
    typeof what === 'number'
      ? call(`int64_t fgetxattr(int fd, ${GETXATTR}`)(what, name, addressOf(into), room)
      : call(`int64_t lgetxattr(const char *path, ${GETXATTR}`)(what, name, addressOf(into), room)
  check(n, 'getxattr')
  return room === 0 ? ' '.repeat(n) : into.toString('latin1', 0, n)
}

/** Sorted names that begin with "user.". */
export function listXattr(what: string | number, room = 65536): string[] {
  const into = Buffer.from(new ArrayBuffer(room))
  const n =
    typeof what === 'number'
      ? call('int64_t flistxattr(int fd, uintptr_t list, size_t size)')(what, addressOf(into), room)
      : call('int64_t llistxattr(const char *path, uintptr_t list, size_t size)')(
          what,
          addressOf(into),
          room,
        )
  check(n, 'listxattr')
  const names = into.toString('utf8', 0, n).split('\0')
  return names.filter((name) => name.startsWith('user.')).sort()
}

export function removeXattr(what: string | number, name: string): void {
  const result =
    typeof what === 'number'
      ? call('int fremovexattr(int fd, const char *name)')(what, name)
      : call('int lremovexattr(const char *path, const char *name)')(what, name)
  check(result, 'removexattr')
}
