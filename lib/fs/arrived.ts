// What a sync client does not carry. A blob that another device has sealed may come here with a mode
// and an mtime that are the client's own; the seal has those of its writer. FORMAT.md §7.
//
// Putting them back must never argue with the client: whatever it does carry is as the seal has it
// already, or newer than that, and stays.

import { Buffer } from 'node:buffer'
import { LRUCache } from 'lru-cache'
import { CofferError } from '../errors.js'
import type { Seal } from '../format/seal.js'
import type { FileStat } from '../store/backing.js'
import type { Context } from './context.js'
import type { Inode } from './inode.js'
import { currentNonce } from './journal.js'
import { backingMode } from './mode.js'
import { isPlaceholder } from './placeholders.js'
import { withHeader } from './reseal.js'
import type { SealedObject } from './sealed-object.js'
import type { Tree } from './tree.js'

/**
 * Seals whose time was put back. A client that carries no times may take that for a change, and send
 * the file round between three devices for ever, unless each does it once.
 */
const timed = new WeakMap<Tree, LRUCache<string, true>>()
const TIMED_MAX = 4096

/** What a client that carries times may lose of one, and what writing a blob takes. */
const GRAIN_MS = 2000
const BACKING_BITS = 0o1777

const isForeign = (ctx: Context, { writer }: Seal): boolean =>
  !ctx.readOnly && Buffer.compare(writer, ctx.deviceId) !== 0

/** Mode 0700 and the sticky mark as sealed; `shared`: the bits for others that may be there. */
const bitsOf = (seal: Seal, shared: number): number =>
  backingMode(seal.mode & 0o7777, false) & (0o1700 | shared)

/**
 * A file is opened. If it is small, the mode in a seal of another device's is newer than that of the
 * backing inode: a chmod here would have been sealed. No system call where they are the same.
 */
export function restoreMode(ctx: Context, fd: number, seal: Seal, stat: FileStat): void {
  if (!isForeign(ctx, seal) || seal.length > ctx.body.policy.strictMax) return
  setMode(ctx, fd, bitsOf(seal, 0o077), stat)
}

function setMode({ backing }: Context, fd: number, bits: number, stat: FileStat): void {
  if ((stat.mode & BACKING_BITS) === bits) return
  try {
    backing.chmodFd(fd, bits)
    stat.mode = (stat.mode & ~BACKING_BITS) | bits
  } catch (error) {
    // somebody else's blob, or a file system without modes
    if (!(error instanceof CofferError)) throw error
  }
}

/**
 * A sync client has put a blob there, new or in place of another: to be called once for each, by
 * whoever saw it come, with its `stat`. Reads its header. A blob that cannot be read is left alone.
 */
export function arrived(tree: Tree, inode: Inode, stat: FileStat): void {
  if (inode.extension !== '.cff' || inode.body !== null) return
  if (isPlaceholder(tree, inode, stat)) return
  try {
    withHeader(
      tree,
      inode,
      (object, fd) => {
        const { seal } = object
        if (seal === null) return
        tree.ctx.writers.met(seal, stat, true)
        if (isForeign(tree.ctx, seal)) restore(tree, fd, object, seal, stat)
      },
      false,
    )
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
  }
}

function restore(tree: Tree, fd: number, object: SealedObject, seal: Seal, stat: FileStat): void {
  const { ctx } = tree
  const late = isTimeOfArrival(seal, stat)
  // the seal of a large file may be older than its mode: it never lets in who is kept out
  const small = seal.length <= ctx.body.policy.strictMax
  setMode(ctx, fd, bitsOf(seal, small ? 0o077 : stat.mode & 0o077), stat)
  if (!late || !isFirst(tree, object)) return
  try {
    ctx.backing.utimesFd(fd, 'omit', { sec: seal.mtimeSec, nsec: seal.mtimeNsec })
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
  }
}

function isFirst(tree: Tree, object: SealedObject): boolean {
  const known = timed.get(tree) ?? new LRUCache<string, true>({ max: TIMED_MAX })
  timed.set(tree, known)
  const nonce = Buffer.from(currentNonce(object)).toString('latin1')
  const first = !known.has(nonce)
  known.set(nonce, true)
  return first
}

/** A time that nobody has set, and that is later than the seal's. */
function isTimeOfArrival(seal: Seal, stat: FileStat): boolean {
  const ms = (sec: number, nsec: number): number => sec * 1000 + nsec / 1e6
  const mtime = ms(stat.mtimeSec, stat.mtimeNsec)
  const untouched = Math.abs(ms(stat.ctimeSec, stat.ctimeNsec) - mtime) <= GRAIN_MS
  return untouched && mtime - ms(seal.mtimeSec, seal.mtimeNsec) > GRAIN_MS
}
