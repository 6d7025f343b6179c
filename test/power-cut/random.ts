// Choices that a seed repeats: which operation comes next, which writes a cut loses.

import { Buffer } from 'node:buffer'
import { createCipheriv, createHash } from 'node:crypto'

export class Random {
  readonly #key: Buffer
  #state: number
  #filled = 0

  constructor(seed: string) {
    const hash = createHash('sha256').update(seed).digest()
    this.#key = hash.subarray(0, 16)
    this.#state = hash.readUInt32LE(16)
  }

  /** From 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** A whole number from `low` to below `high`. */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low))
  }

  pick<T>(things: readonly T[]): T {
    const thing = things[this.between(0, things.length)]
    if (thing === undefined) throw new Error('nothing to choose from')
    return thing
  }

  /** Content that no other call gives. */
  bytes(length: number): Buffer {
    const iv = Buffer.alloc(16)
    iv.writeUInt32LE(++this.#filled, 0)
    return createCipheriv('aes-128-ctr', this.#key, iv).update(Buffer.alloc(length))
  }
}
