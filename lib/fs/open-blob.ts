// Opening the blob that a closed inode has in the vault folder, whether it is there, marked as a
// placeholder, or stood for by a stub.

import { CofferError } from '../errors.js'
import type { FileStat } from '../store/backing.js'
import type { Inode } from './inode.js'
import { fileOf, type Tree } from './tree.js'

/**
 * A descriptor that the caller owns, with `stat` filled from it. Throws `Later`, and ESTALE where another
 * blob has taken the name.
 */
export function openBlob(
  tree: Tree,
  inode: Inode,
  parent: Inode,
  write: boolean,
  stat: FileStat,
): number {
  const { backing, fetches } = tree.ctx
  tree.folder.assertPresent()
  const dirfd = tree.descriptor(parent)
  const fd = fetches.open(dirfd, fileOf(inode, inode), write)
  backing.statFd(fd, stat)
  if (inode.stub !== null) {
    // the same object, whose content was elsewhere until now
    inode.stub = null
    tree.moveToBlob(inode, stat.ino)
  } else if (stat.ino !== inode.ino) {
    backing.close(fd)
    throw new CofferError('ESTALE', 'another version of the file has taken its name')
  }
  return fd
}
