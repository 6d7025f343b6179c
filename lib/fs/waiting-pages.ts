// The pages of one open file that wait for their chunks. They lie over what is stored: whoever brings a
// chunk lays them over it, and they stay until the chunk is sealed with them.

import { PAGE_SIZE, type PagePool } from './page-pool.js'

const NONE = -1

export class WaitingPages {
  readonly #pool: PagePool
  readonly #perChunk: number
  /** numbers in the pool by the index of a chunk, NONE for a page that does not wait */
  readonly #chunks = new Map<number, number[]>()

  constructor(pool: PagePool, chunkSize: number) {
    this.#pool = pool
    this.#perChunk = chunkSize / PAGE_SIZE
  }

  /** How many chunks they are of. */
  get chunks(): number {
    return this.#chunks.size
  }

  has(index: number): boolean {
    return this.#chunks.has(index)
  }

  /** Takes `count` whole pages for a chunk, from its page `first` on. The pool must not be full. */
  put(index: number, first: number, count: number, from: Uint8Array, at: number): void {
    let pages = this.#chunks.get(index)
    if (pages === undefined) {
      pages = new Array<number>(this.#perChunk).fill(NONE)
      this.#chunks.set(index, pages)
    }
    for (let k = 0; k < count; k++) {
      let page = pages[first + k] ?? NONE
      if (page === NONE) page = pages[first + k] = this.#pool.take()
      this.#pool.fill(page, from, at + k * PAGE_SIZE)
    }
  }

  /** Lays the pages of a chunk over its plaintext. */
  lay(index: number, plain: Uint8Array): void {
    this.#chunks.get(index)?.forEach((page, k) => {
      if (page !== NONE) this.#pool.copy(page, plain, k * PAGE_SIZE)
    })
  }

  drop(index: number): void {
    const pages = this.#chunks.get(index)
    if (pages === undefined) return
    this.#chunks.delete(index)
    for (const page of pages) if (page !== NONE) this.#pool.give(page)
  }

  /** Drops those of the chunks from `first` up to `end`. */
  dropRange(first: number, end = Infinity): void {
    for (const index of [...this.#chunks.keys()])
      if (index >= first && index < end) this.drop(index)
  }

  /** Indices of their chunks, ascending. */
  indices(): number[] {
    return [...this.#chunks.keys()].sort((a, b) => a - b)
  }
}
