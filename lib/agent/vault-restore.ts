// Putting a config back where `vault.coffer` is damaged or missing. FORMAT.md §8: never without being
// asked, never one that the password does not open, and never over one that may be fine: what this
// machine keeps can be older than a change of the password on another.

import type { Buffer } from 'node:buffer'
import { join } from 'node:path'
import type { Engine } from '../crypto/engine.js'
import { CofferError } from '../errors.js'
import { parseConfig, type ParsedConfig } from '../format/config.js'
import {
  BACKUP_NAME,
  hasConfigFile,
  readVaultConfig,
  restoreConfig as restoreFile,
} from '../store/config-file.js'
import { configCopies, keepDamaged } from '../store/state.js'
import { realPath } from '../store/state-folder.js'
import {
  hex,
  idIn,
  isDamagedForm,
  isOfVault,
  readNamedCopy,
  tryRead,
  type ConfigFile,
} from './config-copy.js'
import { currentConfig, unlock, wipe, withOffer } from './vault.js'

export interface Replacement extends ConfigFile {
  vault: string
}

/** `from`, or the newest copy that this machine keeps, or the backup in the vault folder. */
export function findReplacement(path: string, from: string | null): Replacement {
  const vault = realPath(path)
  const current = replaceable(vault)
  if (from !== null) return { vault, ...readNamedCopy(from, vault, current) }
  const kept = configCopies(idIn(current), vault).map(({ file }) => file)
  for (const file of [...kept, join(vault, BACKUP_NAME)]) {
    const copy = tryRead(file)
    if (copy !== null && isOfVault(copy, vault, current)) return { vault, ...copy }
  }
  throw new CofferError(
    'NOT_A_VAULT',
    `there is no good copy of the config of ${vault} to put back`,
    {
      hint: 'look for an older version of vault.coffer at your cloud provider, then use --from FILE',
    },
  )
}

/** What is in the place of the config; null where nothing is. Throws where that cannot be replaced. */
function replaceable(vault: string): Buffer | null {
  if (!hasConfigFile(vault)) return currentConfig(vault)
  try {
    return readVaultConfig(vault)
  } catch (error) {
    throw withOffer(error, vault, null)
  }
}

/**
 * Puts back what `findReplacement` found; the password must open it. Returns the file in the state
 * folder where what was there before is kept, null where nothing was there.
 */
export function restoreConfig(
  engine: Engine,
  replacement: Replacement,
  password: string,
): string | null {
  const { vault, bytes, config } = replacement
  const vaultId = hex(config.vaultId)
  const current = replaceable(vault)
  if (current !== null) checkDamaged(engine, current, replacement, password)
  wipe(unlock(engine, { vault, vaultId, bytes, config }, password))
  const kept = current === null ? null : keepDamaged(vaultId, current)
  restoreFile(vault, bytes)
  return kept
}

/** Throws unless `current` is damaged, or an older one of the same vault that this password does not open. */
function checkDamaged(
  engine: Engine,
  current: Buffer,
  { vault, bytes, config: copy }: Replacement,
  password: string,
): void {
  const damagedForm = isDamagedForm(current, bytes)
  let config: ParsedConfig
  try {
    config = parseConfig(current)
  } catch (error) {
    // a vault that a newer coffer has changed is not damaged
    if (error instanceof CofferError && error.code === 'NEWER_VERSION' && !damagedForm) throw error
    return
  }
  const vaultId = hex(config.vaultId)
  try {
    wipe(unlock(engine, { vault, vaultId, bytes: current, config }, password))
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
    const older = vaultId === hex(copy.vaultId) && config.configSeq < copy.configSeq
    if (error.code === 'CONFIG_DAMAGED' || damagedForm || older) return
    if (error.code !== 'WRONG_PASSWORD') throw error
    throw new CofferError('WRONG_PASSWORD', error.message, {
      hint: 'the config of this vault does not look damaged, so it is not replaced; the password may have been changed on another machine',
      cause: error,
    })
  }
  throw new CofferError(
    'USAGE',
    'the config of this vault is not damaged; there is nothing to restore',
    {
      hint: 'if the vault does not open, coffer ls says why',
    },
  )
}
