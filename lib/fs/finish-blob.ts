// Brings one blob to the state that the entries of its chain lead to. FORMAT.md §6. The final version of
// every chunk is found first, and written once: chunks that went straight to the blob lie there in
// their last version, and cutting what was cut in between would destroy them.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import { ChunkCipher } from '../format/chunk.js'
import {
  HEADER_SIZE,
  KIND_DIRECTORY,
  NONCE_SIZE,
  RECORD_OVERHEAD,
  TAG_SIZE,
  slotOffset,
} from '../format/constants.js'
import { ENTRY_COMMIT, NO_CUT, type ParsedEntry } from '../format/journal.js'
import { currentSeal } from '../format/seal.js'
import { emptyStat } from '../store/backing.js'
import type { JournalFile } from '../store/journal-file.js'
import type { Context } from './context.js'
import { endFile } from './end-file.js'
import type { SealedObject } from './sealed-object.js'

const stat = emptyStat()

/** Where the last version of a chunk is: in the journal, or in the blob with this nonce and tag. */
type Version =
  | { at: number; length: number; pair: null }
  | { at: -1; length: number; pair: Uint8Array; settled: boolean }

/** The seal that an entry leads to. */
export function sealOf(
  object: SealedObject,
  { slot, seal }: ParsedEntry,
): NonNullable<SealedObject['seal']> {
  const header = Uint8Array.from(object.header)
  header.fill(0, slotOffset(0), HEADER_SIZE)
  header.set(seal, slotOffset(slot))
  return currentSeal(header, object.kind, object.keys.seal)
}

export class Finish {
  readonly #ctx: Context
  readonly #file: JournalFile
  readonly #fd: number
  readonly #path: string
  readonly #object: SealedObject
  readonly #last: ParsedEntry
  readonly #cipher: ChunkCipher
  readonly #versions = new Map<number, Version>()
  readonly #record: Buffer
  readonly #there: Buffer
  #cut = NO_CUT
  #erased: [number, number][] = []

  constructor(
    ctx: Context,
    file: JournalFile,
    entries: readonly ParsedEntry[],
    fd: number,
    path: string,
    object: SealedObject,
    last: ParsedEntry,
  ) {
    this.#ctx = ctx
    this.#file = file
    this.#fd = fd
    this.#path = path
    this.#object = object
    this.#last = last
    this.#cipher = new ChunkCipher(object.keys)
    this.#record = Buffer.alloc(ctx.layout.recordSize)
    this.#there = Buffer.alloc(ctx.layout.recordSize)
    for (const entry of entries) if (entry.type === ENTRY_COMMIT) this.#compose(entry)
  }

  #compose({ cut, straight, records, eraseFrom, eraseTo, settled }: ParsedEntry): void {
    const { chunkSize } = this.#ctx.layout
    const versions = this.#versions
    if (cut !== NO_CUT) {
      for (const index of [...versions.keys()]) if (index >= cut) versions.delete(index)
      this.#cut = Math.min(this.#cut, cut)
    }
    for (const { index, pair } of straight)
      versions.set(index, { at: -1, length: chunkSize, pair, settled: false })
    for (const { index, at, length } of records) versions.set(index, { at, length, pair: null })
    if (eraseFrom < eraseTo) {
      for (const index of [...versions.keys()])
        if (index >= eraseFrom && index < eraseTo) versions.delete(index)
      this.#erased.push([eraseFrom, eraseTo])
    }
    if (!settled) return
    for (const version of versions.values()) if (version.pair !== null) version.settled = true
  }

  run(): void {
    const { backing, layout } = this.#ctx
    const seal = sealOf(this.#object, this.#last)
    const end = layout.lastChunk(seal.length) + 1
    const indices = [...this.#versions.keys()].sort((a, b) => a - b).filter((i) => i < end)
    for (const [from, to] of this.#erased) this.#punch(from, Math.min(to, end), indices)
    if (this.#cut !== NO_CUT) this.#punch(this.#cut, end, indices)
    for (const index of indices) this.#store(index)
    const chunked = this.#object.kind < KIND_DIRECTORY
    if (chunked) this.#resize(layout.backingSize(seal.length))
    backing.datasync(this.#fd)
    const torn = chunked ? this.#firstTorn(indices, seal.length) : -1
    this.#object.header.set(this.#last.seal, slotOffset(this.#last.slot))
    this.#object.seal = seal
    const at = slotOffset(this.#last.slot)
    backing.read(this.#fd, this.#there, 0, this.#last.seal.length, at)
    if (!same(this.#there.subarray(0, this.#last.seal.length), this.#last.seal))
      backing.write(this.#fd, this.#last.seal, 0, this.#last.seal.length, at)
    backing.sync(this.#fd)
    if (torn >= 0) this.#cutBack(torn, end)
  }

  /** Makes holes of what is in a range and has no version of its own. */
  #punch(from: number, to: number, indices: readonly number[]): void {
    const { backing, layout } = this.#ctx
    let at = from
    const hole = (end: number): void => {
      const start = layout.recordOffset(at)
      if (at < end && backing.nextData(this.#fd, start) < layout.recordOffset(end))
        backing.punch(this.#fd, start, layout.recordOffset(end) - start)
    }
    for (const index of indices) {
      if (index < from || index >= to) continue
      hole(index)
      at = index + 1
    }
    hole(to)
  }

  /** Writes the journal's version of a chunk, if it is authentic and not there already. */
  #store(index: number): void {
    const version = this.#versions.get(index)
    if (version?.pair !== null) return
    const { backing, layout, pool } = this.#ctx
    const size = version.length + RECORD_OVERHEAD
    const got = this.#file.read(this.#record, size, version.at)
    const plain = pool.take()
    const authentic =
      got === size && this.#cipher.open(index, this.#record, 0, plain, 0, version.length)
    pool.give(plain)
    if (!authentic) throw new CofferError('EIO', 'a record of the journal is damaged')
    const offset = layout.recordOffset(index)
    const there = backing.read(this.#fd, this.#there, 0, size, offset)
    if (there === size && same(this.#there.subarray(0, size), this.#record.subarray(0, size)))
      return
    backing.write(this.#fd, this.#record, 0, size, offset)
  }

  #resize(size: number): void {
    this.#ctx.backing.statFd(this.#fd, stat)
    if (stat.size !== size) this.#ctx.backing.truncate(this.#fd, size)
  }

  /** The first chunk that went straight to the blob and has not reached the disk whole, or -1. */
  #firstTorn(indices: readonly number[], length: number): number {
    const { backing, layout, pool } = this.#ctx
    const last = layout.lastChunk(length)
    for (const index of indices) {
      const version = this.#versions.get(index)
      if (version === undefined || version.pair === null || version.settled) continue
      const plain = index === last ? length - last * layout.chunkSize : layout.chunkSize
      const size = plain + RECORD_OVERHEAD
      const got = backing.read(this.#fd, this.#there, 0, size, layout.recordOffset(index))
      const chunk = pool.take()
      const whole =
        got === size &&
        same(this.#there.subarray(0, NONCE_SIZE), version.pair.subarray(0, NONCE_SIZE)) &&
        same(this.#there.subarray(size - TAG_SIZE, size), version.pair.subarray(NONCE_SIZE)) &&
        this.#cipher.open(index, this.#there, 0, chunk, 0, plain)
      pool.give(chunk)
      if (!whole) return index
    }
    return -1
  }

  /**
   * Ends the file before chunk `torn`. Everything from there on is newer than the last sync, and has
   * a version here; so the new sum is the sealed one without theirs.
   */
  #cutBack(torn: number, end: number): void {
    const { backing, layout, log } = this.#ctx
    const { seal } = this.#object
    if (seal === null) return
    const acc = Uint8Array.from(seal.acc)
    let { absent } = seal
    // chunks without a version are absent; of a sparse file there may be very many
    absent -= end - torn
    for (const [index, version] of this.#versions) {
      if (index < torn || index >= end) continue
      absent++
      if (version.pair !== null)
        this.#cipher.toggle(acc, index, version.pair, 0, version.pair, NONCE_SIZE)
      else {
        const size = version.length + RECORD_OVERHEAD
        this.#file.read(this.#record, size, version.at)
        this.#cipher.toggleRecord(acc, index, this.#record, 0, version.length)
      }
    }
    const next = endFile(this.#ctx, this.#object, torn, { acc, absent }, this.#record, 0)
    backing.write(this.#fd, this.#record, 0, RECORD_OVERHEAD, layout.recordOffset(torn))
    this.#resize(layout.recordOffset(torn) + RECORD_OVERHEAD)
    backing.datasync(this.#fd)
    backing.write(this.#fd, next.record, 0, next.record.length, next.offset)
    backing.sync(this.#fd)
    const message = `the last ${String(seal.length - next.seal.length)} bytes of a file had not reached the disk; it ends before them`
    log({ level: 'warn', event: 'cut-back', message, blob: this.#path })
  }
}

export const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
