// The backing tree by Linux system calls.

import { constants, statfsSync } from 'node:fs'
import * as files from '../native/files.js'
import type { Backing, Types } from './backing.js'
import { listByNode } from './node-listing.js'

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = constants

// Our own reads must not move the times that applications see, and a fifo planted in place of a blob
// must not make us wait.
const READING = files.O_NOATIME | O_NONBLOCK

const list = (dirfd: number, flags: number, types?: Types): string[] =>
  files.list(dirfd, flags, types) ?? listByNode(`/proc/self/fd/${String(dirfd)}`, types)

export const linuxBacking: Backing = {
  writable: true,
  inPlace: false,
  openRoot: (path) => files.openPath(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW),
  openDirectory: (dirfd, name) => files.openAt(dirfd, name, O_RDONLY | O_DIRECTORY),
  closeDirectory: files.closeFd,
  lock: files.lockFd,
  list: (dirfd, types) => list(dirfd, files.O_NOATIME, types),
  listAsUser: (dirfd, types) => list(dirfd, 0, types),
  readAsUser: files.readAsUser,
  stat: files.statAt,
  statDirectory: files.statFd,
  statFd: files.statFd,
  statPath: files.statPath,
  openRead: (dirfd, name) => files.openAt(dirfd, name, O_RDONLY | READING),
  openWrite: (dirfd, name) => files.openAt(dirfd, name, O_RDWR | READING),
  createNew: (dirfd, name, mode) =>
    files.openAt(dirfd, name, O_RDWR | O_CREAT | O_EXCL | files.O_NOATIME, mode),
  createUnnamed: files.openUnnamed,
  nameUnnamed: files.nameUnnamed,
  close: files.closeFd,
  read: files.readAt,
  write: files.writeAt,
  copyRange: files.copyRange,
  truncate: files.truncateFd,
  nextData: files.nextData,
  nextHole: files.nextHole,
  punch: files.punchFd,
  reserve: (fd, position, length) => {
    files.reserveFd(fd, position, length)
  },
  free: (fd) => {
    const { blocks, bfree, bsize } = statfsSync(`/proc/self/fd/${String(fd)}`)
    return blocks === 0 ? Infinity : bfree * bsize
  },
  datasync: files.fdatasyncFd,
  sync: files.fsyncFd,
  syncFileSystem: files.syncFileSystem,
  mkdir: files.mkdirAt,
  rmdir: files.rmdirAt,
  unlink: files.unlinkAt,
  rename: (fromDir, from, toDir, to) => {
    files.renameAt(fromDir, from, toDir, to)
  },
  exchange: (aDir, a, bDir, b) => {
    files.renameAt(aDir, a, bDir, b, files.RENAME_EXCHANGE)
  },
  link: files.linkAt,
  chmod: files.chmodAt,
  chmodFd: files.chmodFd,
  chown: files.chownAt,
  chownFd: files.chownFd,
  utimes: files.utimesAt,
  utimesFd: files.utimesFd,
  getXattr: files.getXattrFd,
  getXattrAt: files.getXattrAt,
  setXattr: files.setXattrFd,
  listXattr: files.listXattrFd,
  removeXattr: files.removeXattrFd,
}
