// A folder shaped like a vault's, in the state folder: vaults/<vaultId>/scratch. What is in it serves
// one process for a moment and is worth nothing afterwards. A lock that goes with the process tells
// what is in use from what was left behind.

import { closeSync, constants, existsSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { CofferError } from '../errors.js'
import { lockFd } from '../native/files.js'
import { openBacking, type Backing } from './backing.js'
import { privateFolder, reason, stateFolder, unusable } from './state-folder.js'
import { vaultState } from './state.js'
import { DATA_DIRECTORY } from './vault-folder.js'

const NAME = 'scratch'

/** Nobody waits for a disk to keep what is worth nothing afterwards. */
export const scratchBacking = (): Backing => ({
  ...openBacking(false),
  datasync: () => undefined,
  sync: () => undefined,
  syncFileSystem: () => undefined,
})

export class ScratchFolder {
  readonly path: string
  readonly #fd: number

  /** Empty but for the data directory; what was left in it by another process is gone. */
  constructor(vaultId: string) {
    this.path = privateFolder(join(vaultState(vaultId), NAME))
    const fd = openSync(this.path, constants.O_RDONLY | constants.O_DIRECTORY)
    try {
      if (!lockFd(fd))
        throw new CofferError('ALREADY_MOUNTED', 'another command is mounting this vault just now')
      this.#fd = fd
      for (const name of readdirSync(this.path)) rmSync(join(this.path, name), { recursive: true })
      mkdirSync(join(this.path, DATA_DIRECTORY), { mode: 0o700 })
    } catch (error) {
      closeSync(fd)
      throw error instanceof CofferError ? error : unusable(this.path, reason(error))
    }
  }

  remove(): void {
    try {
      rmSync(this.path, { recursive: true, force: true })
    } finally {
      closeSync(this.#fd)
    }
  }
}

/** Removes what a process left behind that was killed. */
export function clearScratch(vaultId: string): void {
  if (existsSync(join(stateFolder(), 'vaults', vaultId, NAME))) new ScratchFolder(vaultId).remove()
}
