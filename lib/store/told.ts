// What the user of this machine has been told once of a vault, in its state folder:
//   vaults/<vaultId>/told   a word a line

import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { replaceFile } from './durable.js'
import { vaultState } from './state.js'

/** Those that have not been told before; from now on they have. Throws STATE, and what the disk says. */
export function notToldBefore(vaultId: string, words: readonly string[]): string[] {
  const file = join(vaultState(vaultId), 'told')
  const told = lines(file)
  const news = words.filter((word) => !told.includes(word))
  if (news.length > 0) replaceFile(file, Buffer.from(`${[...told, ...news].join('\n')}\n`), 0o600)
  return news
}

function lines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean)
  } catch {
    return []
  }
}
