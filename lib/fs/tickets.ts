// Where an object may be found: check 4 of FORMAT.md §5, and the tickets of §7 that let a file bear
// another name than its seal has. A rename ticket is outrun by the next seal, a link ticket is not.

import { Buffer } from 'node:buffer'
import { constants } from 'node:fs'
import { CofferError } from '../errors.js'
import { TICKET_SIZE } from '../format/constants.js'
import { ticketName } from '../format/name.js'
import {
  openTicket,
  previousTag,
  SLOT_LINK_TICKET,
  SLOT_RENAME_TICKET,
  type Ticket,
} from '../format/seal.js'
import { emptyStat } from '../store/backing.js'
import type { Context } from './context.js'
import type { Name } from './inode.js'
import { ZERO16, type SealedObject } from './sealed-object.js'

const { S_IFMT, S_IFREG } = constants
const stat = emptyStat()

/** The part of a name that an object is judged by. */
export type Place = Pick<Name, 'base' | 'dirId' | 'name'>

interface Found {
  ticket: Ticket
  kind: 'rename' | 'link'
}

/** The ticket beside a blob, or null where there is none that counts for the place. */
function readTicket(
  ctx: Context,
  dirfd: number,
  object: SealedObject,
  { base, dirId, name }: Place,
): Found | null {
  const found = ticketBeside(ctx, dirfd, object, base)
  return found !== null && names(found.ticket, dirId, name) ? found : null
}

/** The ticket beside a blob, whatever place it is for, or null where there is none. */
export function ticketBeside(
  ctx: Context,
  dirfd: number,
  object: SealedObject,
  base: string,
): Found | null {
  const file = ticketName(base, object.objectId)
  // whatever else lies under that name is no ticket, and no reason to refuse the blob
  if (!ctx.backing.stat(dirfd, file, stat)) {
    if (ctx.fetches.placeholders.find(dirfd, file, stat) === null) return null
  } else if ((stat.mode & S_IFMT) !== S_IFREG || stat.size !== TICKET_SIZE) {
    return null
  }
  const fd = ctx.fetches.open(dirfd, file, false)
  const bytes = new Uint8Array(TICKET_SIZE + 1)
  let size: number
  try {
    size = ctx.backing.read(fd, bytes, 0, bytes.length, 0)
  } finally {
    ctx.backing.close(fd)
  }
  const record = bytes.subarray(0, size)
  const rename = openTicket(record, SLOT_RENAME_TICKET, object.header, object.keys.seal)
  const ticket = rename ?? openTicket(record, SLOT_LINK_TICKET, object.header, object.keys.seal)
  if (ticket === null) return null
  if (rename !== null && rename.sealSeq <= (object.seal?.sealSeq ?? 0)) return null
  return { ticket, kind: rename !== null ? 'rename' : 'link' }
}

function names(
  place: { parentDirId: Uint8Array; name: string },
  parentDirId: Uint8Array,
  name: string,
): boolean {
  return place.name === name && Buffer.compare(place.parentDirId, parentDirId) === 0
}

/** Does the current seal give the object this place by itself, whatever becomes of tickets? */
export const isSealedAt = ({ seal }: SealedObject, { dirId, name }: Place): boolean =>
  seal !== null && names(seal, dirId, name)

export const hasLinkTicket = (
  ctx: Context,
  dirfd: number,
  object: SealedObject,
  place: Place,
): boolean => readTicket(ctx, dirfd, object, place)?.kind === 'link'

/**
 * Is the object at home there? Returns the sealSeq of a ticket that counts, or 0: the floor of the
 * next seal. `mayHaveTicket` false: no ticket lies beside it. Throws OBJECT_MISPLACED.
 */
export function checkPlace(
  ctx: Context,
  dirfd: number,
  object: SealedObject,
  place: Place,
  mayHaveTicket = true,
): number {
  const { seal } = object
  if (seal === null) throw new CofferError('OBJECT_DAMAGED', 'no seal')
  const found = mayHaveTicket ? readTicket(ctx, dirfd, object, place) : null
  if (found !== null) return found.ticket.sealSeq
  if (isSealedAt(object, place)) return 0
  const { prevTag } = seal
  if (
    Buffer.compare(prevTag, ZERO16) !== 0 &&
    Buffer.compare(prevTag, previousTag(place.dirId, place.name, object.keys.acc)) === 0
  )
    return 0
  throw new CofferError('OBJECT_MISPLACED', 'the blob was sealed for another name or folder')
}
