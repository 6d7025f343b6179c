// An open file (or symbolic link): plaintext in, plaintext out. One for each inode, whatever the
// number of handles. Partly written chunks wait here as plaintext; whole ones go straight through.
// FORMAT.md §4 to §6.

import { BugError, CofferError } from '../errors.js'
import { HEADER_SIZE, SIZE_LIMIT, type Kind } from '../format/constants.js'
import { RUN_RECORDS, type Context } from './context.js'
import { RecordStore, type PlainRun } from './record-store.js'
import { SealedObject, ZERO16 } from './sealed-object.js'
import type { FileStat, FileTime } from '../store/backing.js'

interface CachedChunk {
  plain: Uint8Array
  dirty: boolean
}

/** Plaintext chunks that may wait for one file before the full ones are stored. */
const DIRTY_CHUNKS_MAX = 64
/** Plaintext bytes between two seals of a file that stays open, and the time. FORMAT.md §6. */
const SEAL_EVERY_BYTES = 256 * 1024 * 1024
export const SEAL_EVERY_MS = 5000

/** The name that a commit seals. */
export interface Place {
  parentDirId: Uint8Array
  name: string
}

/** A run of plaintext that lies in one buffer, and a run of cached chunks; reused for each call. */
class StraightRun implements PlainRun {
  bytes: Uint8Array = ZERO16
  at = 0
  size = 0
  buffer(): Uint8Array {
    return this.bytes
  }
  offset(k: number): number {
    return this.at + k * this.size
  }
}

class ChunkRun implements PlainRun {
  readonly chunks: Uint8Array[] = []
  buffer(k: number): Uint8Array {
    return this.chunks[k] ?? ZERO16
  }
  offset(): number {
    return 0
  }
}

const straight = new StraightRun()
const chunked = new ChunkRun()

export class FileBody {
  readonly object: SealedObject
  fd: number
  writable: boolean
  size: number
  mode: number
  /** there is something that the seal on disk does not say */
  dirty = false
  dirtySince = 0
  /** highest sealSeq of a ticket or replaced object that the next seal must exceed */
  seqFloor = 0
  /** times that the application has set, to be applied after the seal */
  readonly set: { atime: FileTime; mtime: FileTime } = { atime: 'omit', mtime: 'omit' }
  /** wall clock of the last change, milliseconds */
  changedAt = 0
  /** extended attributes that may not be on the disk yet */
  attributesChanged = false
  /** bytes beyond the sealed length that nobody vouches for: readable, never written over */
  unsealedTail = false
  readonly #ctx: Context
  readonly #records: RecordStore
  readonly #cache = new Map<number, CachedChunk>()
  #dirtyChunks = 0
  #unsealed = 0
  #lastRead = -1

  private constructor(
    ctx: Context,
    object: SealedObject,
    fd: number,
    writable: boolean,
    mode: number,
  ) {
    this.#ctx = ctx
    this.object = object
    this.fd = fd
    this.writable = writable
    this.mode = mode
    this.size = 0
    this.#records = new RecordStore(ctx, object)
  }

  /** A new and empty object over the empty file `fd`, which it takes over. */
  static create(ctx: Context, kind: Kind, fd: number, mode: number): FileBody {
    const body = new FileBody(ctx, SealedObject.create(ctx, kind), fd, true, mode)
    body.#touch()
    return body
  }

  /**
   * Opens a blob, with the checks of FORMAT.md §5 in their order; `place` is check 4. On success the
   * body owns `fd`, otherwise the caller still does. `truncating`: nothing of the content is wanted.
   */
  static open(
    ctx: Context,
    kind: Kind,
    fd: number,
    stat: FileStat,
    writable: boolean,
    place: (object: SealedObject) => number,
    truncating = false,
  ): FileBody {
    const { backing, layout, body: vault, log } = ctx
    const header = new Uint8Array(HEADER_SIZE)
    if (
      stat.size < layout.backingSize(0) ||
      backing.read(fd, header, 0, HEADER_SIZE, 0) < HEADER_SIZE
    ) {
      throw new CofferError(
        'OBJECT_TRUNCATED',
        `the blob has ${String(stat.size)} bytes, fewer than any file takes`,
      )
    }
    const object = SealedObject.parse(ctx, header, kind)
    try {
      const { seal } = object
      if (seal === null) throw new CofferError('OBJECT_DAMAGED', 'no seal')
      const seqFloor = place(object)
      const body = new FileBody(ctx, object, fd, writable, seal.mode)
      body.seqFloor = seqFloor
      const { length, acc, absent, chunkWrites } = seal
      if (truncating) {
        body.#records.adopt(length, acc, absent, chunkWrites)
        body.size = length
        return body
      }
      const strict = length <= vault.policy.strictMax || vault.policy.integrity === 'full'
      const exact = layout.plainSize(stat.size)
      const there = layout.shownSize(stat.size)
      if (there < length) {
        const message = `the blob is cut short: ${String(there)} of ${String(length)} bytes are there`
        throw new CofferError('OBJECT_TRUNCATED', message)
      }
      if (strict && exact !== length) {
        const message = `the blob is longer than its seal of ${String(length)} bytes: its writer did not come to seal it`
        throw new CofferError('OBJECT_UNSEALED', message)
      }
      body.size = there
      body.#records.adopt(there, acc, absent, chunkWrites, exact !== null)
      if (exact !== length) {
        body.unsealedTail = true
        const message = `${String(there - length)} bytes lie beyond the seal: their writer did not come to seal them`
        log({ level: 'warn', event: 'unsealed-tail', message })
      }
      if (strict) body.#records.verifyAll(fd)
      return body
    } catch (error) {
      object.wipe()
      throw error
    }
  }

  read(offset: number, length: number, into: Uint8Array, at: number): number {
    const end = Math.min(this.size, offset + length)
    if (offset >= end) return 0
    const { chunkSize } = this.#ctx.layout
    let position = offset
    while (position < end) {
      const index = Math.floor(position / chunkSize)
      const within = position - index * chunkSize
      const wanted = Math.min(chunkSize - within, end - position)
      const to = at + position - offset
      const stored = this.#records.lengthOf(index)
      const cached = this.#cache.get(index)
      if (cached !== undefined) {
        into.set(cached.plain.subarray(within, within + wanted), to)
        position += wanted
      } else if (stored < 0) {
        into.fill(0, to, to + wanted)
        position += wanted
      } else if (within === 0 && wanted === stored) {
        position += this.#readStraight(index, end, into, to)
      } else {
        into.set(this.#readable(index).subarray(within, within + wanted), to)
        position += wanted
      }
    }
    return end - offset
  }

  /** Whole records straight into the reader's buffer; plaintext bytes read. */
  #readStraight(first: number, end: number, into: Uint8Array, to: number): number {
    const { chunkSize } = this.#ctx.layout
    let count = 0
    let bytes = 0
    while (count < RUN_RECORDS) {
      const index = first + count
      const stored = this.#records.lengthOf(index)
      if (stored < 0 || this.#cache.has(index) || index * chunkSize + stored > end) break
      count++
      bytes += stored
      if (stored < chunkSize) break
    }
    straight.bytes = into
    straight.at = to
    straight.size = chunkSize
    this.#records.load(this.fd, first, count, straight)
    return bytes
  }

  /** Plaintext of a chunk that is wanted in part; the last such one stays at hand. */
  #readable(index: number): Uint8Array {
    if (this.#lastRead >= 0 && this.#cache.get(this.#lastRead)?.dirty === false)
      this.#drop(this.#lastRead)
    const { plain } = this.#load(index)
    this.#lastRead = index
    return plain
  }

  /** The chunk in memory, from the blob where it lies there, zero elsewhere. */
  #load(index: number): CachedChunk {
    let chunk = this.#cache.get(index)
    if (chunk === undefined) {
      chunk = { plain: this.#ctx.pool.take(), dirty: false }
      try {
        if (this.#records.lengthOf(index) > 0) {
          straight.bytes = chunk.plain
          straight.at = 0
          this.#records.load(this.fd, index, 1, straight)
        }
      } catch (error) {
        this.#ctx.pool.give(chunk.plain)
        throw error
      }
      this.#cache.set(index, chunk)
    }
    return chunk
  }

  #drop(index: number): void {
    const chunk = this.#cache.get(index)
    if (chunk === undefined) return
    if (chunk.dirty) this.#dirtyChunks--
    this.#cache.delete(index)
    this.#ctx.pool.give(chunk.plain)
  }

  #soil(chunk: CachedChunk): void {
    if (chunk.dirty) return
    chunk.dirty = true
    this.#dirtyChunks++
  }

  #touch(): void {
    const now = this.#ctx.clock()
    if (!this.dirty) this.dirtySince = now
    this.dirty = true
    this.changedAt = now
    this.set.mtime = 'omit'
  }

  #mayWrite(): void {
    if (!this.unsealedTail) return
    throw new CofferError(
      'OBJECT_DAMAGED',
      'the file has bytes beyond its seal; copy it, or empty it, before writing',
    )
  }

  write(offset: number, from: Uint8Array, at: number, length: number): void {
    if (length === 0) return
    const end = offset + length
    if (end > SIZE_LIMIT) throw new CofferError('EFBIG', 'a file cannot become that large')
    this.#mayWrite()
    const { chunkSize } = this.#ctx.layout
    if (end > this.size) this.#keepOldTail(Math.floor(end / chunkSize), offset, end)
    let position = offset
    while (position < end) {
      const index = Math.floor(position / chunkSize)
      const within = position - index * chunkSize
      const source = at + position - offset
      if (within === 0 && end - position >= chunkSize) {
        const count = Math.min(RUN_RECORDS - 1, Math.floor((end - position) / chunkSize))
        this.#writeStraight(index, count, from, source)
        position += count * chunkSize
      } else {
        const n = Math.min(chunkSize - within, end - position)
        this.#records.reserve(this.fd, index, within + n)
        const chunk = this.#load(index)
        chunk.plain.set(from.subarray(source, source + n), within)
        this.#soil(chunk)
        position += n
      }
      if (position > this.size) this.size = position
      this.#touch()
    }
    this.#unsealed += length
    if (this.#dirtyChunks > DIRTY_CHUNKS_MAX) this.#storeDirty(Math.floor(this.size / chunkSize))
  }

  /** Before the file grows past its short last chunk, that chunk is brought here to become full. */
  #keepOldTail(newLast: number, writeFrom: number, writeEnd: number): void {
    const { chunkSize } = this.#ctx.layout
    const last = Math.floor(this.size / chunkSize)
    if (newLast <= last) return
    if (writeFrom <= last * chunkSize && writeEnd >= (last + 1) * chunkSize) return
    this.#records.reserve(this.fd, last, chunkSize)
    this.#soil(this.#load(last))
  }

  /** Whole chunks from the writer's buffer, sealed without a copy. */
  #writeStraight(first: number, count: number, from: Uint8Array, at: number): void {
    this.#records.reserve(this.fd, first, count * this.#ctx.layout.chunkSize)
    // from here on the blob is another one, also where the rest fails
    this.#touch()
    if (first > this.#records.full) this.#storeDirty(first)
    straight.bytes = from
    straight.at = at
    straight.size = this.#ctx.layout.chunkSize
    this.#records.storeFull(this.fd, first, count, straight)
    for (let index = first; index < first + count; index++) this.#drop(index)
  }

  /** Stores the dirty chunks below `limit`, all of them full by now, in ascending runs. */
  #storeDirty(limit: number): void {
    if (this.#dirtyChunks === 0) return
    const indices: number[] = []
    for (const [index, { dirty }] of this.#cache) if (dirty && index < limit) indices.push(index)
    indices.sort((a, b) => a - b)
    for (let i = 0; i < indices.length;) {
      const first = indices[i] ?? 0
      chunked.chunks.length = 0
      while (
        i < indices.length &&
        indices[i] === first + chunked.chunks.length &&
        chunked.chunks.length < RUN_RECORDS - 1
      ) {
        const chunk = this.#cache.get(indices[i] ?? 0)
        if (chunk !== undefined) chunked.chunks.push(chunk.plain)
        i++
      }
      const count = chunked.chunks.length
      this.#records.storeFull(this.fd, first, count, chunked)
      for (let index = first; index < first + count; index++) this.#drop(index)
    }
  }

  truncate(size: number): void {
    if (size > SIZE_LIMIT) throw new CofferError('EFBIG', 'a file cannot become that large')
    if (size !== 0) this.#mayWrite()
    this.unsealedTail = false
    const { backing, layout } = this.#ctx
    const { chunkSize } = layout
    const last = Math.floor(size / chunkSize)
    if (size > this.size) {
      if (last === Math.floor(this.size / chunkSize)) this.#soil(this.#load(last))
      else this.#keepOldTail(last, size, size)
      // the system says EFBIG here, before anything has changed
      if (last > this.#records.full) backing.truncate(this.fd, layout.backingSize(size))
    } else if (size < this.size || size === 0) {
      const kept = size - last * chunkSize
      if (kept > 0) {
        const chunk = this.#load(last)
        chunk.plain.fill(0, kept)
        this.#soil(chunk)
      }
      for (const index of [...this.#cache.keys()])
        if (index > last || (index === last && kept === 0)) this.#drop(index)
      this.#records.cut(this.fd, last)
    }
    this.size = size
    this.#touch()
  }

  /**
   * Takes blocks for a range. `keepSize`: also beyond the end, which stays where it is; they are held
   * until the file is truncated. ENOSPC and EFBIG come before anything has changed.
   */
  allocate(offset: number, length: number, keepSize: boolean): void {
    const end = offset + length
    if (end > SIZE_LIMIT) throw new CofferError('EFBIG', 'a file cannot become that large')
    this.#mayWrite()
    const { chunkSize } = this.#ctx.layout
    const first = Math.floor(offset / chunkSize)
    this.#records.reserve(this.fd, first, end - first * chunkSize, false)
    if (!keepSize && end > this.size) this.truncate(end)
  }

  /** Makes a range zero, up to the end of the file, and gives back the blocks of its whole chunks. */
  punch(offset: number, length: number): void {
    this.#mayWrite()
    const { chunkSize } = this.#ctx.layout
    const end = Math.min(offset + length, this.size)
    if (offset >= end) return
    const first = Math.ceil(offset / chunkSize)
    const last = Math.floor(end / chunkSize)
    // damage in the chunks that keep some of their bytes is told before anything has changed
    if (offset < first * chunkSize) this.#readable(first - 1)
    if (last * chunkSize < end) this.#readable(last)
    // an old last chunk must not be left in the midst of the file
    this.#storeDirty(Math.floor(this.size / chunkSize))
    this.#records.erase(this.fd, first, Math.min(last, this.#records.full))
    this.#touch()
    for (const index of [...this.#cache.keys()])
      if (index >= first && index < last) this.#drop(index)
    this.#zero(offset, Math.min(end, first * chunkSize))
    if (last >= first) this.#zero(last * chunkSize, end)
  }

  /** A range inside one chunk. */
  #zero(from: number, to: number): void {
    const { chunkSize } = this.#ctx.layout
    const index = Math.floor(from / chunkSize)
    if (from >= to || !this.#isData(index)) return
    this.#records.reserve(this.fd, index, to - index * chunkSize)
    const chunk = this.#load(index)
    chunk.plain.fill(0, from - index * chunkSize, to - index * chunkSize)
    this.#soil(chunk)
  }

  #isData(index: number): boolean {
    if (this.#cache.get(index)?.dirty === true) return true
    return this.#records.lengthOf(index) >= 0 && this.#records.nextPresent(this.fd, index) === index
  }

  /** SEEK_DATA: where the next bytes lie that are in no hole. */
  nextData(offset: number): number {
    const { chunkSize } = this.#ctx.layout
    const first = Math.floor(offset / chunkSize)
    let index = this.#records.nextPresent(this.fd, first)
    if (this.#records.lengthOf(index) < 0) index = Infinity
    for (const [i, { dirty }] of this.#cache) if (dirty && i >= first && i < index) index = i
    const found = Math.max(offset, index * chunkSize)
    if (found >= this.size) throw new CofferError('ENXIO', 'there are no data from there on')
    return found
  }

  /** SEEK_HOLE: where the next hole begins; the end of the file is one. */
  nextHole(offset: number): number {
    if (offset >= this.size) throw new CofferError('ENXIO', 'the file ends before')
    const { chunkSize } = this.#ctx.layout
    let index = Math.floor(offset / chunkSize)
    for (;;) {
      const dirty = this.#cache.get(index)?.dirty === true
      const next = dirty ? index + 1 : this.#records.nextAbsent(this.fd, index)
      if (next === index) return Math.max(offset, index * chunkSize)
      index = next
      if (index * chunkSize >= this.size) return this.size
    }
  }

  /** A new mode for the next seal; the content has not changed, so its `mtime` is put back. */
  changeMode(mode: number, mtime: { sec: number; nsec: number }): void {
    this.mode = mode
    if (this.dirty) return
    this.#touch()
    this.set.mtime = mtime
  }

  /** Is it time to seal a file that stays open? */
  due(now: number): boolean {
    return (
      this.dirty && (now - this.dirtySince >= SEAL_EVERY_MS || this.#unsealed >= SEAL_EVERY_BYTES)
    )
  }

  /** Stores every chunk that waits; the blob is then whole but for the seal. */
  #storeAll(): void {
    const { chunkSize } = this.#ctx.layout
    const last = Math.floor(this.size / chunkSize)
    if (this.#records.full > last) {
      // a write failed behind the last byte that it took
      this.#soil(this.#load(last))
      this.#records.cut(this.fd, last)
    }
    this.#storeDirty(last)
    const length = this.size - last * chunkSize
    const chunk = this.#cache.get(last)
    if (chunk?.dirty === true) {
      this.#records.storeTail(this.fd, last, chunk.plain, length)
      chunk.dirty = false
      this.#dirtyChunks--
    } else if (this.#records.lengthOf(last) !== length) {
      if (this.#records.lengthOf(last) >= 0)
        throw new BugError('the last chunk changed its length unseen')
      const zeros = this.#ctx.pool.take()
      this.#records.storeTail(this.fd, last, zeros, length)
      this.#ctx.pool.give(zeros)
    }
  }

  /**
   * Stores chunks, then the seal, under the name that the blob bears (or is about to). `prevTag` is
   * that of a name being left by a rename, `durable` waits for the disk in between (fsync).
   */
  commit(place: Place, mode: number, prevTag: Uint8Array = ZERO16, durable = false): void {
    const { backing } = this.#ctx
    this.#storeAll()
    if (durable) backing.datasync(this.fd)
    const { acc, absent, chunkWrites } = this.#records
    const now = this.#ctx.clock()
    const { mtime } = this.set
    const sealed =
      typeof mtime === 'string'
        ? { sec: Math.floor(now / 1000), nsec: (now % 1000) * 1_000_000 }
        : mtime
    this.object.commit(
      {
        ...place,
        length: this.size,
        acc: Uint8Array.from(acc),
        absent,
        chunkWrites,
        mtimeSec: sealed.sec,
        mtimeNsec: sealed.nsec,
        mode,
        rdev: 0,
        prevTag,
      },
      this.seqFloor,
      (bytes, offset) => {
        backing.write(this.fd, bytes, 0, bytes.length, offset)
      },
    )
    if (durable) backing.datasync(this.fd)
    this.mode = mode
    this.dirty = false
    this.#unsealed = 0
    this.applyTimes()
  }

  /** The times that the application has set, as the last operation on the blob. FORMAT.md §6. */
  applyTimes(): void {
    const { atime, mtime } = this.set
    if (atime === 'omit' && mtime === 'omit') return
    this.#ctx.backing.utimesFd(this.fd, atime, mtime)
    this.set.atime = 'omit'
    this.set.mtime = 'omit'
  }

  /** Forgets plaintext and keys and closes the blob. What is dirty is lost. */
  close(): void {
    for (const index of [...this.#cache.keys()]) this.#drop(index)
    this.#records.close()
    this.object.wipe()
    this.#ctx.backing.close(this.fd)
  }
}
