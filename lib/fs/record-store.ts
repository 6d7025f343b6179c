// The records of one blob: where chunks meet the backing file. FORMAT.md §4. It keeps the sum of the
// seal (acc, absent) true to what it stores, and knows which records lie there. It is the one place
// where a chunk is sealed or opened. Plaintext belongs to the caller.
//
// Of a blob that has a seal on the disk, the records under that seal are not touched before the next
// one is in the journal: what replaces them is staged there (FORMAT.md §6). Chunks beyond go straight
// to the backing file, with a note of each for the journal.
//
// State: records of the indices below `end`, full ones (some absent) but for one short one, which is
// the last unless the file has grown since its last seal, or none while a new file grows.

import { CofferError } from '../errors.js'
import { absence, ChunkCipher, isZero } from '../format/chunk.js'
import { HEADER_SIZE, NONCE_SIZE, RECORD_OVERHEAD, TAG_SIZE } from '../format/constants.js'
import { NO_CUT, type EntryBuffer, type EntryRecord } from '../format/journal.js'
import type { Seal } from '../format/seal.js'
import { emptyStat } from '../store/backing.js'
import { RUN_RECORDS, type Context } from './context.js'
import { Pairs } from './pairs.js'
import { Reservation } from './reservation.js'
import type { SealedObject } from './sealed-object.js'
import { StraightChunks } from './straight-chunks.js'

const pair = new Uint8Array(RECORD_OVERHEAD)
const accBefore = new Uint8Array(16)
const stat = emptyStat()

/** Where the plaintext of a run of chunks lies. */
export interface PlainRun {
  /** plaintext of the k-th chunk of the run */
  buffer(k: number): Uint8Array
  offset(k: number): number
}

interface Mark {
  acc: Uint8Array
  absent: number
  chunkWrites: number
  end: number
  short: number
  shortLength: number
}

export class RecordStore {
  readonly acc = new Uint8Array(16)
  absent = 0
  chunkWrites = 0
  end = 0
  /** index of the short record, -1 where there is none */
  short = -1
  shortLength = 0
  /** (nonce, tag) of every record of a strict file, as verified or written; a new one is strict */
  pairs: Pairs | null = new Pairs()
  /** records from here on are gone as soon as the next seal counts, or NO_CUT */
  cutTo = NO_CUT
  /** chunks that went to the backing file since the seal on the disk */
  readonly straight = new StraightChunks()
  /** what the next entry of the journal replaces, in its buffer */
  readonly staged: EntryRecord[] = []
  readonly #ctx: Context
  readonly #cipher: ChunkCipher
  readonly #reservation: Reservation
  /** to be told before the blob becomes longer than its seal says */
  readonly #longer: () => void
  /** index of the last chunk that a strict file can have */
  readonly #strictLast: number
  /** records below are under the seal on the disk, which has this many bytes of the backing file */
  #sealedEnd = 0
  #sealedBytes = 0
  /** what a write that failed has left beyond the last record, and in place of one */
  #ragged = false
  #torn = false

  constructor(ctx: Context, object: SealedObject, longer: () => void) {
    this.#ctx = ctx
    this.#cipher = new ChunkCipher(object.keys)
    this.#longer = longer
    this.#reservation = new Reservation(ctx, () => Math.max(this.#storedEnd, this.#sealedBytes))
    const { strictMax, integrity } = ctx.body.policy
    this.#strictLast = integrity === 'full' ? Infinity : ctx.layout.lastChunk(strictMax)
  }

  /** Takes over a blob of `plainSize` bytes as its seal describes it. */
  adopt(plainSize: number, acc: Uint8Array, absent: number, chunkWrites: number): void {
    const { layout } = this.#ctx
    this.acc.set(acc)
    this.absent = absent
    this.chunkWrites = chunkWrites
    this.end = layout.lastChunk(plainSize) + 1
    this.short = this.end - 1
    this.shortLength = plainSize - this.short * layout.chunkSize
    this.#protect()
    this.#reservation.forget()
    this.pairs = null
  }

  /** The seal on the disk is over the records as they are now. */
  #protect(): void {
    this.#sealedEnd = this.end
    this.#sealedBytes = this.#storedEnd
    this.cutTo = NO_CUT
    this.straight.clear()
    this.staged.length = 0
  }

  /** Must what replaces this chunk go through the journal? */
  isStaged(index: number): boolean {
    return this.cutTo !== NO_CUT || index < this.#sealedEnd
  }

  /** The blob has no name any more: no seal of it will ever be read. */
  unprotect(fd: number): void {
    const { backing, layout } = this.#ctx
    if (this.cutTo !== NO_CUT) backing.truncate(fd, layout.recordOffset(this.cutTo))
    this.cutTo = NO_CUT
    this.#sealedEnd = this.#sealedBytes = 0
  }

  /** Plaintext bytes of the record of chunk `index`, -1 where no record lies there. */
  lengthOf(index: number): number {
    if (index >= this.end) return -1
    return index === this.short ? this.shortLength : this.#ctx.layout.chunkSize
  }

  /** Check 6 of FORMAT.md §5: all pairs against acc and absent. Keeps the pairs. */
  verifyAll(fd: number): void {
    const acc = new Uint8Array(16)
    const pairs = new Pairs()
    let absent = 0
    for (let i = 0; i < this.end; i++) {
      const next = this.nextPresent(fd, i)
      absent += next - i
      i = next
      if (i >= this.end) break
      this.#readPair(fd, i)
      if (this.#mayBeAbsent(i) && isZero(pair, 0, RECORD_OVERHEAD)) {
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
   * The file was emptied since `seal`, the one on the disk: what lies under that counts again. False
   * where it is not whole; then nothing has changed.
   */
  revive(fd: number, { length, acc, absent }: Seal): boolean {
    const { layout, backing } = this.#ctx
    backing.statFd(fd, stat)
    if (this.cutTo !== 0 || stat.size !== this.#sealedBytes) return false
    const { pairs } = this
    this.acc.set(acc)
    this.absent = absent
    this.end = this.#sealedEnd
    this.short = this.end - 1
    this.shortLength = length - this.short * layout.chunkSize
    try {
      this.verifyAll(fd)
    } catch (error) {
      if (!(error instanceof CofferError)) throw error
      this.cut(fd, 0)
      this.pairs = pairs
      return false
    }
    this.cutTo = NO_CUT
    return true
  }

  /** Do the records say what the seal on the disk says? */
  get asSealed(): boolean {
    const { cutTo, straight, end } = this
    return cutTo === NO_CUT && straight.bytes.length === 0 && end === this.#sealedEnd
  }

  #mayBeAbsent(index: number): boolean {
    return index < this.end && index !== this.short
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
    if (records[at] === 0 && this.absent > 0 && this.#mayBeAbsent(index)) {
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
   * Seals and stores `count` full chunks from `first` on, at most RUN_RECORDS, none of them staged.
   * Chunks between `end` and `first` become absent; the caller has stored what was in them.
   */
  storeFull(fd: number, first: number, count: number, run: PlainRun): void {
    const { layout, nonces, records, backing, stored } = this.#ctx
    if (count > RUN_RECORDS) throw new RangeError('too many records for one run')
    const length = layout.chunkSize
    this.#grow(fd, first, count * length)
    for (let k = 0; k < count; k++) {
      const at = k * layout.recordSize
      nonces.fill(records, at)
      this.#cipher.seal(first + k, records, at, run.buffer(k), run.offset(k), length)
    }
    const mark = this.mark()
    this.#leave(fd, first, first + count)
    this.#gap(first)
    try {
      backing.write(fd, records, 0, count * layout.recordSize, layout.recordOffset(first))
      stored.bytes += count * layout.recordSize
    } catch (error) {
      this.#missed(mark, first)
      throw error
    }
    for (let k = 0; k < count; k++) this.#enterStraight(first + k, k * layout.recordSize, length)
  }

  /** Seals and stores the short last chunk, `length` bytes of `plain`. It is not staged. */
  storeTail(fd: number, index: number, plain: Uint8Array, length: number): void {
    const { layout, nonces, records, backing, stored } = this.#ctx
    if (index + 1 < this.end) throw new RangeError('the last chunk lies before a full one')
    this.#grow(fd, index, length)
    nonces.fill(records, 0)
    this.#cipher.seal(index, records, 0, plain, 0, length)
    const mark = this.mark()
    this.#leave(fd, index, index + 1)
    this.#gap(index)
    try {
      backing.write(fd, records, 0, length + RECORD_OVERHEAD, layout.recordOffset(index))
      stored.bytes += length + RECORD_OVERHEAD
    } catch (error) {
      this.#missed(mark, index)
      throw error
    }
    this.#enterStraight(index, 0, length)
    this.short = index
    this.shortLength = length
  }

  /** A write that failed may have left something; where it was to replace a chunk, that is gone. */
  #missed(mark: Mark, first: number): void {
    this.restore(mark)
    this.#ragged = true
    this.#torn ||= first < mark.end
  }

  /** Before a seal: throws where a chunk is torn, and cuts off what a failed write has left. */
  trim(fd: number): void {
    if (this.#torn)
      throw new CofferError('EIO', 'an earlier write to the blob failed and has left it torn')
    if (!this.#ragged || this.cutTo !== NO_CUT) return
    this.#ctx.backing.truncate(fd, this.#storedEnd)
    this.#ragged = false
  }

  /** Gives up what lies beyond the seal on the disk. */
  revert(fd: number): void {
    if (this.#sealedBytes > 0) this.#ctx.backing.truncate(fd, this.#sealedBytes)
  }

  #grow(fd: number, first: number, length: number): void {
    if (this.#sealedEnd > 0) this.#longer()
    this.reserve(fd, first, length)
  }

  /**
   * Everything is stored and sealed: `bytes` has what was staged, the chunks from `erasedFrom` up to
   * `erasedTo` are absent.
   */
  settle(fd: number, bytes: Uint8Array, erasedFrom = 0, erasedTo = 0): void {
    const { pairs, cutTo } = this
    if (pairs !== null) {
      pairs.clear(erasedFrom, erasedTo)
      for (const { index, length, at } of this.staged)
        pairs.set(index, bytes, at, bytes, at + NONCE_SIZE + length)
    }
    this.#protect()
    if (cutTo === NO_CUT) this.#reservation.settle(fd)
    else this.#reservation.forget()
  }

  /** Seals a chunk into the entry that is being built: a full one, or the short last one. */
  stage(fd: number, entry: EntryBuffer, index: number, plain: Uint8Array, length: number): void {
    const at = entry.record(index, length)
    this.#ctx.nonces.fill(entry.bytes, at)
    this.#cipher.seal(index, entry.bytes, at, plain, 0, length)
    this.#leave(fd, index, index + 1)
    this.#gap(index)
    this.#cipher.toggleRecord(this.acc, index, entry.bytes, at, length)
    this.#placed(index)
    this.staged.push({ index, length, at })
    if (length === this.#ctx.layout.chunkSize) return
    this.short = index
    this.shortLength = length
  }

  /** Takes the chunks from `first` up to `end` out of the sum; their records are still there. */
  stageErase(fd: number, first: number, end: number): void {
    this.#leave(fd, first, end)
    this.absent += end - first
    if (this.short >= first && this.short < end) this.short = -1
  }

  mark(): Mark {
    const { absent, chunkWrites, end, short, shortLength } = this
    return { acc: Uint8Array.from(this.acc), absent, chunkWrites, end, short, shortLength }
  }

  /** Nothing of what was staged since counts. */
  restore({ acc, ...numbers }: Mark): void {
    this.acc.set(acc)
    Object.assign(this, numbers)
    this.staged.length = 0
  }

  /** Drops all records from chunk `index` on; those under the seal on the disk with the next one. */
  cut(fd: number, index: number): void {
    const { layout, backing } = this.#ctx
    const beyond = index >= this.end
    if (index === 0) {
      this.acc.fill(0)
      this.absent = 0
    } else {
      this.#leave(fd, index, this.end)
    }
    if (this.isStaged(index)) this.cutTo = Math.min(this.cutTo, index)
    else {
      if (beyond && this.#sealedEnd > 0) this.#longer()
      backing.truncate(fd, layout.recordOffset(index))
    }
    this.pairs?.clear(index)
    this.straight.cut(index)
    if (index < this.end) this.end = index
    if (this.short >= index) this.short = -1
    if (this.cutTo === NO_CUT) this.#reservation.forget(beyond)
  }

  /** Makes the blob as long as a file of `size` bytes has it, where it is shorter; EFBIG comes here. */
  extend(fd: number, size: number): void {
    const bytes = this.#ctx.layout.backingSize(size)
    if (bytes <= Math.max(this.#storedEnd, this.#sealedBytes)) return
    if (this.#sealedEnd > 0) this.#longer()
    // what was taken ahead would come to lie in the hole
    this.#reservation.giveBack(fd)
    this.#ctx.backing.truncate(fd, bytes)
  }

  /** Makes full chunks from `first` up to `end`, none of them staged, absent and gives their blocks back. */
  erase(fd: number, first: number, end: number): void {
    const { layout, backing } = this.#ctx
    const mark = this.mark()
    this.stageErase(fd, first, end)
    const start = layout.recordOffset(first)
    try {
      backing.punch(fd, start, layout.recordOffset(end) - start)
    } catch (error) {
      this.restore(mark)
      throw error
    }
    this.pairs?.clear(first, end)
    this.straight.cut(first, end)
  }

  /**
   * The first chunk from `index` on that is not absent; `limit` where all before it are. What lies
   * beyond is not looked at: it may be staged only.
   */
  nextPresent(fd: number, index: number, limit = this.end): number {
    if (index >= limit || this.absent === 0) return index
    if (this.pairs !== null) return this.pairs.nextPresent(index, limit)
    const { layout, backing } = this.#ctx
    let i = index
    while (i < limit && this.#mayBeAbsent(i) && this.#isAbsent(fd, i)) {
      // records do not begin where blocks do, but those that lie in a hole whole need no look
      const data = backing.nextData(fd, layout.recordOffset(i + 1)) - HEADER_SIZE
      i = Math.max(i + 1, Math.floor(data / layout.recordSize))
    }
    return Math.min(i, limit)
  }

  /** The first chunk from `index` on that is absent, as far as holes of the blob tell, or has no record. */
  nextAbsent(fd: number, index: number): number {
    const { end } = this
    if (index >= end || this.absent === 0) return Math.max(index, end)
    const { layout, backing } = this.#ctx
    if (this.pairs !== null) return this.pairs.nextAbsent(index, end)
    for (let i = index; i < end; i++) {
      const hole = backing.nextHole(fd, layout.recordOffset(i)) - HEADER_SIZE
      i = Math.max(i, Math.floor(hole / layout.recordSize))
      if (this.#mayBeAbsent(i) && this.#isAbsent(fd, i)) return i
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
    // a hole has no blocks yet
    if (this.absent > 0 && first < this.end) this.#reservation.fill(fd, start, end)
    this.#reservation.extend(fd, start, end, ahead)
  }

  /** The records lie in another blob now, in which no blocks were taken. */
  forgetReserved(): void {
    this.#reservation.forget()
  }

  /** The blob is about to be closed. */
  close(): void {
    this.#reservation.close()
  }

  /** End of the last record that lies in the backing file. */
  get #storedEnd(): number {
    const end = this.#ctx.layout.recordOffset(this.end)
    return this.short >= 0 && this.short === this.end - 1
      ? end - this.#ctx.layout.chunkSize + this.shortLength
      : end
  }

  /** Takes the records of the chunks from `first` up to `end` out of the sum: all of them, or none. */
  #leave(fd: number, first: number, end: number): void {
    const { absent } = this
    const last = Math.min(end, this.end)
    accBefore.set(this.acc)
    try {
      for (let i = first; i < last; i++) {
        const next = this.nextPresent(fd, i, last)
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
    if (this.pairs === null) this.#readPair(fd, index)
    else this.pairs.get(index, pair)
    if (this.#mayBeAbsent(index) && isZero(pair, 0, RECORD_OVERHEAD)) this.#uncount(1)
    else this.#cipher.toggle(this.acc, index, pair, 0, pair, NONCE_SIZE)
  }

  /** Holes that the seal does not count were made by somebody else. */
  #uncount(holes: number): void {
    if (holes > this.absent) {
      throw new CofferError('OBJECT_DAMAGED', 'chunks were erased from the blob')
    }
    this.absent -= holes
  }

  #enterStraight(index: number, at: number, length: number): void {
    const { records } = this.#ctx
    this.#cipher.toggleRecord(this.acc, index, records, at, length)
    this.pairs?.set(index, records, at, records, at + NONCE_SIZE + length)
    if (this.#sealedEnd > 0) this.straight.add(index, records, at, length)
    this.#placed(index)
  }

  #placed(index: number): void {
    this.chunkWrites++
    if (index >= this.end) this.end = index + 1
    if (this.short === index) this.short = -1
  }

  /** Makes the chunks from `end` to `first` absent. A file that outgrows strictness drops its pairs. */
  #gap(first: number): void {
    if (first > this.#strictLast) this.pairs = null
    if (first <= this.end) return
    this.pairs?.clear(this.end, first)
    this.absent += first - this.end
    this.end = first
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
