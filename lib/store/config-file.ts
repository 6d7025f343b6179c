// vault.coffer and its neighbours in the vault folder. FORMAT.md §1 and §8. Moves bytes, knows no
// key. The config is replaced whole, and the one before stays as vault.coffer.bak.

import { Buffer } from 'node:buffer'
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { CofferError } from '../errors.js'
import { replaceFile } from './durable.js'
import { reason } from './state-folder.js'

export const CONFIG_NAME = 'vault.coffer'
export const BACKUP_NAME = 'vault.coffer.bak'
export const DATA_NAME = 'data'

/** FORMAT.md §8; a file beyond this is not read. */
const CONFIG_MAX = 256 * 1024

/** One config file's bytes; null where there is no such file. */
export function readConfig(file: string): Buffer | null {
  const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants
  let fd: number
  try {
    fd = openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return null
    if (code === 'ELOOP') throw new CofferError('CONFIG_DAMAGED', `${file} is a symbolic link`)
    throw new CofferError('NOT_A_VAULT', `${file} cannot be read: ${reason(error)}`)
  }
  try {
    const stats = fstatSync(fd)
    if (!stats.isFile()) throw new CofferError('CONFIG_DAMAGED', `${file} is not a file`)
    if (stats.size > CONFIG_MAX) {
      throw new CofferError('CONFIG_DAMAGED', `${file} is damaged: no config is that large`)
    }
    const bytes = Buffer.alloc(stats.size)
    let length = 0
    while (length < bytes.length) {
      const count = readSync(fd, bytes, length, bytes.length - length, length)
      if (count === 0) break
      length += count
    }
    return bytes.subarray(0, length)
  } finally {
    closeSync(fd)
  }
}

/** The config of a vault, or NOT_A_VAULT with what is there instead. */
export function readVaultConfig(vault: string): Buffer {
  const stats = statSync(vault, { throwIfNoEntry: false })
  if (stats === undefined) throw new CofferError('NOT_A_VAULT', `there is no folder ${vault}`)
  if (!stats.isDirectory()) throw new CofferError('NOT_A_VAULT', `${vault} is not a folder`)
  const bytes = readConfig(join(vault, CONFIG_NAME))
  if (bytes !== null) return bytes
  if (hasBackup(vault) || existsSync(join(vault, DATA_NAME))) {
    throw new CofferError('CONFIG_DAMAGED', `the config of this vault, ${CONFIG_NAME}, is missing`)
  }
  throw new CofferError('NOT_A_VAULT', `${vault} is not a coffer vault`, {
    hint: `coffer create makes one; a vault has a file ${CONFIG_NAME} in it`,
  })
}

/** Something of that name is there, whatever it is. */
export const hasConfigFile = (vault: string): boolean =>
  lstatSync(join(vault, CONFIG_NAME), { throwIfNoEntry: false }) !== undefined

export const hasBackup = (vault: string): boolean => existsSync(join(vault, BACKUP_NAME))

/** Configs in the folder besides `vault.coffer`: the backup and what sync clients made of conflicts. */
export function otherConfigs(vault: string): string[] {
  return readdirSync(vault)
    .filter((name) => /^vault.*\.coffer/.test(name) && name !== CONFIG_NAME)
    .map((name) => join(vault, name))
}

/** Replaces the config and keeps the one before. */
export function replaceConfig(vault: string, bytes: Uint8Array): void {
  const file = join(vault, CONFIG_NAME)
  try {
    const previous = readConfig(file)
    const mode = previous === null ? null : statSync(file).mode & 0o777
    if (previous !== null) replaceFile(join(vault, BACKUP_NAME), previous, mode)
    replaceFile(file, bytes, mode)
  } catch (error) {
    throw changed(vault, error)
  }
}

/** As `replaceConfig`, but what is there now is damaged and does not become the backup. */
export function restoreConfig(vault: string, bytes: Uint8Array): void {
  try {
    replaceFile(join(vault, CONFIG_NAME), bytes, null)
  } catch (error) {
    throw changed(vault, error)
  }
}

function changed(vault: string, error: unknown): CofferError {
  if (error instanceof CofferError) return error
  const { code } = error as NodeJS.ErrnoException
  const known = code === 'ENOSPC' || code === 'EDQUOT' ? code : 'VAULT_READ_ONLY'
  return new CofferError(known, `the config in ${vault} cannot be replaced: ${reason(error)}`, {
    hint: 'nothing was changed',
  })
}

/** Throws EACCES where this user may not look into the data directory. */
export function assertReadable(vault: string): void {
  const data = join(vault, DATA_NAME)
  try {
    accessSync(data, constants.R_OK | constants.X_OK)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') return
    throw new CofferError('EACCES', `you may not read the folder ${data}`, {
      hint: `if it is yours: chmod u+rwx ${data}`,
    })
  }
}

/** True where this user, or anybody, may not write into the folder. */
export function isReadOnly(vault: string): boolean {
  try {
    accessSync(vault, constants.W_OK)
    accessSync(join(vault, DATA_NAME), constants.W_OK)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT'
  }
}
