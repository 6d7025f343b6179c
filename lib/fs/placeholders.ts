// Inodes whose content is elsewhere (store/placeholder.ts): what is shown of them without fetching it.

import type { FileStat } from '../store/backing.js'
import { backingName, blobPath, type Inode } from './inode.js'
import { isDirectory, type Tree } from './tree.js'

/** Would opening its blob take long? `known`: its `stat`, where that is at hand. */
export function isPlaceholder(tree: Tree, inode: Inode, known?: FileStat): boolean {
  if (inode.stub !== null) return true
  const { fetches } = tree.ctx
  if (!fetches.placeholders.possible || inode.parent === null || isDirectory(inode)) return false
  const dirfd = tree.descriptor(inode.parent)
  const name = backingName(inode)
  return known === undefined
    ? fetches.isMarked(dirfd, name)
    : fetches.placeholders.isMarked(dirfd, name, known)
}

/** Plaintext bytes of a file that a stub stands for, -1 where nobody knows. */
export function stubbedSize(tree: Tree, inode: Inode): number {
  const { ctx } = tree
  const { parent, stub, dirId, base } = inode
  if (parent === null || stub === null) return -1
  const bytes = ctx.fetches.placeholders.sizeBy(tree.descriptor(parent), stub)
  if (bytes !== null) return ctx.layout.shownSize(bytes)
  return ctx.memory.sizeOf(dirId, base) ?? unknown(tree, inode, parent)
}

/** directories of which it has been said */
const told = new WeakSet<Inode>()

function unknown(tree: Tree, inode: Inode, parent: Inode): number {
  if (!told.has(parent)) {
    told.add(parent)
    const message =
      'online-only blobs do not say how large they are; they show as empty until they are read'
    tree.ctx.log({ level: 'info', event: 'online-only', message, blob: blobPath(inode) })
  }
  return -1
}
