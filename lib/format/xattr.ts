// Extended attributes of a blob: names and values against what lies on the backing file.
// FORMAT.md §7. Pure.
//
// A name is encrypted deterministically under the object's id, so that it can be asked for without a
// list; a value is a record whose AAD is its backing name. Names here are without "user.".

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import type { Siv, Xaes } from '../crypto/engine.js'
import { RECORD_OVERHEAD, XATTR_NAME_MAX, XATTR_VALUE_MAX } from './constants.js'
import { pad, unpad } from './padding.js'

/** What ours begin with; all others on a backing file belong to somebody else. */
const PREFIX = 'user.coffer.'
const PURPOSE = Buffer.from('xattr', 'latin1')

/**
 * The backing name of an attribute; `siv` is K_name of the root's generation. Throws EINVAL (empty, a
 * NUL), EILSEQ, ERANGE.
 */
export function encodeXattrName(siv: Siv, objectId: Uint8Array, name: string): string {
  const bytes = Buffer.from(name, 'utf8')
  if (bytes.length === 0 || bytes.includes(0))
    throw new CofferError('EINVAL', 'the name of an attribute is empty or has a NUL in it')
  if (bytes.length > XATTR_NAME_MAX)
    throw new CofferError(
      'ERANGE',
      `the name of an attribute is longer than ${String(XATTR_NAME_MAX)} bytes`,
    )
  if (!name.isWellFormed())
    throw new CofferError('EILSEQ', 'the name of an attribute is not well-formed Unicode')
  return PREFIX + Buffer.from(siv.seal(pad(bytes), [objectId, PURPOSE])).toString('base64url')
}

/** Has this backing name the form of ours? */
export const isXattrName = (backing: string): boolean => backing.startsWith(PREFIX)

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** null where encoding the name of one of this object's attributes does not give `backing`. */
export function decodeXattrName(siv: Siv, objectId: Uint8Array, backing: string): string | null {
  if (!isXattrName(backing)) return null
  const text = backing.slice(PREFIX.length)
  const ct = Buffer.from(text, 'base64url')
  if (ct.toString('base64url') !== text || ct.length < 32 || ct.length % 16 !== 0) return null
  const padded = siv.open(ct, [objectId, PURPOSE])
  const bytes = padded === null ? null : unpad(padded, XATTR_NAME_MAX)
  if (bytes === null || bytes.includes(0)) return null
  try {
    return utf8.decode(bytes)
  } catch {
    return null
  }
}

/** Fills a record whose nonce the caller has put at its begin. Its length is the value's and 40. */
export function sealXattr(key: Xaes, record: Uint8Array, backing: string, value: Uint8Array): void {
  key.seal(record, 0, value, 0, value.length, Buffer.from(backing, 'latin1'))
}

/** null where the record is not this object's value of that attribute. */
export function openXattr(key: Xaes, backing: string, record: Uint8Array): Uint8Array | null {
  const length = record.length - RECORD_OVERHEAD
  if (length < 0 || length > XATTR_VALUE_MAX) return null
  const value = new Uint8Array(length)
  return key.open(record, 0, value, 0, length, Buffer.from(backing, 'latin1')) ? value : null
}
