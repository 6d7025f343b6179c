// The records of one blob: where chunks meet the backing file. FORMAT.md §4. It keeps the sum of the
// seal (acc, absent) true to what it stores, and knows which records lie there. It is the one place
// where a chunk is sealed or opened. Plaintext belongs to the caller.
//
// State on disk: `full` records of full size (some absent), then one short last record of `tail`
// plaintext bytes, or none while a file grows (tail = -1; the next commit writes it).

import { CofferError } from '../errors.js'
import { absence, ChunkCipher, isZero } from '../format/chunk.js'
import { HEADER_SIZE, NONCE_SIZE, RECORD_OVERHEAD, TAG_SIZE } from '../format/constants.js'
import { RUN_RECORDS, type Context } from './context.js'
import { Pairs } from './pairs.js'
import type { SealedObject } from './sealed-object.js'

const pair = new Uint8Array(RECORD_OVERHEAD)
const RESERVE_AHEAD_MAX = 64 * 1024 * 1024

/** Where the plaintext of a run of chunks lies. */
export interface PlainRun {
  /** plaintext of the k-th chunk of the run */
  buffer(k: number): Uint8Array
  offset(k: number): number
}

export class RecordStore {
  readonly acc = new Uint8Array(16)
  absent = 0
  chunkWrites = 0
  full = 0
  tail = -1
  /** (nonce, tag) of every record of a strict file, as verified or written; a new one is strict */
  pairs: Pairs | null = new Pairs()
  readonly #ctx: Context
  readonly #cipher: ChunkCipher
  /** index of the last chunk that a strict file can have */
  readonly #strictLast: number
  /** backing bytes up to which blocks are known to be taken */
  #reserved = 0

  constructor(ctx: Context, object: SealedObject) {
    this.#ctx = ctx
    this.#cipher = new ChunkCipher(object.keys)
    const { strictMax, integrity } = ctx.body.policy
    this.#strictLast = integrity === 'full' ? Infinity : ctx.layout.lastChunk(strictMax)
  }

  /** Takes over a blob of `plainSize` bytes as its seal describes it. */
  adopt(plainSize: number, acc: Uint8Array, absent: number, chunkWrites: number): void {
    const { layout } = this.#ctx
    this.acc.set(acc)
    this.absent = absent
    this.chunkWrites = chunkWrites
    this.full = layout.lastChunk(plainSize)
    this.tail = plainSize - this.full * layout.chunkSize
    this.#reserved = layout.backingSize(plainSize)
    this.pairs = null
  }

  /** Plaintext bytes of the record of chunk `index`, -1 where no record lies there. */
  lengthOf(index: number): number {
    if (index < this.full) return this.#ctx.layout.chunkSize
    return index === this.full ? this.tail : -1
  }

  /** Check 6 of FORMAT.md §5: all pairs against acc and absent. Keeps the pairs. */
  verifyAll(fd: number): void {
    const acc = new Uint8Array(16)
    const pairs = new Pairs()
    let absent = 0
    for (let i = 0; i <= this.full; i++) {
      this.#readPair(fd, i)
      pairs.set(i, pair, 0, pair, NONCE_SIZE)
      if (i < this.full && isZero(pair, 0, RECORD_OVERHEAD)) absent++
      else this.#cipher.toggle(acc, i, pair, 0, pair, NONCE_SIZE)
    }
    if (absent !== this.absent || !equal16(acc, this.acc)) {
      throw new CofferError(
        'OBJECT_DAMAGED',
        'the chunks are not the ones that the seal was made over',
      )
    }
    this.pairs = pairs
  }

  /**
   * Opens `count` records from `first` on; the k-th into `into(k)`, whole. All of them lie in the
   * backing file. Throws CHUNK_DAMAGED before any byte of a bad chunk is visible.
   */
  load(fd: number, first: number, count: number, run: PlainRun): void {
    const { layout, records, backing } = this.#ctx
    let size = 0
    for (let k = 0; k < count; k++) size += this.lengthOf(first + k) + RECORD_OVERHEAD
    const got = backing.read(fd, records, 0, size, layout.recordOffset(first))
    if (got !== size)
      throw new CofferError('OBJECT_TRUNCATED', 'the blob has become shorter while it was open')
    let at = 0
    for (let k = 0; k < count; k++) {
      const length = this.lengthOf(first + k)
      this.#open(first + k, at, length, run.buffer(k), run.offset(k))
      at += length + RECORD_OVERHEAD
    }
  }

  #open(index: number, at: number, length: number, into: Uint8Array, offset: number): void {
    const { records } = this.#ctx
    if (this.pairs !== null && !this.pairs.matches(index, records, at, length)) {
      throw new CofferError(
        'CHUNK_DAMAGED',
        `chunk ${String(index)} was exchanged while the file was open`,
      )
    }
    if (records[at] === 0 && this.absent > 0 && index < this.full) {
      const state = absence(records, at, length)
      if (state === 'absent') {
        into.fill(0, offset, offset + length)
        return
      }
      if (state === 'damaged')
        throw new CofferError('CHUNK_DAMAGED', `chunk ${String(index)} is half erased`)
    }
    if (!this.#cipher.open(index, records, at, into, offset, length)) {
      throw new CofferError('CHUNK_DAMAGED', `chunk ${String(index)} does not verify`)
    }
  }

  /**
   * Seals and stores `count` full chunks from `first` on, at most RUN_RECORDS. Chunks between `full`
   * and `first` become absent; the caller has stored what was in them.
   */
  storeFull(fd: number, first: number, count: number, run: PlainRun): void {
    const { layout, nonces, records, backing } = this.#ctx
    if (count > RUN_RECORDS) throw new RangeError('too many records for one run')
    const length = layout.chunkSize
    this.reserve(fd, first, count * length)
    for (let k = 0; k < count; k++) {
      const at = k * layout.recordSize
      nonces.fill(records, at)
      this.#cipher.seal(first + k, records, at, run.buffer(k), run.offset(k), length)
    }
    for (let k = 0; k < count; k++) this.#leave(fd, first + k)
    this.#gap(first)
    backing.write(fd, records, 0, count * layout.recordSize, layout.recordOffset(first))
    for (let k = 0; k < count; k++) this.#enter(first + k, k * layout.recordSize, length)
    if (first + count > this.full) {
      this.full = first + count
      this.tail = -1
    }
  }

  /** Seals and stores the short last chunk, `length` bytes of `plain`, and cuts the blob behind it. */
  storeTail(fd: number, index: number, plain: Uint8Array, length: number): void {
    const { layout, nonces, records, backing } = this.#ctx
    if (index < this.full) throw new RangeError('the last chunk lies before a full one')
    this.reserve(fd, index, length)
    nonces.fill(records, 0)
    this.#cipher.seal(index, records, 0, plain, 0, length)
    this.#leave(fd, index)
    this.#gap(index)
    backing.write(fd, records, 0, length + RECORD_OVERHEAD, layout.recordOffset(index))
    this.#enter(index, 0, length)
    this.full = index
    this.tail = length
    this.#trim(fd)
  }

  /** Drops all records from chunk `index` on. */
  cut(fd: number, index: number): void {
    const { layout, backing } = this.#ctx
    if (index === 0) {
      this.acc.fill(0)
      this.absent = 0
    } else {
      for (let i = index; i <= this.full; i++) {
        i = this.#skipHoles(fd, i)
        this.#leave(fd, i)
      }
    }
    backing.truncate(fd, layout.recordOffset(index))
    this.#reserved = Math.min(this.#reserved, layout.recordOffset(index))
    this.pairs?.cut(index)
    if (index <= this.full) {
      this.full = index
      this.tail = -1
    }
  }

  /**
   * Takes blocks for the records of `length` plaintext bytes from the start of chunk `first` on,
   * before anything is overwritten: ENOSPC comes here or not at all.
   */
  reserve(fd: number, first: number, length: number): void {
    const { layout, backing } = this.#ctx
    const start = layout.recordOffset(first)
    const end = start + layout.backingSize(length) - HEADER_SIZE
    // a hole has no blocks yet
    if (this.absent > 0 && first < this.full) backing.reserve(fd, start, end - start)
    if (end <= this.#reserved) return
    const begin = first > this.full ? start : this.#reserved
    const ahead = end > layout.recordSize * 4 ? Math.min(RESERVE_AHEAD_MAX, end) : 0
    if (ahead > 0) {
      try {
        backing.reserve(fd, begin, end - begin + ahead)
        this.#reserved = end + ahead
        return
      } catch {
        // the disk is nearly full: take just what is needed, or fail
      }
    }
    backing.reserve(fd, begin, end - begin)
    this.#reserved = end
  }

  /** Gives back blocks that were taken beyond the last record. */
  #trim(fd: number): void {
    const { layout, backing } = this.#ctx
    const end = layout.recordOffset(this.full) + this.tail + RECORD_OVERHEAD
    if (this.#reserved > end) backing.truncate(fd, end)
    this.#reserved = end
  }

  /** Takes the record that lies at `index` out of the sum. */
  #leave(fd: number, index: number): void {
    if (this.lengthOf(index) < 0) return
    if (this.pairs === null) this.#readPair(fd, index)
    else this.pairs.get(index, pair)
    if (index < this.full && isZero(pair, 0, RECORD_OVERHEAD)) this.absent--
    else this.#cipher.toggle(this.acc, index, pair, 0, pair, NONCE_SIZE)
  }

  /** Takes the absent chunks from `index` on out of the sum without reading them; the next chunk. */
  #skipHoles(fd: number, index: number): number {
    if (this.absent === 0 || this.pairs !== null || index >= this.full) return index
    const { layout, backing } = this.#ctx
    const data = backing.nextData(fd, layout.recordOffset(index)) - HEADER_SIZE
    const next = Math.min(this.full, Math.floor(data / layout.recordSize))
    this.absent -= next - index
    return next
  }

  #enter(index: number, at: number, length: number): void {
    const { records } = this.#ctx
    this.#cipher.toggleRecord(this.acc, index, records, at, length)
    this.pairs?.set(index, records, at, records, at + NONCE_SIZE + length)
    this.chunkWrites++
  }

  /** Makes the chunks from `full` to `first` absent. A file that outgrows strictness drops its pairs. */
  #gap(first: number): void {
    if (first > this.#strictLast) this.pairs = null
    if (first <= this.full) return
    for (let i = this.full; i < first && this.pairs !== null; i++) this.pairs.clear(i)
    this.absent += first - this.full
  }

  #readPair(fd: number, index: number): void {
    const { layout, backing } = this.#ctx
    const at = layout.recordOffset(index)
    const length = this.lengthOf(index)
    const got =
      backing.read(fd, pair, 0, NONCE_SIZE, at) +
      backing.read(fd, pair, NONCE_SIZE, TAG_SIZE, at + NONCE_SIZE + length)
    if (got !== RECORD_OVERHEAD)
      throw new CofferError('OBJECT_TRUNCATED', 'the blob ends before its last chunk')
  }
}

function equal16(a: Uint8Array, b: Uint8Array): boolean {
  let difference = 0
  for (let i = 0; i < 16; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0)
  return difference === 0
}
