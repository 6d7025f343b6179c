// An open file (or symbolic link): plaintext in, plaintext out. One for each inode, whatever the
// number of handles. Partly written chunks wait here as plaintext, and so do those that replace what
// is under the seal on the disk; other whole ones go straight through. FORMAT.md §4 to §6.

import { BugError, CofferError } from '../errors.js'
import { HEADER_SIZE, SIZE_LIMIT, type Kind } from '../format/constants.js'
import { ChunkCache, type CachedChunk } from './chunk-cache.js'
import { RUN_RECORDS, type Context } from './context.js'
import type { Journal, JournaledBlob } from './journal.js'
import { RecordStore, type PlainRun } from './record-store.js'
import { SealedObject, ZERO16, type Unsequenced } from './sealed-object.js'
import type { FileStat, FileTime } from '../store/backing.js'

/** Plaintext chunks that may wait for one file before those are stored that can be without a seal. */
const DIRTY_CHUNKS_MAX = 64
/** Plaintext bytes that may wait for one file before it is sealed. */
const DIRTY_BYTES_MAX = 8 * 1024 * 1024
/** Bytes that went straight to a blob before it is synced, so that a replay has not to read more. */
const UNSETTLED_BYTES_MAX = 8 * 1024 * 1024 * 1024
/** A new file younger than this has not reached the disk; a machine that stops loses it in any case. */
const YOUNG_MS = 5000
/** Journal that a staged record takes beyond its chunk, at most. */
const STAGED_OVERHEAD = 64
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

const nothing = (): void => undefined
const NO_ERASE = { first: 0, end: 0 }
const nothingStaged = new Uint8Array(0)
const straight = new StraightRun()
const chunked = new ChunkRun()

export class FileBody implements JournaledBlob {
  readonly kind: Kind
  readonly ino: number
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
  /** bytes beyond the sealed length that nobody vouches for: not shown, never written over */
  unsealedTail = false
  /** wall clock of its creation where no sync has been asked for since, otherwise 0 */
  bornAt = 0
  /** where the blob lies below the vault folder */
  path: () => string = () => ''
  readonly #ctx: Context
  readonly #records: RecordStore
  readonly #cache: ChunkCache
  /** dirty chunks at which those are stored that can be */
  #storeAt = DIRTY_CHUNKS_MAX
  /** bytes of the journal that are promised to dirty chunks */
  #promised = 0
  #unsealed = 0
  #unsettled = 0
  #lastRead = -1
  /** chunks that the next seal makes absent */
  #erase = NO_ERASE
  /** brings the blob to the state that the journal has, which it refused before */
  #again: (() => void) | null = null

  private constructor(
    ctx: Context,
    object: SealedObject,
    fd: number,
    ino: number,
    writable: boolean,
    mode: number,
  ) {
    this.#ctx = ctx
    this.kind = object.kind
    this.object = object
    this.fd = fd
    this.ino = ino
    this.writable = writable
    this.mode = mode
    this.size = 0
    this.#cache = new ChunkCache(ctx.pool)
    this.#records = new RecordStore(ctx, object, () => {
      this.#journal.allowLonger(this, this.#precious)
    })
  }

  get #journal(): Journal {
    const { journal } = this.#ctx
    if (journal === null) throw new BugError('a change without a journal')
    return journal
  }

  /** Is there something that a stop of the machine must not take away? */
  get #precious(): boolean {
    const age = this.#ctx.clock() - this.bornAt
    return this.bornAt === 0 || age < 0 || age >= YOUNG_MS
  }

  /** A new and empty object over the empty file `fd`, which it takes over. */
  static create(ctx: Context, kind: Kind, fd: number, ino: number, mode: number): FileBody {
    const body = new FileBody(ctx, SealedObject.create(ctx, kind), fd, ino, true, mode)
    body.bornAt = ctx.clock()
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
      const body = new FileBody(ctx, object, fd, stat.ino, writable, seal.mode)
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
      body.size = length
      body.#records.adopt(length, acc, absent, chunkWrites)
      if (exact !== length) {
        body.unsealedTail = true
        const message =
          'more lies in the blob than its seal says: its writer did not come to seal it'
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
    this.#bring()
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
      if (stored < 0 || this.#cache.get(index) !== undefined || index * chunkSize + stored > end)
        break
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
    if (this.#lastRead >= 0 && !this.#cache.isDirty(this.#lastRead))
      this.#cache.drop(this.#lastRead)
    const { plain } = this.#load(index)
    this.#lastRead = index
    return plain
  }

  /** The chunk in memory, from the blob where it lies there, zero elsewhere. */
  #load(index: number): CachedChunk {
    return this.#cache.load(index, (plain) => {
      if (this.#records.lengthOf(index) <= 0) return
      straight.bytes = plain
      straight.at = 0
      this.#records.load(this.fd, index, 1, straight)
    })
  }

  /** Room in the journal for a chunk that is going to wait for its seal. Throws ENOSPC. */
  #promise(index: number): void {
    if (this.#cache.isDirty(index) || !this.#records.isStaged(index)) return
    const bytes = this.#ctx.layout.recordSize + STAGED_OVERHEAD
    this.#journal.promise(bytes)
    this.#promised += bytes
  }

  #touch(): void {
    const now = this.#ctx.clock()
    if (!this.dirty) this.dirtySince = now
    this.dirty = true
    this.changedAt = now
    this.set.mtime = 'omit'
  }

  /** After a failure of the disk the blob may be behind the journal, and torn. */
  #bring(): void {
    const again = this.#again
    if (again === null) return
    again()
    this.#again = null
  }

  #mayWrite(): void {
    this.#bring()
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
      const n = Math.min(chunkSize - within, end - position)
      if (n === chunkSize && !this.#records.isStaged(index)) {
        const count = Math.min(RUN_RECORDS - 1, Math.floor((end - position) / chunkSize))
        this.#writeStraight(index, count, from, source)
        position += count * chunkSize
      } else {
        this.#records.reserve(this.fd, index, within + n)
        this.#promise(index)
        const chunk = n === chunkSize ? this.#cache.load(index, nothing) : this.#load(index)
        chunk.plain.set(from.subarray(source, source + n), within)
        this.#cache.soil(chunk)
        position += n
      }
      if (position > this.size) this.size = position
      this.#touch()
    }
    this.#unsealed += length
    if (this.#cache.dirty > this.#storeAt) {
      this.#storeDirty(Math.floor(this.size / chunkSize))
      this.#storeAt = this.#cache.dirty + DIRTY_CHUNKS_MAX
    }
  }

  /** Before the file grows past its short last chunk, that chunk is brought here to become full. */
  #keepOldTail(newLast: number, writeFrom: number, writeEnd: number): void {
    const { chunkSize } = this.#ctx.layout
    const last = Math.floor(this.size / chunkSize)
    if (newLast <= last) return
    if (writeFrom <= last * chunkSize && writeEnd >= (last + 1) * chunkSize) return
    this.#records.reserve(this.fd, last, chunkSize)
    this.#promise(last)
    this.#cache.soil(this.#load(last))
  }

  /** Whole chunks from the writer's buffer, sealed without a copy. */
  #writeStraight(first: number, count: number, from: Uint8Array, at: number): void {
    const { chunkSize } = this.#ctx.layout
    this.#records.reserve(this.fd, first, count * chunkSize)
    // from here on the blob is another one, also where the rest fails
    this.#touch()
    if (first > this.#records.end) this.#storeDirty(first)
    straight.bytes = from
    straight.at = at
    straight.size = chunkSize
    this.#records.storeFull(this.fd, first, count, straight)
    this.#cache.dropRange(first, first + count)
    this.#unsettled += count * chunkSize
  }

  /** Stores the dirty chunks below `limit`, full ones by now, that need no seal first; ascending runs. */
  #storeDirty(limit: number): void {
    if (this.#cache.dirty === 0) return
    const indices = this.#cache
      .dirtyIndices()
      .filter((index) => index < limit && !this.#records.isStaged(index))
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
      this.#cache.dropRange(first, first + count)
      this.#unsettled += count * this.#ctx.layout.chunkSize
    }
  }

  truncate(size: number): void {
    if (size > SIZE_LIMIT) throw new CofferError('EFBIG', 'a file cannot become that large')
    if (size === 0) this.#bring()
    else this.#mayWrite()
    this.unsealedTail = false
    const { chunkSize } = this.#ctx.layout
    const last = Math.floor(size / chunkSize)
    if (size > this.size) {
      if (last === Math.floor(this.size / chunkSize)) this.#rewrite(last)
      else this.#keepOldTail(last, size, size)
      // the system says EFBIG here, before anything has changed
      if (last >= this.#records.end) this.#records.extend(this.fd, size)
    } else if (size < this.size || size === 0) {
      const kept = size - last * chunkSize
      if (kept > 0) this.#rewrite(last).plain.fill(0, kept)
      this.#cache.dropRange(kept > 0 ? last + 1 : last)
      this.#records.cut(this.fd, last)
    }
    this.size = size
    this.#touch()
  }

  /** A chunk that is going to be stored anew, in part as it is. */
  #rewrite(index: number): CachedChunk {
    this.#promise(index)
    const chunk = this.#load(index)
    this.#cache.soil(chunk)
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
    this.#records.reserve(this.fd, first, end - first * chunkSize, false)
    if (!keepSize && end > this.size) this.truncate(end)
    else this.#touch()
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
      this.#touch()
      return
    }
    const first = Math.ceil(offset / chunkSize)
    const last = Math.floor(end / chunkSize)
    // damage in the chunks that keep some of their bytes is told before anything has changed
    if (offset < first * chunkSize) this.#readable(first - 1)
    if (last * chunkSize < end) this.#readable(last)
    // an old last chunk must not be left in the midst of the file
    this.#storeDirty(Math.floor(this.size / chunkSize))
    const to = Math.min(last, this.#records.end)
    if (first < to) {
      if (this.#records.isStaged(first)) this.#erase = { first, end: to }
      else this.#records.erase(this.fd, first, to)
    }
    this.#touch()
    this.#cache.dropRange(first, last)
    this.#zero(offset, Math.min(end, first * chunkSize))
    if (last >= first) this.#zero(last * chunkSize, end)
  }

  /** A range inside one chunk. */
  #zero(from: number, to: number): void {
    const { chunkSize } = this.#ctx.layout
    const index = Math.floor(from / chunkSize)
    if (from >= to || !this.#isData(index)) return
    this.#records.reserve(this.fd, index, to - index * chunkSize)
    this.#rewrite(index).plain.fill(0, from - index * chunkSize, to - index * chunkSize)
  }

  #isData(index: number): boolean {
    if (this.#cache.isDirty(index)) return true
    return this.#records.lengthOf(index) >= 0 && this.#records.nextPresent(this.fd, index) === index
  }

  /** SEEK_DATA: where the next bytes lie that are in no hole. */
  nextData(offset: number): number {
    const { chunkSize } = this.#ctx.layout
    const first = Math.floor(offset / chunkSize)
    let index = this.#records.nextPresent(this.fd, first)
    if (this.#records.lengthOf(index) < 0) index = Infinity
    index = this.#cache.dirtyIndices().find((i) => i >= first && i < index) ?? index
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
      const next = this.#cache.isDirty(index) ? index + 1 : this.#records.nextAbsent(this.fd, index)
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
    if (!this.dirty) return false
    return (
      now - this.dirtySince >= SEAL_EVERY_MS ||
      this.#unsealed >= SEAL_EVERY_BYTES ||
      this.#erase.first < this.#erase.end ||
      this.#cache.dirty * this.#ctx.layout.chunkSize > DIRTY_BYTES_MAX
    )
  }

  /** The blob has no name any more, and no seal of it will be read. */
  unprotect(): void {
    this.#records.unprotect(this.fd)
    this.#ctx.journal?.release(this.#promised)
    this.#promised = 0
  }

  /** Stores every chunk that waits and needs no seal first. */
  #storeStraight(): void {
    const { chunkSize } = this.#ctx.layout
    const last = Math.floor(this.size / chunkSize)
    const { end, short } = this.#records
    if (end > last + 1 || (end === last + 1 && short !== last)) {
      // a write failed behind the last byte that it took
      this.#rewrite(last)
      this.#records.cut(this.fd, last)
    }
    this.#storeDirty(last)
    if (this.#tailIsStaged(last)) return
    this.#withTail(last, (plain, length) => {
      this.#records.storeTail(this.fd, last, plain, length)
    })
    const chunk = this.#cache.get(last)
    if (chunk !== undefined) this.#cache.clean(chunk)
  }

  /** While the old last chunk is still short on the disk, the new one has to wait for it. */
  #tailIsStaged(last: number): boolean {
    const { short } = this.#records
    return this.#records.isStaged(last) || (short >= 0 && short !== last)
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
    const stored = this.#records.lengthOf(last)
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
   * Stores chunks, then the seal, under the name that the blob bears (or is about to). `prevTag` is
   * that of a name being left by a rename; `durable`: a stop of the machine changes nothing any more,
   * after the next mount.
   */
  commit(place: Place, mode: number, prevTag: Uint8Array = ZERO16, durable = false): void {
    this.stage(place, mode, prevTag, durable)
    this.#journal.flush()
  }

  /** The same up to the journal's next flush. The first seal of a new object needs none. */
  stage(place: Place, mode: number, prevTag: Uint8Array, durable: boolean): void {
    const { backing } = this.#ctx
    this.#bring()
    this.#storeStraight()
    const records = this.#records
    records.trim(this.fd)
    if (this.object.seal === null) {
      this.object.begin(this.#state(place, mode, prevTag), this.seqFloor, (bytes, offset) => {
        backing.write(this.fd, bytes, 0, bytes.length, offset)
      })
      this.#sealed(mode, nothingStaged, NO_ERASE)
      return
    }
    const settled = durable || this.#unsettled > UNSETTLED_BYTES_MAX
    if (settled && this.#unsettled + records.straight.bytes.length > 0) backing.datasync(this.fd)
    const journal = this.#journal
    const mark = records.mark()
    const erase = this.#erase
    const cut = records.cutTo
    journal.entry.begin()
    try {
      this.#stageDirty()
      if (erase.first < erase.end) records.stageErase(this.fd, erase.first, erase.end)
      const next = this.object.prepare(this.#state(place, mode, prevTag), this.seqFloor)
      const { slot, record: seal } = next
      const change = { slot, seal, cut, eraseFrom: erase.first, eraseTo: erase.end, settled }
      const item = {
        blob: this,
        change,
        records: records.staged,
        durable: durable || this.#precious,
        done: (bytes: Uint8Array) => {
          this.object.accept(next)
          if (settled) this.#unsettled = 0
          this.#sealed(mode, bytes, erase)
        },
        failed: (again: (() => void) | null) => {
          if (again !== null) this.#again = again
          else records.restore(mark)
          this.#erase = NO_ERASE
        },
      }
      journal.queue(item, records.straight.bytes)
    } catch (error) {
      records.restore(mark)
      this.#erase = NO_ERASE
      throw error
    }
  }

  /** Every dirty chunk that is left, full ones and the short last one, into the journal's entry. */
  #stageDirty(): void {
    const { chunkSize } = this.#ctx.layout
    const { entry } = this.#journal
    const last = Math.floor(this.size / chunkSize)
    const withTail = this.#tailIsStaged(last)
    for (const index of this.#cache.dirtyIndices()) {
      const chunk = this.#cache.get(index)
      if (index < last && chunk !== undefined)
        this.#records.stage(this.fd, entry, index, chunk.plain, chunkSize)
    }
    if (!withTail) return
    this.#withTail(last, (plain, length) => {
      this.#records.stage(this.fd, entry, last, plain, length)
    })
  }

  /** What the next seal says. */
  #state(place: Place, mode: number, prevTag: Uint8Array): Unsequenced {
    const { acc, absent, chunkWrites } = this.#records
    const now = this.#ctx.clock()
    const { mtime } = this.set
    const sealed =
      typeof mtime === 'string'
        ? { sec: Math.floor(now / 1000), nsec: (now % 1000) * 1_000_000 }
        : mtime
    return {
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
    }
  }

  /** The blob is as the seal on the disk says; what was staged lies in `bytes`. */
  #sealed(mode: number, bytes: Uint8Array, erased: { first: number; end: number }): void {
    this.#records.settle(this.fd, bytes, erased.first, erased.end)
    this.#erase = NO_ERASE
    const last = Math.floor(this.size / this.#ctx.layout.chunkSize)
    for (const index of this.#cache.dirtyIndices()) if (index !== last) this.#cache.drop(index)
    const tail = this.#cache.get(last)
    if (tail !== undefined) this.#cache.clean(tail)
    this.#storeAt = DIRTY_CHUNKS_MAX
    this.#ctx.journal?.release(this.#promised)
    this.#promised = 0
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
    const { backing, journal } = this.#ctx
    this.#cache.dropRange(0)
    this.#records.close()
    journal?.release(this.#promised)
    if (this.dirty && this.#again === null && this.object.seal !== null) {
      try {
        this.#records.revert(this.fd)
      } catch {
        // the next mount does it, by the journal
      }
    }
    this.object.wipe()
    if (journal?.closing(this) !== true) backing.close(this.fd)
  }
}
