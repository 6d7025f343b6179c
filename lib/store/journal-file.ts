// The journal's file, `journal` in the state folder of a vault: where its bytes lie, not what they
// mean. It is written over from the start again and again, since blocks that are there already reach
// the disk with one flush.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import { CLOSED, emptyStat, type Backing } from './backing.js'

export const JOURNAL_NAME = 'journal'
const KEEP = 4 * 1024 * 1024
const stat = emptyStat()

export class JournalFile {
  readonly #backing: Backing
  #dirfd: number
  #fd: number
  /** the last drive did not come to its end */
  readonly inUse: boolean
  /** bytes of the file that have blocks for certain */
  #taken = 0

  /** `folder`: absolute path of a folder that only the user may enter. */
  constructor(backing: Backing, folder: string) {
    this.#backing = backing
    this.#dirfd = backing.openRoot(folder)
    try {
      this.#fd = this.#open()
      backing.statFd(this.#fd, stat)
      this.inUse = stat.size > 0
    } catch (error) {
      backing.closeDirectory(this.#dirfd)
      throw error
    }
  }

  #open(): number {
    const backing = this.#backing
    if (backing.stat(this.#dirfd, JOURNAL_NAME, stat))
      return backing.openWrite(this.#dirfd, JOURNAL_NAME)
    const fd = backing.createNew(this.#dirfd, JOURNAL_NAME, 0o600)
    try {
      backing.sync(this.#dirfd)
    } catch (error) {
      backing.close(fd)
      throw error
    }
    return fd
  }

  /** Bytes read; fewer than asked for only at the end. */
  read(into: Uint8Array, length: number, position: number): number {
    return this.#backing.read(this.#fd, into, 0, length, position)
  }

  write(bytes: Uint8Array, length: number, position: number): void {
    this.#backing.write(this.#fd, bytes, 0, length, position)
  }

  sync(): void {
    this.#backing.datasync(this.#fd)
  }

  /** Room up to `end`. Throws ENOSPC. */
  reserve(end: number): void {
    if (end <= this.#taken) return
    const more = Math.ceil(end / KEEP) * KEEP
    try {
      this.#backing.reserve(this.#fd, this.#taken, more - this.#taken)
    } catch (error) {
      if (!(error instanceof CofferError) || error.code !== 'ENOSPC') throw error
      throw new CofferError('ENOSPC', 'the disk of the state folder has no room for the journal')
    }
    this.#taken = more
  }

  /** From now on a drive is at work, even if no entry is written. Throws STATE without any room. */
  begin(): void {
    try {
      this.empty()
      this.reserve(KEEP)
      this.sync()
    } catch (error) {
      if (!(error instanceof CofferError) || error.code !== 'ENOSPC') throw error
      throw new CofferError('STATE', 'the disk of the state folder has no room for the journal')
    }
  }

  /** The drive has come to its end; nothing is left to be done. */
  end(): void {
    this.#backing.truncate(this.#fd, 0)
    this.#taken = 0
  }

  /** Nothing in it counts any more; it keeps a little room, and what is `promised`. */
  empty(promised = 0): void {
    this.#backing.write(this.#fd, Buffer.alloc(64), 0, 64, 0)
    const kept = Math.max(1, Math.ceil(promised / KEEP)) * KEEP
    if (this.#taken <= kept) return
    this.#backing.truncate(this.#fd, kept)
    this.#taken = kept
  }

  /** Keeps what is in it under another name, for people. Its name. */
  setAside(name: string): string {
    this.#backing.link(this.#dirfd, JOURNAL_NAME, this.#dirfd, name)
    this.#backing.unlink(this.#dirfd, JOURNAL_NAME)
    this.#backing.sync(this.#dirfd)
    return name
  }

  close(): void {
    this.#backing.close(this.#fd)
    this.#backing.closeDirectory(this.#dirfd)
    this.#fd = this.#dirfd = CLOSED
  }
}
