// The outside of `vault.coffer`: what can be read without a password, and where everything lies.
// FORMAT.md §8. Nothing here is authenticated before the body opens.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import { damagedConfig } from './config-damage.js'
import { NONCE_SIZE, TAG_SIZE } from './constants.js'
import { parseSlots, SLOTS_MAX, type Slot } from './slot.js'

/** "\x89CFV\r\n\x1a\n" */
export const CONFIG_MAGIC = Buffer.from('894346560d0a1a0a', 'hex')
export const CONFIG_VERSION = 1
export const CONFIG_HEAD = 72
export const CONFIG_MAX = 256 * 1024

export interface ParsedConfig {
  readonly version: number
  readonly vaultId: Uint8Array
  readonly configSeq: bigint
  readonly slots: readonly Slot[]
  readonly bodyNonce: Uint8Array
  /** every byte before the sealed body: its associated data */
  readonly before: Uint8Array
  /** ciphertext ‖ tag */
  readonly sealedBody: Uint8Array
}

/** Copies what it keeps. */
export function parseConfig(input: Uint8Array): ParsedConfig {
  if (input.length > CONFIG_MAX) throw damagedConfig('no config is that large')
  const bytes = Uint8Array.from(input)
  const view = Buffer.from(bytes.buffer)
  checkMagic(view)
  if (bytes.length < CONFIG_HEAD) throw damagedConfig('it is cut short')
  const version = view.readUInt16BE(8)
  if (version === 0) throw damagedConfig('it has no version')
  if (version !== CONFIG_VERSION) {
    throw new CofferError(
      'NEWER_VERSION',
      `this vault has format version ${version}; this coffer reads version ${CONFIG_VERSION}`,
    )
  }
  const slotCount = view.readUInt16BE(10)
  const slotsLength = view.readUInt32BE(12)
  const bodyLength = view.readUInt32BE(16)
  if (view.readUInt32BE(20) !== 0) throw damagedConfig('it has flags that mean nothing')
  if (slotCount < 1 || slotCount > SLOTS_MAX) {
    throw damagedConfig(`it claims ${slotCount} key slots`)
  }
  const bodyAt = CONFIG_HEAD + slotsLength
  const end = bodyAt + bodyLength
  if (bytes.length < end) throw damagedConfig('it is cut short')
  if (bytes.length > end) throw damagedConfig('something was appended to it')
  if (bodyLength < TAG_SIZE) throw damagedConfig('its sealed part is too short')
  return {
    version,
    vaultId: bytes.subarray(24, 40),
    configSeq: view.readBigUInt64BE(40),
    slots: parseSlots(bytes.subarray(CONFIG_HEAD, bodyAt), slotCount),
    bodyNonce: bytes.subarray(48, 48 + NONCE_SIZE),
    before: bytes.subarray(0, bodyAt),
    sealedBody: bytes.subarray(bodyAt),
  }
}

/**
 * The magic's odd bytes are there to show what a text-mode copy does: line ends changed, the high
 * bit gone, a byte taken for Latin-1. Such a file is a damaged config, not some other file.
 */
function checkMagic(bytes: Buffer): void {
  if (bytes.length === 0) throw damagedConfig('it is empty')
  const start = bytes.subarray(0, CONFIG_MAGIC.length)
  if (start.equals(CONFIG_MAGIC)) return
  if (CONFIG_MAGIC.subarray(0, start.length).equals(start)) throw damagedConfig('it is cut short')
  const letters = bytes.subarray(0, 8).indexOf('CFV')
  if (letters >= 0) throw damagedConfig('a program changed it as if it were text')
  const same = start.filter((byte, i) => byte === CONFIG_MAGIC[i]).length
  if (same >= 6) throw damagedConfig('its first bytes are wrong')
  throw new CofferError('NOT_A_VAULT', 'vault.coffer is not the config of a coffer vault')
}
