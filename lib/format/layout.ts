// Plain sizes and offsets against backing sizes and offsets. FORMAT.md §4. Pure.
//
// backing file = header (1024) ‖ records of C + 40 bytes ‖ one last record of L + 40, 0 ≤ L < C.

import { HEADER_SIZE, RECORD_OVERHEAD } from './constants.js'

export class Layout {
  /** plaintext bytes of a full chunk */
  readonly chunkSize: number
  /** backing bytes of a full chunk */
  readonly recordSize: number

  constructor(chunkLog2: number) {
    this.chunkSize = 2 ** chunkLog2
    this.recordSize = this.chunkSize + RECORD_OVERHEAD
  }

  chunkIndex(plainOffset: number): number {
    return Math.floor(plainOffset / this.chunkSize)
  }

  /** Backing offset of the record of chunk `index`. */
  recordOffset(index: number): number {
    return HEADER_SIZE + index * this.recordSize
  }

  /** Index of the last chunk, which is always there and always short. */
  lastChunk(plainSize: number): number {
    return Math.floor(plainSize / this.chunkSize)
  }

  /** Plaintext bytes in chunk `index` of a file of `plainSize`; 0 beyond its end. */
  chunkLength(index: number, plainSize: number): number {
    return Math.max(0, Math.min(this.chunkSize, plainSize - index * this.chunkSize))
  }

  backingSize(plainSize: number): number {
    return HEADER_SIZE + plainSize + (this.lastChunk(plainSize) + 1) * RECORD_OVERHEAD
  }

  /** null where no plain size gives this backing size: the blob is damaged, never an empty file. */
  plainSize(backingSize: number): number | null {
    const body = backingSize - HEADER_SIZE
    if (body < RECORD_OVERHEAD) return null
    const full = Math.floor(body / this.recordSize)
    const rest = body - full * this.recordSize
    return rest < RECORD_OVERHEAD ? null : full * this.chunkSize + rest - RECORD_OVERHEAD
  }

  /** What a listing shows of a blob whose size may be impossible: max(0, qC + r − 40). */
  shownSize(backingSize: number): number {
    const body = backingSize - HEADER_SIZE
    if (body < RECORD_OVERHEAD) return 0
    const full = Math.floor(body / this.recordSize)
    return Math.max(0, full * this.chunkSize + (body - full * this.recordSize) - RECORD_OVERHEAD)
  }
}
