// rename. FORMAT.md §7. Both names open at every moment: a directory carries the name it leaves as
// prevTag in its metas, a file at rest gets a ticket, a file just written is sealed anew.

import { constants } from 'node:fs'
import { CofferError } from '../errors.js'
import { previousTag } from '../format/seal.js'
import { emptyStat } from '../store/backing.js'
import { TYPE_OF, permissions } from './attributes.js'
import { commit } from './commit.js'
import { sealMetas } from './directory.js'
import { isPrecious, makeReachable } from './durability.js'
import { exchange } from './exchange.js'
import { mknod } from './create.js'
import { backingName, RECENT_MS, type Inode } from './inode.js'
import { makeWritable } from './open-body.js'
import { nameLost, removeCompanions, removeDirectory } from './remove.js'
import { reseal } from './reseal.js'
import { writeSidecar } from './small-files.js'
import { grantTicket, isDamage, targetOf, type Target } from './target.js'
import { removeTickets } from './ticket-files.js'
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
  const inode = tree.locate(parent, name, stat)
  if (inode === null) throw new CofferError('ENOENT', 'no such file')
  const links = stat.nlink
  const replaced = tree.locate(newParent, newName, stat)
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
  inode.synced = false
  if ((flags & RENAME_WHITEOUT) !== 0) mknod(tree, parent, name, S_IFCHR, 0, ROOT)
}

function assertReplaceable(inode: Inode, replaced: Inode): void {
  if (isDirectory(inode) && !isDirectory(replaced))
    throw new CofferError('ENOTDIR', 'a directory cannot replace a file')
  if (!isDirectory(inode) && isDirectory(replaced))
    throw new CofferError('EISDIR', 'a file cannot replace a directory')
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
    isPrecious(tree, inode),
  )
  moveBlob(tree, inode, target)
  // the metas must not be without the old name before the disk has the new one
  if (isPrecious(tree, inode)) ctx.backing.sync(tree.descriptor(target.parent))
  sealMetas(ctx, fd, metas, { place, mode, leaving: null }, target.floor)
  const left = ctx.memory.place(inode.dirId, inode.name)
  for (const { objectId } of metas) ctx.memory.left(objectId, left)
}

function moveFile(
  tree: Tree,
  inode: Inode,
  links: number,
  target: Target,
  replaced: Inode | null,
): void {
  const { parent, base } = inode
  if (parent === null) throw new CofferError('ENOENT', 'the file was removed')
  const busy = inode.body?.dirty === true
  const recent = tree.ctx.clock() - inode.closedAt < RECENT_MS
  let authentic = true
  let ticket = ''
  try {
    if (links > 1) ticket = grantTicket(tree, inode, target, 'link')
    else if (busy || recent) sealUnder(tree, inode, target)
    else ticket = grantTicket(tree, inode, target, 'rename')
  } catch (error) {
    // a damaged blob can still be moved; it stays as unreadable as it was, and keeps its tickets
    if (busy || !isDamage(error)) throw error
    authentic = false
  }
  moveBlob(tree, inode, target)
  if (authentic && tree.directory(parent).tickets.has(base)) removeCompanions(tree, parent, base)
  if (replaced !== null) dropReplaced(tree, inode, replaced, target, ticket)
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
      ({ keys }) => ({ ...place, prevTag: previousTag(inode.dirId, inode.name, keys.acc) }),
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
function dropReplaced(
  tree: Tree,
  inode: Inode,
  replaced: Inode,
  target: Target,
  ticket: string,
): void {
  const { backing } = tree.ctx
  const { parent, encoded } = target
  const dirfd = tree.descriptor(parent)
  if (replaced.extension !== inode.extension && backing.stat(dirfd, backingName(replaced), stat)) {
    backing.unlink(dirfd, backingName(replaced))
  }
  removeTickets(tree, parent, encoded.base, (file) => file !== ticket)
}
