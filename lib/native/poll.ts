// poll(2): on a fixed set of descriptors, and whether one is broken.

import { addressOf, lazy, native } from './libc.js'

const POLLIN = 1
const POLLERR = 8
const POLLFD_SIZE = 8
const POLL = 'int poll(uintptr_t fds, unsigned long count, int milliseconds)'

export class Poll {
  readonly #descriptors: readonly number[]
  readonly #view: DataView
  readonly #address: number
  readonly #poll = native(POLL)

  /** poll(2) ignores a descriptor of -1 */
  constructor(descriptors: readonly number[]) {
    this.#descriptors = descriptors
    this.#view = new DataView(new ArrayBuffer(descriptors.length * POLLFD_SIZE))
    this.#address = addressOf(new Uint8Array(this.#view.buffer))
    for (const [i, fd] of descriptors.entries()) {
      this.#view.setInt32(i * POLLFD_SIZE, fd, true)
      this.#view.setInt16(i * POLLFD_SIZE + 4, POLLIN, true)
    }
  }

  /** That one wakes nobody, or does again. */
  ignore(index: number, ignored: boolean): void {
    this.#view.setInt32(index * POLLFD_SIZE, ignored ? -1 : (this.#descriptors[index] ?? -1), true)
  }

  /** Sleeps until one is readable (or broken), a signal comes, or time is up; -1 waits for ever. */
  wait(milliseconds: number): void {
    const count = this.#descriptors.length
    if (this.#poll(this.#address, count, milliseconds) > 0) return
    for (let i = 0; i < count; i++) this.#view.setInt16(i * POLLFD_SIZE + 6, 0, true)
  }

  /** Was there something to be read from that one, at the last `wait`? */
  readable(index: number): boolean {
    return this.#view.getInt16(index * POLLFD_SIZE + 6, true) !== 0
  }
}

const poll = lazy(POLL)
const one = new DataView(new ArrayBuffer(POLLFD_SIZE))

/** The other end of the connection is gone. Does not wait. */
export function isBroken(fd: number): boolean {
  one.setInt32(0, fd, true)
  one.setInt32(4, 0, true)
  const found = poll(addressOf(new Uint8Array(one.buffer)), 1, 0)
  return found > 0 && (one.getInt16(6, true) & POLLERR) !== 0
}
