// inotify(7): what happens in directories, without a thread. A queue that ran over says so, which
// neither libuv nor the watchers built on inotify pass on; hence not one of those.

import { Buffer } from 'node:buffer'
import { addressOf, calls, check, lastErrno } from './libc.js'
import { systemError } from '../errors.js'

const IN_NONBLOCK = 0o4000
const IN_CLOEXEC = 0o2000000
const EAGAIN = 11
const EINTR = 4
const EINVAL = 22
const HEAD_SIZE = 16
const BUFFER_SIZE = 64 * 1024

export const IN_MODIFY = 0x2
export const IN_ATTRIB = 0x4
export const IN_MOVED_FROM = 0x40
export const IN_MOVED_TO = 0x80
export const IN_CREATE = 0x100
export const IN_DELETE = 0x200
export const IN_DELETE_SELF = 0x400
export const IN_MOVE_SELF = 0x800
export const IN_UNMOUNT = 0x2000
export const IN_Q_OVERFLOW = 0x4000
export const IN_IGNORED = 0x8000
export const IN_ONLYDIR = 0x1000000
export const IN_EXCL_UNLINK = 0x4000000

const c = calls({
  inotify_init1: 'int inotify_init1(int flags)',
  inotify_add_watch: 'int inotify_add_watch(int fd, const char *path, uint32_t mask)',
  inotify_rm_watch: 'int inotify_rm_watch(int fd, int wd)',
  read: 'int64_t read(int fd, uintptr_t into, size_t length)',
  close: 'int close(int fd)',
})

/** One event; `name` is empty where it is about the watched directory itself. */
export type OnEvent = (wd: number, mask: number, name: string) => void

export class Inotify {
  readonly fd: number
  readonly #buffer = Buffer.from(new ArrayBuffer(BUFFER_SIZE))
  readonly #address = addressOf(this.#buffer)

  constructor() {
    this.fd = check(c.inotify_init1(IN_NONBLOCK | IN_CLOEXEC), 'inotify_init1')
  }

  /** Watches the directory of a descriptor, whatever becomes of its path. Its watch descriptor. */
  add(dirfd: number, mask: number): number {
    return check(
      c.inotify_add_watch(this.fd, `/proc/self/fd/${String(dirfd)}`, mask),
      'inotify_add_watch',
    )
  }

  remove(wd: number): void {
    // EINVAL: the directory is gone, and the watch with it
    if (c.inotify_rm_watch(this.fd, wd) < 0 && lastErrno() !== EINVAL)
      throw systemError(lastErrno(), 'inotify_rm_watch')
  }

  /** Takes one buffer full of events; false where there were none. Does not wait. */
  read(onEvent: OnEvent): boolean {
    const length = c.read(this.fd, this.#address, BUFFER_SIZE)
    if (length < 0) {
      const errno = lastErrno()
      if (errno === EAGAIN || errno === EINTR) return false
      throw systemError(errno, 'read')
    }
    for (let at = 0; at + HEAD_SIZE <= length;) {
      const nameLength = this.#buffer.readUInt32LE(at + 12)
      const start = at + HEAD_SIZE
      const zero = this.#buffer.indexOf(0, start)
      const end = nameLength === 0 ? start : Math.min(zero, start + nameLength)
      onEvent(
        this.#buffer.readInt32LE(at),
        this.#buffer.readUInt32LE(at + 4),
        this.#buffer.toString('utf8', start, end),
      )
      at = start + nameLength
    }
    return length > 0
  }

  close(): void {
    check(c.close(this.fd), 'close')
  }
}
