// Nonces of 24 bytes. FORMAT.md §4: from the CSPRNG, the last 8 XORed with the wall clock, random
// bytes not pooled for more than a second, so that a machine restored from a snapshot repeats none.

import { NONCE_SIZE } from '../format/constants.js'

const POOL_NONCES = 170
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
  readonly #pool = new Uint8Array(POOL_NONCES * NONCE_SIZE)
  #next = POOL_NONCES
  #filledAt = 0
  #count = 0

  constructor(random: Random, clock: Clock) {
    this.#random = random
    this.#clock = clock
  }

  /** Puts a fresh nonce into `out[offset … offset + 24)`. */
  fill(out: Uint8Array, offset: number): void {
    const now = this.#clock()
    if (this.#next === POOL_NONCES || now - this.#filledAt > POOL_AGE_MS || now < this.#filledAt) {
      this.#random(this.#pool)
      this.#filledAt = now
      this.#next = 0
    }
    const at = this.#next++ * NONCE_SIZE
    for (let i = 0; i < NONCE_SIZE; i++) {
      out[offset + i] = this.#pool[at + i] ?? 0
      this.#pool[at + i] = 0
    }
    // milliseconds from the clock, a counter where it has no nanoseconds; in halves, since the
    // product has more bits than a number
    this.#count = (this.#count + 1) % 1_000_000
    const upper = Math.floor(now / 2 ** 20) * 1_000_000
    const lower = (upper % 2 ** 12) * 2 ** 20 + (now % 2 ** 20) * 1_000_000 + this.#count
    this.#xor(out, offset + 16, Math.floor(upper / 2 ** 12) + Math.floor(lower / 2 ** 32))
    this.#xor(out, offset + 20, lower % 2 ** 32)
  }

  #xor(out: Uint8Array, at: number, word: number): void {
    for (let i = 0; i < 4; i++) out[at + i] = (out[at + i] ?? 0) ^ ((word >>> (24 - 8 * i)) & 0xff)
  }
}
