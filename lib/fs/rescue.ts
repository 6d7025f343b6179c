// An open file whose name leads elsewhere now: the cloud has replaced, moved or deleted its blob. What
// was written must not be lost, so the file goes on over a new blob, which is given a name of its own
// with the next seal. FORMAT.md §6.

import { CofferError } from '../errors.js'
import { emptyStat } from '../store/backing.js'
import { KIND_OF } from './attributes.js'
import { FileBody } from './file-body.js'
import type { FileContent } from './file-content.js'
import type { Inode } from './inode.js'
import type { Tree } from './tree.js'
import { getxattr, listxattr, setxattr } from './xattr.js'

const COPY_BYTES = 1024 * 1024
const stat = emptyStat()

/**
 * Does a name still lead to the blob that is open? Any known one will do, and it is the inode's name
 * from now on; of several links there may be some that we have never seen.
 */
export function namesItsBlob(tree: Tree, inode: Inode, { fd }: FileBody): boolean {
  if (tree.settle(inode)) return true
  tree.ctx.backing.statFd(fd, stat)
  return stat.nlink > 1
}

/** Copies an open file, as it is now, to a blob without a name; the inode is pending again. */
export function rescue(tree: Tree, inode: Inode): void {
  const { backing, log } = tree.ctx
  const { body: old, parent } = inode
  if (old === null || parent === null) return
  backing.statFd(old.fd, stat)
  const { mode, uid, gid } = stat
  const fd = backing.createUnnamed(tree.descriptor(parent), mode & 0o7777)
  if (fd < 0) throw new CofferError('EIO', 'the blob of an open file was replaced in the folder')
  let body: FileBody | null = null
  try {
    backing.chmodFd(fd, mode & 0o7777)
    backing.statFd(fd, stat)
    if (stat.uid !== uid || stat.gid !== gid) backing.chownFd(fd, uid, gid)
    body = FileBody.create(tree.ctx, KIND_OF[inode.extension], fd, stat.ino, old.mode)
    copy(old.content, body.content)
  } catch (error) {
    if (body === null) backing.close(fd)
    else body.close()
    throw error
  }
  body.set.atime = old.set.atime
  body.set.mtime = old.set.mtime
  const kept = readAttributes(tree, inode)
  body.path = old.path
  inode.body = body
  backing.statFd(old.fd, stat)
  if (stat.nlink === 0) tree.ctx.journal?.forget(old.ino)
  old.close()
  for (const [name, value] of kept) setxattr(tree, inode, name, value, 0)
  tree.moveToBlob(inode, body.ino)
  // a copy goes on under the name that it is shown under
  if (inode.copy !== null) tree.promiseName(inode, parent, inode.copy.shown)
  inode.pending = true
  inode.synced = false
  tree.directory(parent).pending.set(inode.name, inode)
  const message =
    'the blob of an open file was replaced in the vault folder; both versions are kept'
  log({ level: 'warn', event: 'conflict', message, path: inode.name })
}

/** The extended attributes that can be read; they are encrypted for the old object. */
function readAttributes(tree: Tree, inode: Inode): [string, Uint8Array][] {
  return listxattr(tree, inode).flatMap((name): [string, Uint8Array][] => {
    try {
      return [[name, getxattr(tree, inode, name)]]
    } catch {
      return []
    }
  })
}

function copy(from: FileContent, to: FileContent): void {
  const buffer = new Uint8Array(Math.min(COPY_BYTES, from.size))
  for (let at = data(from, 0); at < from.size; at = data(from, at)) {
    const length = from.read(at, Math.min(buffer.length, from.nextHole(at) - at), buffer, 0)
    to.write(at, buffer, 0, length)
    at += length
  }
  if (to.size < from.size) to.truncate(from.size)
  // what the seal that is due was to erase lies there still
  const { start, end } = from.erasing
  if (start < end) to.punch(start, end - start)
  buffer.fill(0)
}

function data(body: FileContent, from: number): number {
  try {
    return body.nextData(from)
  } catch (error) {
    if (error instanceof CofferError && error.code === 'ENXIO') return body.size
    throw error
  }
}
