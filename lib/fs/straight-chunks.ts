// The chunks that went to a blob's backing file since its last seal, with the nonce and tag of each,
// as the next entry of the journal lists them: should the machine stop before they have reached the
// disk, the file is cut back to those that did. FORMAT.md §6.

import { Buffer } from 'node:buffer'
import { NONCE_SIZE, TAG_SIZE } from '../format/constants.js'
import { STRAIGHT_SIZE } from '../format/journal.js'

export class StraightChunks {
  #bytes = Buffer.alloc(0)
  #used = 0

  /** Index, nonce and tag of each, STRAIGHT_SIZE bytes; the last of several for one index counts. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#used)
  }

  add(index: number, record: Uint8Array, at: number, length: number): void {
    if (this.#used === this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(64 * STRAIGHT_SIZE, this.#used * 2))
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    this.#bytes.writeBigUInt64BE(BigInt(index), this.#used)
    this.#bytes.set(record.subarray(at, at + NONCE_SIZE), this.#used + 8)
    const tag = at + NONCE_SIZE + length
    this.#bytes.set(record.subarray(tag, tag + TAG_SIZE), this.#used + 8 + NONCE_SIZE)
    this.#used += STRAIGHT_SIZE
  }

  /** The chunks from `first` up to `end` are not there any more. */
  cut(first: number, end = Infinity): void {
    let kept = 0
    for (let at = 0; at < this.#used; at += STRAIGHT_SIZE) {
      const index = Number(this.#bytes.readBigUInt64BE(at))
      if (index >= first && index < end) continue
      if (kept < at) this.#bytes.copyWithin(kept, at, at + STRAIGHT_SIZE)
      kept += STRAIGHT_SIZE
    }
    this.#used = kept
  }

  clear(): void {
    this.#used = 0
    if (this.#bytes.length > 1024 * STRAIGHT_SIZE) this.#bytes = Buffer.alloc(0)
  }
}
