// Unlock slots of the config. FORMAT.md §8. Every slot is
//   u8 type ‖ u8 0 ‖ u16 payload length ‖ slotId 8 ‖ payload
// and a payload that a password opens ends in commit 32 ‖ wrapped VRK 48. Types that this version
// does not know are kept as they are. The costs of the key derivation are checked here, before
// anything is derived: a hostile vault must not eat the machine.

import { Buffer } from 'node:buffer'
import { damagedConfig } from './config-damage.js'

export const SLOT_HEAD = 12
export const SLOT_ID_SIZE = 8
export const SALT_SIZE = 32
export const COMMIT_SIZE = 32
export const WRAPPED_SIZE = 48
export const SLOTS_MAX = 32
export const PASSWORD_SLOTS_MAX = 8

export const TYPE_SCRYPT = 1
export const TYPE_ARGON2ID = 2

/** How a password becomes 64 bytes. */
export type PasswordKdf =
  | { name: 'scrypt'; logN: number; r: number; p: number; salt: Uint8Array }
  | { name: 'argon2id'; memoryKiB: number; passes: number; lanes: number; salt: Uint8Array }

export interface Slot {
  readonly type: number
  readonly slotId: Uint8Array
  /** the whole slot, as it stands in the file */
  readonly bytes: Uint8Array
  /** null where a password alone does not open it, or not in this version */
  readonly kdf: PasswordKdf | null
}

export function parseSlots(area: Uint8Array, count: number): Slot[] {
  const slots: Slot[] = []
  let at = 0
  for (let i = 0; i < count; i++) {
    const view = Buffer.from(area.buffer, area.byteOffset + at, area.length - at)
    if (view.length < SLOT_HEAD) throw damagedConfig('a key slot is cut short')
    const end = SLOT_HEAD + view.readUInt16BE(2)
    if (view[1] !== 0) throw damagedConfig('a reserved byte of a key slot is not zero')
    if (view.length < end) throw damagedConfig('a key slot is cut short')
    const bytes = area.slice(at, at + end)
    const type = bytes[0]!
    slots.push({
      type,
      slotId: bytes.subarray(4, SLOT_HEAD),
      bytes,
      kdf: parseKdf(type, bytes.subarray(SLOT_HEAD)),
    })
    at += end
  }
  if (at !== area.length) throw damagedConfig('its key slots do not add up')
  if (slots.filter(({ kdf }) => kdf !== null).length > PASSWORD_SLOTS_MAX) {
    throw damagedConfig(`it has more than ${PASSWORD_SLOTS_MAX} passwords`)
  }
  return slots
}

function parseKdf(type: number, payload: Uint8Array): PasswordKdf | null {
  if (type === TYPE_SCRYPT) return parseScrypt(payload)
  if (type === TYPE_ARGON2ID) return parseArgon2id(payload)
  return null
}

function parseScrypt(payload: Uint8Array): PasswordKdf {
  if (payload.length !== 4 + SALT_SIZE + COMMIT_SIZE + WRAPPED_SIZE) {
    throw damagedConfig('a password slot has the wrong length')
  }
  const [logN = 0, r = 0, p = 0, zero] = payload
  if (zero !== 0) throw damagedConfig('a reserved byte of a password slot is not zero')
  if (r !== 8 || p < 1 || p > 4 || logN < 10 || logN > 20) {
    const cost = `logN ${logN}, r ${r}, p ${p}`
    throw damagedConfig(`a password slot asks for scrypt at a cost coffer never uses (${cost})`)
  }
  return { name: 'scrypt', logN, r, p, salt: payload.subarray(4, 4 + SALT_SIZE) }
}

function parseArgon2id(payload: Uint8Array): PasswordKdf {
  if (payload.length !== 9 + SALT_SIZE + COMMIT_SIZE + WRAPPED_SIZE) {
    throw damagedConfig('a password slot has the wrong length')
  }
  const view = new DataView(payload.buffer, payload.byteOffset)
  const memoryKiB = view.getUint32(0)
  const passes = view.getUint32(4)
  const lanes = view.getUint8(8)
  const legal = lanes >= 1 && memoryKiB >= 8 * lanes && passes >= 1
  if (!legal || memoryKiB > 1024 * 1024 || passes > 10) {
    const cost = `${memoryKiB} KiB, ${passes} passes, ${lanes} lanes`
    throw damagedConfig(`a password slot asks for argon2id at a cost coffer never uses (${cost})`)
  }
  return { name: 'argon2id', memoryKiB, passes, lanes, salt: payload.subarray(9, 9 + SALT_SIZE) }
}
