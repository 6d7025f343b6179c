// Opening the blob of a file or symbolic link, once for each inode.

import { CofferError } from '../errors.js'
import { emptyStat } from '../store/backing.js'
import { KIND_OF } from './attributes.js'
import { FileBody } from './file-body.js'
import { backingName, type Inode } from './inode.js'
import { checkPlace } from './tickets.js'
import type { Tree } from './tree.js'

const stat = emptyStat()

function openBlob(tree: Tree, inode: Inode, parent: Inode, writing: boolean): number {
  const { backing } = tree.ctx
  tree.folder.assertPresent()
  const dirfd = tree.descriptor(parent)
  const name = backingName(inode)
  const fd = writing ? backing.openWrite(dirfd, name) : backing.openRead(dirfd, name)
  backing.statFd(fd, stat)
  if (stat.ino !== inode.ino) {
    backing.close(fd)
    throw new CofferError('ESTALE', 'another version of the file has taken its name')
  }
  return fd
}

/**
 * The body of a named file, with all checks of FORMAT.md §5. A mismatch is looked at twice, since a
 * sync client may be half-way.
 */
export function openBody(tree: Tree, inode: Inode, writing: boolean): FileBody {
  try {
    return openOnce(tree, inode, writing)
  } catch (error) {
    if (!(error instanceof CofferError) || error.errno !== new CofferError('EIO', '').errno)
      throw error
    return openOnce(tree, inode, writing)
  }
}

function openOnce(tree: Tree, inode: Inode, writing: boolean): FileBody {
  if (inode.others.length > 0) tree.settle(inode)
  const { parent } = inode
  if (parent === null) throw new CofferError('ENOENT', 'the file was removed')
  tree.directory(parent)
  const fd = openBlob(tree, inode, parent, writing)
  try {
    return FileBody.open(tree.ctx, KIND_OF[inode.extension], fd, stat, writing, (object) =>
      checkPlace(tree.ctx, tree.descriptor(parent), object, inode),
    )
  } catch (error) {
    tree.ctx.backing.close(fd)
    throw error
  }
}

/** A body that was opened for reading gets a descriptor that may write. */
export function makeWritable(tree: Tree, inode: Inode): void {
  if (inode.others.length > 0) tree.settle(inode)
  const { body, parent } = inode
  if (body === null || body.writable) return
  if (parent === null) throw new CofferError('ESTALE', 'the file was removed')
  const fd = openBlob(tree, inode, parent, true)
  tree.ctx.backing.close(body.fd)
  body.fd = fd
  body.writable = true
}
