// The static block of an object's header. FORMAT.md §3. Pure.
//
// Nothing in it ever changes but the wrap of the file key (S[32..112)), and that only by a re-wrap.

import { CofferError } from '../errors.js'
import type { Xaes } from '../crypto/engine.js'
import {
  FORMAT_VERSION,
  HEADER_SIZE,
  ID_SIZE,
  KEY_SIZE,
  KIND_FILE,
  KIND_SPECIAL,
  KIND_SYMLINK,
  OBJECT_MAGIC,
  STATIC_SIZE,
  SUITE_XAES_256_GCM,
  type Kind,
} from './constants.js'
import { isZero } from './chunk.js'

export interface StaticBlock {
  kind: Kind
  suite: number
  /** 0 for kinds 3 and 4 */
  chunkLog2: number
  /** 16 bytes, a view of the header */
  objectId: Uint8Array
  /** 8 bytes, a view of the header */
  keyId: Uint8Array
}

const OBJECT_ID = 16
const KEY_ID = 32
const WRAP_NONCE = 40
const RESERVED = 112

export const hasChunks = (kind: Kind): boolean => kind === KIND_FILE || kind === KIND_SYMLINK

const aad = new Uint8Array(WRAP_NONCE + ID_SIZE)

function wrapAad(header: Uint8Array, vaultId: Uint8Array): Uint8Array {
  for (let i = 0; i < WRAP_NONCE; i++) aad[i] = header[i] ?? 0
  aad.set(vaultId, WRAP_NONCE)
  return aad
}

/** Writes S[0..128) and wraps `fk`. `header` is otherwise left alone. */
export function buildStatic(
  header: Uint8Array,
  block: StaticBlock,
  fk: Uint8Array,
  wrapNonce: Uint8Array,
  wrap: Xaes,
  vaultId: Uint8Array,
): void {
  header.fill(0, 0, STATIC_SIZE)
  header.set(OBJECT_MAGIC, 0)
  header[8] = FORMAT_VERSION
  header[9] = block.suite
  header[10] = block.kind
  header[11] = block.chunkLog2
  header[12] = HEADER_SIZE >> 8
  header[13] = HEADER_SIZE & 0xff
  header.set(block.objectId, OBJECT_ID)
  header.set(block.keyId, KEY_ID)
  header.set(wrapNonce, WRAP_NONCE)
  wrap.seal(header, WRAP_NONCE, fk, 0, KEY_SIZE, wrapAad(header, vaultId))
}

/** `chunkLog2`: the vault's; an object with another is refused. Throws OBJECT_DAMAGED, NEWER_VERSION. */
export function parseStatic(
  header: Uint8Array,
  chunkLog2: number,
  suites: readonly number[],
): StaticBlock {
  const damaged = (what: string): CofferError =>
    new CofferError('OBJECT_DAMAGED', `the header is damaged: ${what}`)
  if (header.length < HEADER_SIZE) throw damaged('it is cut short')
  if (!OBJECT_MAGIC.equals(header.subarray(0, 8)))
    throw damaged('it does not begin as coffer objects do')
  if (header[8] !== FORMAT_VERSION) {
    throw new CofferError(
      'NEWER_VERSION',
      `the object is of format version ${String(header[8])}; this program knows ${String(FORMAT_VERSION)}`,
    )
  }
  const suite = header[9] ?? 0
  if (suite !== SUITE_XAES_256_GCM || !suites.includes(suite)) {
    throw new CofferError(
      'NEWER_VERSION',
      `the object uses cipher suite ${String(suite)}, which this vault does not allow`,
    )
  }
  const kind = header[10] ?? 0
  if (kind < KIND_FILE || kind > KIND_SPECIAL) {
    throw new CofferError(
      'NEWER_VERSION',
      `the object is of kind ${String(kind)}, which this program does not know`,
    )
  }
  if (header[11] !== (hasChunks(kind as Kind) ? chunkLog2 : 0)) throw damaged('wrong chunk size')
  if ((((header[12] ?? 0) << 8) | (header[13] ?? 0)) !== HEADER_SIZE)
    throw damaged('wrong header length')
  if (header[14] !== 0 || header[15] !== 0) {
    throw new CofferError('NEWER_VERSION', 'the object has flags that this program does not know')
  }
  if (!isZero(header, RESERVED, STATIC_SIZE - RESERVED)) throw damaged('reserved bytes are in use')
  return {
    kind: kind as Kind,
    suite,
    chunkLog2: header[11],
    objectId: header.subarray(OBJECT_ID, KEY_ID),
    keyId: header.subarray(KEY_ID, WRAP_NONCE),
  }
}

/** The file key, 32 bytes, owned by the caller. Throws OBJECT_DAMAGED. */
export function unwrapFileKey(header: Uint8Array, wrap: Xaes, vaultId: Uint8Array): Uint8Array {
  const fk = new Uint8Array(KEY_SIZE)
  if (!wrap.open(header, WRAP_NONCE, fk, 0, KEY_SIZE, wrapAad(header, vaultId))) {
    throw new CofferError('OBJECT_DAMAGED', 'the header is damaged, or comes from another vault')
  }
  return fk
}
