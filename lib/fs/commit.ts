// Making what was written true in the vault: chunks, seal, and for a new file its name. FORMAT.md §6.

import { CofferError } from '../errors.js'
import { conflictName, type Origin } from '../format/conflict.js'
import { emptyStat } from '../store/backing.js'
import { TYPE_OF, permissions } from './attributes.js'
import { nameToSeal } from './hard-links.js'
import { changedAt, directoryChanged } from './directory.js'
import { blobPath, plainPath, type Inode } from './inode.js'
import { keepCopy } from './move.js'
import { nameBlob } from './nameless.js'
import { takeRefuge } from './refuge.js'
import { namesItsBlob, rescue } from './rescue.js'
import { ZERO16 } from './sealed-object.js'
import { writeSidecar } from './small-files.js'
import type { Tree } from './tree.js'

const stat = emptyStat()
const home = emptyStat()

/** Seals an open file whose content or mode differs from its seal; a new one gets its name. */
export function commit(tree: Tree, inode: Inode, durable = false): void {
  stage(tree, inode, durable)
  tree.ctx.journal?.settle()
}

/** Seals some of a file whose writing goes on; of much that waits in memory the rest goes on waiting. */
export function commitSome(tree: Tree, inode: Inode): void {
  stage(tree, inode, false, true)
  tree.ctx.journal?.settle()
}

/** The same up to the journal's next flush, which several files can share. */
export function stage(tree: Tree, inode: Inode, durable = false, some = false): void {
  const { body, pending, parent } = inode
  if (body === null) return
  seal(tree, inode, durable, some)
  if (!tree.ctx.backing.inPlace || pending || parent === null) return
  // a blob that took the name with the same header, or just now, shows only by not having the new seal
  tree.ctx.journal?.flush()
  if (namesItsBlob(tree, inode, body)) return
  body.dirty = true
  seal(tree, inode, durable, some)
}

function seal(tree: Tree, inode: Inode, durable: boolean, some: boolean): void {
  if (inode.body === null) return
  if (inode.pending) takeRefuge(tree, inode, home)
  else if (inode.parent !== null) {
    // a name that came back while the blob is copied makes no difference
    if (inode.rescue !== null || !namesItsBlob(tree, inode, inode.body)) {
      takeRefuge(tree, inode, home)
      rescue(tree, inode)
    }
  }
  const { body, parent } = inode
  if (!inode.pending && !body.isOurs()) {
    tree.supersede(inode)
    throw new CofferError(
      'OBJECT_SUPERSEDED',
      'the blob was written over in the vault folder while the file was changed here; what was written last is lost',
    )
  }
  keepCopy(tree, inode)
  const type = TYPE_OF[inode.extension]
  // nobody else can have changed the mode of what has no name
  if (inode.pending && parent !== null) giveName(tree, inode, parent, type | (body.mode & 0o7777))
  else {
    tree.ctx.backing.statFd(body.fd, stat)
    // a name that we have never seen may still lead to what we saw unlinked
    if (parent === null && stat.nlink === 0) {
      body.content.unprotect()
      return
    }
    const { place, above } = nameToSeal(tree, inode, body.object, stat.nlink)
    body.seqFloor = Math.max(body.seqFloor, above)
    if (!body.stage(place, type | permissions(tree, inode, stat), ZERO16, durable, some)) {
      // an earlier seal may be on its way to the disk still, and the times are
      inode.synced = false
      return
    }
  }
  if (!inode.counted && inode.extension === '.cff') tree.ctx.stored.files++
  inode.counted = true
  if (!durable) inode.synced = false
  inode.closedAt = tree.ctx.clock()
}

/** `home` is what its directory looks like. */
function giveName(tree: Tree, inode: Inode, parent: Inode, mode: number): void {
  const { body } = inode
  if (body === null) return
  const { backing } = tree.ctx
  const wanted = inode.name
  const directory = tree.directory(parent)
  const dirfd = tree.descriptor(parent)
  // the directory's mtime has moved when the file was made, and may have been set since
  const mtime = changedAt(parent, home)
  for (let attempt = 0; attempt < 10; attempt++) {
    const encoded = tree.encode(directory.first, inode.name)
    body.stage({ parentDirId: directory.first.dirId, name: inode.name }, mode, ZERO16, false)
    // it has a seal already where an earlier attempt did not come to name it
    tree.ctx.journal?.settle()
    writeSidecar(tree, dirfd, encoded)
    // unlike a file it is what its name leads to, as soon as that is on the disk
    if (inode.extension === '.cfl') backing.datasync(body.fd)
    try {
      nameBlob(tree, body, dirfd, encoded.base + inode.extension)
      directory.pending.delete(inode.name)
      tree.place(inode, parent, inode.name, encoded.base, directory.first.dirId)
      inode.pending = false
      tree.ctx.journal?.born(body)
      if (inode.extension === '.cff') directoryChanged(tree.ctx, dirfd, mtime)
      if (directory.pending.size === 0) parent.madeAt = null
      return
    } catch (error) {
      if (!(error instanceof CofferError) || error.code !== 'EEXIST') {
        // it has a seal, and still no name
        body.dirty = true
        throw error
      }
    }
    // the name has arrived from the cloud meanwhile: it stays there, ours is shown beside it
    const conflict = conflictName(wanted, ourOrigin(tree), attempt + 1)
    tree.ctx.log({
      level: 'warn',
      event: 'conflict',
      message: 'a file of the same name arrived while a new one was written; both are kept',
      blob: `${blobPath(parent)}/${encoded.base}${inode.extension}`,
      path: plainPath(inode),
    })
    directory.pending.delete(inode.name)
    tree.outdated(parent, inode.name)
    inode.name = conflict
    directory.pending.set(conflict, inode)
  }
  throw new CofferError('EEXIST', 'no free name for the conflict copy')
}

/** Of a conflict copy that is made here. */
const ourOrigin = ({ ctx: { deviceName, clock } }: Tree): Origin => ({
  by: deviceName,
  date: new Date(clock()).toISOString().slice(0, 10),
})
