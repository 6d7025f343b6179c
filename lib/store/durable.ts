// Files that appear whole or not at all: temporary file, fsync, rename, fsync of the folder. Those of
// the runtime folder, which mean nothing after a crash of the machine, are whole without the fsyncs.
// The temporary names are those of FORMAT.md §1, which sync clients skip. On an engine that is harmed by
// a rename of what it is just sending, they are written under their own names.

import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { isWithoutInodes } from './backing-by-name.js'

export const temporaryName = (): string => `~$${randomBytes(16).toString('base64url')}.tmp`

/** null: the mode that the umask gives */
export type FileMode = number | null

const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'ENOSYS', 'EIO'])

export interface Durability {
  durable?: boolean
}

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants

function write(
  file: string,
  flags: number,
  bytes: Uint8Array,
  mode: FileMode,
  durable: boolean,
): void {
  const fd = openSync(file, O_WRONLY | O_CREAT | O_NOFOLLOW | flags, mode ?? 0o666)
  try {
    if (mode !== null) fchmodSync(fd, mode)
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at, bytes.length - at, at)
    if ((flags & O_EXCL) === 0) ftruncateSync(fd, bytes.length)
    if (durable) fsyncSync(fd)
  } catch (error) {
    if ((flags & O_EXCL) !== 0) rmSync(file, { force: true })
    throw error
  } finally {
    closeSync(fd)
  }
}

function writeTemporary(
  folder: string,
  bytes: Uint8Array,
  mode: FileMode,
  durable: boolean,
): string {
  const temporary = join(folder, temporaryName())
  write(temporary, O_EXCL, bytes, mode, durable)
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
  if (isWithoutInodes(folder)) {
    write(file, 0, bytes, mode, durable)
    return
  }
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
  if (isWithoutInodes(folder)) return createInPlace(file, bytes, mode, durable)
  const temporary = writeTemporary(folder, bytes, mode, durable)
  try {
    linkSync(temporary, file)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    // no hard links here (FAT and the like): the next best
    if (!NO_LINKS.has(code ?? '')) throw error
    if (existsSync(file)) return false
    renameSync(temporary, file)
  } finally {
    rmSync(temporary, { force: true })
  }
  if (durable) fsyncFolder(folder)
  return true
}

function createInPlace(file: string, bytes: Uint8Array, mode: FileMode, durable: boolean): boolean {
  try {
    write(file, O_EXCL, bytes, mode, durable)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}
