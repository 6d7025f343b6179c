// The flags of a file that chattr(1) shows, by ioctl(2). Not every file system has them.

import { addressOf, check, lazy } from './libc.js'

/** of struct-less ioctls whose argument is an int, whatever the size in their numbers says */
const FS_IOC_GETFLAGS = 0x80086601
const FS_IOC_SETFLAGS = 0x40086602
const FS_IMMUTABLE_FL = 0x10

const ioctl = lazy('int ioctl(int fd, unsigned long request, uintptr_t argument)')
const flags = new Uint32Array(2)
const address = (): number => addressOf(new Uint8Array(flags.buffer))

export function isImmutable(fd: number): boolean {
  check(ioctl(fd, FS_IOC_GETFLAGS, address()), 'ioctl')
  return ((flags[0] ?? 0) & FS_IMMUTABLE_FL) !== 0
}

/** For root alone. */
export function setImmutable(fd: number, immutable: boolean): void {
  check(ioctl(fd, FS_IOC_GETFLAGS, address()), 'ioctl')
  const now = flags[0] ?? 0
  flags[0] = immutable ? now | FS_IMMUTABLE_FL : now & ~FS_IMMUTABLE_FL
  check(ioctl(fd, FS_IOC_SETFLAGS, address()), 'ioctl')
}
