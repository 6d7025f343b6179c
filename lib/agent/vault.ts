// A vault's config on its way from the folder to the keys: read, checked, unlocked. What unlocked is
// kept in the state folder; where the one in the vault folder is damaged, the error offers that copy.

import { Buffer } from 'node:buffer'
import { basename } from 'node:path'
import type { Engine } from '../crypto/engine.js'
import { CofferError } from '../errors.js'
import {
  parseConfig,
  unlockWithPassword,
  type ParsedConfig,
  type Unlocked,
} from '../format/config.js'
import {
  BACKUP_NAME,
  CONFIG_NAME,
  hasBackup,
  hasConfigFile,
  otherConfigs,
  readVaultConfig,
} from '../store/config-file.js'
import { realPath } from '../store/state-folder.js'
import { configCopies, keepConfig, type ConfigCopy } from '../store/state.js'
import { hex, idIn, readCopy, readNamedCopy, tryRead, undamagedCopy } from './config-copy.js'
import { quoted } from './shell-word.js'

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

export { hex }

/** `configFile`: a copy to be used in place of the one in the folder. */
export function loadVault(path: string, configFile: string | null = null): LoadedVault {
  const vault = realPath(path)
  if (configFile !== null) {
    const { bytes, config } = readNamedCopy(configFile, vault, currentConfig(vault))
    return { vault, vaultId: hex(config.vaultId), bytes, config }
  }
  let bytes: Buffer | null = null
  try {
    bytes = readVaultConfig(vault)
    const config = parseConfig(bytes)
    return { vault, vaultId: hex(config.vaultId), bytes, config }
  } catch (error) {
    throw withOffer(error, vault, bytes)
  }
}

/** The bytes of the config in the folder, sound or not; null where there are none to be had. */
export function currentConfig(vault: string): Buffer | null {
  try {
    return readVaultConfig(vault)
  } catch (error) {
    if (error instanceof CofferError && error.code === 'CONFIG_DAMAGED') return null
    throw error
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
 * A damaged slot looks like a wrong password. Where this machine has the same config undamaged, and
 * the password opens that one, the config is what is wrong.
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
  try {
    const kept = undamagedCopy(loaded.bytes, loaded.vault)
    const copy = kept === null ? null : readCopy(kept.file)
    if (copy === null) return error
    unlockWithPassword(engine, copy.config, secret).vrk.fill(0)
  } catch {
    return error
  }
  return new CofferError(
    'CONFIG_DAMAGED',
    'vault.coffer was damaged or changed: this password opens the copy that this machine keeps, but not the one in the vault',
  )
}

/** The error with advice on how to get a config back, where that is what is wrong. */
export function withOffer(error: unknown, vault: string, bytes: Uint8Array | null): unknown {
  if (!(error instanceof CofferError)) return error
  const hint = offer(error, vault, bytes)
  return hint === null ? error : new CofferError(error.code, error.message, { hint, cause: error })
}

function offer(error: CofferError, vault: string, bytes: Uint8Array | null): string | null {
  const restore = `coffer restore-config ${quoted(vault)}`
  switch (error.code) {
    case 'CONFIG_DAMAGED': {
      // what is no file, or none to be read, cannot be kept, so it is not replaced either
      if (bytes === null && hasConfigFile(vault)) return `move it away, then: ${restore}`
      const copy = configCopies(idIn(bytes), vault)[0]
      return copy === undefined
        ? `the config before it may do: ${restore}; the cloud may keep older versions too`
        : `this machine keeps a copy of ${day(copy)}; put it back with: ${restore}`
    }
    case 'NOT_A_VAULT': {
      // there is a file of that name, but it is something else now
      if (bytes === null) return null
      const copy = configCopies(idIn(bytes), vault)[0]
      if (copy !== undefined)
        return `this machine keeps a copy of ${day(copy)}; put it back with: ${restore}`
      return hasBackup(vault) ? `the config before it may do: ${restore}` : null
    }
    case 'NEWER_VERSION': {
      const copy = bytes === null ? null : undamagedCopy(bytes, vault)
      if (copy === null) return null
      return `it was damaged: this machine keeps a good copy of ${day(copy)}; put it back with: ${restore}`
    }
    case 'WRONG_PASSWORD': {
      return bytes === null ? null : conflictOffer(vault, bytes)
    }
    default:
      return null
  }
}

/** What a sync client has left of a config that was written on two machines at once. */
function conflictOffer(vault: string, bytes: Uint8Array): string | null {
  const others = otherConfigs(vault)
    .filter((file) => basename(file) !== BACKUP_NAME)
    .map(tryRead)
    .filter((copy) => copy !== null)
    .filter((copy) => Buffer.compare(copy.bytes, bytes) !== 0)
  const copy = others.find((other) => idIn(other.bytes) === idIn(bytes))
  if (copy !== undefined)
    return `there is a conflict copy of the config, which may have another password: coffer mount --config ${quoted(copy.file)} ${quoted(vault)} <an empty folder>`
  const [foreign] = others
  return foreign === undefined
    ? null
    : `two vaults were made in this folder, and the config of the other one is ${quoted(foreign.file)}; to open that, copy the whole folder elsewhere, and there move this file to ${CONFIG_NAME}`
}

const day = (copy: ConfigCopy): string => copy.savedAt.toISOString().slice(0, 10)

export function wipe(opened: { vrk: Uint8Array; body: { seeds: Map<string, Uint8Array> } }): void {
  opened.vrk.fill(0)
  for (const seed of opened.body.seeds.values()) seed.fill(0)
}
