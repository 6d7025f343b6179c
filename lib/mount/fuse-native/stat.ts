// Attributes as the library wants them. It cuts inode numbers and the counts of statfs to 32 bits, and
// times to whole milliseconds since 1970.

import type { Attributes, Statfs } from '../../fs/filesystem.js'

const TWO_32 = 2 ** 32
/** as large as a request gets */
const PREFERRED_IO = 128 * 1024

export interface NativeStat {
  mode: number
  uid: number
  gid: number
  size: number
  dev: number
  nlink: number
  ino: number
  rdev: number
  blksize: number
  blocks: number
  /** milliseconds */
  atime: number
  mtime: number
  ctime: number
}

const milliseconds = (sec: number, nsec: number): number =>
  Math.max(0, sec * 1000 + Math.floor(nsec / 1_000_000))

/**
 * Inode numbers of more than 32 bits, and what each is shown as: cutting them could make two files
 * one to tar and rsync. Kept for the life of the mount.
 */
export class InodeNumbers {
  readonly #shown = new Map<number, number>()

  show(ino: number): number {
    if (ino < TWO_32) return ino
    let shown = this.#shown.get(ino)
    if (shown === undefined) {
      // from the top, away from those that need no other
      shown = TWO_32 - 2 - this.#shown.size
      this.#shown.set(ino, shown)
    }
    return shown
  }
}

export const nativeStat = (a: Attributes, numbers: InodeNumbers): NativeStat => ({
  mode: a.mode,
  uid: a.uid,
  gid: a.gid,
  size: a.size,
  dev: 0,
  nlink: a.nlink,
  ino: numbers.show(a.ino),
  rdev: a.rdev,
  blksize: PREFERRED_IO,
  blocks: a.blocks,
  atime: milliseconds(a.atimeSec, a.atimeNsec),
  mtime: milliseconds(a.mtimeSec, a.mtimeNsec),
  ctime: milliseconds(a.ctimeSec, a.ctimeNsec),
})

export interface NativeStatfs {
  bsize: number
  frsize: number
  blocks: number
  bfree: number
  bavail: number
  files: number
  ffree: number
  favail: number
  fsid: number
  flag: number
  namemax: number
}

/** A large disk has blocks of a larger size, and no more than 2^32 - 1 of them. */
export function nativeStatfs(s: Statfs): NativeStatfs {
  let scale = 1
  while (Math.max(s.blocks, s.blocksFree) / scale >= TWO_32) scale *= 2
  const cut = (n: number): number => Math.min(n, TWO_32 - 1)
  const bsize = s.blockSize * scale
  return {
    bsize,
    frsize: bsize,
    blocks: Math.floor(s.blocks / scale),
    bfree: Math.floor(s.blocksFree / scale),
    bavail: Math.floor(s.blocksAvailable / scale),
    files: cut(s.files),
    ffree: cut(s.filesFree),
    favail: cut(s.filesFree),
    fsid: 0,
    flag: 0,
    namemax: s.nameMax,
  }
}
