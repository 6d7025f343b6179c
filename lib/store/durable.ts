// Files that appear whole or not at all: temporary file, fsync, rename, fsync of the folder. Those of
// the runtime folder, which mean nothing after a crash of the machine, are whole without the fsyncs.
// The temporary names are those of FORMAT.md §1, which sync clients skip.

import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

export const temporaryName = (): string => `~$${randomBytes(16).toString('base64url')}.tmp`

/** null: the mode that the umask gives */
export type FileMode = number | null

const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'ENOSYS', 'EIO'])

export interface Durability {
  durable?: boolean
}

function writeTemporary(
  folder: string,
  bytes: Uint8Array,
  mode: FileMode,
  durable: boolean,
): string {
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants
  const temporary = join(folder, temporaryName())
  const fd = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode ?? 0o666)
  try {
    if (mode !== null) fchmodSync(fd, mode)
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
    if (durable) fsyncSync(fd)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  } finally {
    closeSync(fd)
  }
  return temporary
}

/** Makes the names in a folder durable. Some file systems refuse this on folders; they need it not. */
export function fsyncFolder(folder: string): void {
  try {
    const fd = openSync(folder, constants.O_RDONLY)
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EINVAL' && code !== 'EISDIR' && code !== 'EPERM' && code !== 'ENOTSUP')
      throw error
  }
}

/** Replaces `file`, or makes it. */
export function replaceFile(
  file: string,
  bytes: Uint8Array,
  mode: FileMode,
  { durable = true }: Durability = {},
): void {
  const folder = dirname(file)
  const temporary = writeTemporary(folder, bytes, mode, durable)
  try {
    renameSync(temporary, file)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
  if (durable) fsyncFolder(folder)
}

/** Makes `file` whole; false where that name is taken. */
export function createFile(
  file: string,
  bytes: Uint8Array,
  mode: FileMode,
  { durable = true }: Durability = {},
): boolean {
  const folder = dirname(file)
  const temporary = writeTemporary(folder, bytes, mode, durable)
  try {
    linkSync(temporary, file)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    // no hard links here (FAT and the like; a mount of rclone says EIO): the next best
    if (!NO_LINKS.has(code ?? '')) throw error
    if (existsSync(file)) return false
    renameSync(temporary, file)
  } finally {
    rmSync(temporary, { force: true })
  }
  if (durable) fsyncFolder(folder)
  return true
}
