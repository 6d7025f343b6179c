// Nonces of 24 bytes, and keys and ids. FORMAT.md §4: from the CSPRNG, a nonce's last 8 XORed with the
// wall clock, random bytes not pooled for more than a second, so that a machine restored from a snapshot
// repeats none. What was given is wiped from the pool.

import { NONCE_SIZE } from '../format/constants.js'

const POOL_SIZE = 4096
const POOL_AGE_MS = 1000

/** Fills with random bytes. */
export type Random = (into: Uint8Array) => void
/** Wall clock, milliseconds since 1970. */
export type Clock = () => number

/** A moment of the clock as times are kept. */
export const timeOf = (milliseconds: number): { sec: number; nsec: number } => ({
  sec: Math.floor(milliseconds / 1000),
  nsec: (milliseconds % 1000) * 1_000_000,
})

export class Nonces {
  readonly #random: Random
  readonly #clock: Clock
  readonly #pool = new Uint8Array(POOL_SIZE)
  #next = POOL_SIZE
  #filledAt = 0
  #count = 0

  constructor(random: Random, clock: Clock) {
    this.#random = random
    this.#clock = clock
  }

  /** Puts a fresh nonce into `out[offset … offset + 24)`. */
  fill(out: Uint8Array, offset: number): void {
    const now = this.#clock()
    this.#take(out, offset, NONCE_SIZE, now)
    // milliseconds from the clock, a counter where it has no nanoseconds; in halves, since the
    // product has more bits than a number
    this.#count = (this.#count + 1) % 1_000_000
    const upper = Math.floor(now / 2 ** 20) * 1_000_000
    const lower = (upper % 2 ** 12) * 2 ** 20 + (now % 2 ** 20) * 1_000_000 + this.#count
    this.#xor(out, offset + 16, Math.floor(upper / 2 ** 12) + Math.floor(lower / 2 ** 32))
    this.#xor(out, offset + 20, lower % 2 ** 32)
  }

  /** Fills all of `out`, a key or an id, with random bytes. */
  random(out: Uint8Array): void {
    this.#take(out, 0, out.length, this.#clock())
  }

  #take(out: Uint8Array, offset: number, length: number, now: number): void {
    const age = now - this.#filledAt
    if (this.#next + length > POOL_SIZE || age > POOL_AGE_MS || age < 0) {
      this.#random(this.#pool)
      this.#filledAt = now
      this.#next = 0
    }
    for (let i = 0; i < length; i++) {
      out[offset + i] = this.#pool[this.#next] ?? 0
      this.#pool[this.#next++] = 0
    }
  }

  #xor(out: Uint8Array, at: number, word: number): void {
    for (let i = 0; i < 4; i++) out[at + i] = (out[at + i] ?? 0) ^ ((word >>> (24 - 8 * i)) & 0xff)
  }
}
