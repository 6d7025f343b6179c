// Mountpoints that were closed (see agent/mountpoint-folder.ts), with the mode that each had before: one
// small file for each in the state folder, `mountpoints/<hash of the path>`.

import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { replaceFile } from './durable.js'
import { privateFolder, stateFolder } from './state-folder.js'

export interface ClosedFolder {
  path: string
  /** a folder that was made anew at that path is another one */
  ino: number
  /** permission bits */
  mode: number
}

const folder = (): string => join(stateFolder(), 'mountpoints')
const fileOf = (path: string): string =>
  join(folder(), createHash('sha256').update(path).digest('hex').slice(0, 32))

/** On the disk when it returns: a folder that is closed must not lose its mode. */
export function rememberFolder(closed: ClosedFolder): void {
  const known = rememberedFolder(closed.path, closed.ino)
  if (known?.mode === closed.mode) return
  privateFolder(stateFolder())
  privateFolder(folder())
  replaceFile(fileOf(closed.path), Buffer.from(`${JSON.stringify(closed)}\n`), 0o600)
}

export function rememberedFolder(path: string, ino: number): ClosedFolder | null {
  try {
    const closed = JSON.parse(readFileSync(fileOf(path), 'utf8')) as ClosedFolder
    return closed.path === path && closed.ino === ino ? closed : null
  } catch {
    return null
  }
}

export function forgetFolder(path: string): void {
  rmSync(fileOf(path), { force: true })
}
