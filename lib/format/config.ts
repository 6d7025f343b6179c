// `vault.coffer`: building it and unlocking it. FORMAT.md §8. The body's associated data is every
// byte before it, so a slot that was added, dropped, swapped or edited breaks the body.

import { Buffer } from 'node:buffer'
import { requireLength } from '../crypto/bounds.js'
import type { Engine } from '../crypto/engine.js'
import { CofferError } from '../errors.js'
import { decodeBody, encodeBody, type VaultBody } from './config-body.js'
import { damagedConfig } from './config-damage.js'
import {
  CONFIG_HEAD,
  CONFIG_MAGIC,
  CONFIG_MAX,
  CONFIG_VERSION,
  type ParsedConfig,
} from './config-layout.js'
import { ID_SIZE, KEY_SIZE, NONCE_SIZE, RECORD_OVERHEAD, TAG_SIZE } from './constants.js'
import { openPasswordSlot } from './slot-password.js'
import { SLOTS_MAX, type Slot } from './slot.js'

export { parseConfig, type ParsedConfig } from './config-layout.js'

export interface Unlocked {
  /** owned by the caller, who clears it */
  vrk: Uint8Array
  body: VaultBody
  slot: Slot
}

export interface ConfigInput {
  vaultId: Uint8Array
  configSeq: bigint
  /** 24 random bytes, new for every config */
  bodyNonce: Uint8Array
  /** whole slots, as `passwordSlot` makes them or `ParsedConfig` holds them */
  slots: readonly Uint8Array[]
  vrk: Uint8Array
  body: VaultBody
}

/** Tries the password slots in order. */
export function unlockWithPassword(
  engine: Engine,
  config: ParsedConfig,
  password: Uint8Array,
): Unlocked {
  let tried = 0
  for (const slot of config.slots) {
    if (slot.kdf === null) continue
    tried++
    const vrk = openPasswordSlot(engine, slot, slot.kdf, config.vaultId, password)
    if (vrk === 'other') continue
    if (vrk === 'damaged') throw damagedConfig('the key in the slot of this password does not open')
    try {
      return { vrk, body: openBody(engine, config, vrk), slot }
    } catch (error) {
      vrk.fill(0)
      throw error
    }
  }
  if (tried > 0) throw new CofferError('WRONG_PASSWORD', 'the password is wrong')
  const types = config.slots.map(({ type }) => String(type)).join(', ')
  throw new CofferError(
    'NEWER_VERSION',
    `no password opens this vault; its key slots are of types this coffer does not know (${types})`,
  )
}

/** For whoever has the VRK by another way than a password. */
export function openBody(engine: Engine, config: ParsedConfig, vrk: Uint8Array): VaultBody {
  const length = config.sealedBody.length - TAG_SIZE
  const record = Buffer.concat([config.bodyNonce, config.sealedBody])
  const plain = new Uint8Array(length)
  const xaes = bodyKey(engine, vrk, config.vaultId)
  try {
    if (!xaes.open(record, 0, plain, 0, length, config.before)) {
      throw damagedConfig('the password fits, but the rest was changed since it was written')
    }
    return decodeBody(plain)
  } finally {
    xaes.wipe()
    plain.fill(0)
  }
}

export function buildConfig(engine: Engine, input: ConfigInput): Uint8Array {
  const { vaultId, bodyNonce, slots, vrk } = input
  requireLength(vaultId, ID_SIZE, 'a vault id')
  requireLength(bodyNonce, NONCE_SIZE, 'a body nonce')
  requireLength(vrk, KEY_SIZE, 'a VRK')
  if (slots.length < 1 || slots.length > SLOTS_MAX) {
    throw new RangeError(`a config has 1 to ${SLOTS_MAX} slots, not ${slots.length}`)
  }
  const plain = encodeBody(input.body)
  const slotsLength = slots.reduce((sum, slot) => sum + slot.length, 0)
  const head = Buffer.alloc(CONFIG_HEAD)
  head.set(CONFIG_MAGIC)
  head.writeUInt16BE(CONFIG_VERSION, 8)
  head.writeUInt16BE(slots.length, 10)
  head.writeUInt32BE(slotsLength, 12)
  head.writeUInt32BE(plain.length + TAG_SIZE, 16)
  head.set(vaultId, 24)
  head.writeBigUInt64BE(input.configSeq, 40)
  head.set(bodyNonce, 48)
  const before = Buffer.concat([head, ...slots])
  const record = new Uint8Array(plain.length + RECORD_OVERHEAD)
  record.set(bodyNonce)
  const xaes = bodyKey(engine, vrk, vaultId)
  xaes.seal(record, 0, plain, 0, plain.length, before)
  xaes.wipe()
  plain.fill(0)
  const config = Buffer.concat([before, record.subarray(NONCE_SIZE)])
  if (config.length > CONFIG_MAX) throw new RangeError('a config has at most 256 KiB')
  return config
}

/** What a device remembers of a vault, and what users compare. FORMAT.md §2. */
export function fingerprint(engine: Engine, vrk: Uint8Array, vaultId: Uint8Array): Uint8Array {
  return engine.hkdf(vrk, vaultId, Buffer.from('coffer/v1/fingerprint'), 32)
}

function bodyKey(engine: Engine, vrk: Uint8Array, vaultId: Uint8Array): ReturnType<Engine['xaes']> {
  const key = engine.hkdf(vrk, vaultId, Buffer.from('coffer/v1/config-body'), 32)
  const xaes = engine.xaes(key)
  key.fill(0)
  return xaes
}
