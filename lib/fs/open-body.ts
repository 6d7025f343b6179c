// Opening the blob of a file or symbolic link, once for each inode.

import { CofferError } from '../errors.js'
import { KIND_FILE } from '../format/constants.js'
import { emptyStat } from '../store/backing.js'
import { restoreMode } from './arrived.js'
import { KIND_OF } from './attributes.js'
import { FileBody } from './file-body.js'
import { blobPath, type Inode } from './inode.js'
import { Later } from './later.js'
import { openBlob } from './open-blob.js'
import type { SealedObject } from './sealed-object.js'
import { checkPlace } from './tickets.js'
import type { Tree } from './tree.js'

const stat = emptyStat()

/**
 * The body of a named file, with all checks of FORMAT.md §5. A mismatch is looked at twice, since a
 * sync client may be half-way. `truncating`: nothing of the content is wanted, so it is not checked.
 */
export function openBody(tree: Tree, inode: Inode, writing: boolean, truncating = false): FileBody {
  try {
    return openOnce(tree, inode, writing, truncating)
  } catch (error) {
    if (!(error instanceof CofferError) || error.errno !== new CofferError('EIO', '').errno)
      throw error
    try {
      return openOnce(tree, inode, writing, truncating)
    } catch (again) {
      // it was fetched for this look; the next one may fetch it anew
      throw again instanceof Later ? error : again
    }
  }
}

function openOnce(tree: Tree, inode: Inode, writing: boolean, truncating: boolean): FileBody {
  if (inode.others.length > 0) tree.settle(inode)
  const { parent } = inode
  if (parent === null) throw new CofferError('ENOENT', 'the file was removed')
  tree.directory(parent)
  tree.ctx.journal?.bring(inode.ino)
  const fd = openBlob(tree, inode, parent, writing, stat)
  try {
    const mayHaveTicket = tree.mayHaveTicket(parent, inode.base)
    const place = (object: SealedObject): number =>
      checkPlace(tree.ctx, tree.descriptor(parent), object, inode, mayHaveTicket)
    const kind = KIND_OF[inode.extension]
    const body = FileBody.open(tree.ctx, kind, fd, stat, writing, place, truncating)
    if (kind === KIND_FILE && body.object.seal !== null)
      restoreMode(tree.ctx, fd, body.object.seal, stat)
    body.bornAt = inode.bornAt
    body.path = () => blobPath(inode)
    const { seal } = body.object
    if (seal !== null) tree.ctx.writers.opened(seal, stat, parent.watch >= 0)
    return body
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
  const fd = openBlob(tree, inode, parent, true, stat)
  tree.ctx.backing.close(body.fd)
  body.fd = fd
  body.writable = true
}
