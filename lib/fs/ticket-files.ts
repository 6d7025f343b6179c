// Writing and removing tickets, and what else lies beside a blob for its name alone. FORMAT.md §7.

import { constants } from 'node:fs'
import { ticketName } from '../format/name.js'
import { SLOT_LINK_TICKET, SLOT_RENAME_TICKET } from '../format/seal.js'
import { emptyStat } from '../store/backing.js'
import { RECENT_MS, type Inode, type Name } from './inode.js'
import type { SealedObject } from './sealed-object.js'
import { replaceSmall } from './small-files.js'
import type { Tree } from './tree.js'

const { S_IFMT, S_IFREG } = constants
const stat = emptyStat()
/** For so long, by their mtime, tickets stay that no object of this folder needs any more. */
const KEPT_MS = 30 * 24 * 60 * 60 * 1000
const SLOT = { rename: SLOT_RENAME_TICKET, link: SLOT_LINK_TICKET } as const

/**
 * Lets the object bear that name; a ticket that it has there already is replaced in one step. Its file.
 * `durable`: on the disk before the name can be.
 */
export function writeTicket(
  tree: Tree,
  at: Name,
  object: SealedObject,
  sealSeq: number,
  kind: 'rename' | 'link',
  durable: boolean,
): string {
  const file = ticketName(at.base, object.objectId)
  const bytes = object.ticket(sealSeq, at.dirId, at.name, SLOT[kind])
  replaceSmall(tree, tree.descriptor(at.parent), file, bytes, durable)
  tree.directory(at.parent).noteTicket(at.base, file)
  return file
}

/** Of the ticket in `stat`, milliseconds. One from the future has come from a machine whose clock is ahead. */
const ageOf = ({ ctx }: Tree): number => ctx.clock() - stat.mtimeSec * 1000 - stat.mtimeNsec / 1e6

/**
 * Another device may still have the object under this name, and touch it or be stopped while it writes
 * on it: then clients bring its blob back, and with it the need for a ticket that they have all removed.
 */
function mayBeNeeded(tree: Tree): boolean {
  const { ctx } = tree
  const age = ageOf(tree)
  return ctx.writers.areSeveral && Math.abs(age) >= RECENT_MS && age < KEPT_MS
}

/** Removes the tickets of a base that `goes` says yes to; what is no regular file is no ticket. */
export function removeTickets(
  tree: Tree,
  parent: Inode,
  base: string,
  goes: (file: string) => boolean = () => true,
): void {
  const { backing } = tree.ctx
  const { tickets } = tree.directory(parent)
  const known = tickets.get(base)
  if (known === undefined) return
  const dirfd = tree.descriptor(parent)
  for (const file of known) {
    const there = backing.stat(dirfd, file, stat)
    if (there && (!goes(file) || mayBeNeeded(tree))) continue
    if (there && (stat.mode & S_IFMT) === S_IFREG) backing.unlink(dirfd, file)
    known.delete(file)
  }
  if (known.size === 0) tickets.delete(base)
}

/**
 * Removes those that were written less than `age` milliseconds ago, which no sync client has seen. One
 * from the future has come from a machine whose clock is ahead.
 */
export function removeYoungTickets(tree: Tree, parent: Inode, base: string, age: number): void {
  removeTickets(tree, parent, base, () => Math.abs(ageOf(tree)) < age)
}

/**
 * Removes the tickets of a base, and a long name's sidecar, when nothing needs them any more: neither
 * an object of that base nor a conflict copy of one.
 */
export function removeCompanions(tree: Tree, parent: Inode, base: string): void {
  const { backing } = tree.ctx
  const directory = tree.directory(parent)
  const isLong = base.startsWith('l')
  if (!isLong && !directory.tickets.has(base)) return
  const dirfd = tree.descriptor(parent)
  if (tree.baseInUse(dirfd, base) || directory.hasCopyOf(base)) return
  removeTickets(tree, parent, base)
  if (isLong && backing.stat(dirfd, `${base}.cfn`, stat)) backing.unlink(dirfd, `${base}.cfn`)
}
