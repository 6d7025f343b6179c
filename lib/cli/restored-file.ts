// Files, links and folders as `get` makes them on the plain disk: new, never through what is there
// already, with mode and times of the original. Nanoseconds where native calls are to be had.

import {
  chmodSync,
  closeSync,
  constants,
  ftruncateSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { Buffer } from 'node:buffer'
import type { Attributes } from '../fs/filesystem.js'
import { S_IFLNK, S_IFMT } from './vault-path.js'
import { nativeAvailable } from '../native/libc.js'
import { utimesAt } from '../native/files.js'

/** openat(2): the path is not relative to a folder */
const AT_FDCWD = -100
const BLOCK = 4096
const ZEROS = Buffer.alloc(BLOCK)

/** A file being written. Blocks of zeros become holes, so that a sparse file stays one. */
export class RestoredFile {
  readonly #path: string
  readonly #fd: number
  #end = 0
  #open = true

  /** Throws EEXIST where something is there. */
  constructor(path: string) {
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants
    this.#path = path
    this.#fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  }

  write(bytes: Uint8Array, length: number, offset: number): void {
    this.#end = offset + length
    for (let at = 0; at < length;) {
      const size = Math.min(BLOCK, length - at)
      if (size === BLOCK && ZEROS.equals(bytes.subarray(at, at + BLOCK))) {
        at += BLOCK
        continue
      }
      // up to the next block of zeros in one go
      let end = at + size
      while (end + BLOCK <= length && !ZEROS.equals(bytes.subarray(end, end + BLOCK))) end += BLOCK
      if (length - end < BLOCK) end = length
      while (at < end) at += writeSync(this.#fd, bytes, at, end - at, offset + at)
    }
  }

  /** The content is whole. Mode and times are still those of a new file. */
  finish(): void {
    ftruncateSync(this.#fd, this.#end)
    this.#open = false
    closeSync(this.#fd)
  }

  /** Nothing of a file that was not finished stays. */
  discardUnfinished(): void {
    if (!this.#open) return
    this.#open = false
    closeSync(this.#fd)
    rmSync(this.#path, { force: true })
  }
}

export function makeFolder(path: string): void {
  mkdirSync(path, { mode: 0o700 })
}

/** A dangling link is there, too. */
export const isThere = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false }) !== undefined

export function makeLink(path: string, target: Uint8Array): void {
  symlinkSync(Buffer.from(target), path)
}

/** False where the file system does not take them; the content is what counts. */
export function restoreAttributes(path: string, attributes: Attributes): boolean {
  try {
    if ((attributes.mode & S_IFMT) !== S_IFLNK) chmodSync(path, attributes.mode & 0o7777)
    setTimes(path, attributes)
    return true
  } catch {
    return false
  }
}

function setTimes(path: string, attributes: Attributes): void {
  const { atimeSec, atimeNsec, mtimeSec, mtimeNsec } = attributes
  if (nativeAvailable && process.platform === 'linux') {
    utimesAt(AT_FDCWD, path, { sec: atimeSec, nsec: atimeNsec }, { sec: mtimeSec, nsec: mtimeNsec })
    return
  }
  lutimesSync(path, atimeSec + atimeNsec / 1e9, mtimeSec + mtimeNsec / 1e9)
}
