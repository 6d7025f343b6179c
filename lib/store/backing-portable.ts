// The backing tree by `node:fs` alone, for reading on machines without the Linux calls. Directory
// descriptors are numbers of a table of paths. Every component is checked not to be a link, which is
// weaker than descriptors against someone who swaps directories while we read; all that is read is
// verified by its tags anyway.

import * as fs from 'node:fs'
import { join } from 'node:path'
import { CofferError } from '../errors.js'
import type { FileStat, Types } from '../native/files.js'
import type { Backing } from './backing.js'
import { listByNode } from './node-listing.js'

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = fs.constants

function fill(out: FileStat, stat: fs.BigIntStats): void {
  out.dev = Number(stat.dev)
  out.ino = Number(stat.ino)
  out.mode = Number(stat.mode)
  out.nlink = Number(stat.nlink)
  out.uid = Number(stat.uid)
  out.gid = Number(stat.gid)
  out.rdev = Number(stat.rdev)
  out.size = Number(stat.size)
  out.blocks = Number(stat.blocks)
  for (const which of ['atime', 'mtime', 'ctime'] as const) {
    const ns = stat[`${which}Ns`]
    const nsec = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
    out[`${which}Sec`] = Number((ns - nsec) / 1_000_000_000n)
    out[`${which}Nsec`] = Number(nsec)
  }
}

function readOnly(): never {
  throw new CofferError('EROFS', 'this platform can only read the vault')
}

export class PortableBacking implements Backing {
  readonly writable = false
  readonly inPlace = false
  readonly #paths = new Map<number, string>()
  #next = 1

  readonly createNew = readOnly
  readonly createUnnamed = readOnly
  readonly nameUnnamed = readOnly
  readonly openWrite = readOnly
  readonly write = readOnly
  readonly copyRange = readOnly
  readonly truncate = readOnly
  readonly nextHole = readOnly
  readonly punch = readOnly
  readonly reserve = readOnly
  readonly free = readOnly
  readonly datasync = readOnly
  readonly sync = readOnly
  readonly mkdir = readOnly
  readonly rmdir = readOnly
  readonly unlink = readOnly
  readonly rename = readOnly
  readonly exchange = readOnly
  readonly link = readOnly
  readonly chmod = readOnly
  readonly chmodFd = readOnly
  readonly chown = readOnly
  readonly chownFd = readOnly
  readonly utimes = readOnly
  readonly utimesFd = readOnly
  readonly setXattr = readOnly
  readonly removeXattr = readOnly

  /** `node:fs` has no extended attributes: none are seen. */
  getXattr(): null {
    return null
  }

  getXattrAt(): null {
    return null
  }

  listXattr(): string[] {
    return []
  }

  lock(): boolean {
    return true
  }

  syncFileSystem(): void {
    // nothing was written
  }

  openRoot(path: string): number {
    return this.#add(path)
  }

  openDirectory(dirfd: number, name: string): number {
    const path = this.#path(dirfd, name)
    if (!fs.lstatSync(path).isDirectory()) throw new CofferError('ENOTDIR', 'not a directory')
    return this.#add(path)
  }

  closeDirectory(dirfd: number): void {
    this.#paths.delete(dirfd)
  }

  list(dirfd: number, types?: Types): string[] {
    return listByNode(this.#path(dirfd), types)
  }

  listAsUser(dirfd: number, types?: Types): string[] {
    return this.list(dirfd, types)
  }

  readAsUser(): void {
    // all reading here is as anybody's
  }

  stat(dirfd: number, name: string, out: FileStat): boolean {
    return this.statPath(this.#path(dirfd, name), out)
  }

  statDirectory(dirfd: number, out: FileStat): void {
    if (!this.statPath(this.#path(dirfd), out))
      throw new CofferError('ENOENT', 'the directory is gone')
  }

  statFd(fd: number, out: FileStat): void {
    fill(out, fs.fstatSync(fd, { bigint: true }))
  }

  statPath(path: string, out: FileStat): boolean {
    const stat = fs.lstatSync(path, { bigint: true, throwIfNoEntry: false })
    if (stat === undefined) return false
    fill(out, stat)
    return true
  }

  openRead(dirfd: number, name: string): number {
    // a fifo planted in place of a file must not make us wait
    return fs.openSync(this.#path(dirfd, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  }

  close(fd: number): void {
    fs.closeSync(fd)
  }

  read(fd: number, into: Uint8Array, offset: number, length: number, position: number): number {
    let done = 0
    while (done < length) {
      const n = fs.readSync(fd, into, offset + done, length - done, position + done)
      if (n === 0) break
      done += n
    }
    return done
  }

  /** No holes are known here. */
  nextData(_fd: number, position: number): number {
    return position
  }

  #add(path: string): number {
    this.#paths.set(this.#next, path)
    return this.#next++
  }

  #path(dirfd: number, name?: string): string {
    const path = this.#paths.get(dirfd)
    if (path === undefined) throw new CofferError('EBADF', 'the directory is not open')
    return name === undefined ? path : join(path, name)
  }
}
