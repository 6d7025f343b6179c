// Which inode is at a name: one that a program has made and that has no blob yet, the blob that the name
// leads to, the stub of one that is elsewhere, or a conflict copy that is shown under that name.

import { CofferError } from '../errors.js'
import { isConflictShaped } from '../format/conflict.js'
import { OBJECT_EXTENSIONS } from '../format/name.js'
import { emptyStat, type FileStat } from '../store/backing.js'
import type { Directory } from './directory.js'
import { isOurs } from './fitting.js'
import type { Copy, Inode } from './inode.js'
import { survey, type Bearer } from './survey.js'
import type { Tree } from './tree.js'

const STUBBED = OBJECT_EXTENSIONS.filter((extension) => extension !== '.cfd')
const scratch = emptyStat()

/** The inode at that name, with `stat` filled from its backing file, or null. */
export function locate(tree: Tree, parent: Inode, name: string, stat: FileStat): Inode | null {
  const known = tree.knows(parent)
  const directory = tree.directory(parent)
  const pending = directory.pending.get(name)
  if (pending !== undefined && pending.body !== null) {
    tree.ctx.backing.statFd(pending.body.fd, stat)
    return pending
  }
  const dirfd = tree.descriptor(parent)
  const { placeholders } = tree.ctx.fetches
  for (const id of directory.ids) {
    const { base } = tree.encode(id, name)
    for (const extension of OBJECT_EXTENSIONS) {
      if (known && !directory.objects.mayHave(base, extension)) continue
      if (tree.ctx.backing.stat(dirfd, base + extension, stat) && isOurs(tree, extension, stat)) {
        const inode = tree.adopt(parent, name, base, extension, id.dirId, stat)
        inode.stub = null
        return inode
      }
    }
  }
  return (
    (placeholders.hasStubs ? locateStub(tree, parent, name, dirfd, stat) : null) ??
    locateConflict(tree, parent, directory, name, stat)
  )
}

/** The same of a name that a listing of `directory` has shown just now. */
export function locateListed(
  tree: Tree,
  parent: Inode,
  directory: Directory,
  bearer: Bearer,
  stat: FileStat,
): Inode | null {
  const { name, file, base, extension, dirId } = bearer
  const isThere =
    tree.directory(parent) === directory &&
    tree.ctx.backing.stat(tree.descriptor(parent), file, stat) &&
    isOurs(tree, extension, stat)
  if (!isThere) return locate(tree, parent, name, stat)
  const inode = tree.adopt(parent, name, base, extension, dirId, stat)
  inode.stub = null
  return inode
}

/**
 * A name that is in no map costs a listing only where it has the shape of a conflict copy's. What hid
 * a copy may have gone: whoever has listed the two finds it by either name, until the next listing.
 */
function locateConflict(
  tree: Tree,
  parent: Inode,
  directory: Directory,
  name: string,
  stat: FileStat,
): Inode | null {
  let copy = directory.conflicts.get(name)
  if (copy === undefined && isConflictShaped(name)) {
    survey(tree, parent)
    copy = tree.directory(parent).conflicts.get(name)
  }
  if (copy === undefined) return null
  const { file, base, extension, dirId } = copy
  const dirfd = tree.descriptor(parent)
  const { placeholders } = tree.ctx.fetches
  const there = tree.ctx.backing.stat(dirfd, file, stat)
  const stub = there || !placeholders.hasStubs ? null : placeholders.find(dirfd, file, stat)
  if ((there || stub !== null) && isOurs(tree, extension, stat)) {
    const isCopy = file !== base + extension || isHidden(tree, parent, directory, copy)
    const as = isCopy ? copy : null
    const inode = tree.adopt(parent, copy.name, base, extension, dirId, stat, as)
    inode.stub = stub
    return inode
  }
  directory.lose(copy)
  return null
}

/** The inode of a name that a stub alone stands for. */
function locateStub(
  tree: Tree,
  parent: Inode,
  name: string,
  dirfd: number,
  stat: FileStat,
): Inode | null {
  const { placeholders } = tree.ctx.fetches
  for (const { dirId, generation } of tree.directory(parent).ids) {
    const { base } = tree.encode({ dirId, generation }, name)
    for (const extension of STUBBED) {
      const stub = placeholders.find(dirfd, base + extension, stat)
      if (stub === null || !isOurs(tree, extension, stat)) continue
      const inode = tree.adopt(parent, name, base, extension, dirId, stat)
      inode.stub = stub
      return inode
    }
  }
  return null
}

/** Does another object still bear the name? */
function isHidden(tree: Tree, parent: Inode, { ids }: Directory, { file, name }: Copy): boolean {
  const dirfd = tree.descriptor(parent)
  for (const id of ids) {
    const { base } = tree.encode(id, name)
    for (const extension of OBJECT_EXTENSIONS) {
      if (base + extension === file) return false
      if (
        tree.ctx.backing.stat(dirfd, base + extension, scratch) &&
        isOurs(tree, extension, scratch)
      )
        return true
    }
  }
  return false
}

/** Throws EEXIST. */
export function assertFree(tree: Tree, parent: Inode, name: string): void {
  if (locate(tree, parent, name, scratch) !== null)
    throw new CofferError('EEXIST', 'the name is taken')
}
