// The log of one vault's drives, in the state folder: one line an event, private to the user, two
// files of a bounded size. Lines name no plain file unless the user asked for that.

import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { vaultState } from './state.js'

const ROTATE_AT = 4 * 1024 * 1024

export const logPath = (vaultId: string): string => join(vaultState(vaultId), 'log')

/** A descriptor to write to, for a process that is about to start. */
export const openLog = (path: string): number => openSync(path, 'a', 0o600)

export class LogFile {
  readonly path: string
  #fd: number
  #size: number

  constructor(path: string) {
    this.path = path
    this.#fd = openLog(path)
    this.#size = fstatSync(this.#fd).size
  }

  /** Never throws: a log on a full disk must not stop the drive. */
  write(line: string): void {
    // control characters would let a name forge lines or drive the terminal of whoever reads them
    const clean = line.replace(/\p{Cc}/gu, '?')
    try {
      this.#size += writeSync(this.#fd, `${new Date().toISOString()} ${clean}\n`)
      if (this.#size > ROTATE_AT) this.#rotate()
    } catch {
      // nowhere left to tell
    }
  }

  #rotate(): void {
    renameSync(this.path, `${this.path}.1`)
    const fd = openLog(this.path)
    closeSync(this.#fd)
    this.#fd = fd
    this.#size = 0
  }

  close(): void {
    closeSync(this.#fd)
  }
}
