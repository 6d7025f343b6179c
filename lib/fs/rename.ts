// rename. FORMAT.md §7. Both names open at every moment: a directory carries the name it leaves as
// prevTag in its metas, a file at rest gets a ticket, a file just written is sealed anew.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import { encodeName, ticketName, type EncodedName } from '../format/name.js'
import { previousTag } from '../format/seal.js'
import { emptyStat } from '../store/backing.js'
import { TYPE_OF, permissions } from './attributes.js'
import { commit, writeSidecar, writeSmall } from './commit.js'
import { sealMetas, type DirectoryId } from './directory.js'
import { backingName, type Inode } from './inode.js'
import { makeWritable } from './open-body.js'
import { removeCompanions, removeDirectory } from './remove.js'
import { reseal, withHeader } from './reseal.js'
import { isDirectory, type Tree } from './tree.js'

const RENAME_NOREPLACE = 1
/** Closed less than this ago, sync clients have not looked yet. */
const RECENT_MS = 2000
const stat = emptyStat()

interface Target {
  parent: Inode
  name: string
  id: DirectoryId
  encoded: EncodedName
  /** highest sealSeq that bore this name, which the newcomer must exceed */
  floor: number
}

export function rename(
  tree: Tree,
  parent: Inode,
  name: string,
  newParent: Inode,
  newName: string,
  flags: number,
): void {
  if ((flags & ~RENAME_NOREPLACE) !== 0)
    throw new CofferError('EINVAL', 'names cannot be exchanged')
  const inode = tree.locate(parent, name, stat)
  if (inode === null) throw new CofferError('ENOENT', 'no such file')
  const replaced = tree.locate(newParent, newName, stat)
  if (replaced !== null && (flags & RENAME_NOREPLACE) !== 0)
    throw new CofferError('EEXIST', 'the name is taken')
  if (replaced === inode) return
  if (replaced !== null) assertReplaceable(inode, replaced)
  if (inode.pending) commit(tree, inode)
  const target = targetOf(tree, newParent, newName, replaced)
  if (replaced?.pending === true) {
    tree.unlinked(replaced)
    moveFile(tree, inode, target)
  } else if (isDirectory(inode)) {
    if (replaced !== null) removeDirectory(tree, newParent, replaced)
    moveDirectory(tree, inode, target)
  } else {
    moveFile(tree, inode, target)
    if (replaced !== null) dropReplaced(tree, inode, replaced, target)
  }
  if (replaced !== null) tree.unlinked(replaced)
  tree.place(inode, newParent, newName, target.encoded.base, target.id.dirId)
}

function assertReplaceable(inode: Inode, replaced: Inode): void {
  if (isDirectory(inode) && !isDirectory(replaced))
    throw new CofferError('ENOTDIR', 'a directory cannot replace a file')
  if (!isDirectory(inode) && isDirectory(replaced))
    throw new CofferError('EISDIR', 'a file cannot replace a directory')
}

/** The new name keeps the backing name of what it replaces, so that the cloud sees one file's history. */
function targetOf(tree: Tree, parent: Inode, name: string, replaced: Inode | null): Target {
  const { ids, first } = tree.directory(parent)
  const id =
    ids.find(({ dirId }) => replaced !== null && Buffer.compare(dirId, replaced.dirId) === 0) ??
    first
  const encoded = encodeName(tree.ctx.engine, id.generation.name, id.dirId, name)
  return {
    parent,
    name,
    id,
    encoded,
    floor: replaced === null || replaced.pending ? 0 : sealSeqOf(tree, replaced),
  }
}

/** Highest sealSeq of an object, its tickets included; 0 where it cannot say (it is damaged, or a directory). */
function sealSeqOf(tree: Tree, inode: Inode): number {
  try {
    if (isDirectory(inode)) return tree.directory(inode).metas[0]?.seal.sealSeq ?? 0
    if (inode.body !== null)
      return Math.max(inode.body.object.seal?.sealSeq ?? 0, inode.body.seqFloor)
    return withHeader(tree, inode, (object, _fd, floor) =>
      Math.max(object.seal?.sealSeq ?? 0, floor),
    )
  } catch {
    return 0
  }
}

function moveDirectory(tree: Tree, inode: Inode, target: Target): void {
  const { ctx } = tree
  const { metas } = tree.directory(inode)
  const place = { parentDirId: target.id.dirId, name: target.name }
  const mode = metas[0]?.seal.mode ?? 0
  const fd = tree.descriptor(inode)
  sealMetas(
    ctx,
    fd,
    metas,
    { place, mode, leaving: { parentDirId: inode.dirId, name: inode.name } },
    target.floor,
  )
  moveBlob(tree, inode, target)
  sealMetas(ctx, fd, metas, { place, mode, leaving: null }, target.floor)
}

function moveFile(tree: Tree, inode: Inode, target: Target): void {
  const { clock } = tree.ctx
  const { parent, base } = inode
  if (parent === null) throw new CofferError('ENOENT', 'the file was removed')
  const busy = inode.body?.dirty === true
  const recent = clock() - inode.closedAt < RECENT_MS
  let authentic = true
  try {
    if (busy || recent) sealUnder(tree, inode, target)
    else writeTicket(tree, inode, target)
  } catch (error) {
    // a damaged blob can still be moved; it stays as unreadable as it was, and keeps its tickets
    if (busy || !(error instanceof CofferError) || !/^(OBJECT|CHUNK)_/.test(error.code)) throw error
    authentic = false
  }
  moveBlob(tree, inode, target)
  if (authentic && tree.directory(parent).tickets.has(base)) removeCompanions(tree, parent, base)
}

/** A file that was just written: its own header takes the new name, with the old one as prevTag. */
function sealUnder(tree: Tree, inode: Inode, target: Target): void {
  const { ctx } = tree
  const { body } = inode
  const place = { parentDirId: target.id.dirId, name: target.name }
  if (body === null) {
    reseal(
      tree,
      inode,
      (acc) => ({ ...place, prevTag: previousTag(inode.dirId, inode.name, acc) }),
      target.floor,
    )
    return
  }
  // it may be open for reading alone
  makeWritable(tree, inode)
  ctx.backing.statFd(body.fd, stat)
  const mode = TYPE_OF[inode.extension] | permissions(tree, inode, stat)
  const times = body.dirty ? null : { sec: stat.mtimeSec, nsec: stat.mtimeNsec }
  body.seqFloor = Math.max(body.seqFloor, target.floor)
  body.commit(place, mode, previousTag(inode.dirId, inode.name, body.object.keys.acc))
  if (times !== null) ctx.backing.utimesFd(body.fd, 'omit', times)
}

/** A file at rest: a ticket under the new name, so that no provider uploads it for a rename. */
function writeTicket(tree: Tree, inode: Inode, target: Target): void {
  const dirfd = tree.descriptor(target.parent)
  const write = (
    sealSeq: number,
    make: (seq: number) => Uint8Array,
    objectId: Uint8Array,
  ): number => {
    const seq = Math.max(sealSeq, target.floor) + 1
    const file = ticketName(target.encoded.base, objectId)
    writeSidecar(tree, dirfd, target.encoded)
    if (tree.ctx.backing.stat(dirfd, file, stat)) tree.ctx.backing.unlink(dirfd, file)
    writeSmall(tree, dirfd, file, make(seq))
    tree.directory(target.parent).noteTicket(target.encoded.base, file)
    return seq
  }
  const { body } = inode
  const ticket =
    (object: { ticket(seq: number, dirId: Uint8Array, name: string, place: 2 | 3): Uint8Array }) =>
    (seq: number) =>
      object.ticket(seq, target.id.dirId, target.name, 2)
  if (body === null) {
    withHeader(tree, inode, (object, _fd, floor) =>
      write(Math.max(object.seal?.sealSeq ?? 0, floor), ticket(object), object.objectId),
    )
  } else {
    const { object } = body
    body.seqFloor = write(
      Math.max(object.seal?.sealSeq ?? 0, body.seqFloor),
      ticket(object),
      object.objectId,
    )
  }
}

/** The backing rename. */
function moveBlob(tree: Tree, inode: Inode, target: Target): void {
  const { parent } = inode
  if (parent === null) throw new CofferError('ENOENT', 'the file was removed')
  const from = tree.descriptor(parent)
  const to = tree.descriptor(target.parent)
  writeSidecar(tree, to, target.encoded)
  tree.ctx.backing.rename(from, backingName(inode), to, target.encoded.base + inode.extension)
  if (inode.base.startsWith('l') && !tree.baseInUse(from, inode.base))
    removeCompanions(tree, parent, inode.base)
}

/** What is left of a replaced file: a blob of another kind, and its tickets. */
function dropReplaced(tree: Tree, inode: Inode, replaced: Inode, target: Target): void {
  const { backing } = tree.ctx
  const dirfd = tree.descriptor(target.parent)
  if (replaced.extension !== inode.extension && backing.stat(dirfd, backingName(replaced), stat)) {
    backing.unlink(dirfd, backingName(replaced))
  }
}
