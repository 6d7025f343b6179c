// eventfd(2): how one thread wakes another that sleeps in poll(2). The descriptor is a plain number,
// so it can be told to a worker thread.

import { addressOf, check, lastErrno, lazy } from './libc.js'
import { systemError } from '../errors.js'

const EFD_NONBLOCK = 0o4000
const EFD_CLOEXEC = 0o2000000
const EAGAIN = 11
const EINTR = 4
const WORD = 8

const c = {
  eventfd: lazy('int eventfd(uint32_t initial, int flags)'),
  read: lazy('int64_t read(int fd, uintptr_t into, size_t length)'),
  write: lazy('int64_t write(int fd, uintptr_t from, size_t length)'),
  close: lazy('int close(int fd)'),
}

const one = new Uint8Array(new BigUint64Array([1n]).buffer)
const count = new Uint8Array(new ArrayBuffer(WORD))

export function openWake(): number {
  return check(c.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), 'eventfd')
}

export function wake(fd: number): void {
  while (c.write(fd, addressOf(one), WORD) < 0) {
    const errno = lastErrno()
    // the counter is full: it was signalled often enough
    if (errno === EAGAIN) return
    if (errno !== EINTR) throw systemError(errno, 'write')
  }
}

/** True if there was a `wake` since the last call. */
export function takeWake(fd: number): boolean {
  return c.read(fd, addressOf(count), WORD) === WORD
}

export function closeWake(fd: number): void {
  check(c.close(fd), 'close')
}
