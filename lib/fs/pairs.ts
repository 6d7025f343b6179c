// The (nonce, tag) of each record of a strict file while it is open, 40 bytes a chunk. A record that
// is read with another pair was exchanged under us. FORMAT.md §5, check 6.

import { NONCE_SIZE, RECORD_OVERHEAD, TAG_SIZE } from '../format/constants.js'

export class Pairs {
  #bytes = new Uint8Array(8 * RECORD_OVERHEAD)

  set(
    index: number,
    nonce: Uint8Array,
    nonceOffset: number,
    tag: Uint8Array,
    tagOffset: number,
  ): void {
    const at = this.#room(index)
    this.#bytes.set(nonce.subarray(nonceOffset, nonceOffset + NONCE_SIZE), at)
    this.#bytes.set(tag.subarray(tagOffset, tagOffset + TAG_SIZE), at + NONCE_SIZE)
  }

  get(index: number, out: Uint8Array): void {
    const at = this.#room(index)
    out.set(this.#bytes.subarray(at, at + RECORD_OVERHEAD))
  }

  clear(index: number): void {
    const at = this.#room(index)
    this.#bytes.fill(0, at, at + RECORD_OVERHEAD)
  }

  /** Forgets the pairs from `index` on. */
  cut(index: number): void {
    this.#bytes.fill(0, Math.min(this.#bytes.length, index * RECORD_OVERHEAD))
  }

  /** Is the record at `record[at]`, with `length` plaintext bytes, the one we know? */
  matches(index: number, record: Uint8Array, at: number, length: number): boolean {
    const known = this.#room(index)
    for (let i = 0; i < NONCE_SIZE; i++) if (this.#bytes[known + i] !== record[at + i]) return false
    const tag = at + NONCE_SIZE + length
    for (let i = 0; i < TAG_SIZE; i++) {
      if (this.#bytes[known + NONCE_SIZE + i] !== record[tag + i]) return false
    }
    return true
  }

  #room(index: number): number {
    const end = (index + 1) * RECORD_OVERHEAD
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2))
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    return end - RECORD_OVERHEAD
  }
}
