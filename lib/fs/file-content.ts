// The plaintext of an open file (or symbolic link), in and out, by chunks. Partly written ones wait here,
// and so do those that replace what is under the seal on the disk; other whole ones go straight through
// to the records. Single pages of a large file wait without their chunks. FORMAT.md §4 to §6. Sealing is
// `FileBody`'s.

import { BugError, CofferError } from '../errors.js'
import { SIZE_LIMIT } from '../format/constants.js'
import { NO_CUT, type EntryBuffer } from '../format/journal.js'
import type { Seal } from '../format/seal.js'
import { ChunkCache, type CachedChunk } from './chunk-cache.js'
import { RUN_RECORDS, type Context } from './context.js'
import { PAGE_SIZE } from './page-pool.js'
import { RecordStore, type PlainRun } from './record-store.js'
import { ZERO16, type SealedObject } from './sealed-object.js'
import { spareUnchanged } from './unchanged.js'
import { WaitingPages } from './waiting-pages.js'

/** Plaintext chunks that may wait for one file before those are stored that can be without a seal. */
const DIRTY_CHUNKS_MAX = 64
/** Plaintext bytes that may wait for one file before it is sealed. */
const DIRTY_BYTES_MAX = 8 * 1024 * 1024
/** Chunks of waiting pages that go into one entry of the journal. */
const PAGED_CHUNKS_MAX = 256
/** Journal that a staged record takes beyond its chunk, at most. */
const STAGED_OVERHEAD = 64

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

/** Chunks that a seal makes absent. */
export interface Erase {
  first: number
  end: number
}

export const NO_ERASE: Erase = { first: 0, end: 0 }
const nothing = (): void => undefined
const straight = new StraightRun()
const chunked = new ChunkRun()

/** What the content asks of the file that it belongs to. */
export interface ContentOwner {
  /** before anything is read or changed */
  ready(): void
  /** something changes that the seal on the disk does not say */
  touch(): void
  /** the blob is going to be longer than its seal says */
  longer(): void
}

export class FileContent {
  fd: number
  size = 0
  /** bytes beyond the sealed length that nobody vouches for: not shown, never written over */
  unsealedTail = false
  /** plaintext bytes since the last seal, and bytes that went straight to the blob since its last sync */
  unsealed = 0
  unsettled = 0
  /** chunks that the next seal makes absent */
  erased = NO_ERASE
  readonly records: RecordStore
  readonly #ctx: Context
  readonly #owner: ContentOwner
  readonly #cache: ChunkCache
  readonly #pages: WaitingPages
  /** dirty chunks at which those are stored that can be */
  #storeAt = DIRTY_CHUNKS_MAX
  /** bytes of the journal that are promised to dirty chunks */
  #promised = 0
  /** and to chunks of waiting pages: enough for one entry of them */
  #pagesPromised = 0
  #lastRead = -1

  constructor(ctx: Context, object: SealedObject, fd: number, owner: ContentOwner) {
    this.#ctx = ctx
    this.#owner = owner
    this.fd = fd
    this.#cache = new ChunkCache(ctx.pool)
    this.#pages = new WaitingPages(ctx.pages, ctx.layout.chunkSize)
    this.records = new RecordStore(ctx, object, () => {
      owner.longer()
    })
  }

  read(offset: number, length: number, into: Uint8Array, at: number): number {
    this.#owner.ready()
    const end = Math.min(this.size, offset + length)
    if (offset >= end) return 0
    const { chunkSize } = this.#ctx.layout
    let position = offset
    while (position < end) {
      const index = Math.floor(position / chunkSize)
      const within = position - index * chunkSize
      const wanted = Math.min(chunkSize - within, end - position)
      const to = at + position - offset
      const stored = this.records.lengthOf(index)
      const cached = this.#cache.get(index)
      if (cached !== undefined) {
        into.set(cached.plain.subarray(within, within + wanted), to)
        position += wanted
      } else if (stored < 0) {
        into.fill(0, to, to + wanted)
        position += wanted
      } else if (within === 0 && wanted === stored && !this.#pages.has(index)) {
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
      const stored = this.records.lengthOf(index)
      if (stored < 0 || index * chunkSize + stored > end) break
      if (this.#cache.get(index) !== undefined || this.#pages.has(index)) break
      count++
      bytes += stored
      if (stored < chunkSize) break
    }
    straight.bytes = into
    straight.at = to
    straight.size = chunkSize
    this.records.load(this.fd, first, count, straight)
    return bytes
  }

  /** Plaintext of a chunk that is wanted in part; the last such one stays at hand. */
  #readable(index: number): Uint8Array {
    if (this.#lastRead >= 0 && !this.#cache.isDirty(this.#lastRead))
      this.#cache.drop(this.#lastRead)
    const { plain } = this.#load(index)
    this.#lastRead = index
    return plain
  }

  /** The chunk in memory, from the blob where it lies there, zero elsewhere. */
  #load(index: number): CachedChunk {
    return this.#cache.load(index, (plain) => {
      if (this.records.lengthOf(index) > 0) this.#fill(index, plain)
    })
  }

  /** What is stored of a chunk, with the pages that wait over it. */
  #fill(index: number, plain: Uint8Array): void {
    straight.bytes = plain
    straight.at = 0
    this.records.load(this.fd, index, 1, straight)
    this.#pages.lay(index, plain)
  }

  /** The chunk in memory is what counts from now on. */
  #soil(index: number, chunk: CachedChunk): void {
    this.#cache.soil(chunk)
    this.#pages.drop(index)
  }

  #dropRange(first: number, end?: number): void {
    this.#cache.dropRange(first, end)
    this.#pages.dropRange(first, end)
  }

  /** Is there something of a chunk that is not stored? */
  #waits(index: number): boolean {
    return this.#cache.isDirty(index) || this.#pages.has(index)
  }

  #waiting(): number[] {
    const pages = this.#pages.indices()
    const dirty = this.#cache.dirtyIndices()
    return pages.length === 0 ? dirty : [...dirty, ...pages].sort((a, b) => a - b)
  }

  /** Room in the journal for chunks that are going to wait for their seal. Throws ENOSPC. */
  #promise(first: number, end = first + 1): void {
    let bytes = 0
    for (let index = first; index < end && this.records.isStaged(index); index++)
      if (!this.#cache.isDirty(index)) bytes += this.#ctx.layout.recordSize + STAGED_OVERHEAD
    if (bytes === 0) return
    this.#ctx.journal?.promise(bytes)
    this.#promised += bytes
  }

  /** The same for the next entry of waiting pages, with those of that many chunks. */
  #promisePages(chunks: number): void {
    const wanted = Math.min(chunks, PAGED_CHUNKS_MAX)
    const bytes = wanted * (this.#ctx.layout.recordSize + STAGED_OVERHEAD) - this.#pagesPromised
    if (bytes <= 0) return
    this.#ctx.journal?.promise(bytes)
    this.#pagesPromised += bytes
  }

  #mayWrite(): void {
    this.#owner.ready()
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
    const paged = !this.#ctx.pages.isFull
    this.#promiseWrite(offset, end, paged)
    if (end > this.size) this.#keepOldTail(Math.floor(end / chunkSize), offset, end)
    let position = offset
    while (position < end) {
      const index = Math.floor(position / chunkSize)
      const within = position - index * chunkSize
      const source = at + position - offset
      const n = Math.min(chunkSize - within, end - position)
      if (n === chunkSize && !this.records.isStaged(index)) {
        const count = Math.min(RUN_RECORDS - 1, Math.floor((end - position) / chunkSize))
        this.#writeStraight(index, count, from, source)
        position += count * chunkSize
      } else {
        this.records.reserve(this.fd, index, within + n)
        if (paged && this.#canWait(index, within, n)) {
          this.#pages.put(index, within / PAGE_SIZE, n / PAGE_SIZE, from, source)
        } else {
          const chunk = n === chunkSize ? this.#cache.load(index, nothing) : this.#load(index)
          chunk.plain.set(from.subarray(source, source + n), within)
          this.#soil(index, chunk)
        }
        position += n
      }
      if (position > this.size) this.size = position
      this.#owner.touch()
    }
    this.unsealed += length
    if (this.#cache.dirty > this.#storeAt) {
      this.#storeDirty(Math.floor(this.size / chunkSize))
      this.#storeAt = this.#cache.dirty + DIRTY_CHUNKS_MAX
    }
  }

  /** Whole pages of a full chunk of a large file, of which nothing else is in memory, can wait by themselves. */
  #canWait(index: number, within: number, length: number): boolean {
    const { records } = this
    const { chunkSize } = this.#ctx.layout
    return (
      within % PAGE_SIZE === 0 &&
      length % PAGE_SIZE === 0 &&
      length < chunkSize &&
      records.pairs === null &&
      records.cutTo === NO_CUT &&
      records.isStaged(index) &&
      records.lengthOf(index) === chunkSize &&
      this.#cache.get(index) === undefined
    )
  }

  /** Room in the journal for all of a write, or for nothing of it. `paged`: pages may wait. Throws ENOSPC. */
  #promiseWrite(offset: number, end: number, paged: boolean): void {
    const { chunkSize } = this.#ctx.layout
    const [first, last] = [Math.floor(offset / chunkSize), Math.ceil(end / chunkSize)]
    const waits = (index: number): boolean => {
      const from = Math.max(offset, index * chunkSize)
      const to = Math.min(end, (index + 1) * chunkSize)
      return paged && this.#canWait(index, from - index * chunkSize, to - from)
    }
    // only the first and the last chunk can be written in part
    const ahead = waits(first) ? 1 : 0
    const behind = last - 1 > first && waits(last - 1) ? 1 : 0
    if (ahead + behind > 0) this.#promisePages(this.#pages.chunks + ahead + behind)
    this.#promise(first + ahead, last - behind)
  }

  /** Before the file grows past its short last chunk, that chunk is brought here to become full. */
  #keepOldTail(newLast: number, writeFrom: number, writeEnd: number): void {
    const { chunkSize } = this.#ctx.layout
    const last = Math.floor(this.size / chunkSize)
    if (newLast <= last) return
    if (writeFrom <= last * chunkSize && writeEnd >= (last + 1) * chunkSize) return
    this.records.reserve(this.fd, last, chunkSize)
    this.#rewrite(last)
  }

  /** Whole chunks from the writer's buffer, sealed without a copy. */
  #writeStraight(first: number, count: number, from: Uint8Array, at: number): void {
    const { chunkSize } = this.#ctx.layout
    this.records.reserve(this.fd, first, count * chunkSize)
    // from here on the blob is another one, also where the rest fails
    this.#owner.touch()
    if (first > this.records.end) this.#storeDirty(first)
    straight.bytes = from
    straight.at = at
    straight.size = chunkSize
    this.records.storeFull(this.fd, first, count, straight)
    this.#dropRange(first, first + count)
    this.unsettled += count * chunkSize
  }

  /** Stores the dirty chunks below `limit`, full ones by now, that need no seal first; ascending runs. */
  #storeDirty(limit: number): void {
    if (this.#cache.dirty === 0) return
    const indices = this.#cache
      .dirtyIndices()
      .filter((index) => index < limit && !this.records.isStaged(index))
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
      this.records.storeFull(this.fd, first, count, chunked)
      this.#cache.dropRange(first, first + count)
      this.unsettled += count * this.#ctx.layout.chunkSize
    }
  }

  truncate(size: number): void {
    if (size > SIZE_LIMIT) throw new CofferError('EFBIG', 'a file cannot become that large')
    if (size === 0) this.#owner.ready()
    else this.#mayWrite()
    this.unsealedTail = false
    const { chunkSize } = this.#ctx.layout
    const last = Math.floor(size / chunkSize)
    if (size > this.size) {
      if (last === Math.floor(this.size / chunkSize)) this.#rewrite(last)
      else this.#keepOldTail(last, size, size)
      // the system says EFBIG here, before anything has changed
      if (last >= this.records.end) this.records.extend(this.fd, size)
    } else if (size < this.size || size === 0) {
      const kept = size - last * chunkSize
      if (kept > 0) this.#rewrite(last).plain.fill(0, kept)
      this.#dropRange(kept > 0 ? last + 1 : last)
      this.records.cut(this.fd, last)
    }
    this.size = size
    this.#owner.touch()
  }

  /** A chunk that is going to be stored anew, in part as it is. */
  #rewrite(index: number): CachedChunk {
    this.#promise(index)
    const chunk = this.#load(index)
    this.#soil(index, chunk)
    return chunk
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
    this.records.reserve(this.fd, first, end - first * chunkSize, false)
    if (!keepSize && end > this.size) this.truncate(end)
    else this.#owner.touch()
  }

  /**
   * Makes a range zero, up to the end of the file, and gives back the blocks of its whole chunks: of
   * those under the seal on the disk with the next seal, which is due at once.
   */
  punch(offset: number, length: number): void {
    this.#mayWrite()
    const { chunkSize } = this.#ctx.layout
    const end = Math.min(offset + length, this.size)
    if (offset >= end) {
      this.#owner.touch()
      return
    }
    const first = Math.ceil(offset / chunkSize)
    const last = Math.floor(end / chunkSize)
    // damage in the chunks that keep some of their bytes is told before anything has changed
    if (offset < first * chunkSize) this.#readable(first - 1)
    if (last * chunkSize < end) this.#readable(last)
    // an old last chunk must not be left in the midst of the file
    this.#storeDirty(Math.floor(this.size / chunkSize))
    const to = Math.min(last, this.records.end)
    if (first < to) {
      if (this.records.isStaged(first)) this.erased = { first, end: to }
      else this.records.erase(this.fd, first, to)
    }
    this.#owner.touch()
    this.#dropRange(first, last)
    this.#zero(offset, Math.min(end, first * chunkSize))
    if (last >= first) this.#zero(last * chunkSize, end)
  }

  /** A range inside one chunk. */
  #zero(from: number, to: number): void {
    const { chunkSize } = this.#ctx.layout
    const index = Math.floor(from / chunkSize)
    if (from >= to || !this.#isData(index)) return
    this.records.reserve(this.fd, index, to - index * chunkSize)
    this.#rewrite(index).plain.fill(0, from - index * chunkSize, to - index * chunkSize)
  }

  #isData(index: number): boolean {
    if (this.#waits(index)) return true
    return (
      this.records.lengthOf(index) >= 0 &&
      this.records.nextPresent(this.fd, index, index + 1) === index
    )
  }

  /** SEEK_DATA: where the next bytes lie that are in no hole. */
  nextData(offset: number): number {
    const { chunkSize } = this.#ctx.layout
    const first = Math.floor(offset / chunkSize)
    let index = this.records.nextPresent(this.fd, first)
    if (this.records.lengthOf(index) < 0) index = Infinity
    index = this.#waiting().find((i) => i >= first && i < index) ?? index
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
      const next = this.#waits(index) ? index + 1 : this.records.nextAbsent(this.fd, index)
      if (next === index) return Math.max(offset, index * chunkSize)
      index = next
      if (index * chunkSize >= this.size) return this.size
    }
  }

  /** Chunks of which single pages wait. */
  get paged(): number {
    return this.#pages.chunks
  }

  /** Does more wait than goes into one entry of the journal? */
  get isMuch(): boolean {
    return this.paged > PAGED_CHUNKS_MAX
  }

  /** Must what waits here be sealed, however young it is? */
  get urgent(): boolean {
    return (
      (this.#pages.chunks > 0 && this.#ctx.pages.isFull) ||
      this.erased.first < this.erased.end ||
      this.#cache.dirty * this.#ctx.layout.chunkSize > DIRTY_BYTES_MAX
    )
  }

  /** Bytes that the next seal makes zero. */
  get erasing(): { start: number; end: number } {
    const { first, end } = this.erased
    const { chunkSize } = this.#ctx.layout
    return { start: first * chunkSize, end: end * chunkSize }
  }

  /** The blob has no name any more, and no seal of it will be read. */
  unprotect(): void {
    this.records.unprotect(this.fd)
    this.#release()
  }

  /** Everything in memory is true of another blob, too. Nothing of that has been synced. */
  moveTo(fd: number): void {
    this.fd = fd
    this.unsettled = Math.max(1, this.unsettled)
    this.records.forgetReserved()
  }

  #release(): void {
    this.#ctx.journal?.release(this.#promised + this.#pagesPromised)
    this.#promised = this.#pagesPromised = 0
  }

  /** Lets go of what waits here and is no other than what is under `seal`, the one on the disk. */
  spare(seal: Seal): void {
    spareUnchanged(this.#ctx, this.fd, this.#cache, this.records, this.size, seal)
  }

  /** Would a new seal say the same as that one of the content? */
  isSealedBy({ length }: Seal): boolean {
    const { first, end } = this.erased
    const waits = this.#cache.dirty > 0 || this.#pages.chunks > 0 || first < end
    return !waits && this.size === length && this.records.asSealed
  }

  /** Stores every chunk that waits and needs no seal first. */
  storeStraight(): void {
    const { chunkSize } = this.#ctx.layout
    const last = Math.floor(this.size / chunkSize)
    const { end, short } = this.records
    if (end > last + 1 || (end === last + 1 && short !== last)) {
      // a write failed behind the last byte that it took
      this.#rewrite(last)
      this.records.cut(this.fd, last)
    }
    this.#storeDirty(last)
    if (this.#tailIsStaged(last)) return
    this.#withTail(last, (plain, length) => {
      this.records.storeTail(this.fd, last, plain, length)
    })
    const chunk = this.#cache.get(last)
    if (chunk !== undefined) this.#cache.clean(chunk)
  }

  /** While the old last chunk is still short on the disk, the new one has to wait for it. */
  #tailIsStaged(last: number): boolean {
    const { short } = this.records
    return this.records.isStaged(last) || (short >= 0 && short !== last)
  }

  /** Lends the plaintext of the short last chunk, where its record is not as it should be. */
  #withTail(last: number, use: (plain: Uint8Array, length: number) => void): void {
    const { pool, layout } = this.#ctx
    const length = this.size - last * layout.chunkSize
    const chunk = this.#cache.get(last)
    if (chunk?.dirty === true) {
      use(chunk.plain, length)
      return
    }
    const stored = this.records.lengthOf(last)
    if (stored === length) return
    if (stored >= 0) throw new BugError('the last chunk changed its length unseen')
    const zeros = pool.take()
    try {
      use(zeros, length)
    } finally {
      pool.give(zeros)
    }
  }

  /**
   * Every dirty chunk that is left, full ones and the short last one, into the journal's entry, and the
   * first ones of waiting pages, as many as go into one.
   */
  stage(entry: EntryBuffer): void {
    const { chunkSize } = this.#ctx.layout
    const last = Math.floor(this.size / chunkSize)
    const withTail = this.#tailIsStaged(last)
    this.#promisePages(this.#pages.chunks)
    let paged = 0
    for (const index of this.#waiting()) {
      if (!this.#cache.isDirty(index)) {
        if (paged++ < PAGED_CHUNKS_MAX) this.#stagePages(entry, index)
        continue
      }
      const chunk = this.#cache.get(index)
      if (index < last && chunk !== undefined)
        this.records.stage(this.fd, entry, index, chunk.plain, chunkSize)
    }
    // an old short chunk may be among them, which the new one takes the place of
    const { first, end } = this.erased
    if (first < end) this.records.stageErase(this.fd, first, end)
    if (withTail) {
      this.#withTail(last, (plain, length) => {
        this.records.stage(this.fd, entry, last, plain, length)
      })
    }
  }

  /** What was written to a chunk that is damaged is lost, and that is told; the others are not to wait for it. */
  #stagePages(entry: EntryBuffer, index: number): void {
    const { pool, layout } = this.#ctx
    const plain = pool.take()
    try {
      this.#fill(index, plain)
      this.records.stage(this.fd, entry, index, plain, layout.chunkSize)
    } catch (error) {
      if (error instanceof CofferError && error.code === 'CHUNK_DAMAGED') this.#pages.drop(index)
      throw error
    } finally {
      pool.give(plain)
    }
  }

  /** The blob is as the seal on the disk says; what was staged lies in `bytes`. */
  settle(bytes: Uint8Array, erased: Erase): void {
    for (const { index } of this.records.staged) this.#pages.drop(index)
    this.records.settle(this.fd, bytes, erased.first, erased.end)
    this.erased = NO_ERASE
    const last = Math.floor(this.size / this.#ctx.layout.chunkSize)
    for (const index of this.#cache.dirtyIndices()) if (index !== last) this.#cache.drop(index)
    const tail = this.#cache.get(last)
    if (tail !== undefined) this.#cache.clean(tail)
    this.#storeAt = DIRTY_CHUNKS_MAX
    this.unsealed = 0
    this.#release()
  }

  /** Forgets all plaintext. What is dirty is lost. */
  drop(): void {
    this.#dropRange(0)
    this.records.close()
    this.#release()
  }
}
