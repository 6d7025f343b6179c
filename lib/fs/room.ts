// Is there room on the disk of the vault by a wide margin? Then what a small new file needs is not taken
// beforehand, block by block, which costs more than writing it. The margin is counted down by what was
// promised, and looked at anew all the time, since others write to the disk, too.

import type { Backing } from '../store/backing.js'
import type { Clock } from './nonces.js'

const MARGIN = 1024 * 1024 * 1024
const LOOK_EVERY_MS = 1000

export class Room {
  readonly #backing: Backing
  readonly #clock: Clock
  #left = 0
  #lookedAt = -Infinity

  constructor(backing: Backing, clock: Clock) {
    this.#backing = backing
    this.#clock = clock
  }

  /** Promises `bytes` of the disk on which `fd` lies; false where they have to be taken. */
  has(fd: number, bytes: number): boolean {
    const now = this.#clock()
    const age = now - this.#lookedAt
    if (age > LOOK_EVERY_MS || age < 0) {
      const free = this.#backing.free(fd)
      // a disk that does not say
      this.#left = free === Infinity ? 0 : free - MARGIN
      this.#lookedAt = now
    }
    if (this.#left < bytes) return false
    this.#left -= bytes
    return true
  }
}
