// The file of this machine's memory of a vault, `memory` in its state folder: where the bytes lie, not
// what they mean. It grows at its end, and is replaced whole when most of it is worth nothing any more.
// It is never synced: what a stop of the machine takes away is seen again.

import { CofferError } from '../errors.js'
import { CLOSED, emptyStat, type Backing } from './backing.js'

export const MEMORY_NAME = 'memory'
const NEXT_NAME = 'memory.new'
const stat = emptyStat()

export class MemoryFile {
  readonly #backing: Backing
  readonly #writable: boolean
  #dirfd: number
  #fd = CLOSED

  /** `folder`: absolute path of a folder that only the user may enter. The file need not be there. */
  constructor(backing: Backing, folder: string, writable: boolean) {
    this.#backing = backing
    this.#writable = writable
    this.#dirfd = backing.openRoot(folder)
    try {
      if (backing.stat(this.#dirfd, MEMORY_NAME, stat)) this.#fd = this.#open()
    } catch (error) {
      this.close()
      throw error
    }
  }

  #open(): number {
    const backing = this.#backing
    return this.#writable
      ? backing.openWrite(this.#dirfd, MEMORY_NAME)
      : backing.openRead(this.#dirfd, MEMORY_NAME)
  }

  /** Bytes read; fewer than asked for only at the end. */
  read(into: Uint8Array, length: number, position: number): number {
    return this.#fd === CLOSED ? 0 : this.#backing.read(this.#fd, into, 0, length, position)
  }

  write(bytes: Uint8Array, position: number): void {
    if (this.#fd === CLOSED) this.#fd = this.#backing.createNew(this.#dirfd, MEMORY_NAME, 0o600)
    this.#backing.write(this.#fd, bytes, 0, bytes.length, position)
  }

  /** What lies behind was never finished. */
  cut(length: number): void {
    if (this.#fd !== CLOSED) this.#backing.truncate(this.#fd, length)
  }

  /** Another content, whole or not at all. `fill` may read the old one. */
  replace(fill: (write: (bytes: Uint8Array, position: number) => void) => void): void {
    const backing = this.#backing
    if (backing.stat(this.#dirfd, NEXT_NAME, stat)) backing.unlink(this.#dirfd, NEXT_NAME)
    const next = backing.createNew(this.#dirfd, NEXT_NAME, 0o600)
    try {
      fill((bytes, position) => {
        backing.write(next, bytes, 0, bytes.length, position)
      })
      backing.rename(this.#dirfd, NEXT_NAME, this.#dirfd, MEMORY_NAME)
    } catch (error) {
      backing.close(next)
      throw error
    }
    if (this.#fd !== CLOSED) backing.close(this.#fd)
    this.#fd = next
  }

  close(): void {
    if (this.#fd !== CLOSED) this.#backing.close(this.#fd)
    this.#backing.closeDirectory(this.#dirfd)
    this.#fd = this.#dirfd = CLOSED
  }
}

/** A memory that cannot be kept is none, and no reason to fail. */
export function openMemoryFile(
  backing: Backing,
  folder: string,
  writable: boolean,
): MemoryFile | null {
  try {
    return new MemoryFile(backing, folder, writable)
  } catch (error) {
    if (error instanceof CofferError) return null
    throw error
  }
}
