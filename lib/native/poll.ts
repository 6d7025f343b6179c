// poll(2): on a fixed pair of descriptors, and whether one is broken.

import { addressOf, lazy, native } from './libc.js'

const POLLIN = 1
const POLLERR = 8
const POLLFD_SIZE = 8
const POLL = 'int poll(uintptr_t fds, unsigned long count, int milliseconds)'

export class PollPair {
  readonly #view = new DataView(new ArrayBuffer(2 * POLLFD_SIZE))
  readonly #address = addressOf(new Uint8Array(this.#view.buffer))
  readonly #poll = native(POLL)

  /** poll(2) ignores a descriptor of -1 */
  constructor(first: number, second: number) {
    this.#view.setInt32(0, first, true)
    this.#view.setInt16(4, POLLIN, true)
    this.#view.setInt32(POLLFD_SIZE, second, true)
    this.#view.setInt16(POLLFD_SIZE + 4, POLLIN, true)
  }

  /**
   * Sleeps until one is readable (or broken), a signal comes, or time is up; -1 waits for ever.
   * True if something is to be read from the second.
   */
  wait(milliseconds: number): boolean {
    return (
      this.#poll(this.#address, 2, milliseconds) > 0 &&
      this.#view.getInt16(POLLFD_SIZE + 6, true) !== 0
    )
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
