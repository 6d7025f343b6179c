// Where coffer keeps what belongs to this machine and must never lie in a cloud folder: the state
// folder (device id, copies of configs, logs) and the runtime folder (running drives, their sockets).
// Both are private to the user. COFFER_STATE_DIR and COFFER_RUNTIME_DIR override the places.

import { chmodSync, existsSync, lstatSync, mkdirSync, realpathSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import envPaths from 'env-paths'
import { CofferError } from '../errors.js'

const set = (name: string): string | null => {
  const value = process.env[name]
  return value === undefined || value === '' ? null : resolve(value)
}

/** The same folders for this process, wherever it goes, and for those that it starts. */
export function fixFolders(): void {
  for (const name of ['COFFER_STATE_DIR', 'COFFER_RUNTIME_DIR']) {
    const path = set(name)
    if (path !== null) process.env[name] = path
  }
}

export function stateFolder(): string {
  const override = set('COFFER_STATE_DIR')
  if (override !== null) return override
  const paths = envPaths('coffer', { suffix: '' })
  const path = process.platform === 'linux' ? paths.log : paths.data
  // relative to wherever one is just now, even in a cloud folder
  if (!isAbsolute(path)) {
    throw new CofferError('STATE', `the state folder cannot be ${path}: it has no absolute path`, {
      hint: 'set HOME to your home folder, or COFFER_STATE_DIR',
    })
  }
  return path
}

/** Sessions with and without XDG_RUNTIME_DIR of one user must find each other's drives. */
export function runtimeFolder(): string {
  const override = set('COFFER_RUNTIME_DIR')
  if (override !== null) return override
  const uid = process.getuid?.()
  const session = set('XDG_RUNTIME_DIR') ?? (uid === undefined ? null : `/run/user/${String(uid)}`)
  if (session !== null) {
    const stats = lstatSync(session, { throwIfNoEntry: false })
    if (stats?.isDirectory() === true && stats.uid === uid) return join(session, 'coffer')
  }
  return join(stateFolder(), 'run')
}

/** With those above it. Node's own way never ends where one like /proc takes no folders. */
function make(folder: string, parentMade = false): void {
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || parentMade || existsSync(dirname(folder))) throw error
    make(dirname(folder))
    make(folder, true)
  }
}

export const unusable = (folder: string, why: string): CofferError =>
  new CofferError('STATE', `the folder ${folder} cannot be used: ${why}`)

/** Makes a folder that only the user may enter, and checks that it is one. */
export function privateFolder(folder: string): string {
  try {
    make(folder)
    const stats = lstatSync(folder)
    if (!stats.isDirectory()) throw unusable(folder, 'it is not a folder')
    const uid = process.getuid?.()
    if (uid !== undefined && stats.uid !== uid) {
      throw unusable(folder, 'it belongs to another user')
    }
    if (uid !== undefined && (stats.mode & 0o077) !== 0) chmodSync(folder, 0o700)
  } catch (error) {
    if (error instanceof CofferError) throw error
    throw unusable(folder, reason(error))
  }
  return folder
}

/** `path` without links; where it does not exist, or cannot be followed, made absolute. */
export function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return resolve(path)
  }
}

/** "no space left on device" and the like, out of Node's error. */
export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as NodeJS.ErrnoException
  const text = /^[A-Z0-9]+: ([^,]+)/.exec(error.message)?.[1]
  return text ?? (code === undefined ? error.message : `${code}: ${error.message}`)
}
