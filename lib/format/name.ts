// Names: plain against backing. FORMAT.md §7. Pure.
//
// p ‖ 0x80 ‖ 0x00… to a multiple of 16, AES-SIV under the directory's id, base64url. Deterministic
// inside a directory. Longer names are "l" ‖ base64url(SHA-256(ct)) with ct in a sidecar.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import type { Engine, Siv } from '../crypto/engine.js'
import { NAME_MAX, SHORT_NAME_MAX } from './constants.js'
import { pad, unpad } from './padding.js'

/** What lies in a backing directory, by the form of its name alone. */
export type BackingName =
  | { what: 'object'; base: string; extension: ObjectExtension }
  | { what: 'sidecar'; base: string }
  | { what: 'ticket'; base: string; objectId8: string }
  | { what: 'meta'; objectId8: string }
  | { what: 'temporary' }
  /** an object with something put into its name, by form; see conflict.ts */
  | { what: 'copy' }
  | { what: 'foreign' }

/** In the order in which they win where one name has several: directory, file, symlink, special. */
export const OBJECT_EXTENSIONS = ['.cfd', '.cff', '.cfl', '.cfs'] as const
export type ObjectExtension = (typeof OBJECT_EXTENSIONS)[number]

/** Characters of a short name after its "c": names of 1 to 127 bytes, padded to 16, in base64url. */
export const BASE_LENGTHS: readonly number[] = [43, 64, 86, 107, 128, 150, 171, 192]

const OBJECT = /^(c[A-Za-z0-9_-]{43,192}|l[A-Za-z0-9_-]{43})(\.cfd|\.cff|\.cfl|\.cfs)$/
// of the small files, those that a sync client renamed count too: something may stand before the
// extension or after it
const PUT_AFTER = '(?:[^A-Za-z0-9\\p{Cc}].*)?$'
const SIDECAR = new RegExp(`^(l[A-Za-z0-9_-]{43}).*\\.cfn${PUT_AFTER}`, 'su')
const TICKET = new RegExp(
  `^(c[A-Za-z0-9_-]{43,192}|l[A-Za-z0-9_-]{43})-([0-9a-f]{16})(?![0-9a-f]).*\\.cfr${PUT_AFTER}`,
  'su',
)
const META = new RegExp(`^dir-([0-9a-f]{16}).*\\.cfm${PUT_AFTER}`, 'su')
const COPY = new RegExp(`^[cl][A-Za-z0-9_-]{43}.*\\.cf[dfls]${PUT_AFTER}`, 'su')
// neither is a version of anything
/** Half a file of a sync client. */
export const HALF =
  /(?:\.(?:part|partial|filepart|tmp|temp|crdownload|download|lock|!sync|bts)|~)$/i
/** It stands for a file that is online only. */
export const STUB = /\.(?:nextcloud|owncloud|icloud)$/i
const TEMPORARY = /^~\$[A-Za-z0-9_-]{22}\.tmp$/

export function parseBackingName(backing: string): BackingName {
  let match = OBJECT.exec(backing)
  if (match !== null) {
    const base = match[1] ?? ''
    if (BASE_LENGTHS.includes(base.length - 1))
      return { what: 'object', base, extension: match[2] as ObjectExtension }
  }
  if (TEMPORARY.test(backing)) return { what: 'temporary' }
  if (HALF.test(backing) || STUB.test(backing)) return { what: 'foreign' }
  match = TICKET.exec(backing)
  if (match !== null) return { what: 'ticket', base: match[1] ?? '', objectId8: match[2] ?? '' }
  match = SIDECAR.exec(backing)
  if (match !== null) return { what: 'sidecar', base: match[1] ?? '' }
  match = META.exec(backing)
  if (match !== null) return { what: 'meta', objectId8: match[1] ?? '' }
  return { what: COPY.test(backing) ? 'copy' : 'foreign' }
}

export const ticketName = (base: string, objectId: Uint8Array): string =>
  `${base}-${Buffer.from(objectId.subarray(0, 8)).toString('hex')}.cfr`
export const metaName = (objectId: Uint8Array): string =>
  `dir-${Buffer.from(objectId.subarray(0, 8)).toString('hex')}.cfm`

/** The name's UTF-8. Throws ENOENT (empty), ENAMETOOLONG, EINVAL, EILSEQ (lone surrogates). */
export function nameBytes(name: string): Buffer {
  const bytes = Buffer.from(name, 'utf8')
  if (bytes.length === 0) throw new CofferError('ENOENT', 'a name is empty')
  if (bytes.length > NAME_MAX)
    throw new CofferError('ENAMETOOLONG', `a name is longer than ${String(NAME_MAX)} bytes`)
  if (name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
    throw new CofferError('EINVAL', 'a name is ".", ".." or has a "/" or NUL in it')
  }
  if (!name.isWellFormed()) throw new CofferError('EILSEQ', 'a name is not well-formed Unicode')
  return bytes
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** null where the padding, the UTF-8 or the name itself is not what an encoded name has. */
function plainName(padded: Uint8Array): string | null {
  const bytes = unpad(padded, NAME_MAX)
  if (bytes === null) return null
  try {
    const name = utf8.decode(bytes)
    nameBytes(name)
    return name
  } catch {
    return null
  }
}

/** A name as it stands in a directory: the base to put an extension behind, and what a sidecar must hold. */
export interface EncodedName {
  base: string
  /** ct of a long name, null for a short one */
  sidecar: Uint8Array | null
}

export function longBase(engine: Engine, ct: Uint8Array): string {
  return `l${Buffer.from(engine.sha256(ct)).toString('base64url')}`
}

/** Throws as `nameBytes` does. */
export function encodeName(engine: Engine, siv: Siv, dirId: Uint8Array, name: string): EncodedName {
  const bytes = nameBytes(name)
  const ct = siv.seal(pad(bytes), [dirId])
  if (bytes.length <= SHORT_NAME_MAX)
    return { base: `c${Buffer.from(ct).toString('base64url')}`, sidecar: null }
  return { base: longBase(engine, ct), sidecar: ct }
}

/**
 * The plain name of a base, or null where it is not one of this directory's. `sidecar` is the content
 * of the .cfn file of a long name. Canonical: the base64url must be what encoding gives again.
 */
export function decodeName(
  engine: Engine,
  siv: Siv,
  dirId: Uint8Array,
  base: string,
  sidecar: Uint8Array | null,
): string | null {
  let ct: Uint8Array
  if (base.startsWith('c')) {
    ct = Buffer.from(base.slice(1), 'base64url')
    if (Buffer.from(ct).toString('base64url') !== base.slice(1)) return null
  } else {
    if (sidecar === null || longBase(engine, sidecar) !== base) return null
    ct = sidecar
  }
  if (ct.length < 32 || ct.length % 16 !== 0) return null
  const padded = siv.open(ct, [dirId])
  if (padded === null) return null
  const name = plainName(padded)
  if (name === null) return null
  return name.length > 0 && base.startsWith('c') === Buffer.byteLength(name) <= SHORT_NAME_MAX
    ? name
    : null
}
