// Making a vault, changing its config. FORMAT.md §8. The randomness that `format` is given comes from
// here.

import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import type { Engine } from '../crypto/engine.js'
import { CofferError } from '../errors.js'
import { buildConfig, openBody, parseConfig, type ParsedConfig } from '../format/config.js'
import type { VaultBody } from '../format/config-body.js'
import { ID_SIZE, KEY_SIZE, NONCE_SIZE } from '../format/constants.js'
import { mergeDevices, type Device } from '../format/devices.js'
import { SALT_SIZE, SLOT_ID_SIZE } from '../format/slot.js'
import { passwordSlot } from '../format/slot-password.js'
import { otherConfigs, readConfig, readVaultConfig, replaceConfig } from '../store/config-file.js'
import { createVaultFolder } from '../store/new-vault.js'
import { configCopies, keepConfig } from '../store/state.js'
import { realPath } from '../store/state-folder.js'
import { newBody } from './new-body.js'
import { deviceEntry, thisDevice } from './this-device.js'
import { hex, wipe, type OpenedVault } from './vault.js'

/** FORMAT.md §8: what this program makes and reads. */
export function checkLogN(logN: number): void {
  if (!Number.isInteger(logN) || logN < 10 || logN > 20) {
    throw new CofferError('USAGE', '--scrypt-logn takes a whole number from 10 to 20')
  }
}

function newSlot(
  engine: Engine,
  password: string,
  vaultId: Uint8Array,
  vrk: Uint8Array,
  logN: number,
): Uint8Array {
  const secret = Buffer.from(password, 'utf8')
  try {
    return passwordSlot(engine, {
      password: secret,
      vaultId,
      vrk,
      salt: randomBytes(SALT_SIZE),
      slotId: randomBytes(SLOT_ID_SIZE),
      logN,
    })
  } finally {
    secret.fill(0)
  }
}

/** The folder must be empty or missing. A copy of the config stays on this machine. */
export function createVault(
  engine: Engine,
  vault: string,
  password: string,
  label: string,
  logN: number,
): void {
  const vaultId = randomBytes(ID_SIZE)
  const vrk = randomBytes(KEY_SIZE)
  const body = { ...newBody(label), devices: maker() }
  const slots = [newSlot(engine, password, vaultId, vrk, logN)]
  const config = buildConfig(engine, {
    vaultId,
    configSeq: 1n,
    bodyNonce: randomBytes(NONCE_SIZE),
    slots,
    vrk,
    body,
  })
  wipe({ vrk, body })
  createVaultFolder(vault, config)
  keepConfig(hex(vaultId), realPath(vault), 1n, config)
}

/** A vault can be made where this machine cannot keep its own id. */
function maker(): Device[] {
  try {
    return [deviceEntry(thisDevice(), new Date())]
  } catch (error) {
    if (error instanceof CofferError) return []
    throw error
  }
}

/** Replaces the slot that was opened. New salt, configSeq + 1; the config before stays as backup. */
export function changePassword(
  engine: Engine,
  opened: OpenedVault,
  password: string,
  logN: number,
): void {
  const { config, vrk } = opened
  const slot = newSlot(engine, password, config.vaultId, vrk, logN)
  const slots = config.slots.map((old) => (old === opened.slot ? slot : old.bytes))
  replaceWith(opened, nextConfig(engine, opened, { slots }))
}

export interface NextConfig {
  configSeq: bigint
  bytes: Uint8Array
}

/**
 * The config after the one that was opened, with what other devices have written apart from it. Made
 * while the keys are there; nothing is written.
 */
export function nextConfig(
  engine: Engine,
  opened: OpenedVault,
  change: { slots?: Uint8Array[]; devices?: unknown[] },
): NextConfig {
  const { config, vrk } = opened
  const others = siblings(engine, opened)
  const seeds = new Map(opened.body.seeds)
  let { configSeq } = config
  for (const other of others) {
    // seeds only ever grow, whatever a conflict of two devices did to the config
    for (const [keyId, seed] of other.body.seeds) if (!seeds.has(keyId)) seeds.set(keyId, seed)
    if (other.config.configSeq > configSeq) configSeq = other.config.configSeq
  }
  configSeq += 1n
  const devices = change.devices ?? allDevices(opened, others)
  const bytes = buildConfig(engine, {
    vaultId: config.vaultId,
    configSeq,
    bodyNonce: randomBytes(NONCE_SIZE),
    slots: change.slots ?? config.slots.map((slot) => slot.bytes),
    vrk,
    body: { ...opened.body, seeds, devices },
  })
  return { configSeq, bytes }
}

/** Throws BUSY, VAULT_READ_ONLY and what the disk says; the config before stays as backup. */
export function replaceWith(
  { vault, vaultId, bytes: before }: OpenedVault,
  next: NextConfig,
): void {
  // somebody else's change in the meantime must not be overwritten
  if (!readVaultConfig(vault).equals(before)) {
    throw new CofferError('BUSY', 'the config was changed by another program just now', {
      hint: 'try again',
    })
  }
  replaceConfig(vault, next.bytes)
  keepConfig(vaultId, vault, next.configSeq, next.bytes)
}

/** Every device that any config of this vault knows, those that were written apart too. */
export const vaultDevices = (engine: Engine, opened: OpenedVault): unknown[] =>
  allDevices(opened, siblings(engine, opened))

function allDevices({ body }: OpenedVault, others: Sibling[]): unknown[] {
  const recent = [...others].sort((a, b) => Number(b.config.configSeq - a.config.configSeq))
  return mergeDevices([body.devices, ...recent.map((other) => other.body.devices)])
}

interface Sibling {
  config: ParsedConfig
  body: VaultBody
}

/** Other configs of this vault that the same VRK opens: backup, conflict copies, copies kept here. */
function siblings(engine: Engine, { vault, vaultId, vrk }: OpenedVault): Sibling[] {
  const files = [...otherConfigs(vault), ...configCopies(vaultId, vault).map(({ file }) => file)]
  const found: Sibling[] = []
  for (const file of files) {
    try {
      const bytes = readConfig(file)
      if (bytes === null) continue
      const config = parseConfig(bytes)
      if (hex(config.vaultId) === vaultId)
        found.push({ config, body: openBody(engine, config, vrk) })
    } catch {
      // damaged, or of another VRK: nothing to learn from it
    }
  }
  return found
}
