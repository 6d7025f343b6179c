// Attributes as an application sees them, from the backing inode, the seal where the mode lies there,
// and an open file's memory.

import { constants } from 'node:fs'
import {
  HEADER_SIZE,
  KIND_DIRECTORY,
  KIND_FILE,
  KIND_SPECIAL,
  KIND_SYMLINK,
  type Kind,
} from '../format/constants.js'
import type { ObjectExtension } from '../format/name.js'
import type { FileStat } from '../store/backing.js'
import { changedAt } from './directory.js'
import { MOMENT_MS, type Attributes } from './filesystem.js'
import { backingName, type Inode } from './inode.js'
import { modeIsSealed } from './mode.js'
import { timeOf } from './nonces.js'
import { isPlaceholder, stubbedSize } from './placeholders.js'
import { lendObject } from './sealed-object.js'
import { checkPlace } from './tickets.js'
import type { Tree } from './tree.js'

const { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } = constants

export const KIND_OF: Record<ObjectExtension, Kind> = {
  '.cfd': KIND_DIRECTORY,
  '.cff': KIND_FILE,
  '.cfl': KIND_SYMLINK,
  '.cfs': KIND_SPECIAL,
}

/** S_IFMT bits by extension; a special node's are in its seal, it shows as a file until it is read. */
export const TYPE_OF: Record<ObjectExtension, number> = {
  '.cfd': S_IFDIR,
  '.cff': S_IFREG,
  '.cfl': S_IFLNK,
  '.cfs': S_IFREG,
}

/** Permission bits (07777) of an inode whose backing file is `stat`. */
export function permissions(tree: Tree, inode: Inode, stat: FileStat): number {
  if (inode.extension === '.cfl') return 0o777
  if (inode === tree.root || !modeIsSealed(stat.mode)) return stat.mode & 0o777
  return inode.body === null ? sealed(tree, inode, stat).mode & 0o7777 : inode.body.mode & 0o7777
}

/** Mode and device number as the seal has them, read again when the backing inode has changed. */
function sealed(tree: Tree, inode: Inode, stat: FileStat): { mode: number; rdev: number } {
  const known = inode.sealed
  if (known?.ctimeSec === stat.ctimeSec && known.ctimeNsec === stat.ctimeNsec) return known
  const unread = { mode: S_IFREG | (stat.mode & 0o777), rdev: 0 }
  if (isPlaceholder(tree, inode, stat)) return unread
  const { mode, rdev } = readSealed(tree, inode, stat) ?? unread
  inode.sealed = { ctimeSec: stat.ctimeSec, ctimeNsec: stat.ctimeNsec, mode, rdev }
  return inode.sealed
}

/** null where the blob cannot say, or is another's: a listing never fails because of that. */
function readSealed(
  tree: Tree,
  inode: Inode,
  stat: FileStat,
): { mode: number; rdev: number } | null {
  const { ctx } = tree
  try {
    if (inode.extension === '.cfd') return tree.directory(inode).metas[0]?.seal ?? null
    if (inode.parent === null) return null
    if (inode.extension === '.cfs' && stat.size !== HEADER_SIZE) return null
    const dirfd = tree.descriptor(inode.parent)
    return lendObject(ctx, dirfd, backingName(inode), KIND_OF[inode.extension], (object) => {
      checkPlace(ctx, dirfd, object, inode)
      return object.seal
    })
  } catch {
    return null
  }
}

/** A blob with several names is written to by names of directories that nobody may watch. */
function validMs(tree: Tree, inode: Inode, { nlink }: FileStat): number {
  const { body, parent } = inode
  // blocks and times will be others once what was written is sealed
  if (body !== null) return body.dirty ? 0 : MOMENT_MS
  if (inode.extension !== '.cfd')
    return parent === null || nlink > 1 ? MOMENT_MS : tree.validMs(parent)
  return Math.min(tree.validMs(inode), parent === null ? Infinity : tree.validMs(parent))
}

/** Its content is of that moment. A chmod or an attribute may have moved ctime since. */
function moved(out: Attributes, { sec, nsec }: { sec: number; nsec: number }): void {
  out.mtimeSec = sec
  out.mtimeNsec = nsec
  if (sec < out.ctimeSec || (sec === out.ctimeSec && nsec <= out.ctimeNsec)) return
  out.ctimeSec = sec
  out.ctimeNsec = nsec
}

export function attributes(tree: Tree, inode: Inode, stat: FileStat, out: Attributes): void {
  const { body } = inode
  out.ino = inode.ino
  out.validMs = validMs(tree, inode, stat)
  // an unnamed file has its one name here already
  out.nlink = inode.pending ? 1 : stat.nlink
  out.uid = stat.uid
  out.gid = stat.gid
  out.rdev = 0
  out.blocks = stat.blocks
  if (inode.extension === '.cfs') {
    const node = sealed(tree, inode, stat)
    out.mode = (node.mode & S_IFMT) | permissions(tree, inode, stat)
    out.rdev = node.rdev
  } else {
    out.mode = TYPE_OF[inode.extension] | permissions(tree, inode, stat)
  }
  out.atimeSec = stat.atimeSec
  out.atimeNsec = stat.atimeNsec
  out.mtimeSec = stat.mtimeSec
  out.mtimeNsec = stat.mtimeNsec
  out.ctimeSec = stat.ctimeSec
  out.ctimeNsec = stat.ctimeNsec
  if (inode.extension === '.cfs') {
    out.size = 0
    return
  }
  if (inode.extension === '.cfd') {
    out.size = stat.size
    if (inode.madeAt !== null) moved(out, changedAt(inode, stat))
    return
  }
  if (inode.stub !== null) {
    const size = stubbedSize(tree, inode)
    out.size = Math.max(0, size)
    // the kernel must ask again before it believes that there is nothing to read
    if (size < 0) out.validMs = 0
    return
  }
  if (body === null) {
    out.size = tree.ctx.layout.shownSize(stat.size)
    return
  }
  // an open file knows better than its blob
  out.size = body.content.size
  if (body.dirty) {
    moved(out, timeOf(body.changedAt))
  }
  const { atime, mtime } = body.set
  if (typeof atime !== 'string') {
    out.atimeSec = atime.sec
    out.atimeNsec = atime.nsec
  }
  if (typeof mtime !== 'string') {
    out.mtimeSec = mtime.sec
    out.mtimeNsec = mtime.nsec
  }
}
