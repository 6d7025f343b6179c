// What people call this machine, in the state folder:
//   device-name   one line; made of the system's name at first use, since that changes with the network

import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { CofferError } from '../errors.js'
import { replaceFile } from './durable.js'
import { privateFolder, reason, stateFolder } from './state-folder.js'

const file = (): string => join(privateFolder(stateFolder()), 'device-name')

/** null where there is none. */
export function keptName(): string | null {
  try {
    return readFileSync(file(), 'utf8').trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    if (error instanceof CofferError) throw error
    throw new CofferError('STATE', `the name of this device cannot be read: ${reason(error)}`)
  }
}

export function keepName(name: string): void {
  try {
    replaceFile(file(), Buffer.from(`${name}\n`), 0o600)
  } catch (error) {
    if (error instanceof CofferError) throw error
    throw new CofferError('STATE', `the name of this device cannot be kept: ${reason(error)}`)
  }
}

/** What the system says: the name that its user gave it, or the first part of its name in the network. */
export function systemName(): string {
  try {
    const pretty = /^PRETTY_HOSTNAME=(.*)$/m.exec(readFileSync('/etc/machine-info', 'utf8'))?.[1]
    const plain = pretty?.trim().replace(/^(["'])(.*)\1$/, '$2')
    if (plain !== undefined && plain !== '') return plain.replace(/\\(.)/g, '$1')
  } catch {
    // no such file, as on most machines
  }
  return hostname().split('.', 1)[0] ?? ''
}
