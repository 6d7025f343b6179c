// An open file whose directory the cloud has deleted, or brought back elsewhere: what was written must
// not be lost with it. The file goes on in the directory that has the same id, wherever that lies now; where
// there is none, the directory is made again, from what this machine remembers of it. FORMAT.md §7.

import { CofferError } from '../errors.js'
import { emptyStat, type FileStat } from '../store/backing.js'
import { sealMetas } from './directory.js'
import { directoryOf } from './find-directory.js'
import { blobPath, plainPath, type Inode } from './inode.js'
import { loadDirectory } from './load-directory.js'
import { locate } from './locate.js'
import { backingMode } from './mode.js'
import { withOwnMeta } from './own-meta.js'
import { temporaryName, writeSidecar } from './small-files.js'
import { isDirectory, type Tree } from './tree.js'
import { within } from './within.js'

const stat = emptyStat()

/** Before an open file is stored under its name: its directory is there afterwards, and in `out`. */
export function takeRefuge(tree: Tree, inode: Inode, out: FileStat): void {
  const { parent, name, base, dirId, copy } = inode
  if (parent === null) return
  const home = standing(tree, parent, dirId, out)
  if (home === parent) return
  tree.ctx.backing.statDirectory(tree.descriptor(home), out)
  parent.directory?.pending.delete(name)
  if (inode.pending) tree.promiseName(inode, home, name)
  else tree.place(inode, home, name, base, dirId, copy)
}

/** A directory that was `was` and has this id. */
function standing(tree: Tree, was: Inode, dirId: Uint8Array, out: FileStat): Inode {
  if (!isGone(tree, was, out) || was === tree.root) return was
  return directoryOf(tree, dirId) ?? makeAgain(tree, was)
}

/** Was its backing directory deleted? One that was moved within the vault folder goes on. */
function isGone(tree: Tree, inode: Inode, out: FileStat): boolean {
  tree.folder.assertPresent()
  try {
    tree.ctx.backing.statDirectory(tree.descriptor(inode), out)
    return out.nlink === 0
  } catch (error) {
    if (error instanceof CofferError && error.code === 'ENOENT') return true
    throw error
  }
}

function makeAgain(tree: Tree, was: Inode): Inode {
  if (was.parent === null) throw new CofferError('ENOENT', 'the directory was removed')
  const { backing } = tree.ctx
  const above = standing(tree, was.parent, was.dirId, stat)
  const encoded = tree.encode(withOwnMeta(tree, above).first, was.name)
  const dirfd = tree.descriptor(above)
  const shown = `${encoded.base}.cfd`
  // another one may have come in its place
  if (!backing.stat(dirfd, shown, stat)) {
    writeSidecar(tree, dirfd, encoded)
    const first = backing.inPlace ? shown : temporaryName(tree)
    backing.mkdir(dirfd, first, 0o700)
    try {
      within(backing, dirfd, first, (fd) => {
        recall(tree, fd, was, tree.directory(above).first.dirId)
      })
      if (first !== shown) backing.rename(dirfd, first, dirfd, shown)
    } catch (error) {
      removeQuietly(tree, dirfd, first)
      throw error
    }
    const message =
      'a directory was deleted in the vault folder while a file in it was changed here; it is there again with that file'
    const path = `${above === tree.root ? '' : plainPath(above)}/${was.name}`
    const blob = `${blobPath(above)}/${shown}`
    tree.ctx.log({ level: 'warn', event: 'conflict', message, blob, path })
  }
  const again = locate(tree, above, was.name, stat)
  if (again === null || !isDirectory(again))
    throw new CofferError('ENOENT', 'the directory was removed')
  // where this machine remembers none
  withOwnMeta(tree, again)
  return again
}

/** Puts the meta into the new backing directory, sealed anew, so that it counts where the old one was deleted. */
function recall(tree: Tree, fd: number, { name, dirId }: Inode, parentDirId: Uint8Array): void {
  const { ctx } = tree
  const { metas } = loadDirectory(ctx, fd, dirId, name)
  // the others have named nothing that is there
  const first = metas.slice(0, 1)
  for (const { seal } of first) {
    const { mode } = seal
    sealMetas(ctx, fd, first, { place: { parentDirId, name }, mode, leaving: null }, 0, true)
    ctx.backing.chmodFd(fd, backingMode(mode & 0o7777, true))
  }
}

function removeQuietly(tree: Tree, dirfd: number, name: string): void {
  const { backing } = tree.ctx
  try {
    within(backing, dirfd, name, (fd) => {
      for (const file of backing.list(fd)) backing.unlink(fd, file)
    })
    backing.rmdir(dirfd, name)
  } catch {
    // the error that is on its way says more
  }
}
