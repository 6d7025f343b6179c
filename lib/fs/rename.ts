// rename. FORMAT.md §7.

import { constants } from 'node:fs'
import { CofferError } from '../errors.js'
import { emptyStat } from '../store/backing.js'
import { commit } from './commit.js'
import { isPrecious, makeReachable } from './durability.js'
import { exchange } from './exchange.js'
import { mknod } from './create.js'
import type { Inode } from './inode.js'
import { keepReplaced } from './kept-blob.js'
import { locate } from './locate.js'
import { moveDirectory, moveFile } from './move.js'
import { nameLost, removeDirectory } from './remove.js'
import { targetOf } from './target.js'
import { isDirectory, type Tree } from './tree.js'

const { S_IFCHR } = constants
const RENAME_NOREPLACE = 1
const RENAME_EXCHANGE = 2
const RENAME_WHITEOUT = 4
/** nobody else is allowed a whiteout, a device of number 0 */
const ROOT = { uid: 0, gid: 0, umask: 0 }
const stat = emptyStat()

export function rename(
  tree: Tree,
  parent: Inode,
  name: string,
  newParent: Inode,
  newName: string,
  flags: number,
): void {
  if ((flags & ~RENAME_WHITEOUT) > RENAME_EXCHANGE)
    throw new CofferError('EINVAL', 'an unknown kind of rename')
  const inode = locate(tree, parent, name, stat)
  if (inode === null) throw new CofferError('ENOENT', 'no such file')
  const links = stat.nlink
  const replaced = locate(tree, newParent, newName, stat)
  const left = Math.max(0, stat.nlink - 1)
  if (flags === RENAME_EXCHANGE) {
    if (replaced === null) throw new CofferError('ENOENT', 'no such file')
    // two names of one file
    if (replaced.ino !== inode.ino) exchange(tree, inode, replaced)
    return
  }
  if (replaced !== null && (flags & RENAME_NOREPLACE) !== 0)
    throw new CofferError('EEXIST', 'the name is taken')
  if (replaced?.ino === inode.ino) return
  if (replaced !== null) assertReplaceable(inode, replaced)
  if (inode.pending) commit(tree, inode)
  if (isPrecious(tree, inode)) makeReachable(tree, newParent)
  if (replaced === null || !keepReplaced(tree, inode, replaced))
    move(tree, inode, links, newParent, newName, replaced, left)
  inode.synced = false
  if (parent === newParent) inode.left = name
  if ((flags & RENAME_WHITEOUT) !== 0) mknod(tree, parent, name, S_IFCHR, 0, ROOT, stat)
}

/** `links`: names of the inode; `left`: of the replaced one afterwards. */
function move(
  tree: Tree,
  inode: Inode,
  links: number,
  newParent: Inode,
  newName: string,
  replaced: Inode | null,
  left: number,
): void {
  const target = targetOf(tree, newParent, newName, replaced)
  if (replaced?.pending === true) {
    tree.unlinked(replaced)
    moveFile(tree, inode, links, target, null)
  } else if (isDirectory(inode)) {
    if (replaced !== null) removeDirectory(tree, newParent, replaced)
    moveDirectory(tree, inode, target)
    if (replaced !== null) tree.unlinked(replaced)
  } else {
    moveFile(tree, inode, links, target, replaced)
    if (replaced !== null) nameLost(tree, replaced, left)
  }
  tree.place(inode, newParent, newName, target.encoded.base, target.id.dirId)
}

function assertReplaceable(inode: Inode, replaced: Inode): void {
  if (isDirectory(inode) && !isDirectory(replaced))
    throw new CofferError('ENOTDIR', 'a directory cannot replace a file')
  if (!isDirectory(inode) && isDirectory(replaced))
    throw new CofferError('EISDIR', 'a file cannot replace a directory')
}
