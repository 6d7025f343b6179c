// The folder of a new vault. FORMAT.md §1. Made in an empty folder or a new one; where it cannot be
// made whole, what was made is taken away again.

import { Buffer } from 'node:buffer'
import { existsSync, lstatSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CofferError } from '../errors.js'
import { CONFIG_NAME, DATA_NAME } from './config-file.js'
import { createFile, fsyncFolder } from './durable.js'
import { reason } from './state-folder.js'

const README_NAME = 'README.txt'

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
    createFile(join(vault, README_NAME), Buffer.from(README), null)
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
