// coffer create.

import { resolve } from 'node:path'
import { chooseEngine } from '../agent/engine.js'
import { checkLogN, createVault } from '../agent/vault-changes.js'
import { checkVacant } from '../store/new-vault.js'
import { readNewPassword, type PasswordSource } from './read-password.js'
import { quoted, say } from './ui.js'

interface Arguments extends PasswordSource {
  vault: string
  label?: string | undefined
  scryptLogn: number
}

export async function create(args: Arguments): Promise<number> {
  const vault = resolve(args.vault)
  checkLogN(args.scryptLogn)
  // before anybody is asked for a password
  checkVacant(vault)
  const password = await readNewPassword(args)
  const { engine } = await chooseEngine()
  createVault(engine, vault, password, args.label ?? '', args.scryptLogn)
  say(
    `${vault} is a vault now. Without its password nobody can open it, and nobody can restore one.`,
  )
  say(`To open it: coffer mount ${quoted(args.vault)} <an empty folder>`)
  return 0
}
