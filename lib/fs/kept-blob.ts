// Saving what is there already, as programs do that write a new file beside the old one: they rename it
// over that, or move the old one aside and remove it afterwards. Where both say the same, the old blob
// keeps the name, so that a sync client has nothing to send; the new inode goes on over it.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import { isXattrName } from '../format/xattr.js'
import { emptyStat } from '../store/backing.js'
import { directoryChanged } from './directory.js'
import { isPrecious } from './durability.js'
import type { FileBody } from './file-body.js'
import { backingName, type Inode } from './inode.js'
import { modeIsSealed } from './mode.js'
import { moveFile } from './move.js'
import { openBody } from './open-body.js'
import { isPlaceholder } from './placeholders.js'
import { stampOf } from './stamp.js'
import { targetOf } from './target.js'
import { removeCompanions } from './ticket-files.js'
import type { Tree } from './tree.js'

const [newer, older, found] = [emptyStat(), emptyStat(), emptyStat()]

/** Rename of `next` over `old`, where nothing is another afterwards but the times. False: not done. */
export function keepReplaced(tree: Tree, next: Inode, old: Inode): boolean {
  const { parent: from, base } = next
  const { parent: to } = old
  if (from === null || to === null || !isSame(tree, next, old)) return false
  tree.ctx.backing.unlink(tree.descriptor(from), backingName(next))
  removeCompanions(tree, from, base)
  if (to !== from) directoryChanged(tree.ctx, tree.descriptor(to))
  tree.unlinked(old, 1)
  tree.place(next, to, old.name, old.base, old.dirId)
  takeOver(tree, next, old)
  return true
}

/**
 * `old` is about to lose its only name. Where a new file with the same content has the name that it left, it
 * goes back there, and the new blob goes. False: not done.
 */
export function putBack(tree: Tree, old: Inode): boolean {
  const { left, parent } = old
  if (left === '' || parent === null) return false
  const next = tree.locate(parent, left, found)
  if (next === null || next === old || !isSame(tree, next, old)) return false
  moveFile(tree, old, 1, targetOf(tree, parent, left, next), next)
  tree.unlinked(old, 1)
  takeOver(tree, next, old)
  tree.outdated(parent, left)
  return true
}

/** From here on `next`, which lies where the blob of `old` is, is the inode of that blob; its own has gone. */
function takeOver(tree: Tree, next: Inode, old: Inode): void {
  const { backing, journal } = tree.ctx
  const { ino, parent } = next
  tree.moveToBlob(next, old.ino)
  journal?.forget(ino)
  next.bornAt = old.bornAt
  next.closedAt = old.closedAt
  next.synced = false
  next.sealed = null
  next.cached = null
  if (parent === null) return
  const { atimeSec, atimeNsec, mtimeSec, mtimeNsec } = newer
  const [atime, mtime] = [
    { sec: atimeSec, nsec: atimeNsec },
    { sec: mtimeSec, nsec: mtimeNsec },
  ]
  backing.utimes(tree.descriptor(parent), backingName(next), atime, mtime)
  tree.touched(next)
  // the kernel's pages are those of the same content
  if (tree.stat(next, found)) next.cached = stampOf(found)
}

/**
 * Do two closed files of one name each differ in nothing but their names and times? Of large ones nobody
 * asks, nor of empty ones, for which there is nothing to send. Fills `newer` and `older`. What must
 * survive a stop of the machine has in the blob of `old` reached the disk afterwards.
 */
function isSame(tree: Tree, next: Inode, old: Inode): boolean {
  const { ctx } = tree
  if (!isPlain(next) || !isPlain(old)) return false
  if (!tree.stat(next, newer) || !tree.stat(old, older)) return false
  const size = ctx.layout.shownSize(newer.size)
  if (size === 0 || size > ctx.body.policy.strictMax) return false
  if (newer.nlink !== 1 || older.nlink !== 1) return false
  const { mode, uid, gid } = newer
  if (newer.size !== older.size || mode !== older.mode || uid !== older.uid || gid !== older.gid)
    return false
  if (isPlaceholder(tree, next, newer) || isPlaceholder(tree, old, older)) return false
  try {
    return lend(tree, next, (there) =>
      lend(tree, old, (here) => {
        if (modeIsSealed(mode) && there.mode !== here.mode) return false
        if (bearsAttributes(tree, there) || bearsAttributes(tree, here)) return false
        if (!hasContentOf(tree, here, there)) return false
        if (isPrecious(tree, next)) ctx.backing.sync(here.fd)
        return true
      }),
    )
  } catch (error) {
    // what cannot be read is not the same as anything
    if (error instanceof CofferError) return false
    throw error
  }
}

const isPlain = ({ extension, body, copy, stub, pending }: Inode): boolean =>
  extension === '.cff' && body === null && copy === null && stub === null && !pending

function lend<T>(tree: Tree, inode: Inode, use: (body: FileBody) => T): T {
  const body = openBody(tree, inode, false)
  try {
    return use(body)
  } finally {
    body.close()
  }
}

const bearsAttributes = ({ ctx }: Tree, { fd }: FileBody): boolean =>
  ctx.backing.listXattr(fd).some(isXattrName)

/** A hole is not the same as zeros: files with one are not compared. */
function hasContentOf({ ctx }: Tree, here: FileBody, there: FileBody): boolean {
  const { size } = here.content
  if (size !== there.content.size || hasHole(here) || hasHole(there)) return false
  const { chunkSize } = ctx.layout
  const [left, right] = [ctx.pool.take(), ctx.pool.take()]
  try {
    for (let at = 0; at < size; at += chunkSize) {
      const length = here.content.read(at, chunkSize, left, 0)
      there.content.read(at, chunkSize, right, 0)
      if (Buffer.compare(left.subarray(0, length), right.subarray(0, length)) !== 0) return false
    }
    return true
  } finally {
    ctx.pool.give(left)
    ctx.pool.give(right)
  }
}

const hasHole = ({ object }: FileBody): boolean => object.seal?.absent !== 0
