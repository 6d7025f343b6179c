// Saving what is there already, as programs do that write a new file beside the old one: they rename it
// over that, or move the old one aside and remove it afterwards. Where both say the same, the old blob
// keeps the name, so that a sync client has nothing to send; the new inode goes on over it.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import { isXattrName } from '../format/xattr.js'
import { emptyStat } from '../store/backing.js'
import { directoryChanged } from './directory.js'
import { isPrecious, syncFile } from './durability.js'
import type { FileBody } from './file-body.js'
import { backingName, isRecent, type Inode } from './inode.js'
import { locate } from './locate.js'
import { modeIsSealed } from './mode.js'
import { moveFile } from './move.js'
import { openBody } from './open-body.js'
import { isPlaceholder } from './placeholders.js'
import { isUnchanged, stampOf } from './stamp.js'
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
 * goes back there, and the new blob goes; but not one that sync clients may have sent. False: not done.
 */
export function putBack(tree: Tree, old: Inode): boolean {
  const { left, parent } = old
  // an engine that works in place may be sending what would be replaced
  if (left === '' || parent === null || tree.ctx.backing.inPlace) return false
  const next = locate(tree, parent, left, found)
  if (next === null || next === old || !isRecent(next, tree.ctx.clock())) return false
  if (!isSame(tree, next, old)) return false
  try {
    moveFile(tree, old, 1, targetOf(tree, parent, left, next), next)
  } catch (error) {
    // to remove a file needs no room, and nothing of its directory
    if (error instanceof CofferError && tree.stat(old, found)) return false
    throw error
  }
  if (!tree.ctx.backing.stat(tree.descriptor(parent), backingName(next), found))
    throw new CofferError('ENOENT', 'the file is not there any more')
  tree.unlinked(old, 1)
  takeOver(tree, next, old)
  tree.outdated(parent, left)
  return true
}

/**
 * From here on `next`, which lies where the blob of `old` is, is the inode of that blob, as it was `found`
 * there; its own has gone. Nothing of this may fail: the kernel would be left with `old`, which leads nowhere.
 */
function takeOver(tree: Tree, next: Inode, old: Inode): void {
  const { ino } = next
  // the kernel's pages are those of the same content, if they were its own
  const cached = isUnchanged(next.cached, newer)
  tree.moveToBlob(next, old.ino)
  tree.ctx.journal?.forget(ino)
  next.bornAt = old.bornAt
  next.closedAt = old.closedAt
  next.synced = false
  next.sealed = null
  next.cached = cached ? stampOf(found) : null
  tree.touched(next)
}

/**
 * Do two closed files of one name each differ in nothing but their names and times? Of large ones nobody
 * asks, nor of empty ones, for which there is nothing to send. Fills `newer`, and `found` for `old`. If so,
 * the blob of `old` has the times of `next` afterwards, and what must survive a stop of the machine has
 * there reached the disk.
 */
function isSame(tree: Tree, next: Inode, old: Inode): boolean {
  const { ctx } = tree
  if (!isPlain(next) || !isPlain(old)) return false
  if (!tree.stat(next, newer) || !tree.stat(old, older)) return false
  const size = ctx.layout.shownSize(newer.size)
  if (size === 0 || size > ctx.body.policy.strictMax) return false
  if (newer.nlink !== 1 || older.nlink !== 1) return false
  if (newer.size !== older.size || newer.uid !== older.uid || newer.gid !== older.gid) return false
  if (isPlaceholder(tree, next, newer) || isPlaceholder(tree, old, older)) return false
  try {
    return lend(tree, next, (there) =>
      lend(tree, old, (here) => {
        if (!hasModeOf(tree, here, there)) return false
        if (bearsAttributes(tree, there) || bearsAttributes(tree, here)) return false
        if (!hasContentOf(tree, here, there)) return false
        const { atimeSec, atimeNsec, mtimeSec, mtimeNsec } = newer
        const atime = { sec: atimeSec, nsec: atimeNsec }
        ctx.backing.utimesFd(here.fd, atime, { sec: mtimeSec, nsec: mtimeNsec })
        if (isPrecious(tree, next)) syncFile(tree, old, here)
        // a sync that takes long gives others the time to put another in the place of one
        return tree.stat(next, found) && tree.stat(old, found)
      }),
    )
  } catch (error) {
    // what cannot be read, or made the same, is not the same as anything
    if (error instanceof CofferError) return false
    throw error
  }
}

const isPlain = ({ extension, body, copy, stub, pending, others }: Inode): boolean =>
  extension === '.cff' &&
  body === null &&
  copy === null &&
  stub === null &&
  !pending &&
  others.length === 0

function lend<T>(tree: Tree, inode: Inode, use: (body: FileBody) => T): T {
  const body = openBody(tree, inode, false)
  try {
    return use(body)
  } finally {
    body.close()
  }
}

/** As it is now: that of a blob which has arrived is put right when it is opened. */
function hasModeOf({ ctx: { backing } }: Tree, here: FileBody, there: FileBody): boolean {
  backing.statFd(here.fd, older)
  backing.statFd(there.fd, found)
  return older.mode === found.mode && (!modeIsSealed(found.mode) || here.mode === there.mode)
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
