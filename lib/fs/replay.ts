// What the journal of a drive that did not come to its end makes of the blobs, at the next mount.
// FORMAT.md §6. A blob is touched only if the seal that counts in it is one that its entries start
// from or lead to; otherwise the cloud has replaced it, and the entries are kept for people.
//
// The final state of every chunk is found first, and written once: chunks that went straight to the
// blob lie there in their last version, and cutting what was cut in between would destroy them.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import { ChunkCipher, isZero } from '../format/chunk.js'
import {
  HEADER_SIZE,
  KIND_DIRECTORY,
  KIND_FILE,
  NONCE_SIZE,
  RECORD_OVERHEAD,
  SLOT_SIZE,
  TAG_SIZE,
  slotOffset,
} from '../format/constants.js'
import { ENTRY_COMMIT, NO_CUT, type ParsedEntry } from '../format/journal.js'
import { currentSeal } from '../format/seal.js'
import { emptyStat } from '../store/backing.js'
import type { JournalFile } from '../store/journal-file.js'
import type { Context } from './context.js'
import { findBlobs, openPath } from './find-blobs.js'
import { currentNonce } from './journal.js'
import { readChains, type Chain } from './journal-chains.js'
import { SealedObject } from './sealed-object.js'
import type { Tree } from './tree.js'

const stat = emptyStat()

/** Where the last version of a chunk is: in the journal, or in the blob with this nonce and tag. */
type Version =
  | { at: number; length: number; pair: null }
  | { at: -1; length: number; pair: Uint8Array; settled: boolean }

/** Blobs whose entries could not be used. */
export interface Unused {
  replaced: number
  removed: number
}

/** Finishes what was interrupted. */
export function replay(tree: Tree, file: JournalFile): Unused {
  const { backing, log } = tree.ctx
  const chains = readChains(file)
  const unused: Unused = { replaced: 0, removed: 0 }
  if (chains.length === 0) return unused
  let finished = 0
  for (const { chain, path, found } of findBlobs(tree, chains)) {
    const fd = found ? openPath(tree, path) : -1
    try {
      const outcome = fd < 0 ? gone(tree, chain) : finish(tree.ctx, file, chain, fd, path)
      if (outcome === 'finished') finished++
      if ((outcome !== 'replaced' && outcome !== 'removed') || chain.removed) continue
      unused[outcome]++
      // a removal of our own may have come to the disk without the entry that says so
      const level = outcome === 'replaced' ? 'warn' : 'info'
      const message = `the blob of an interrupted change was ${outcome} in the vault folder`
      log({ level, event: 'replay', message, blob: path })
    } finally {
      if (fd >= 0) backing.close(fd)
    }
  }
  if (finished > 0) {
    const message = `changes to ${String(finished)} files that were interrupted have been finished`
    log({ level: 'info', event: 'replay', message })
  }
  return unused
}

/** 'unborn': nothing of a new file had reached the disk. */
type Outcome = 'finished' | 'obsolete' | 'unborn' | 'replaced' | 'removed'

/** Of a blob that is not found: what took its name? */
function gone(tree: Tree, { entries }: Chain): Outcome {
  const { ctx } = tree
  const { path, kind } = entries.at(-1) ?? { path: '', kind: KIND_FILE }
  const fd = openPath(tree, path)
  if (fd < 0) return 'removed'
  try {
    const object = SealedObject.read(ctx, fd, kind)
    object.wipe()
    // another file was renamed there, here
    return object.seal !== null && same(object.seal.writer, ctx.deviceId) ? 'obsolete' : 'replaced'
  } catch (error) {
    if (error instanceof CofferError) return 'replaced'
    throw error
  } finally {
    ctx.backing.close(fd)
  }
}

function finish(
  ctx: Context,
  file: JournalFile,
  { entries }: Chain,
  fd: number,
  path: string,
): Outcome {
  const { backing, deviceId } = ctx
  const first = entries[0]
  const last = entries.findLast(({ type }) => type === ENTRY_COMMIT)
  if (first === undefined) return 'obsolete'
  const object = readObject(ctx, fd, first)
  if (object === null) return isUnborn(ctx, fd) ? 'unborn' : 'replaced'
  try {
    const nonce = currentNonce(object)
    const known = entries.some(
      ({ type, from, seal }) =>
        same(from, nonce) || (type === ENTRY_COMMIT && same(seal.subarray(0, NONCE_SIZE), nonce)),
    )
    if (!known && !isTorn(object)) {
      const mine = object.seal !== null && same(object.seal.writer, deviceId)
      const seq = last === undefined ? 0 : sealOf(object, last).sealSeq
      return mine && (object.seal?.sealSeq ?? 0) > seq ? 'obsolete' : 'replaced'
    }
    if (last === undefined) {
      trim(ctx, fd, object)
      backing.sync(fd)
    } else new Finish(ctx, file, entries, fd, path, object, last).run()
    return 'finished'
  } finally {
    object.wipe()
  }
}

/**
 * A sector holds the end of one slot and all of the other, so that a header which reached the disk in
 * part may show an earlier seal than any entry knows, and a slot that is neither. What anybody else
 * has written shows two seals, or a slot that was never used.
 */
function isTorn({ seal, header, kind, keys }: SealedObject): boolean {
  if (seal === null) return false
  const other = Uint8Array.from(header)
  const at = slotOffset((seal.sealSeq % 2) as 0 | 1)
  other.fill(0, at, at + SLOT_SIZE)
  const unused = slotOffset(((seal.sealSeq + 1) % 2) as 0 | 1)
  if (isZero(other, unused, SLOT_SIZE)) return false
  try {
    currentSeal(other, kind, keys.seal)
    return false
  } catch {
    return true
  }
}

/** Does the blob lack even its header? */
function isUnborn({ backing }: Context, fd: number): boolean {
  const header = Buffer.alloc(HEADER_SIZE)
  const got = backing.read(fd, header, 0, HEADER_SIZE, 0)
  return isZero(header, 0, got)
}

/** null where no object, or another one, lies there. */
function readObject(
  ctx: Context,
  fd: number,
  { kind, objectId }: ParsedEntry,
): SealedObject | null {
  try {
    const object = SealedObject.read(ctx, fd, kind)
    if (same(object.objectId, objectId)) return object
    object.wipe()
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
  }
  return null
}

/** Cuts off what lies beyond the seal. */
function trim({ backing, layout }: Context, fd: number, { kind, seal }: SealedObject): void {
  if (seal === null || kind >= KIND_DIRECTORY) return
  backing.statFd(fd, stat)
  const size = layout.backingSize(seal.length)
  if (stat.size > size) backing.truncate(fd, size)
}

function sealOf(
  object: SealedObject,
  { slot, seal }: ParsedEntry,
): NonNullable<SealedObject['seal']> {
  const header = Uint8Array.from(object.header)
  header.fill(0, slotOffset(0), HEADER_SIZE)
  header.set(seal, slotOffset(slot))
  return currentSeal(header, object.kind, object.keys.seal)
}

class Finish {
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
    const { backing, layout, nonces, clock, log } = this.#ctx
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
    nonces.fill(this.#record, 0)
    this.#cipher.seal(torn, this.#record, 0, this.#record, NONCE_SIZE, 0)
    this.#cipher.toggleRecord(acc, torn, this.#record, 0, 0)
    backing.write(this.#fd, this.#record, 0, RECORD_OVERHEAD, layout.recordOffset(torn))
    this.#resize(layout.recordOffset(torn) + RECORD_OVERHEAD)
    backing.datasync(this.#fd)
    const length = torn * layout.chunkSize
    const now = clock()
    const mtime = { mtimeSec: Math.floor(now / 1000), mtimeNsec: (now % 1000) * 1_000_000 }
    const chunkWrites = seal.chunkWrites + 1
    const next = this.#object.prepare({ ...seal, ...mtime, length, acc, absent, chunkWrites }, 0)
    backing.write(this.#fd, next.record, 0, next.record.length, next.offset)
    backing.sync(this.#fd)
    const message = `the last ${String(seal.length - length)} bytes of a file had not reached the disk; it ends before them`
    log({ level: 'warn', event: 'cut-back', message, blob: this.#path })
  }
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
