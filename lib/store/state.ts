// What this machine remembers of vaults, in the state folder:
//   device-id               16 random bytes in hex; names this machine as a writer in seals
//   vaults/<vaultId>/path   where the vault was last opened
//   vaults/<vaultId>/configs/<configSeq>-<hash>.coffer   every config that unlocked here
//   vaults/<vaultId>/log    see log-file.ts
//   vaults/<vaultId>/journal   see journal-file.ts
//   vaults/<vaultId>/memory    see memory-file.ts
//   vaults/<vaultId>/scratch/   see scratch-folder.ts
// Copies of configs are as secret as the one in the cloud folder: not at all beyond the password.

import { createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import { createFile, replaceFile } from './durable.js'
import { JOURNAL_NAME } from './journal-file.js'
import { privateFolder, reason, stateFolder } from './state-folder.js'

/** This machine's id, 16 bytes; made on first use. */
export function deviceId(): Uint8Array {
  const file = join(privateFolder(stateFolder()), 'device-id')
  try {
    if (!existsSync(file))
      createFile(file, Buffer.from(`${randomBytes(16).toString('hex')}\n`), 0o600)
    const id = Buffer.from(readFileSync(file, 'latin1').trim(), 'hex')
    if (id.length === 16) return new Uint8Array(id)
  } catch (error) {
    throw new CofferError('STATE', `the device id cannot be kept: ${reason(error)}`)
  }
  throw new CofferError('STATE', `${file} is damaged`, {
    hint: 'delete that file; the next command makes a new device id',
  })
}

/** The same, all zero where it has not been made yet: for a drive that writes nothing. */
export function knownDeviceId(): Uint8Array {
  return existsSync(join(stateFolder(), 'device-id')) ? deviceId() : new Uint8Array(16)
}

/** The folder of one vault, there or not. `vaultId` in hex. */
export const vaultFolder = (vaultId: string): string => join(stateFolder(), 'vaults', vaultId)

/** The first bytes of the journal of a vault; fewer where there is none. */
export function journalHead(vaultId: string, length: number): Buffer {
  const head = Buffer.alloc(length)
  try {
    const fd = openSync(join(vaultFolder(vaultId), JOURNAL_NAME), 'r')
    try {
      return head.subarray(0, readSync(fd, head, 0, length, 0))
    } finally {
      closeSync(fd)
    }
  } catch {
    return Buffer.alloc(0)
  }
}

/** The private folder of one vault, made where it is missing. `vaultId` in hex. */
export function vaultState(vaultId: string): string {
  privateFolder(stateFolder())
  return privateFolder(vaultFolder(vaultId))
}

export interface ConfigCopy {
  file: string
  vaultId: string
  configSeq: bigint
  savedAt: Date
}

/** Keeps a config that has just been unlocked. Returns the file. */
export function keepConfig(
  vaultId: string,
  vaultPath: string,
  configSeq: bigint,
  bytes: Uint8Array,
): string {
  const folder = privateFolder(join(vaultState(vaultId), 'configs'))
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
  const file = join(folder, `${String(configSeq).padStart(20, '0')}-${hash}.coffer`)
  try {
    if (!existsSync(file)) createFile(file, bytes, 0o600)
    const pathFile = join(vaultFolder(vaultId), 'path')
    if (!existsSync(pathFile) || readFileSync(pathFile, 'utf8') !== vaultPath) {
      replaceFile(pathFile, Buffer.from(vaultPath), 0o600)
    }
  } catch (error) {
    throw new CofferError('STATE', `a copy of the config cannot be kept: ${reason(error)}`)
  }
  return file
}

/** What a restored config replaces may still be wanted by whoever finds out what damaged it. */
export function keepDamaged(vaultId: string, bytes: Uint8Array): string {
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
  const file = join(privateFolder(join(vaultState(vaultId), 'configs')), `damaged-${hash}.coffer`)
  if (!existsSync(file)) createFile(file, bytes, 0o600)
  return file
}

const COPY = /^(\d{20})-[0-9a-f]{16}\.coffer$/

function list(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/**
 * The copies for a vault, newest first: those of its id and those made when it was opened at this
 * path (the id itself may be what is damaged).
 */
export function configCopies(vaultId: string | null, vaultPath: string): ConfigCopy[] {
  const copies: ConfigCopy[] = []
  for (const id of list(join(stateFolder(), 'vaults'))) {
    if (id !== vaultId && pathOf(id) !== vaultPath) continue
    const folder = join(vaultFolder(id), 'configs')
    for (const name of list(folder)) {
      const match = COPY.exec(name)
      if (match === null) continue
      const file = join(folder, name)
      copies.push({
        file,
        vaultId: id,
        configSeq: BigInt(match[1] ?? 0),
        savedAt: statSync(file).mtime,
      })
    }
  }
  return copies.sort((a, b) =>
    a.configSeq === b.configSeq
      ? b.savedAt.getTime() - a.savedAt.getTime()
      : a.configSeq < b.configSeq
        ? 1
        : -1,
  )
}

function pathOf(vaultId: string): string | null {
  try {
    return readFileSync(join(vaultFolder(vaultId), 'path'), 'utf8')
  } catch {
    return null
  }
}
