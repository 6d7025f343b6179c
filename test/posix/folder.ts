// The folder that one row of the suite works in: short names for what rows do again and again, and
// descriptors that are closed when the row is over.

import {
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { Buffer } from 'node:buffer'
import { join } from 'node:path'

export interface Times {
  atime: bigint
  mtime: bigint
  ctime: bigint
}

export class Folder {
  readonly path: string
  readonly #opened = new Set<number>()

  constructor(path: string) {
    this.path = path
  }

  /** The path of a name in here. */
  at(name: string): string {
    return name === '' ? this.path : join(this.path, name)
  }

  put(name: string, content: string | Uint8Array = '', mode = 0o644): string {
    writeFileSync(this.at(name), content, { mode })
    return this.at(name)
  }

  dir(...names: string[]): string {
    for (const name of names) mkdirSync(this.at(name))
    return this.at(names.at(-1) ?? '')
  }

  text(name: string): string {
    return readFileSync(this.at(name), 'latin1')
  }

  list(name = ''): string[] {
    return readdirSync(this.at(name)).sort()
  }

  has(name: string): boolean {
    return existsSync(this.at(name))
  }

  open(name: string, flags: string | number, mode = 0o644): number {
    const fd = openSync(this.at(name), flags, mode)
    this.#opened.add(fd)
    return fd
  }

  /** A descriptor that came otherwise. */
  keep(fd: number): number {
    this.#opened.add(fd)
    return fd
  }

  close(fd: number): void {
    this.#opened.delete(fd)
    closeSync(fd)
  }

  closeAll(): void {
    for (const fd of this.#opened) closeSync(fd)
    this.#opened.clear()
  }

  ino(name: string): number {
    return lstatSync(this.at(name)).ino
  }

  size(name: string): number {
    return statSync(this.at(name)).size
  }

  /** Permission bits, in octal. */
  mode(name: string): string {
    return (lstatSync(this.at(name)).mode & 0o7777).toString(8)
  }

  owner(name: string): string {
    const { uid, gid } = lstatSync(this.at(name))
    return `${String(uid)}:${String(gid)}`
  }

  /** Nanoseconds, by path (never through a link) or descriptor. */
  times(what: string | number): Times {
    const stat =
      typeof what === 'number'
        ? fstatSync(what, { bigint: true })
        : lstatSync(this.at(what), { bigint: true })
    return { atime: stat.atimeNs, mtime: stat.mtimeNs, ctime: stat.ctimeNs }
  }
}

export const write = (fd: number, content: string | Uint8Array, position: number | null = null) =>
  writeSync(
    fd,
    typeof content === 'string' ? Buffer.from(content, 'latin1') : content,
    0,
    null,
    position,
  )

export function read(fd: number, length: number, position: number | null = null): string {
  const buffer = Buffer.alloc(length)
  return buffer.toString('latin1', 0, readSync(fd, buffer, 0, length, position))
}

/** The same bytes for the same seed, of which no two blocks are alike. */
export function noise(length: number, seed = 1): Buffer {
  const out = Buffer.alloc(length)
  let state = seed * 2654435761 + 1
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    out[i] = state >>> 16
  }
  return out
}

const cell = new Int32Array(new SharedArrayBuffer(4))

/** Long enough for a clock of 4 ms (ext4) to move on. */
export const later = (milliseconds = 12): void => {
  Atomics.wait(cell, 0, 0, milliseconds)
}
