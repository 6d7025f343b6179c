// An open file whose name leads elsewhere now: the cloud has replaced, moved or deleted its blob. What
// was written must not be lost, so the file goes on over a copy of the blob, which is given a name of
// its own with the next seal. FORMAT.md §6. It is the same object, with the same key, so the copy is one
// of the ciphertext; a large one is made elsewhere, and until it is done nobody changes the file.

import { emptyStat } from '../store/backing.js'
import { runJob, type SlowJob } from '../store/slow-job.js'
import type { FileBody } from './file-body.js'
import { blobPath, plainPath, type Inode } from './inode.js'
import { Later } from './later.js'
import { CofferError } from '../errors.js'
import { dropNameless, openNameless, type Nameless } from './nameless.js'
import { fileOf, type Tree } from './tree.js'

/** Blobs with more bytes than that on the disk are not copied by the thread that serves. */
const LARGE_BYTES = 8 * 1024 * 1024
const XATTR_CREATE = 1
const NOT_GIVEN: readonly string[] = ['WAITS_FOR_ENGINE', 'ENOENT']
const stat = emptyStat()

/** A copy that is on its way. */
export interface Rescue {
  /** the blob that it is made in */
  readonly blob: Nameless
  readonly later: Later
}

/**
 * Does a name still lead to the blob that is open? Any known one will do, and it is the inode's name
 * from now on; of several links there may be some that we have never seen.
 */
export function namesItsBlob(tree: Tree, inode: Inode, body: FileBody): boolean {
  const { backing } = tree.ctx
  if (tree.settle(inode)) return !backing.inPlace || isNamed(tree, inode, body)
  backing.statFd(body.fd, stat)
  return stat.nlink > 1
}

function isNamed(tree: Tree, inode: Inode, body: FileBody): boolean {
  if (inode.parent === null) return true
  try {
    return body.isNamed(tree.descriptor(inode.parent), fileOf(inode, inode))
  } catch (error) {
    // what it does not give now is not another; in a renamed directory rclone says ENOENT, too
    if (error instanceof CofferError && NOT_GIVEN.includes(error.code)) return true
    throw error
  }
}

/** Moves an open file, as it is now, to a blob without a name; the inode is pending again. Throws `Later`. */
export function rescue(tree: Tree, inode: Inode): void {
  const { body, parent } = inode
  if (body === null || parent === null) return
  const { later, blob } = (inode.rescue ??= begin(tree, parent, body))
  const outcome = later.await(tree.ctx.fetches.parks)
  inode.rescue = null
  try {
    if ('error' in outcome) throw outcome.error as Error
    moveTo(tree, inode, body, blob)
  } catch (error) {
    dropNameless(tree, blob)
    throw error
  }
  const where = { blob: blobPath(inode), path: plainPath(inode) }
  inode.pending = true
  inode.synced = false
  // a copy goes on under the name that it is shown under
  if (inode.copy !== null) tree.promiseName(inode, parent, inode.copy.shown)
  else tree.directory(parent).pending.set(inode.name, inode)
  const message =
    'the blob of an open file was replaced in the vault folder; both versions are kept'
  tree.ctx.log({ level: 'warn', event: 'conflict', message, ...where })
}

function begin(tree: Tree, parent: Inode, body: FileBody): Rescue {
  const { backing, journal, fetches } = tree.ctx
  journal?.bring(body.ino)
  const blob = openNameless(tree, parent, 0o600)
  backing.statFd(body.fd, stat)
  if (backing.inPlace && stat.size !== body.backingSize) {
    // the size of the blob that has the name now
    backing.truncate(body.fd, body.backingSize)
    backing.statFd(body.fd, stat)
  }
  // one without blocks may not be here at all
  const bytes = stat.blocks === 0 ? stat.size : stat.blocks * 512
  const large = bytes > LARGE_BYTES || (stat.blocks === 0 && fetches.placeholders.possible)
  const job: SlowJob = { what: 'copy', from: body.fd, to: blob.fd, durable: large }
  const later = new Later(job, null, backing)
  if (large && fetches.parks) return { blob, later }
  try {
    runJob(job, backing)
  } catch (error) {
    dropNameless(tree, blob)
    throw error
  }
  later.settle({ fd: -1 })
  return { blob, later }
}

function moveTo(tree: Tree, inode: Inode, body: FileBody, blob: Nameless): void {
  const { fd } = blob
  const { backing, journal } = tree.ctx
  backing.statFd(body.fd, stat)
  const { mode, uid, gid } = stat
  const left = stat.nlink
  backing.chmodFd(fd, mode & 0o7777)
  backing.statFd(fd, stat)
  if (stat.uid !== uid || stat.gid !== gid) backing.chownFd(fd, uid, gid)
  for (const name of backing.listXattr(body.fd)) copyXattr(tree, body.fd, fd, name)
  const before = body.ino
  body.moveTo(blob, stat.ino, left > 0)
  if (left === 0) journal?.forget(before)
  tree.moveToBlob(inode, stat.ino)
}

/** As it is, since it is encrypted for the same object. What the system keeps for itself is left out. */
function copyXattr(tree: Tree, from: number, to: number, name: string): void {
  if (!name.startsWith('user.')) return
  const value = tree.ctx.backing.getXattr(from, name)
  if (value !== null) tree.ctx.backing.setXattr(to, name, value, XATTR_CREATE)
}

/** The file is about to be closed without its copy. */
export function giveUpRescue(tree: Tree, inode: Inode): void {
  const { rescue } = inode
  if (rescue === null) return
  inode.rescue = null
  // whoever copies uses both descriptors until then
  if (rescue.later.outcome === null) rescue.later.wait?.()
  dropNameless(tree, rescue.blob)
}
