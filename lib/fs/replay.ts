// What the journal of a drive that did not come to its end makes of the blobs, at the next mount.
// FORMAT.md §6. A blob is touched only if the seal that counts in it is one that its entries start
// from or lead to; otherwise the cloud has replaced it, and the entries are kept for people.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import { isZero } from '../format/chunk.js'
import {
  HEADER_SIZE,
  KIND_DIRECTORY,
  KIND_FILE,
  NONCE_SIZE,
  SLOT_SIZE,
  slotOffset,
} from '../format/constants.js'
import { ENTRY_BORN, ENTRY_COMMIT, type ParsedEntry } from '../format/journal.js'
import { currentSeal } from '../format/seal.js'
import { emptyStat } from '../store/backing.js'
import type { JournalFile } from '../store/journal-file.js'
import type { Context } from './context.js'
import { Finish, same, sealOf } from './finish-blob.js'
import { findBlobs, isOnlyBorn, openPath } from './find-blobs.js'
import { currentNonce } from './journal.js'
import { readChains, type Chain } from './journal-chains.js'
import { makeEmpty } from './make-empty.js'
import { SealedObject } from './sealed-object.js'
import type { Tree } from './tree.js'

const stat = emptyStat()

/** Blobs whose entries could not be used. */
export interface Unused {
  replaced: number
  removed: number
}

/** Finishes what was interrupted. */
export function replay(tree: Tree, file: JournalFile): Unused {
  const { log } = tree.ctx
  const chains = readChains(file)
  const unused: Unused = { replaced: 0, removed: 0 }
  if (chains.length === 0) return unused
  let finished = 0
  findBlobs(tree, chains, (chain, fd, path) => {
    const outcome = fd < 0 ? gone(tree, chain) : finish(tree.ctx, file, chain, fd, path)
    if (outcome === 'finished') finished++
    if (outcome === 'unborn' && wasBorn(chain)) makeEmpty(tree.ctx, file, chain, fd)
    if ((outcome !== 'replaced' && outcome !== 'removed') || chain.removed) return
    unused[outcome]++
    // a removal of our own may have come to the disk without the entry that says so
    const level = outcome === 'replaced' ? 'warn' : 'info'
    const message = `the blob of an interrupted change was ${outcome} in the vault folder`
    log({ level, event: 'replay', message, blob: path })
  })
  if (finished > 0) {
    const message = `changes to ${String(finished)} files that were interrupted have been finished`
    log({ level: 'info', event: 'replay', message })
  }
  return unused
}

/** 'unborn': nothing of a new file had reached the disk. */
type Outcome = 'finished' | 'obsolete' | 'unborn' | 'replaced' | 'removed'

/** Had the blob just got its name? */
const wasBorn = ({ entries }: Chain): boolean => entries.some(({ type }) => type === ENTRY_BORN)

/** Of a blob that is not found: what took its name? */
function gone(tree: Tree, chain: Chain): Outcome {
  const { entries } = chain
  const { ctx } = tree
  if (wasBorn(chain)) return 'obsolete'
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

function finish(ctx: Context, file: JournalFile, chain: Chain, fd: number, path: string): Outcome {
  const { entries } = chain
  if (isOnlyBorn(chain)) return isUnborn(ctx, fd) ? 'unborn' : 'obsolete'
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
