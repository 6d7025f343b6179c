// Making and opening password slots. FORMAT.md §8. The password becomes 64 bytes: a key that wraps
// the VRK, and a commitment that is stored and compared first, so that a ciphertext made to open
// under several keys is of no use. A slot wraps one VRK once; a new VRK takes a new salt.
// Passwords are UTF-8 in NFC; whoever asked for them saw to that.

import { Buffer } from 'node:buffer'
import { argon2id } from '../crypto/argon2id.js'
import { requireLength } from '../crypto/bounds.js'
import type { Engine } from '../crypto/engine.js'
import { equal } from '../crypto/equal.js'
import { CONFIG_MAGIC, CONFIG_VERSION } from './config-layout.js'
import { ID_SIZE, KEY_SIZE } from './constants.js'
import {
  COMMIT_SIZE,
  SALT_SIZE,
  SLOT_HEAD,
  SLOT_ID_SIZE,
  TYPE_SCRYPT,
  WRAPPED_SIZE,
  type PasswordKdf,
  type Slot,
} from './slot.js'

/** Each slot's key is used once, so its nonce may be constant. */
const NONCE = new Uint8Array(12)

export interface PasswordSlotInput {
  password: Uint8Array
  vaultId: Uint8Array
  vrk: Uint8Array
  /** 32 random bytes, never used before */
  salt: Uint8Array
  /** 8 random bytes */
  slotId: Uint8Array
  logN: number
}

export function passwordSlot(engine: Engine, input: PasswordSlotInput): Uint8Array {
  const { vaultId, salt, slotId, logN } = input
  requireLength(vaultId, ID_SIZE, 'a vault id')
  requireLength(input.vrk, KEY_SIZE, 'a VRK')
  requireLength(salt, SALT_SIZE, 'a salt')
  requireLength(slotId, SLOT_ID_SIZE, 'a slot id')
  const kdf: PasswordKdf = { name: 'scrypt', logN, r: 8, p: 1, salt }
  const head = Buffer.alloc(SLOT_HEAD + 4 + SALT_SIZE + COMMIT_SIZE)
  head[0] = TYPE_SCRYPT
  head.writeUInt16BE(head.length + WRAPPED_SIZE - SLOT_HEAD, 2)
  head.set(slotId, 4)
  head.set([logN, kdf.r, kdf.p, 0], SLOT_HEAD)
  head.set(salt, SLOT_HEAD + 4)
  const okm = stretch(engine, input.password, vaultId, kdf)
  head.set(okm.subarray(32), head.length - COMMIT_SIZE)
  const wrapped = engine.gcmSeal(okm.subarray(0, 32), NONCE, input.vrk, wrapAad(vaultId, head))
  okm.fill(0)
  return Buffer.concat([head, wrapped])
}

/**
 * The VRK; 'other' where the slot belongs to another password, 'damaged' where it is this one's and
 * does not open.
 */
export function openPasswordSlot(
  engine: Engine,
  slot: Slot,
  kdf: PasswordKdf,
  vaultId: Uint8Array,
  password: Uint8Array,
): Uint8Array | 'other' | 'damaged' {
  const head = slot.bytes.subarray(0, slot.bytes.length - WRAPPED_SIZE)
  const okm = stretch(engine, password, vaultId, kdf)
  try {
    if (!equal(okm.subarray(32), head.subarray(head.length - COMMIT_SIZE))) return 'other'
    const wrapped = slot.bytes.subarray(head.length)
    const vrk = engine.gcmOpen(okm.subarray(0, 32), NONCE, wrapped, wrapAad(vaultId, head))
    return vrk ?? 'damaged'
  } finally {
    okm.fill(0)
  }
}

function stretch(
  engine: Engine,
  password: Uint8Array,
  vaultId: Uint8Array,
  kdf: PasswordKdf,
): Uint8Array {
  const salt = Buffer.concat([Buffer.from(`coffer/v1/${kdf.name}`), vaultId, kdf.salt])
  return kdf.name === 'scrypt'
    ? engine.scrypt(password, salt, kdf.logN, kdf.r, kdf.p, 64)
    : argon2id(password, salt, kdf.memoryKiB, kdf.passes, kdf.lanes, 64)
}

function wrapAad(vaultId: Uint8Array, head: Uint8Array): Uint8Array {
  return Buffer.concat([CONFIG_MAGIC, Buffer.from([0, CONFIG_VERSION]), vaultId, head])
}
