// atime. What we read for ourselves leaves it; a read of an application moves it as the vault's own
// file system does (relatime, or not at all), and not at every read but where it is due: where it is
// no younger than mtime or ctime, or older than a day.

import { constants } from 'node:fs'
import { emptyStat, type FileStat } from '../store/backing.js'
import type { FileBody } from './file-body.js'
import type { Inode } from './inode.js'
import type { Tree } from './tree.js'

const { O_WRONLY } = constants
const O_ACCMODE = 3
/** as on Linux, which alone has it */
const O_NOATIME = 0o1000000
const DAY_S = 24 * 60 * 60
const stat = emptyStat()

export class AccessTimes {
  readonly #tree: Tree
  /** false on a read-only drive, and where a read was seen to move nothing */
  #moving: boolean

  /** handles that were opened with O_NOATIME */
  readonly #quiet = new Set<number>()

  constructor(tree: Tree) {
    this.#tree = tree
    this.#moving = !tree.ctx.readOnly
  }

  /** A file was opened; true where its first read will move atime, and so must come here. */
  opened(inode: Inode, body: FileBody, fh: number, flags: number): boolean {
    if (!this.#moving || (flags & O_ACCMODE) === O_WRONLY) return false
    if ((flags & O_NOATIME) !== 0) {
      this.#quiet.add(fh)
      return false
    }
    this.#tree.ctx.backing.statFd(body.fd, stat)
    inode.unread ||= this.#isDue(stat)
    return inode.unread
  }

  /** The next read will find atime older than mtime. */
  written(inode: Inode): void {
    inode.unread = this.#moving
  }

  read(inode: Inode, body: FileBody, fh: number): void {
    if (!inode.unread || this.#quiet.has(fh)) return
    inode.unread = false
    body.set.atime = 'omit'
    this.#touch(body)
  }

  closed(fh: number): void {
    this.#quiet.delete(fh)
  }

  /** What was opened for one read alone. */
  readOnce(body: FileBody): void {
    if (!this.#moving) return
    this.#tree.ctx.backing.statFd(body.fd, stat)
    if (this.#isDue(stat)) this.#touch(body)
  }

  #touch(body: FileBody): void {
    const { backing } = this.#tree.ctx
    backing.readAsUser(body.fd)
    backing.statFd(body.fd, stat)
    // a moment's difference is the grain of the file system's clock
    this.#moving = stat.atimeSec >= this.#now() - 2
  }

  #isDue({ atimeSec, atimeNsec, mtimeSec, mtimeNsec, ctimeSec, ctimeNsec }: FileStat): boolean {
    const notAfter = (sec: number, nsec: number): boolean =>
      atimeSec < sec || (atimeSec === sec && atimeNsec <= nsec)
    return (
      notAfter(mtimeSec, mtimeNsec) ||
      notAfter(ctimeSec, ctimeNsec) ||
      atimeSec < this.#now() - DAY_S
    )
  }

  #now(): number {
    return Math.floor(this.#tree.ctx.clock() / 1000)
  }
}
