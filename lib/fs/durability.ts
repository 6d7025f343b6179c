// What a sync must reach besides the content, and what a change of names must not endanger. The names
// of an object are good for nothing without the metas of the directories above and a ticket; and a
// backing rename may reach the disk before the small files that give the right to the new name, unless
// they are synced first.

import { YOUNG_MS } from './file-body.js'
import type { Inode } from './inode.js'
import { syncSmall } from './small-files.js'
import type { Tree } from './tree.js'

/** Would a stop of the machine find the object on the disk? Then no change may endanger it. */
export function isPrecious(tree: Tree, inode: Inode): boolean {
  const { synced, bornAt, parent } = inode
  const age = tree.ctx.clock() - bornAt
  if (synced || bornAt === 0 || age < 0 || age >= YOUNG_MS) return true
  return parent !== null && parent.entriesSyncedAt >= bornAt
}

/** An object's name, and the directories that lead to it, onto the disk. Its content is there. */
export function syncInode(tree: Tree, inode: Inode): void {
  for (const { parent } of tree.names(inode)) syncDirectory(tree, parent)
  inode.synced = true
  inode.bornAt = 0
  if (inode.body !== null) inode.body.bornAt = 0
}

/** The entries of a directory, and what leads to it. */
export function syncDirectory(tree: Tree, inode: Inode): void {
  tree.ctx.backing.sync(tree.descriptor(inode))
  inode.entriesSyncedAt = tree.ctx.clock()
  makeReachable(tree, inode)
}

/** What leads to a directory, onto the disk: its metas, its name, and so on up to the root. */
export function makeReachable(tree: Tree, inode: Inode): void {
  if (inode.synced || inode === tree.root) return
  const dirfd = tree.descriptor(inode)
  for (const { file } of tree.directory(inode).metas) syncSmall(tree, dirfd, file)
  tree.ctx.backing.sync(dirfd)
  syncInode(tree, inode)
}
