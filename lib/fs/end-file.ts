// The end of a file that is shorter now than its seal says: an empty last record, and the seal over what
// is left. FORMAT.md §4 and §6. Nothing is written.

import { BugError } from '../errors.js'
import { ChunkCipher } from '../format/chunk.js'
import { NONCE_SIZE } from '../format/constants.js'
import type { Context } from './context.js'
import { timeOf } from './nonces.js'
import type { PreparedSeal, SealedObject } from './sealed-object.js'

/** What is left before the end, as the seal counts it. */
export interface Left {
  acc: Uint8Array
  absent: number
}

/**
 * Ends the file at the start of chunk `index`; its record, of RECORD_OVERHEAD bytes, goes to
 * `into[at…]`. The object has a seal.
 */
export function endFile(
  { layout, nonces, clock }: Context,
  object: SealedObject,
  index: number,
  { acc, absent }: Left,
  into: Uint8Array,
  at: number,
): PreparedSeal {
  const { seal } = object
  if (seal === null) throw new BugError('a file without a seal has no end')
  const cipher = new ChunkCipher(object.keys)
  nonces.fill(into, at)
  cipher.seal(index, into, at, into, at + NONCE_SIZE, 0)
  cipher.toggleRecord(acc, index, into, at, 0)
  const { sec: mtimeSec, nsec: mtimeNsec } = timeOf(clock())
  const length = index * layout.chunkSize
  const chunkWrites = seal.chunkWrites + 1
  return object.prepare({ ...seal, mtimeSec, mtimeNsec, length, acc, absent, chunkWrites }, 0)
}
