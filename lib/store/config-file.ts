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
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmdirSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { CofferError } from '../errors.js'
import { createFile, fsyncFolder, replaceFile } from './durable.js'
import { reason } from './state-folder.js'

export const CONFIG_NAME = 'vault.coffer'
export const BACKUP_NAME = 'vault.coffer.bak'
export const README_NAME = 'README.txt'
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
  if (existsSync(join(vault, BACKUP_NAME)) || existsSync(join(vault, DATA_NAME))) {
    throw new CofferError('CONFIG_DAMAGED', `the config of this vault, ${CONFIG_NAME}, is missing`)
  }
  throw new CofferError('NOT_A_VAULT', `${vault} is not a coffer vault`, {
    hint: `coffer create makes one; a vault has a file ${CONFIG_NAME} in it`,
  })
}

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

const README = `This folder is a coffer vault.

What is in it is encrypted: the contents of the files, their names and the
names of the folders. To open it you need the program coffer and the password
that was chosen when the vault was made:

    coffer mount <this folder> <an empty folder>      shows the files as a drive
    coffer get <this folder> / <a new folder>         copies them out

Do not rename, edit or delete anything here by hand. Above all keep the file
vault.coffer: without it nobody can open the vault, not even with the password.
This text is only for people; the program never reads it.
`

/** Throws where `vault` exists and is not an empty folder. */
export function checkVacant(vault: string): void {
  const stats = lstatSync(vault, { throwIfNoEntry: false })
  if (stats === undefined) {
    const parent = statSync(dirname(vault), { throwIfNoEntry: false })
    if (parent?.isDirectory() === true) return
    throw new CofferError(
      'VAULT_PLACE',
      `there is no folder ${dirname(vault)} to make the vault in`,
    )
  }
  const target = statSync(vault, { throwIfNoEntry: false })
  if (target?.isDirectory() !== true) {
    throw new CofferError(
      'VAULT_NOT_EMPTY',
      `${vault} exists and is not a folder; nothing was touched`,
    )
  }
  let names: string[]
  try {
    names = readdirSync(vault)
  } catch (error) {
    throw new CofferError('VAULT_PLACE', `${vault} cannot be read: ${reason(error)}`)
  }
  if (names.length === 0) return
  const what = names.includes(CONFIG_NAME) ? 'is a coffer vault already' : 'is not empty'
  throw new CofferError('VAULT_NOT_EMPTY', `${vault} ${what}; nothing was touched`, {
    hint: 'name a folder that is empty or does not exist yet',
  })
}

/** Makes the folder of a new vault. The config comes last: before it, this is no vault. */
export function createVaultFolder(vault: string, config: Uint8Array): void {
  checkVacant(vault)
  const undo: (() => void)[] = []
  try {
    if (!existsSync(vault)) {
      mkdirSync(vault)
      undo.unshift(() => {
        rmdirSync(vault)
      })
    }
    mkdirSync(join(vault, DATA_NAME))
    undo.unshift(() => {
      rmdirSync(join(vault, DATA_NAME))
    })
    undo.unshift(() => {
      rmSync(join(vault, README_NAME), { force: true })
    })
    replaceFile(join(vault, README_NAME), Buffer.from(README), null)
    if (!createFile(join(vault, CONFIG_NAME), config, null)) {
      throw new CofferError('VAULT_NOT_EMPTY', `another program made a vault in ${vault} just now`)
    }
    fsyncFolder(dirname(vault))
  } catch (error) {
    for (const step of undo) {
      try {
        step()
      } catch {
        // whatever is left is ours and empty of secrets
      }
    }
    if (error instanceof CofferError) throw error
    throw new CofferError('VAULT_PLACE', `the vault cannot be made in ${vault}: ${reason(error)}`)
  }
}
