// Plaintext chunks of one open file that wait in memory: those that are written to and not stored yet
// (dirty), and the one that was read last in part. It owns the buffers, which are the pool's.

import type { ChunkPool } from './context.js'

export interface CachedChunk {
  plain: Uint8Array
  dirty: boolean
}

export class ChunkCache {
  readonly #pool: ChunkPool
  readonly #chunks = new Map<number, CachedChunk>()
  /** number of dirty chunks */
  dirty = 0

  constructor(pool: ChunkPool) {
    this.#pool = pool
  }

  get(index: number): CachedChunk | undefined {
    return this.#chunks.get(index)
  }

  isDirty(index: number): boolean {
    return this.#chunks.get(index)?.dirty === true
  }

  /** The chunk, put there by `fill` where it is new; `fill` gets zeros. */
  load(index: number, fill: (plain: Uint8Array) => void): CachedChunk {
    const known = this.#chunks.get(index)
    if (known !== undefined) return known
    const chunk = { plain: this.#pool.take(), dirty: false }
    try {
      fill(chunk.plain)
    } catch (error) {
      this.#pool.give(chunk.plain)
      throw error
    }
    this.#chunks.set(index, chunk)
    return chunk
  }

  soil(chunk: CachedChunk): void {
    if (chunk.dirty) return
    chunk.dirty = true
    this.dirty++
  }

  clean(chunk: CachedChunk): void {
    if (!chunk.dirty) return
    chunk.dirty = false
    this.dirty--
  }

  drop(index: number): void {
    const chunk = this.#chunks.get(index)
    if (chunk === undefined) return
    this.clean(chunk)
    this.#chunks.delete(index)
    this.#pool.give(chunk.plain)
  }

  /** Drops the chunks from `first` up to `end`. */
  dropRange(first: number, end = Infinity): void {
    for (const index of [...this.#chunks.keys()])
      if (index >= first && index < end) this.drop(index)
  }

  /** Indices of dirty chunks, ascending. */
  dirtyIndices(): number[] {
    const indices: number[] = []
    for (const [index, { dirty }] of this.#chunks) if (dirty) indices.push(index)
    return indices.sort((a, b) => a - b)
  }
}
