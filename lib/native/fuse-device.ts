// The FUSE device: one read(2) takes one request, one write(2) gives one reply. Calls answer like
// the kernel does, with a negative errno, since EAGAIN is the common case and must cost nothing.

import { addressOf, check, lastErrno, lazy, native } from './libc.js'

const O_RDWR = 2
const O_NONBLOCK = 0o4000
const O_CLOEXEC = 0o2000000
const PAGE_SIZE = 4096

const open = lazy('int open(const char *path, int flags, uint32_t mode)')

export const FUSE_DEVICE = '/dev/fuse'

export function openFuseDevice(): number {
  return check(open(FUSE_DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK, 0), 'open /dev/fuse')
}

/** `size` bytes off the moving heap, placed so that the byte at `payloadOffset` begins a page. */
export function deviceBuffer(size: number, payloadOffset: number): Uint8Array {
  const memory = new Uint8Array(new ArrayBuffer(size + 2 * PAGE_SIZE))
  const misplaced = (addressOf(memory) + payloadOffset) % PAGE_SIZE
  return memory.subarray(PAGE_SIZE - misplaced, PAGE_SIZE - misplaced + size)
}

export class FuseDevice {
  readonly fd: number
  readonly #doRead = native('int64_t read(int fd, uintptr_t into, size_t length)')
  readonly #doWrite = native('int64_t write(int fd, uintptr_t from, size_t length)')

  constructor(fd: number) {
    this.fd = fd
  }

  /** Length of the request, or a negative errno. */
  read(address: number, capacity: number): number {
    const length = this.#doRead(this.fd, address, capacity)
    return length < 0 ? -lastErrno() : length
  }

  /** 0, or a negative errno. */
  write(address: number, length: number): number {
    return this.#doWrite(this.fd, address, length) < 0 ? -lastErrno() : 0
  }
}
