// unlink and rmdir, and what happens to a blob that loses one of its names.

import { constants } from 'node:fs'
import { CofferError } from '../errors.js'
import { isLitter } from '../format/litter.js'
import { parseBackingName } from '../format/name.js'
import { emptyStat, type Types } from '../store/backing.js'
import { directoryChanged } from './directory.js'
import { backingName, blobPath, isRecent, isVersion, RECENT_MS, type Inode } from './inode.js'
import { decodeEntry } from './entry-names.js'
import { isMisfit } from './fitting.js'
import { isHusk, removeHusk } from './husks.js'
import { putBack } from './kept-blob.js'
import { locate } from './locate.js'
import { reseal } from './reseal.js'
import { temporaryName } from './small-files.js'
import { removeCompanions, removeYoungTickets } from './ticket-files.js'
import { isSealedAt } from './tickets.js'
import { isDirectory, type Tree } from './tree.js'
import { within } from './within.js'

const stat = emptyStat()

export function unlink(tree: Tree, parent: Inode, name: string): void {
  const inode = locate(tree, parent, name, stat)
  if (inode === null) throw new CofferError('ENOENT', 'no such file')
  if (isDirectory(inode)) throw new CofferError('EISDIR', 'it is a directory')
  const left = Math.max(0, stat.nlink - 1)
  // of two names, a look at another would be the one it is reached by
  if (left === 0 && putBack(tree, inode)) return
  if (inode.pending) directoryChanged(tree.ctx, tree.descriptor(parent))
  else {
    tree.ctx.backing.unlink(tree.descriptor(parent), backingName(inode))
    tree.directory(parent).lose(inode.copy)
    removeCompanions(tree, parent, inode.base)
  }
  nameLost(tree, inode, left)
}

/** The name by which an inode was reached has gone from the vault folder; `left` remain. */
export function nameLost(tree: Tree, inode: Inode, left: number): void {
  tree.unlinked(inode, left)
  if (left < 2) tree.ctx.notCarried.unlinked(inode.ino)
  // git, among others, writes a file under one name, links it to another and unlinks the first
  const recent = isRecent(inode, tree.ctx.clock())
  if (left !== 1 || !recent || inode.body !== null || !tree.settle(inode)) return
  try {
    reseal(tree, inode, (object) => (isSealedAt(object, inode) ? null : {}))
    if (inode.parent !== null) removeYoungTickets(tree, inode.parent, inode.base, RECENT_MS)
  } catch (error) {
    // the link ticket is as good
    if (!(error instanceof CofferError)) throw error
  }
}

/**
 * Names in a backing directory that are neither its metas nor leftovers. A directory that has no name in
 * this one, and nothing in it, is one.
 */
function occupants(
  tree: Tree,
  inode: Inode,
  listing: readonly string[],
  types: Types,
): { ours: number; foreign: string[] } {
  const { ctx } = tree
  const dirfd = tree.descriptor(inode)
  const ids = inode.directory?.ids ?? []
  const isLeft = (file: string): boolean =>
    isLitter(file) &&
    ctx.backing.stat(dirfd, file, stat) &&
    (stat.mode & constants.S_IFMT) === constants.S_IFREG
  let ours = 0
  const foreign: string[] = []
  for (const file of listing) {
    const parsed = parseBackingName(file)
    const { what } = parsed
    if (what === 'object' && isMisfit(tree, dirfd, file, parsed.extension, types)) {
      foreign.push(file)
      continue
    }
    const isLost =
      what === 'object' &&
      parsed.extension === '.cfd' &&
      decodeEntry(ctx, ids, dirfd, parsed.base, parsed.extension) === null &&
      within(ctx.backing, dirfd, file, (fd) => isHusk(ctx, fd))
    if ((what === 'object' && !isLost) || what === 'copy') ours++
    else if (what === 'foreign' && !isLeft(file)) foreign.push(file)
  }
  return { ours, foreign }
}

/** Throws ENOTEMPTY. A file that is not ours keeps its directory, with a line in the log. */
function assertEmpty(tree: Tree, inode: Inode): string[] {
  const { ctx } = tree
  if ((inode.directory?.pending.size ?? 0) > 0)
    throw new CofferError('ENOTEMPTY', 'the directory is not empty')
  const types: Types = new Map()
  const listing = ctx.backing.list(tree.descriptor(inode), types)
  const { ours, foreign } = occupants(tree, inode, ctx.fetches.standing(listing), types)
  if (foreign.length > 0) {
    const message = `${String(foreign.length)} files in the vault folder are not coffer's; their directory stays`
    ctx.log({
      level: 'warn',
      event: 'foreign-file',
      message,
      blob: `${blobPath(inode)}/${foreign[0] ?? ''}`,
    })
  }
  if (ours + foreign.length > 0) throw new CofferError('ENOTEMPTY', 'the directory is not empty')
  return listing
}

/**
 * Removes an empty directory's backing directory: renamed away first, then emptied of our files. Where
 * that is done in place and something arrives meanwhile, its meta is remembered.
 */
export function removeDirectory(tree: Tree, parent: Inode, inode: Inode): void {
  if (isHuskHere(tree, inode)) removeHusk(tree.ctx, tree.descriptor(parent), backingName(inode))
  else removeEmpty(tree, parent, inode)
  tree.directory(parent).lose(inode.copy)
  const { memory } = tree.ctx
  // what is remembered there is of the directory that a copy is shown beside
  if (!isVersion(inode)) memory.removed(memory.place(inode.dirId, inode.name))
  removeCompanions(tree, parent, inode.base)
}

function removeEmpty(tree: Tree, parent: Inode, inode: Inode): void {
  const { backing } = tree.ctx
  const listing = assertEmpty(tree, inode)
  const emptied = tree.descriptor(inode)
  const dirfd = tree.descriptor(parent)
  const shown = backingName(inode)
  const last = backing.inPlace ? shown : temporaryName(tree)
  if (last !== shown) backing.rename(dirfd, shown, dirfd, last)
  try {
    for (const file of listing) {
      if (!backing.stat(emptied, file, stat)) continue
      if ((stat.mode & constants.S_IFMT) === constants.S_IFDIR) removeHusk(tree.ctx, emptied, file)
      else backing.unlink(emptied, file)
    }
    backing.rmdir(dirfd, last)
  } catch (error) {
    // something arrived meanwhile: it must stay reachable
    if (inode.directory !== null) inode.directory.stale = true
    tree.ctx.log({
      level: 'warn',
      event: 'rmdir',
      message: 'a directory could not be removed whole',
      blob: `${blobPath(parent)}/${last}`,
    })
    throw error
  }
}

/** What is removed must have been seen, so that it cannot come back unseen. */
function isHuskHere(tree: Tree, inode: Inode): boolean {
  try {
    return tree.directory(inode).isHusk
  } catch (error) {
    // it cannot be read, and can be removed
    if (!(error instanceof CofferError)) throw error
    return false
  }
}

export function rmdir(tree: Tree, parent: Inode, name: string): void {
  const inode = locate(tree, parent, name, stat)
  if (inode === null) throw new CofferError('ENOENT', 'no such directory')
  if (!isDirectory(inode)) throw new CofferError('ENOTDIR', 'not a directory')
  removeDirectory(tree, parent, inode)
  tree.unlinked(inode)
}
