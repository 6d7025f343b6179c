// Giving an object another name. FORMAT.md §7. Both names open at every moment: a directory carries the
// name it leaves as prevTag in its metas, a file at rest gets a ticket, a file just written is sealed
// anew.

import { previousTag } from '../format/seal.js'
import { emptyStat } from '../store/backing.js'
import { TYPE_OF, permissions } from './attributes.js'
import { isAwaited, sealMetas } from './directory.js'
import { CofferError } from '../errors.js'
import { keepName } from './hard-links.js'
import { backingName, isRecent, type Inode } from './inode.js'
import { locate } from './locate.js'
import { makeWritable } from './open-body.js'
import { reseal } from './reseal.js'
import { writeSidecar } from './small-files.js'
import { assertOwnMetas } from './shared-metas.js'
import { freeName } from './survey.js'
import { grantTicket, isDamage, targetOf, type Target } from './target.js'
import { removeCompanions, removeTickets } from './ticket-files.js'
import { withOwnMeta } from './own-meta.js'
import { isDirectory, type Tree } from './tree.js'

const stat = emptyStat()

/** A conflict copy gets the name that it is shown under: its blob moves there, and is no copy any more. */
export function keepCopy(tree: Tree, inode: Inode): void {
  const { copy, parent } = inode
  if (copy === null || parent === null) return
  const isFree = (name: string): boolean => [null, inode].includes(locate(tree, parent, name, stat))
  const name = isFree(copy.shown) ? copy.shown : freeName(copy, isFree)
  if (!tree.stat(inode, stat)) throw new CofferError('ENOENT', 'the file is not there any more')
  const target = targetOf(tree, parent, name, null)
  if (isDirectory(inode)) moveDirectory(tree, inode, target)
  else moveFile(tree, inode, stat.nlink, target, null)
  tree.place(inode, parent, name, target.encoded.base, target.id.dirId)
  inode.synced = false
}

export function moveDirectory(tree: Tree, inode: Inode, target: Target): void {
  const { ctx } = tree
  const { metas } = withOwnMeta(tree, inode)
  assertOwnMetas(tree, inode, 'EXDEV')
  const place = { parentDirId: target.id.dirId, name: target.name }
  const mode = metas[0]?.seal.mode ?? 0
  const fd = tree.descriptor(inode)
  sealMetas(
    ctx,
    fd,
    metas,
    { place, mode, leaving: { parentDirId: inode.dirId, name: inode.name } },
    target.floor,
    true,
  )
  moveBlob(tree, inode, target)
  // the metas must not be without the old name before the disk has the new one
  ctx.backing.sync(tree.descriptor(target.parent))
  try {
    sealMetas(ctx, fd, metas, { place, mode, leaving: null }, target.floor)
  } catch (error) {
    // the rename is done, and the metas go on with both names, as after a crash
    if (!isAwaited(error)) throw error
  }
  const left = ctx.memory.place(inode.dirId, inode.name)
  for (const { objectId } of metas) ctx.memory.left(objectId, left)
}

export function moveFile(
  tree: Tree,
  inode: Inode,
  links: number,
  target: Target,
  replaced: Inode | null,
): void {
  const { parent, base } = inode
  if (parent === null) throw new CofferError('ENOENT', 'the file was removed')
  const busy = inode.body?.dirty === true
  const recent = isRecent(inode, tree.ctx.clock())
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
  keepName(tree, inode, body.object)
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
  tree.directory(parent).lose(inode.copy)
  if (inode.base.startsWith('l')) removeCompanions(tree, parent, inode.base)
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
  const elsewhere = replaced.extension !== inode.extension || replaced.copy !== null
  if (elsewhere && backing.stat(dirfd, backingName(replaced), stat))
    backing.unlink(dirfd, backingName(replaced))
  const directory = tree.directory(parent)
  if (replaced.copy !== null) {
    directory.lose(replaced.copy)
    removeCompanions(tree, parent, replaced.base)
  }
  if (!directory.hasCopyOf(encoded.base))
    removeTickets(tree, parent, encoded.base, (file) => file !== ticket)
}
