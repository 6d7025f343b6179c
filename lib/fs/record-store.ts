// The records of one blob: where chunks meet the backing file. FORMAT.md §4. It keeps the sum of the
// seal (acc, absent) true to what it stores, and knows which records lie there. It is the one place
// where a chunk is sealed or opened. Plaintext belongs to the caller.
//
// State on disk: `full` records of full size (some absent), then one short last record of `tail`
// plaintext bytes, or none while a file grows (tail = -1; the next commit writes it).

import { CofferError } from '../errors.js'
import { absence, ChunkCipher, isZero } from '../format/chunk.js'
import { HEADER_SIZE, NONCE_SIZE, RECORD_OVERHEAD, TAG_SIZE } from '../format/constants.js'
import { emptyStat } from '../store/backing.js'
import { RUN_RECORDS, type Context } from './context.js'
import { Pairs } from './pairs.js'
import type { SealedObject } from './sealed-object.js'

const pair = new Uint8Array(RECORD_OVERHEAD)
const stat = emptyStat()
const accBefore = new Uint8Array(16)
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
  /** range of the backing file, at or beyond the last record, in which blocks were taken */
  #reservedFrom = 0
  #reservedTo = 0
  /** end of the part of it that somebody counts on; the rest was taken ahead */
  #needed = 0
  /** blocks were taken in other places, too */
  #scattered = false
  /** and blocks that nobody counts on, after a failure */
  #leaking = false

  constructor(ctx: Context, object: SealedObject) {
    this.#ctx = ctx
    this.#cipher = new ChunkCipher(object.keys)
    const { strictMax, integrity } = ctx.body.policy
    this.#strictLast = integrity === 'full' ? Infinity : ctx.layout.lastChunk(strictMax)
  }

  /**
   * Takes over a blob of `plainSize` bytes as its seal describes it. `ended`: its short last record is
   * there; a writer that was killed leaves full ones only.
   */
  adopt(
    plainSize: number,
    acc: Uint8Array,
    absent: number,
    chunkWrites: number,
    ended = true,
  ): void {
    const { layout } = this.#ctx
    this.acc.set(acc)
    this.absent = absent
    this.chunkWrites = chunkWrites
    this.full = layout.lastChunk(plainSize) + (ended ? 0 : 1)
    this.tail = ended ? plainSize - this.full * layout.chunkSize : -1
    this.#forgetReserved()
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
      const next = this.nextPresent(fd, i)
      absent += next - i
      i = next
      this.#readPair(fd, i)
      if (i < this.full && isZero(pair, 0, RECORD_OVERHEAD)) {
        absent++
      } else {
        pairs.set(i, pair, 0, pair, NONCE_SIZE)
        this.#cipher.toggle(acc, i, pair, 0, pair, NONCE_SIZE)
      }
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
    this.#leave(fd, first, first + count)
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
    this.#leave(fd, index, index + 1)
    this.#gap(index)
    backing.write(fd, records, 0, length + RECORD_OVERHEAD, layout.recordOffset(index))
    this.#enter(index, 0, length)
    this.full = index
    this.tail = length
    // everything is stored: what lies beyond is either promised or can go
    this.#scattered = false
    this.#reservedFrom = 0
    this.#giveBack(fd)
  }

  /** Drops all records from chunk `index` on. */
  cut(fd: number, index: number): void {
    const { layout, backing } = this.#ctx
    const beyond = index > this.full
    if (index === 0) {
      this.acc.fill(0)
      this.absent = 0
    } else {
      this.#leave(fd, index, this.full + 1)
    }
    backing.truncate(fd, layout.recordOffset(index))
    this.pairs?.clear(index)
    if (index <= this.full) {
      this.full = index
      this.tail = -1
    }
    this.#forgetReserved()
    this.#scattered = beyond
  }

  /** Makes the full chunks from `first` up to `end` absent and gives their blocks back. */
  erase(fd: number, first: number, end: number): void {
    if (first >= end) return
    const { layout, backing } = this.#ctx
    const absent = this.absent
    this.#leave(fd, first, end)
    const start = layout.recordOffset(first)
    try {
      backing.punch(fd, start, layout.recordOffset(end) - start)
    } catch (error) {
      this.acc.set(accBefore)
      this.absent = absent
      throw error
    }
    this.absent += end - first
    this.pairs?.clear(first, end)
  }

  /** The first chunk from `index` on that is not absent; `full` where all before it are. */
  nextPresent(fd: number, index: number): number {
    if (index >= this.full || this.absent === 0) return index
    if (this.pairs !== null) return this.pairs.nextPresent(index, this.full)
    const { layout, backing } = this.#ctx
    let i = index
    while (i < this.full && this.#isAbsent(fd, i)) {
      // records do not begin where blocks do, but those that lie in a hole whole need no look
      const data = backing.nextData(fd, layout.recordOffset(i + 1)) - HEADER_SIZE
      i = Math.max(i + 1, Math.floor(data / layout.recordSize))
    }
    return Math.min(i, this.full)
  }

  /** The first chunk from `index` on that is absent, as far as holes of the blob tell, or has no record. */
  nextAbsent(fd: number, index: number): number {
    const end = this.tail < 0 ? this.full : this.full + 1
    if (index >= this.full || this.absent === 0) return Math.max(index, end)
    const { layout, backing } = this.#ctx
    if (this.pairs !== null) {
      const found = this.pairs.nextAbsent(index, this.full)
      return found < this.full ? found : end
    }
    for (let i = index; i < this.full; i++) {
      const hole = backing.nextHole(fd, layout.recordOffset(i)) - HEADER_SIZE
      i = Math.max(i, Math.floor(hole / layout.recordSize))
      if (i < this.full && this.#isAbsent(fd, i)) return i
    }
    return end
  }

  #isAbsent(fd: number, index: number): boolean {
    this.#readPair(fd, index)
    return isZero(pair, 0, RECORD_OVERHEAD)
  }

  /**
   * Takes blocks for the records of `length` plaintext bytes from the start of chunk `first` on,
   * before anything is overwritten: ENOSPC comes here or not at all. A file that grows takes some
   * more than it needs.
   */
  reserve(fd: number, first: number, length: number, ahead = true): void {
    const { layout } = this.#ctx
    const start = layout.recordOffset(first)
    const end = start + layout.backingSize(length) - HEADER_SIZE
    const stored = this.#storedEnd
    // a hole has no blocks yet
    if (this.absent > 0 && first < this.full) {
      this.#take(fd, start, Math.min(end, stored))
    }
    const from = Math.max(start, stored)
    if (end <= from) return
    const apart = from < this.#reservedFrom || from > this.#reservedTo
    // what was taken ahead there would come to lie in a hole
    if (apart) this.#giveBack(fd)
    const begin = apart ? from : this.#reservedTo
    if (end > begin) {
      const grown = end - (apart ? from : this.#reservedFrom)
      const more = ahead && grown > layout.recordSize * 4 ? Math.min(RESERVE_AHEAD_MAX, grown) : 0
      let taken = end + more
      if (more === 0 || !this.#takeAhead(fd, begin, taken)) this.#take(fd, begin, (taken = end))
      if (apart) {
        this.#scattered ||= this.#reservedTo > stored
        this.#reservedFrom = this.#needed = from
      }
      this.#reservedTo = taken
      if (taken > end) this.#ctx.ahead.set(this, fd)
    }
    this.#needed = Math.max(this.#needed, end)
  }

  /** False where the disk is nearly full: then only what is needed is taken. */
  #takeAhead(fd: number, start: number, end: number): boolean {
    try {
      this.#takeBlocks(fd, start, end)
      return true
    } catch {
      return false
    }
  }

  /** Blocks for a range of the backing file, if need be those that other files have taken ahead. */
  #take(fd: number, start: number, end: number): void {
    try {
      this.#takeBlocks(fd, start, end)
    } catch (error) {
      const { ahead } = this.#ctx
      if (!(error instanceof CofferError) || error.code !== 'ENOSPC' || ahead.size === 0)
        throw error
      for (const [store, other] of ahead) store.#giveBack(other)
      this.#takeBlocks(fd, start, end)
    }
  }

  /** A system that runs out of blocks half-way keeps those that it has got; we do not. */
  #takeBlocks(fd: number, start: number, end: number): void {
    const { backing } = this.#ctx
    const length = end - start
    if (length > RESERVE_AHEAD_MAX) {
      // not even to be tried: for a moment it would leave everybody else without any
      backing.statFd(fd, stat)
      if (length - stat.blocks * 512 > backing.free(fd))
        throw new CofferError('ENOSPC', 'the disk of the vault has not that much room')
    }
    try {
      backing.reserve(fd, start, length)
    } catch (error) {
      this.#leaking = true
      this.#giveBack(fd)
      throw error
    }
  }

  /** Gives back the blocks beyond the last record that nobody counts on. */
  #giveBack(fd: number): void {
    const { backing, ahead } = this.#ctx
    ahead.delete(this)
    const stored = this.#storedEnd
    const kept = Math.max(stored, this.#needed)
    if (this.#reservedTo <= kept && !this.#leaking) return
    // where blocks lie here and there, all of them stay until everything is stored
    if (this.#scattered || this.#reservedFrom > stored) return
    backing.truncate(fd, stored)
    this.#reservedTo = stored
    this.#leaking = false
    if (kept === stored) return
    try {
      backing.reserve(fd, stored, kept - stored)
      this.#reservedTo = kept
    } catch {
      // somebody else was faster: the next write or seal that needs them says so
    }
  }

  #forgetReserved(): void {
    this.#ctx.ahead.delete(this)
    this.#reservedFrom = this.#reservedTo = this.#needed = this.#storedEnd
    this.#scattered = this.#leaking = false
  }

  /** The blob is about to be closed. */
  close(): void {
    this.#ctx.ahead.delete(this)
  }

  /** End of the last record that lies in the backing file. */
  get #storedEnd(): number {
    const end = this.#ctx.layout.recordOffset(this.full)
    return this.tail < 0 ? end : end + this.tail + RECORD_OVERHEAD
  }

  /** Takes the records of the chunks from `first` up to `end` out of the sum: all of them, or none. */
  #leave(fd: number, first: number, end: number): void {
    const { absent } = this
    const last = Math.min(end, this.full + 1)
    accBefore.set(this.acc)
    try {
      for (let i = first; i < last; i++) {
        const next = Math.min(last, this.nextPresent(fd, i))
        this.#uncount(next - i)
        i = next
        if (i < last) this.#leaveOne(fd, i)
      }
    } catch (error) {
      this.acc.set(accBefore)
      this.absent = absent
      throw error
    }
  }

  #leaveOne(fd: number, index: number): void {
    if (this.lengthOf(index) < 0) return
    if (this.pairs === null) this.#readPair(fd, index)
    else this.pairs.get(index, pair)
    if (index < this.full && isZero(pair, 0, RECORD_OVERHEAD)) this.#uncount(1)
    else this.#cipher.toggle(this.acc, index, pair, 0, pair, NONCE_SIZE)
  }

  /** Holes that the seal does not count were made by somebody else. */
  #uncount(holes: number): void {
    if (holes > this.absent) {
      throw new CofferError('OBJECT_DAMAGED', 'chunks were erased from the blob')
    }
    this.absent -= holes
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
    this.pairs?.clear(this.full, first)
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
