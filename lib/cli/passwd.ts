// coffer passwd.

import { CofferError } from '../errors.js'
import { chooseEngine } from '../agent/engine.js'
import { loadVault, unlock, wipe } from '../agent/vault.js'
import { changePassword, checkLogN } from '../agent/vault-changes.js'
import { isReadOnly } from '../store/config-file.js'
import { readNewPassword, readPassword, type PasswordSource } from './read-password.js'
import { say, warn } from './ui.js'

interface Arguments extends PasswordSource {
  vault: string
  newPassfile?: string | undefined
  newPasscommand?: string | undefined
  scryptLogn: number
}

export async function passwd(args: Arguments): Promise<number> {
  checkLogN(args.scryptLogn)
  const loaded = loadVault(args.vault)
  if (isReadOnly(loaded.vault)) {
    throw new CofferError('VAULT_READ_ONLY', `the vault folder ${loaded.vault} is read-only`)
  }
  const { engine } = await chooseEngine()
  const opened = unlock(engine, loaded, await readPassword(args, 'Old password: '))
  try {
    for (const warning of opened.warnings) warn(warning)
    const source = { passfile: args.newPassfile, passcommand: args.newPasscommand }
    changePassword(engine, opened, await readNewPassword(source), args.scryptLogn)
  } finally {
    wipe(opened)
  }
  say('The password is changed; a drive that is mounted stays mounted.')
  say('Whoever has an older copy of vault.coffer can still open that with the old password.')
  return 0
}
