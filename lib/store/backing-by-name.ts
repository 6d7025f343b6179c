// The backing tree on an engine that has no inodes of its own (a mount of rclone, of S3, of WebDAV): its
// numbers go with the names, and change some time after a rename. Here an object keeps the number that
// it got when it was first seen, through every rename of ours and for as long as its name is there.
// What others rename is another object. Such an engine sends what was written some time later, and a
// directory that is renamed before cannot be read until then. rclone 1.60 even forgets to rename a file
// that it is sending at that moment: what can be made under its own name is.

import { lstatSync, statfsSync } from 'node:fs'
import { CofferError } from '../errors.js'
import { emptyStat, type Backing, type FileStat } from './backing.js'
import { FUSE } from './magic.js'

/** Directories of a file system with inodes count their names. */
export function isWithoutInodes(path: string): boolean {
  try {
    return statfsSync(path).type === FUSE && lstatSync(path).nlink <= 1
  } catch {
    return false
  }
}

/** Without any, rclone answers EIO to what is asked of a file, which looks like damage; of a directory, the truth. */
export function hasAttributes(backing: Backing, path: string): boolean {
  const fd = backing.openRoot(path)
  try {
    backing.removeXattr(fd, 'user.coffer.tried')
    return true
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
    return error.code !== 'EOPNOTSUPP'
  } finally {
    backing.closeDirectory(fd)
  }
}

/** What a disk has lost, an engine gives later: that is no damage. */
function patient<T>(ask: () => T): T {
  try {
    return ask()
  } catch (error) {
    if (!(error instanceof CofferError) || error.code !== 'EIO') throw error
    const message = `the engine does not do that now (${error.message}): its server cannot be reached, or the folder was renamed before what is in it was sent`
    throw new CofferError('WAITS_FOR_ENGINE', message, { cause: error })
  }
}

export function numberedByName(inner: Backing, attributes = true): Backing {
  /** by "number of the directory/name" */
  const numbers = new Map<string, number>()
  const opened = new Map<number, number>()
  const stat = emptyStat()
  let next = 1
  const noAttributes = (): never => {
    throw new CofferError('EOPNOTSUPP', 'the engine has no extended attributes')
  }

  const key = (dirfd: number, name: string): string => `${String(opened.get(dirfd) ?? 0)}/${name}`
  const number = (dirfd: number, name: string): number => {
    const at = key(dirfd, name)
    let known = numbers.get(at)
    if (known === undefined) numbers.set(at, (known = next++))
    return known
  }
  const opens = (fd: number, dirfd: number, name: string): number => {
    opened.set(fd, number(dirfd, name))
    return fd
  }
  const gone = (dirfd: number, name: string): void => {
    numbers.delete(key(dirfd, name))
  }
  const fill = (fd: number, out: FileStat): void => {
    out.ino = opened.get(fd) ?? out.ino
  }

  return {
    ...inner,
    inPlace: true,
    openRoot: (path) => {
      const fd = inner.openRoot(path)
      inner.statDirectory(fd, stat)
      opened.set(fd, stat.ino)
      return fd
    },
    openDirectory: (dirfd, name) => opens(inner.openDirectory(dirfd, name), dirfd, name),
    closeDirectory: (fd) => {
      opened.delete(fd)
      inner.closeDirectory(fd)
    },
    stat: (dirfd, name, out) => {
      const there = patient(() => inner.stat(dirfd, name, out))
      if (there) out.ino = number(dirfd, name)
      else gone(dirfd, name)
      return there
    },
    statDirectory: (fd, out) => {
      inner.statDirectory(fd, out)
      fill(fd, out)
    },
    statFd: (fd, out) => {
      patient(() => {
        inner.statFd(fd, out)
      })
      fill(fd, out)
    },
    openRead: (dirfd, name) => patient(() => opens(inner.openRead(dirfd, name), dirfd, name)),
    openWrite: (dirfd, name) => patient(() => opens(inner.openWrite(dirfd, name), dirfd, name)),
    createNew: (dirfd, name, mode) => {
      gone(dirfd, name)
      return opens(inner.createNew(dirfd, name, mode), dirfd, name)
    },
    createUnnamed: () => -1,
    read: (fd, into, offset, length, position) =>
      patient(() => inner.read(fd, into, offset, length, position)),
    write: (fd, from, offset, length, position) => {
      patient(() => {
        inner.write(fd, from, offset, length, position)
      })
    },
    truncate: (fd, length) => {
      patient(() => {
        inner.truncate(fd, length)
      })
    },
    datasync: (fd) => {
      patient(() => {
        inner.datasync(fd)
      })
    },
    close: (fd) => {
      opened.delete(fd)
      inner.close(fd)
    },
    rmdir: (dirfd, name) => {
      inner.rmdir(dirfd, name)
      gone(dirfd, name)
    },
    unlink: (dirfd, name) => {
      inner.unlink(dirfd, name)
      gone(dirfd, name)
    },
    rename: (fromDir, from, toDir, to) => {
      const moved = number(fromDir, from)
      inner.rename(fromDir, from, toDir, to)
      gone(fromDir, from)
      numbers.set(key(toDir, to), moved)
    },
    getXattr: (fd, name) => (attributes ? inner.getXattr(fd, name) : null),
    setXattr: (fd, name, value, flags) => {
      if (attributes) inner.setXattr(fd, name, value, flags)
      else noAttributes()
    },
    listXattr: (fd) => (attributes ? inner.listXattr(fd) : []),
    removeXattr: (fd, name) => {
      if (attributes) inner.removeXattr(fd, name)
      else noAttributes()
    },
    exchange: () => {
      throw new CofferError('EINVAL', 'the engine cannot exchange two names')
    },
    link: () => {
      throw new CofferError('EOPNOTSUPP', 'the engine has no hard links')
    },
  }
}
