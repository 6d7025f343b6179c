// What a sync must reach besides the content, and what a change of names must not endanger. The names
// of an object are good for nothing without the metas of the directories above and a ticket; and a
// backing rename may reach the disk before the small files that give the right to the new name, unless
// they are synced first.

import { ticketName } from '../format/name.js'
import { isYoung, type FileBody } from './file-body.js'
import { emptyStat } from '../store/backing.js'
import type { Inode } from './inode.js'
import { syncSmall } from './small-files.js'
import type { Tree } from './tree.js'

const stat = emptyStat()

/**
 * Would a stop of the machine find the object on the disk? Then no change may endanger it. What is no
 * regular file was put there before it got its name: a sync of the folder alone promises it.
 */
export function isPrecious(tree: Tree, inode: Inode): boolean {
  const { synced, bornAt, parent, extension } = inode
  if (synced || extension !== '.cff' || !isYoung(bornAt, tree.ctx.clock())) return true
  return parent !== null && parent.entriesSyncedAt >= bornAt
}

/** A file that is open, with what gives it the right to its names. */
export function syncFile(tree: Tree, inode: Inode, { fd, object }: FileBody): void {
  tree.ctx.backing.sync(fd)
  for (const { parent, base } of tree.names(inode)) {
    const ticket = ticketName(base, object.objectId)
    const dirfd = tree.descriptor(parent)
    if (tree.ctx.backing.stat(dirfd, ticket, stat)) syncSmall(tree, dirfd, ticket)
  }
  syncInode(tree, inode)
}

/** An object's name, and the directories that lead to it, onto the disk. Its content is there. */
export function syncInode(tree: Tree, inode: Inode): void {
  for (const { parent } of tree.names(inode)) syncDirectory(tree, parent)
  inode.synced = true
  inode.bornAt = 0
  if (inode.body !== null) inode.body.bornAt = 0
}

/** The entries of a directory, and what leads to it: its metas, its name, and so on up to the root. */
export function syncDirectory(tree: Tree, inode: Inode): void {
  const dirfd = tree.descriptor(inode)
  const reachable = inode.synced || inode === tree.root
  if (!reachable) syncMetas(tree, dirfd, inode)
  tree.ctx.backing.sync(dirfd)
  inode.entriesSyncedAt = tree.ctx.clock()
  if (!reachable) syncInode(tree, inode)
}

/** Those that are there: what is remembered is not of this machine's making. */
function syncMetas(tree: Tree, dirfd: number, inode: Inode): void {
  for (const { file, kept } of tree.directory(inode).metas)
    if (kept === null && tree.ctx.backing.stat(dirfd, file, stat)) syncSmall(tree, dirfd, file)
}

/** What leads to a directory, where a new name in it must not be lost. */
export function makeReachable(tree: Tree, inode: Inode): void {
  if (!inode.synced && inode !== tree.root) syncDirectory(tree, inode)
}
