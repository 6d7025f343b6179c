// Several names for one blob. FORMAT.md §7, "Hard links". One of them may be the sealed name, every
// other has a link ticket, which no seal outruns: so each name opens whatever is committed by another.

import { sameBytes, type Place } from './directory.js'
import { isPrecious, syncDirectory } from './durability.js'
import type { Inode, Name } from './inode.js'
import { ZERO16, type SealedObject } from './sealed-object.js'
import { hasLinkTicket, isSealedAt } from './tickets.js'
import { writeTicket } from './ticket-files.js'
import type { Tree } from './tree.js'

/** Gives a name a link ticket, unless it needs none or has one; the sealSeq that is now taken. */
export function secure(
  tree: Tree,
  at: Name,
  object: SealedObject,
  above: number,
  durable: boolean,
): number {
  if (isSealedAt(object, at)) return above
  if (hasLinkTicket(tree.ctx, tree.descriptor(at.parent), object, at)) return above
  writeTicket(tree, at, object, above + 1, 'link', durable)
  return above + 1
}

/**
 * The next seal gives up the name of the last one, or the one that this had left, so the disk must have
 * the name of now before.
 */
export function keepName(tree: Tree, inode: Inode, object: SealedObject): void {
  const { seal } = object
  if (seal === null || inode.parent === null) return
  const bearsBoth = !sameBytes(seal.prevTag, ZERO16)
  if (isSealedAt(object, inode) && (!bearsBoth || inode.synced)) return
  if (isPrecious(tree, inode)) syncDirectory(tree, inode.parent)
}

/**
 * The name that a commit seals, and what its sealSeq must exceed. With more than one link it is the
 * sealed name that stays, and so it does where the name that we know has gone. A rename ticket would
 * be outrun then: it becomes a link ticket first.
 */
export function nameToSeal(
  tree: Tree,
  inode: Inode,
  object: SealedObject,
  links: number,
): { place: Place; above: number } {
  const { seal } = object
  const bearsSealed = inode.others.length === 0 && isSealedAt(object, inode)
  if (seal === null || (links === 1 && (bearsSealed || tree.settle(inode)))) {
    keepName(tree, inode, object)
    return { place: { parentDirId: inode.dirId, name: inode.name }, above: 0 }
  }
  let above = seal.sealSeq
  if (links > 1) {
    const durable = isPrecious(tree, inode)
    for (const at of tree.liveNames(inode)) above = secure(tree, at, object, above, durable)
  }
  return { place: { parentDirId: seal.parentDirId, name: seal.name }, above }
}
