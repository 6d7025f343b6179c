// The (nonce, tag) of each record of a strict file while it is open, 40 bytes a chunk; zero is an
// absent chunk. A record that is read with another pair was exchanged under us. FORMAT.md §5, check 6.
// Kept in pages, since a sparse file may have more chunks than memory has room for; a page that is
// not there is all absent.

import { isZero } from '../format/chunk.js'
import { NONCE_SIZE, RECORD_OVERHEAD, TAG_SIZE } from '../format/constants.js'

const PAGE_CHUNKS = 128
const PAGE_SIZE = PAGE_CHUNKS * RECORD_OVERHEAD
const absent = new Uint8Array(PAGE_SIZE)

const pageOf = (index: number): number => Math.floor(index / PAGE_CHUNKS)
const within = (index: number): number => (index % PAGE_CHUNKS) * RECORD_OVERHEAD

export class Pairs {
  readonly #pages = new Map<number, Uint8Array>()

  set(
    index: number,
    nonce: Uint8Array,
    nonceOffset: number,
    tag: Uint8Array,
    tagOffset: number,
  ): void {
    let page = this.#pages.get(pageOf(index))
    if (page === undefined) this.#pages.set(pageOf(index), (page = new Uint8Array(PAGE_SIZE)))
    const at = within(index)
    page.set(nonce.subarray(nonceOffset, nonceOffset + NONCE_SIZE), at)
    page.set(tag.subarray(tagOffset, tagOffset + TAG_SIZE), at + NONCE_SIZE)
  }

  get(index: number, out: Uint8Array): void {
    const at = within(index)
    out.set(this.#page(index).subarray(at, at + RECORD_OVERHEAD))
  }

  /** The chunks from `first` up to `end` are absent, or are not there. */
  clear(first: number, end = Infinity): void {
    for (const [number, page] of this.#pages) {
      const start = number * PAGE_CHUNKS
      const from = Math.max(0, first - start)
      const to = Math.min(PAGE_CHUNKS, end - start)
      if (from === 0 && to === PAGE_CHUNKS) this.#pages.delete(number)
      else if (from < to) page.fill(0, from * RECORD_OVERHEAD, to * RECORD_OVERHEAD)
    }
  }

  /** The first chunk from `index` on, and below `limit`, that is present; or `limit`. */
  nextPresent(index: number, limit: number): number {
    for (let i = index; i < limit; i++) {
      if (!this.#pages.has(pageOf(i))) {
        let next = Infinity
        for (const number of this.#pages.keys())
          if (number > pageOf(i)) next = Math.min(next, number)
        i = Math.max(i, next * PAGE_CHUNKS)
      }
      if (i < limit && !this.#isAbsent(i)) return i
    }
    return limit
  }

  /** The first chunk from `index` on, and below `limit`, that is absent; or `limit`. */
  nextAbsent(index: number, limit: number): number {
    let i = index
    while (i < limit && !this.#isAbsent(i)) i++
    return i
  }

  /** Is the record at `record[at]`, with `length` plaintext bytes, the one we know? */
  matches(index: number, record: Uint8Array, at: number, length: number): boolean {
    const page = this.#page(index)
    const known = within(index)
    for (let i = 0; i < NONCE_SIZE; i++) if (page[known + i] !== record[at + i]) return false
    const tag = at + NONCE_SIZE + length
    for (let i = 0; i < TAG_SIZE; i++) {
      if (page[known + NONCE_SIZE + i] !== record[tag + i]) return false
    }
    return true
  }

  #page(index: number): Uint8Array {
    return this.#pages.get(pageOf(index)) ?? absent
  }

  #isAbsent(index: number): boolean {
    return isZero(this.#page(index), within(index), RECORD_OVERHEAD)
  }
}
