// Where coffer keeps what belongs to this machine and must never lie in a cloud folder: the state
// folder (device id, copies of configs, logs) and the runtime folder (running drives, their sockets).
// Both are private to the user. COFFER_STATE_DIR and COFFER_RUNTIME_DIR override the places.

import { chmodSync, lstatSync, mkdirSync, realpathSync } from 'node:fs'
import { join, resolve } from 'node:path'
import envPaths from 'env-paths'
import { CofferError } from '../errors.js'

const set = (name: string): string | null => {
  const value = process.env[name]
  return value === undefined || value === '' ? null : resolve(value)
}

export function stateFolder(): string {
  const paths = envPaths('coffer', { suffix: '' })
  return set('COFFER_STATE_DIR') ?? (process.platform === 'linux' ? paths.log : paths.data)
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

/** Makes a folder that only the user may enter, and checks that it is one. */
export function privateFolder(folder: string): string {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const stats = lstatSync(folder)
    if (!stats.isDirectory()) throw new CofferError('STATE', `${folder} is not a folder`)
    const uid = process.getuid?.()
    if (uid !== undefined && stats.uid !== uid) {
      throw new CofferError('STATE', `${folder} belongs to another user`)
    }
    if (uid !== undefined && (stats.mode & 0o077) !== 0) chmodSync(folder, 0o700)
  } catch (error) {
    if (error instanceof CofferError) throw error
    throw new CofferError('STATE', `the folder ${folder} cannot be used: ${reason(error)}`)
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
