// Putting a config back where `vault.coffer` is damaged or missing. FORMAT.md §8: never without being
// asked, and never one that the password does not open.

import type { Buffer } from 'node:buffer'
import { join } from 'node:path'
import type { Engine } from '../crypto/engine.js'
import { CofferError } from '../errors.js'
import { parseConfig } from '../format/config.js'
import {
  BACKUP_NAME,
  CONFIG_NAME,
  readConfig,
  readVaultConfig,
  restoreConfig as restoreFile,
} from '../store/config-file.js'
import { configCopies, keepDamaged } from '../store/state.js'
import { realPath } from '../store/state-folder.js'
import { hex, unlock, wipe } from './vault.js'

/**
 * Puts back what `findReplacement` found; the password must open it. What was there before is kept
 * in the state folder. Refuses to replace a config that is fine.
 */
export function restoreConfig(engine: Engine, replacement: Replacement, password: string): void {
  const { vault, bytes } = replacement
  const current = readConfig(join(vault, CONFIG_NAME))
  if (current !== null && isFine(engine, vault, current, password)) {
    throw new CofferError(
      'USAGE',
      'the config of this vault is not damaged; there is nothing to restore',
    )
  }
  const config = parseConfig(bytes)
  const vaultId = hex(config.vaultId)
  wipe(unlock(engine, { vault, vaultId, bytes, config }, password))
  if (current !== null) keepDamaged(vaultId, current)
  restoreFile(vault, bytes)
}

function isFine(engine: Engine, vault: string, bytes: Uint8Array, password: string): boolean {
  try {
    const config = parseConfig(bytes)
    wipe(unlock(engine, { vault, vaultId: hex(config.vaultId), bytes, config }, password))
    return true
  } catch {
    return false
  }
}

export interface Replacement {
  vault: string
  file: string
  bytes: Buffer
}

/** `from`, or the newest copy that this machine keeps, or the backup in the vault folder. */
export function findReplacement(path: string, from: string | null): Replacement {
  const vault = realPath(path)
  const id = idInFolder(vault)
  const candidates =
    from === null
      ? [...configCopies(id, vault).map(({ file }) => file), join(vault, BACKUP_NAME)]
      : [from]
  let problem: CofferError | null = null
  for (const file of candidates) {
    try {
      const bytes = readConfig(file)
      if (bytes === null) continue
      parseConfig(bytes)
      return { vault, file, bytes }
    } catch (error) {
      if (!(error instanceof CofferError)) throw error
      problem ??= error
    }
  }
  if (from !== null && problem !== null) throw problem
  throw new CofferError(
    'NOT_A_VAULT',
    `there is no good copy of the config of ${vault} to put back`,
    {
      hint: 'look for an older version of vault.coffer at your cloud provider, then use --from FILE',
    },
  )
}

function idInFolder(vault: string): string | null {
  try {
    const bytes = readVaultConfig(vault)
    return bytes.length >= 40 ? hex(bytes.subarray(24, 40)) : null
  } catch {
    return null
  }
}
