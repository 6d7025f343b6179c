// coffer restore-config.

import { chooseEngine } from '../agent/engine.js'
import { findReplacement, restoreConfig as restore } from '../agent/vault-restore.js'
import { readPassword, type PasswordSource } from './read-password.js'
import { say } from './ui.js'

interface Arguments extends PasswordSource {
  vault: string
  from?: string | undefined
}

export async function restoreConfig(args: Arguments): Promise<number> {
  const replacement = findReplacement(args.vault, args.from ?? null)
  const { engine } = await chooseEngine()
  const kept = restore(engine, replacement, await readPassword(args))
  say(`The config of ${replacement.vault} is now the one from ${replacement.file}.`)
  if (kept !== null) say(`The one that was there before is kept as ${kept}.`)
  return 0
}
