// renameat2 with RENAME_EXCHANGE. FORMAT.md §7: both objects first get the right to each other's name,
// then they change places in one backing operation, so that both names open at every moment.

import { CofferError } from '../errors.js'
import { OBJECT_EXTENSIONS } from '../format/name.js'
import { emptyStat } from '../store/backing.js'
import { commit } from './commit.js'
import { sealMetas } from './directory.js'
import { makeReachable } from './durability.js'
import { backingName, type Inode } from './inode.js'
import { keepCopy } from './move.js'
import { grantTicket, isDamage, nameAt, sealSeqOf, targetOf, type Target } from './target.js'
import { removeTickets } from './ticket-files.js'
import { withOwnMeta } from './own-meta.js'
import { assertOwnMetas } from './shared-metas.js'
import { isDirectory, type Tree } from './tree.js'

const TICKET_END = '-0123456789abcdef.cfr'.length
const stat = emptyStat()

interface Mover {
  inode: Inode
  from: Target
  to: Target
  /** file of the ticket that it got, '' where it got none */
  ticket: string
}

export function exchange(tree: Tree, a: Inode, b: Inode): void {
  for (const inode of [a, b]) {
    if (inode.pending) commit(tree, inode)
    keepCopy(tree, inode)
  }
  for (const { parent } of [a, b]) if (parent !== null) makeReachable(tree, parent)
  const [here, there] = [ownName(tree, a), ownName(tree, b)]
  const movers: Mover[] = [
    { inode: a, from: here, to: there, ticket: '' },
    { inode: b, from: there, to: here, ticket: '' },
  ]
  const directories = movers.filter(({ inode }) => isDirectory(inode))
  const files = movers.filter(({ inode }) => !isDirectory(inode))
  let floor = Math.max(here.floor, there.floor)
  for (const mover of directories) sealDirectory(tree, mover, floor, true)
  floor = Math.max(floor, ...directories.map(({ inode }) => sealSeqOf(tree, inode)))
  for (const mover of files) mover.ticket = grant(tree, mover, floor)
  swap(tree, a, b)
  if (directories.length > 0)
    for (const { to } of movers) tree.ctx.backing.sync(tree.descriptor(to.parent))
  for (const mover of directories) {
    sealDirectory(tree, mover, floor, false)
    const { memory } = tree.ctx
    const left = memory.place(mover.from.id.dirId, mover.from.name)
    for (const { objectId } of tree.directory(mover.inode).metas) memory.left(objectId, left)
  }
  for (const { ticket, from } of files) {
    // the object's ticket for the name that it has left, unless a copy of it has come there
    const left = from.encoded.base + ticket.slice(-TICKET_END)
    if (files.some((other) => other.ticket === left)) continue
    removeTickets(tree, from.parent, from.encoded.base, (file) => file === left)
  }
  for (const { inode, from, to } of movers) {
    const { parent, name, base, dirId } = nameAt(to)
    tree.place(inode, parent, name, base, dirId)
    if (from.parent === parent) inode.left = from.name
    inode.synced = false
  }
}

function ownName(tree: Tree, inode: Inode): Target {
  if (inode.parent === null) throw new CofferError('ENOENT', 'the file was removed')
  return targetOf(tree, inode.parent, inode.name, inode)
}

function sealDirectory(
  tree: Tree,
  { inode, from, to }: Mover,
  floor: number,
  leaving: boolean,
): void {
  const { metas } = withOwnMeta(tree, inode)
  assertOwnMetas(tree, inode, 'EXDEV')
  const change = {
    place: { parentDirId: to.id.dirId, name: to.name },
    leaving: leaving ? { parentDirId: from.id.dirId, name: from.name } : null,
    mode: metas[0]?.seal.mode ?? 0,
  }
  sealMetas(tree.ctx, tree.descriptor(inode), metas, change, floor, leaving)
}

/** A file takes a ticket at any age: a seal of one would raise what the other has to exceed. */
function grant(tree: Tree, { inode, to }: Mover, floor: number): string {
  if (!tree.stat(inode, stat)) throw new CofferError('ENOENT', 'the file is not there any more')
  try {
    return grantTicket(tree, inode, { ...to, floor }, stat.nlink > 1 ? 'link' : 'rename')
  } catch (error) {
    // what is damaged stays so under the other name
    if (!isDamage(error)) throw error
    return ''
  }
}

const rank = ({ extension }: Inode): number => OBJECT_EXTENSIONS.indexOf(extension)

/**
 * Blobs of one kind are exchanged by the system. Of two kinds, the one that comes last under a base
 * (FORMAT.md §1) gets its new name as a hard link, hidden behind the other; when that one moves, both
 * names change hands at once.
 */
function swap(tree: Tree, a: Inode, b: Inode): void {
  const { backing } = tree.ctx
  const [first, last] = rank(a) <= rank(b) ? [a, b] : [b, a]
  if (first.parent === null || last.parent === null)
    throw new CofferError('ENOENT', 'the file was removed')
  const [atFirst, atLast] = [tree.descriptor(first.parent), tree.descriptor(last.parent)]
  if (first.extension === last.extension) {
    backing.exchange(atFirst, backingName(first), atLast, backingName(last))
    return
  }
  const hidden = first.base + last.extension
  try {
    backing.link(atLast, backingName(last), atFirst, hidden)
  } catch (error) {
    if (error instanceof CofferError && (error.code === 'EPERM' || error.code === 'EOPNOTSUPP'))
      throw new CofferError('EINVAL', 'the file system of the vault has no hard links for this')
    throw error
  }
  try {
    backing.rename(atFirst, backingName(first), atLast, last.base + first.extension)
  } catch (error) {
    backing.unlink(atFirst, hidden)
    throw error
  }
  backing.unlink(atLast, backingName(last))
}
