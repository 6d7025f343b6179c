// A vault's config on its way from the folder to the keys: read, checked, unlocked. What unlocked is
// kept in the state folder; where the one in the vault folder is damaged, the error offers that copy.

import { Buffer } from 'node:buffer'
import { resolve } from 'node:path'
import { openEngine } from '../crypto/choose-engine.js'
import type { Engine } from '../crypto/engine.js'
import { CofferError } from '../errors.js'
import {
  parseConfig,
  unlockWithPassword,
  type ParsedConfig,
  type Unlocked,
} from '../format/config.js'
import { readConfig, readVaultConfig } from '../store/config-file.js'
import { realPath } from '../store/state-folder.js'
import { configCopies, keepConfig, type ConfigCopy } from '../store/state.js'

export interface LoadedVault {
  /** absolute, without links */
  vault: string
  /** hex */
  vaultId: string
  bytes: Uint8Array
  config: ParsedConfig
}

export interface OpenedVault extends LoadedVault, Unlocked {
  /** what the user should hear though the vault is open */
  warnings: string[]
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** COFFER_ENGINE=portable is for finding faults and for tests. */
export function chooseEngine(): { engine: Engine; problem: string } {
  return openEngine(process.env.COFFER_ENGINE === 'portable' ? 'portable' : 'openssl')
}

/** `configFile`: a copy to be used in place of the one in the folder. */
export function loadVault(path: string, configFile: string | null = null): LoadedVault {
  const vault = realPath(path)
  let bytes: Buffer | null = null
  try {
    bytes = configFile === null ? readVaultConfig(vault) : readConfig(resolve(configFile))
    if (bytes === null)
      throw new CofferError('NOT_A_VAULT', `there is no file ${String(configFile)}`)
    const config = parseConfig(bytes)
    return { vault, vaultId: hex(config.vaultId), bytes, config }
  } catch (error) {
    throw configFile === null ? withOffer(error, vault, bytes) : error
  }
}

/** Throws WRONG_PASSWORD, CONFIG_DAMAGED. The caller wipes `vrk` and the seeds. */
export function unlock(engine: Engine, loaded: LoadedVault, password: string): OpenedVault {
  const secret = Buffer.from(password, 'utf8')
  let unlocked: Unlocked
  try {
    unlocked = unlockWithPassword(engine, loaded.config, secret)
  } catch (error) {
    throw withOffer(betterKnown(engine, loaded, secret, error), loaded.vault, loaded.bytes)
  } finally {
    secret.fill(0)
  }
  const warnings: string[] = []
  try {
    keepConfig(loaded.vaultId, loaded.vault, loaded.config.configSeq, loaded.bytes)
  } catch (error) {
    // the vault is fine; only our safety copy is not
    warnings.push(error instanceof Error ? error.message : String(error))
  }
  return { ...loaded, ...unlocked, warnings }
}

/**
 * A damaged slot looks like a wrong password. Where this machine has a copy of the same number with
 * other bytes, and the password opens that one, the config is what is wrong.
 */
function betterKnown(
  engine: Engine,
  loaded: LoadedVault,
  secret: Uint8Array,
  error: unknown,
): unknown {
  const suspect =
    error instanceof CofferError &&
    (error.code === 'WRONG_PASSWORD' || error.code === 'NEWER_VERSION')
  if (!suspect) return error
  const copy = configCopies(loaded.vaultId, loaded.vault)[0]
  if (copy?.configSeq !== loaded.config.configSeq) return error
  try {
    const bytes = readConfig(copy.file)
    if (bytes === null || bytes.equals(loaded.bytes)) return error
    unlockWithPassword(engine, parseConfig(bytes), secret).vrk.fill(0)
  } catch {
    return error
  }
  return new CofferError(
    'CONFIG_DAMAGED',
    'vault.coffer was damaged or changed: this password opens the copy that this machine keeps, but not the one in the vault',
  )
}

function withOffer(error: unknown, vault: string, bytes: Uint8Array | null): unknown {
  if (!(error instanceof CofferError) || error.code !== 'CONFIG_DAMAGED') return error
  const id = bytes !== null && bytes.length >= 40 ? hex(bytes.subarray(24, 40)) : null
  const copy = configCopies(id, vault)[0]
  const hint =
    copy === undefined
      ? `the config before it may do: coffer restore-config ${vault}; the cloud may keep older versions too`
      : `this machine keeps a copy of ${day(copy)}; put it back with: coffer restore-config ${vault}`
  return new CofferError('CONFIG_DAMAGED', error.message, { hint, cause: error })
}

const day = (copy: ConfigCopy): string => copy.savedAt.toISOString().slice(0, 10)

export function wipe(opened: { vrk: Uint8Array; body: { seeds: Map<string, Uint8Array> } }): void {
  opened.vrk.fill(0)
  for (const seed of opened.body.seeds.values()) seed.fill(0)
}
