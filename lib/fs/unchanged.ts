// A save of what is there already. Chunks that wait for a seal and are no other than those under the
// seal on the disk are let go, so that a sync client has nothing to send for them; where none is left,
// there is nothing to seal. FORMAT.md §6.
//
// Many programs empty a file before they write it anew. That cuts nothing off before the next seal, so
// all of the old content can still be compared. Only of small files: all of it waits in memory.

import { Buffer } from 'node:buffer'
import type { Seal } from '../format/seal.js'
import { CofferError } from '../errors.js'
import type { ChunkCache } from './chunk-cache.js'
import type { Context } from './context.js'
import type { PlainRun, RecordStore } from './record-store.js'

/** Plaintext bytes under the seal, at most. */
const COMPARED_MAX = 4 * 1024 * 1024

/** One chunk in a buffer of its own. */
class OneChunk implements PlainRun {
  plain: Uint8Array = new Uint8Array(0)
  buffer(): Uint8Array {
    return this.plain
  }
  offset(): number {
    return 0
  }
}

const stored = new OneChunk()

/** `size`: plaintext bytes of the file now. */
export function spareUnchanged(
  ctx: Context,
  fd: number,
  cache: ChunkCache,
  records: RecordStore,
  size: number,
  seal: Seal,
): void {
  if (seal.length > Math.min(COMPARED_MAX, ctx.body.policy.strictMax)) return
  const { chunkSize } = ctx.layout
  const last = Math.floor(size / chunkSize)
  if (records.cutTo === 0 && !reviveUnder(ctx, fd, cache, records, size, seal)) return
  if (cache.dirty === 0) return
  stored.plain = ctx.pool.take()
  try {
    for (const index of cache.dirtyIndices()) {
      const length = index === last ? size - last * chunkSize : chunkSize
      const plain = cache.get(index)?.plain
      if (plain !== undefined && isStored(fd, records, index, plain, length)) cache.drop(index)
    }
  } finally {
    ctx.pool.give(stored.plain)
  }
}

/**
 * Of a file that was emptied and written anew: its old chunks count again, as far as the new ones have
 * the same places. False where that cannot be; then nothing has changed.
 */
function reviveUnder(
  { layout }: Context,
  fd: number,
  cache: ChunkCache,
  records: RecordStore,
  size: number,
  seal: Seal,
): boolean {
  const last = layout.lastChunk(size)
  const oldLast = layout.lastChunk(seal.length)
  // chunks before that one keep their records, or get others of the same length
  const kept = size === seal.length ? oldLast + 1 : Math.min(last, oldLast)
  if (kept === 0 || !records.revive(fd, seal)) return false
  // zeros without a chunk of their own
  if (last < kept && !cache.isDirty(last)) cache.soil(cache.load(last, () => undefined))
  for (let index = 0; index < kept; index++) {
    // a hole, where there was none
    if (!cache.isDirty(index) && records.nextPresent(fd, index) === index) {
      records.cut(fd, 0)
      return false
    }
  }
  if (size !== seal.length) records.cut(fd, kept)
  return true
}

/** A hole is not the same as zeros; a chunk that cannot be read is not the same as anything. */
function isStored(
  fd: number,
  records: RecordStore,
  index: number,
  plain: Uint8Array,
  length: number,
): boolean {
  if (records.lengthOf(index) !== length) return false
  try {
    if (records.nextPresent(fd, index) !== index) return false
    records.load(fd, index, 1, stored)
  } catch (error) {
    if (error instanceof CofferError) return false
    throw error
  }
  return Buffer.compare(stored.plain.subarray(0, length), plain.subarray(0, length)) === 0
}
