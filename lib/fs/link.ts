// link. FORMAT.md §7, "Hard links": first the right to the new name, then the name.

import { CofferError } from '../errors.js'
import { commit } from './commit.js'
import { isPrecious, makeReachable } from './durability.js'
import { secure } from './hard-links.js'
import { backingName, blobPath, type Inode } from './inode.js'
import { assertFree } from './locate.js'
import { keepCopy } from './move.js'
import { timeOf } from './nonces.js'
import { withObject } from './reseal.js'
import { writeSidecar } from './small-files.js'
import { removeCompanions, removeTickets, writeTicket } from './ticket-files.js'
import { withOwnMeta } from './own-meta.js'
import { isDirectory, type Tree } from './tree.js'

/** drives whose log says already that there are no hard links */
const told = new WeakSet<Tree>()

export function link(tree: Tree, inode: Inode, parent: Inode, name: string): Inode {
  if (isDirectory(inode)) throw new CofferError('EPERM', 'a directory has one name')
  const { first } = withOwnMeta(tree, parent)
  const encoded = tree.encode(first, name)
  assertFree(tree, parent, name)
  if (inode.nameless) return nameFirst(tree, inode, parent, name)
  if (inode.pending) commit(tree, inode)
  keepCopy(tree, inode)
  if (!tree.settle(inode) || inode.parent === null)
    throw new CofferError('ENOENT', 'the file was removed')
  const at = { parent, name, base: encoded.base, dirId: first.dirId, copy: null }
  let ticket = ''
  const durable = isPrecious(tree, inode)
  if (durable) makeReachable(tree, parent)
  withObject(tree, inode, (object, above) => {
    let taken = above
    for (const known of tree.liveNames(inode)) taken = secure(tree, known, object, taken, durable)
    writeSidecar(tree, tree.descriptor(parent), encoded)
    ticket = writeTicket(tree, at, object, taken + 1, 'link', durable)
    return taken + 1
  })
  const from = tree.descriptor(inode.parent)
  const to = tree.descriptor(parent)
  try {
    tree.ctx.backing.link(from, backingName(inode), to, at.base + inode.extension)
  } catch (error) {
    removeTickets(tree, parent, at.base, (file) => file === ticket)
    removeCompanions(tree, parent, at.base)
    const { code } = error as { code?: unknown }
    if ((code === 'EPERM' || code === 'EOPNOTSUPP') && !told.has(tree)) {
      told.add(tree)
      const message = 'the vault folder lies on a file system that does not make this hard link'
      tree.ctx.log({ level: 'warn', event: 'no-hard-link', message, blob: blobPath(inode) })
    }
    throw error
  }
  tree.join(inode, at)
  tree.ctx.notCarried.linked(inode.ino)
  inode.synced = false
  return inode
}

/** A file that was made without a name gets it as any new file does. */
function nameFirst(tree: Tree, inode: Inode, parent: Inode, name: string): Inode {
  tree.promiseName(inode, parent, name)
  parent.madeAt = timeOf(tree.ctx.clock())
  try {
    commit(tree, inode)
  } catch (error) {
    tree.unlinked(inode)
    inode.nameless = true
    throw error
  }
  return inode
}
