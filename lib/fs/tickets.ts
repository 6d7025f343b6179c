// Where an object may be found: check 4 of FORMAT.md §5, and the tickets of §7 that let a file bear
// another name than its seal has.

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
import { ZERO16, type SealedObject } from './sealed-object.js'

const { S_IFMT, S_IFREG } = constants
const stat = emptyStat()

/** The ticket beside a blob, or null where there is none that counts for (parentDirId, name). */
function readTicket(
  ctx: Context,
  dirfd: number,
  base: string,
  object: SealedObject,
  parentDirId: Uint8Array,
  name: string,
): Ticket | null {
  const file = ticketName(base, object.objectId)
  // whatever else lies under that name is no ticket, and no reason to refuse the blob
  if (!ctx.backing.stat(dirfd, file, stat)) return null
  if ((stat.mode & S_IFMT) !== S_IFREG || stat.size !== TICKET_SIZE) return null
  const fd = ctx.backing.openRead(dirfd, file)
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
  if (ticket === null || !names(ticket, parentDirId, name)) return null
  if (rename !== null && rename.sealSeq <= (object.seal?.sealSeq ?? 0)) return null
  return ticket
}

function names(
  place: { parentDirId: Uint8Array; name: string },
  parentDirId: Uint8Array,
  name: string,
): boolean {
  return place.name === name && Buffer.compare(place.parentDirId, parentDirId) === 0
}

/**
 * Is the object at home at (parentDirId, name)? Returns the sealSeq of a ticket that counts there, or
 * 0: the floor of the next seal. Throws OBJECT_MISPLACED.
 */
export function checkPlace(
  ctx: Context,
  dirfd: number,
  base: string,
  object: SealedObject,
  parentDirId: Uint8Array,
  name: string,
): number {
  const { seal } = object
  if (seal === null) throw new CofferError('OBJECT_DAMAGED', 'no seal')
  const ticket = readTicket(ctx, dirfd, base, object, parentDirId, name)
  if (ticket !== null) return ticket.sealSeq
  if (names(seal, parentDirId, name)) return 0
  const left = Buffer.compare(seal.prevTag, ZERO16) !== 0
  if (left && Buffer.compare(seal.prevTag, previousTag(parentDirId, name, object.keys.acc)) === 0)
    return 0
  throw new CofferError('OBJECT_MISPLACED', 'the blob was sealed for another name or folder')
}
