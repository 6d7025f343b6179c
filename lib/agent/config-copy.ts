// Configs besides the one in the vault folder: what this machine keeps, the backup, a file that the
// user names. FORMAT.md §8. Nothing in them is proven before a password opens them, so what is asked
// here is only: may this file stand in for the config of that vault?

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import { parseConfig, type ParsedConfig } from '../format/config.js'
import { readConfig } from '../store/config-file.js'
import { configCopies, type ConfigCopy } from '../store/state.js'

export interface ConfigFile {
  file: string
  bytes: Buffer
  config: ParsedConfig
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** The vault id where it stands, damaged or not. */
export const idIn = (bytes: Uint8Array | null): string | null =>
  bytes !== null && bytes.length >= 40 ? hex(bytes.subarray(24, 40)) : null

const nonceIn = (bytes: Uint8Array): string => hex(bytes.subarray(48, 72))

/**
 * Every config has a nonce of its own, so two that differ and have the same one are the same config,
 * one of them damaged. What another device wrote never looks like that.
 */
export const isDamagedForm = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length >= 72 && nonceIn(a) === nonceIn(b) && Buffer.compare(a, b) !== 0

/** The copy kept here of which `bytes` is a damaged form. */
export function undamagedCopy(bytes: Uint8Array, vault: string): ConfigCopy | null {
  return (
    configCopies(idIn(bytes), vault).find(({ file }) => {
      const copy = tryRead(file)
      return copy !== null && isDamagedForm(bytes, copy.bytes)
    }) ?? null
  )
}

/** Null where there is no such file, or none that is whole. */
export function tryRead(file: string): ConfigFile | null {
  try {
    return readCopy(file)
  } catch {
    return null
  }
}

/** Null where there is no such file. Errors name the file. */
export function readCopy(file: string): ConfigFile | null {
  try {
    const bytes = readConfig(file)
    return bytes === null ? null : { file, bytes, config: parseConfig(bytes) }
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
    const message = error.message.replace(/^(vault\.coffer|this vault)\b/, () => file)
    const hint = error.code === 'NEWER_VERSION' ? error.hint : ''
    throw new CofferError(error.code, message, { hint, cause: error })
  }
}

/** `readCopy` for a file that must be there and must be of this vault. `current`: see `isOfVault`. */
export function readNamedCopy(file: string, vault: string, current: Uint8Array | null): ConfigFile {
  const copy = readCopy(file)
  if (copy === null) throw new CofferError('NOT_A_VAULT', `there is no file ${file}`)
  if (isOfVault(copy, vault, current)) return copy
  throw new CofferError('NOT_A_VAULT', `${file} is the config of another vault than ${vault}`, {
    hint: 'nothing was changed',
  })
}

/**
 * False where the copy is known to be of another vault: by the config in the folder, or, where that
 * cannot be read, by what this machine opened there. `current`: the bytes in the folder, if any.
 */
export function isOfVault(copy: ConfigFile, vault: string, current: Uint8Array | null): boolean {
  if (current !== null && isDamagedForm(current, copy.bytes)) return true
  const id = hex(copy.config.vaultId)
  if (idIn(current) === id) return true
  if (current !== null && isWhole(current)) return false
  const known = configCopies(null, vault)
  return known.length === 0 || known.some(({ vaultId }) => vaultId === id)
}

function isWhole(bytes: Uint8Array): boolean {
  try {
    parseConfig(bytes)
    return true
  } catch {
    return false
  }
}
