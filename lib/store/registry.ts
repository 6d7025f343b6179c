// The running drives of this user: one file for each vault in the runtime folder, made by its agent
// before it mounts and removed when it ends. The file's exclusive creation is the lock that keeps one
// vault from being mounted twice. Whether an entry is still true is for the reader to find out.

import { Buffer } from 'node:buffer'
import { readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { CofferError } from '../errors.js'
import { createFile, replaceFile, temporaryName } from './durable.js'
import { privateFolder, runtimeFolder } from './state-folder.js'

export interface RunningDrive {
  vaultId: string
  /** absolute paths */
  vault: string
  mountpoint: string
  pid: number
  /** start time of the process in clock ticks since boot: a pid alone may be somebody else's by now */
  started: string
  /** identifies the boot, since ticks and pids begin anew */
  boot: string
  /** ISO 8601 */
  since: string
  socket: string
  log: string
  /** "major:minor" as mountinfo shows it; empty before the mount */
  device: string
}

const entryFile = (vaultId: string): string => join(runtimeFolder(), `${vaultId}.json`)

/** What fits into a Unix socket's address; so the name is short. */
const SOCKET_PATH_MAX = 107

export function socketPath(vaultId: string, pid: number): string {
  const folder = privateFolder(runtimeFolder())
  const path = join(folder, `${vaultId.slice(0, 8)}-${String(pid)}`)
  if (Buffer.byteLength(path) <= SOCKET_PATH_MAX) return path
  throw new CofferError('STATE', `the path of the runtime folder ${folder} is too long`)
}

const encode = (drive: RunningDrive): Uint8Array =>
  Buffer.from(`${JSON.stringify(drive, null, 1)}\n`)

/** False where that vault has an entry already. */
export function register(drive: RunningDrive): boolean {
  privateFolder(runtimeFolder())
  return createFile(entryFile(drive.vaultId), encode(drive), 0o600, { durable: false })
}

export function update(drive: RunningDrive): void {
  replaceFile(entryFile(drive.vaultId), encode(drive), 0o600, { durable: false })
}

function read(file: string): RunningDrive | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as RunningDrive
  } catch {
    return null
  }
}

export function runningDrives(): RunningDrive[] {
  let names: string[]
  try {
    names = readdirSync(runtimeFolder())
  } catch {
    return []
  }
  const drives: RunningDrive[] = []
  for (const name of names) {
    if (!/^[0-9a-f]{32}\.json$/.test(name)) continue
    const drive = read(join(runtimeFolder(), name))
    if (drive !== null) drives.push(drive)
  }
  return drives.sort((a, b) => a.since.localeCompare(b.since))
}

/**
 * Removes exactly this entry. It is moved aside before it is looked at, so that an entry which took
 * its place a moment ago is put back and not lost.
 */
export function unregister(drive: RunningDrive): void {
  const file = entryFile(drive.vaultId)
  const aside = join(runtimeFolder(), temporaryName())
  try {
    renameSync(file, aside)
  } catch {
    return
  }
  const found = read(aside)
  if (found !== null && (found.pid !== drive.pid || found.started !== drive.started)) {
    renameSync(aside, file)
    return
  }
  rmSync(aside, { force: true })
  rmSync(drive.socket, { force: true })
}
