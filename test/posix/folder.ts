// The folder that one row of the suite works in: short names for what rows do again and again, and
// descriptors that are closed when the row is over.

import {
  closeSync,
  existsSync,
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
import { timesOf, type Times } from './calls.js'

export class Folder {
  readonly path: string
  readonly #opened = new Set<number>()

  constructor(path: string) {
    this.path = path
  }

  /** The path of a name in here, as it is: nothing is normalised. */
  at(name: string): string {
    return name === '' ? this.path : `${this.path}/${name}`
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

  /** By path, never through a link, or by descriptor. */
  times(what: string | number): Times {
    return timesOf(typeof what === 'number' ? what : this.at(what))
  }

  /** mtime as the kernel tells it, perhaps from its memory. */
  toldMtime(name: string): bigint {
    return lstatSync(this.at(name), { bigint: true }).mtimeNs
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
