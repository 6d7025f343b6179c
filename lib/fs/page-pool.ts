// Pages of plaintext that wait for their chunks: written to in places of a large file that lie apart, a
// chunk would have to be opened for each of them, and sealed for each. One pool for all files of a drive.

export const PAGE_SIZE = 4096
const SLAB_PAGES = 256
export const PAGES_MAX = (64 * 1024 * 1024) / PAGE_SIZE

export class PagePool {
  /** of SLAB_PAGES each, taken when they are needed first */
  readonly #slabs: Uint8Array[] = []
  readonly #free: number[] = []
  /** pages that may still be taken */
  #left: number
  readonly #perWrite: number

  /** `perWrite`: what one write takes at most, so that it has all of it or nothing. */
  constructor(max: number, perWrite: number) {
    this.#left = max
    this.#perWrite = perWrite
  }

  get isFull(): boolean {
    return this.#left < this.#perWrite
  }

  /** The number of a page that is all zero. The pool must not be full. */
  take(): number {
    if (this.#free.length === 0) {
      const first = this.#slabs.length * SLAB_PAGES
      this.#slabs.push(new Uint8Array(SLAB_PAGES * PAGE_SIZE))
      for (let page = first + SLAB_PAGES - 1; page >= first; page--) this.#free.push(page)
    }
    this.#left--
    return this.#free.pop() ?? 0
  }

  /** Copies PAGE_SIZE bytes into a page. */
  fill(page: number, from: Uint8Array, at: number): void {
    this.#slab(page).set(from.subarray(at, at + PAGE_SIZE), (page % SLAB_PAGES) * PAGE_SIZE)
  }

  copy(page: number, into: Uint8Array, at: number): void {
    const start = (page % SLAB_PAGES) * PAGE_SIZE
    into.set(this.#slab(page).subarray(start, start + PAGE_SIZE), at)
  }

  /** Plaintext does not stay in memory after its use. */
  give(page: number): void {
    const start = (page % SLAB_PAGES) * PAGE_SIZE
    this.#slab(page).fill(0, start, start + PAGE_SIZE)
    this.#free.push(page)
    this.#left++
  }

  #slab(page: number): Uint8Array {
    const slab = this.#slabs[Math.floor(page / SLAB_PAGES)]
    if (slab === undefined) throw new RangeError('no such page')
    return slab
  }
}
