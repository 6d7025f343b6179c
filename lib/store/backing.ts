// System calls on the backing tree, as the drive needs them: by directory descriptor and one name,
// never through a link. Two implementations: Linux (all of it) and portable (reading only, so that
// any machine with Node gets its files back). A descriptor belongs to whoever opened it.

import { nativeAvailable } from '../native/libc.js'
import type { FileStat, FileTime, Types } from '../native/files.js'
import { hasAttributes, isWithoutInodes, numberedByName } from './backing-by-name.js'
import { linuxBacking } from './backing-linux.js'
import { PortableBacking } from './backing-portable.js'

export { emptyStat } from '../native/files.js'
export type { FileStat, FileTime, Types }

/**
 * In place of a descriptor that was closed: its number may be another file's by now, and whoever still
 * uses it must get EBADF.
 */
export const CLOSED = -1

export interface Backing {
  /** Everything, or only what reading takes. */
  readonly writable: boolean
  /** A rename harms what has not been sent yet: things are made, and directories removed, under their own names. */
  readonly inPlace: boolean
  openRoot(path: string): number
  openDirectory(dirfd: number, name: string): number
  closeDirectory(dirfd: number): void
  /** A lock of the kernel's on the directory, for as long as it is open; false where another has it. */
  lock(dirfd: number): boolean
  /** Names in no order, without "." and "..". `types` gets theirs. */
  list(dirfd: number, types?: Types): string[]
  /** The same for an application: the directory's atime moves as its file system sees fit. */
  listAsUser(dirfd: number, types?: Types): string[]
  /** The file's atime moves as its file system sees fit. All other reading leaves it. */
  readAsUser(fd: number): void
  /** False where there is no such name. */
  stat(dirfd: number, name: string, out: FileStat): boolean
  /** A directory descriptor of `openRoot` or `openDirectory`. */
  statDirectory(dirfd: number, out: FileStat): void
  statFd(fd: number, out: FileStat): void
  /** By absolute path; false where it is missing. */
  statPath(path: string, out: FileStat): boolean
  openRead(dirfd: number, name: string): number
  openWrite(dirfd: number, name: string): number
  /** A new file, EEXIST where the name is taken. */
  createNew(dirfd: number, name: string, mode: number): number
  /** An unnamed file of that directory, or -1 where the file system has none. */
  createUnnamed(dirfd: number, mode: number): number
  nameUnnamed(fd: number, dirfd: number, name: string): void
  close(fd: number): void
  read(fd: number, into: Uint8Array, offset: number, length: number, position: number): number
  write(fd: number, from: Uint8Array, offset: number, length: number, position: number): void
  /** To the same place of another file. Less only where `from` ends. */
  copyRange(from: number, to: number, position: number, length: number): void
  truncate(fd: number, length: number): void
  /** First offset from `position` on that is in no hole; Infinity where there is none. */
  nextData(fd: number, position: number): number
  /** First offset from `position` on that is in a hole; the end of the file is one. */
  nextHole(fd: number, position: number): number
  /** Makes a hole of a range inside the file. */
  punch(fd: number, position: number, length: number): void
  /** Takes blocks for a range beyond what is allocated; ENOSPC where there are none. */
  reserve(fd: number, position: number, length: number): void
  /** Bytes that the file system has free, Infinity where it does not say. */
  free(fd: number): number
  datasync(fd: number): void
  sync(fd: number): void
  syncFileSystem(dirfd: number): void
  mkdir(dirfd: number, name: string, mode: number): void
  rmdir(dirfd: number, name: string): void
  unlink(dirfd: number, name: string): void
  rename(fromDir: number, from: string, toDir: number, to: string): void
  /** Both names must be there. */
  exchange(aDir: number, a: string, bDir: number, b: string): void
  /** A further name for a file; EPERM or EOPNOTSUPP where the file system has no hard links. */
  link(fromDir: number, from: string, toDir: number, to: string): void
  chmod(dirfd: number, name: string, mode: number): void
  chmodFd(fd: number, mode: number): void
  chown(dirfd: number, name: string, uid: number, gid: number): void
  chownFd(fd: number, uid: number, gid: number): void
  utimes(dirfd: number, name: string, atime: FileTime, mtime: FileTime): void
  utimesFd(fd: number, atime: FileTime, mtime: FileTime): void
  /** Extended attributes by descriptor, of a directory too, whatever it was opened for. */
  getXattr(fd: number, name: string): Uint8Array | null
  /** The same by name, without opening; null also where it cannot be said. */
  getXattrAt(dirfd: number, name: string, attribute: string): Uint8Array | null
  /** flags as in setxattr(2) */
  setXattr(fd: number, name: string, value: Uint8Array, flags: number): void
  listXattr(fd: number): string[]
  removeXattr(fd: number, name: string): void
}

/** `portable`: the reading-only one even where Linux calls are at hand. `path`: where the tree lies. */
export function openBacking(portable = false, path: string | null = null): Backing {
  if (portable || !nativeAvailable || process.platform !== 'linux') return new PortableBacking()
  if (path === null || !isWithoutInodes(path)) return linuxBacking
  return numberedByName(linuxBacking, hasAttributes(linuxBacking, path))
}
