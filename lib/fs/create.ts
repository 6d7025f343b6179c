// New objects: create, mkdir, symlink, mknod.

import { constants } from 'node:fs'
import { CofferError } from '../errors.js'
import { KIND_SPECIAL } from '../format/constants.js'
import type { ObjectExtension } from '../format/name.js'
import { emptyStat, type FileStat } from '../store/backing.js'
import { KIND_OF, permissions } from './attributes.js'
import { commit } from './commit.js'
import { newMeta, rememberMeta } from './directory.js'
import { FileBody } from './file-body.js'
import type { Caller } from './filesystem.js'
import { blobPath, type Inode } from './inode.js'
import { assertFree } from './locate.js'
import { backingMode } from './mode.js'
import { timeOf } from './nonces.js'
import { headerSeal, SealedObject, ZERO16 } from './sealed-object.js'
import { withOwnMeta } from './own-meta.js'
import { openUnnamed, temporaryName, writeSidecar, writeSmall } from './small-files.js'
import type { Tree } from './tree.js'

const { S_IFDIR } = constants
const S_ISGID = 0o2000
const stat = emptyStat()

/** Nothing of a new object has reached the disk yet. */
function born(tree: Tree, inode: Inode): Inode {
  inode.bornAt = tree.ctx.clock()
  inode.synced = false
  if (inode.body !== null) inode.body.path = () => blobPath(inode)
  return inode
}

interface Ownership {
  uid: number
  gid: number
  /** a new directory inherits set-gid */
  setgid: boolean
}

/** Owner of a new object: the caller, or the group of a set-gid directory. */
function ownership(tree: Tree, parent: Inode, caller: Caller): Ownership {
  if (!tree.stat(parent, stat)) throw new CofferError('ENOENT', 'the directory was removed')
  const setgid = (permissions(tree, parent, stat) & S_ISGID) !== 0
  return { uid: caller.uid, gid: setgid ? stat.gid : caller.gid, setgid }
}

/**
 * Owner and mode of a new backing object, and what it looks like then. Only root can give files away;
 * for everybody else it is already theirs.
 */
function settle(
  tree: Tree,
  fd: number,
  bits: number,
  { uid, gid }: Ownership,
  out: FileStat,
): void {
  const { backing, notCarried } = tree.ctx
  backing.statFd(fd, out)
  const isTheirs = out.uid === uid && out.gid === gid
  if (isTheirs && (out.mode & 0o7777) === bits) return
  if (!isTheirs) {
    try {
      backing.chownFd(fd, uid, gid)
      notCarried.owner(tree, uid, gid)
    } catch (error) {
      if (!(error instanceof CofferError) || error.code !== 'EPERM') throw error
    }
  }
  backing.chmodFd(fd, bits)
  backing.statFd(fd, out)
}

/** Throws ENAMETOOLONG, EEXIST. */
function assertMakeable(tree: Tree, parent: Inode, name: string): void {
  tree.encode(withOwnMeta(tree, parent).first, name)
  assertFree(tree, parent, name)
}

// Each fills `out` from what it has made.

/** A new file or link with an open body, not yet named. */
function createBody(
  tree: Tree,
  parent: Inode,
  name: string,
  extension: ObjectExtension,
  mode: number,
  caller: Caller,
  out: FileStat,
): Inode {
  const { backing } = tree.ctx
  assertMakeable(tree, parent, name)
  const owner = ownership(tree, parent, caller)
  const bits = extension === '.cfl' ? 0o600 : backingMode(mode, false)
  const dirfd = tree.descriptor(parent)
  let fd = backing.createUnnamed(dirfd, bits)
  const unnamed = fd >= 0
  const { first } = tree.directory(parent)
  let base = ''
  if (!unnamed) {
    const encoded = tree.encode(first, name)
    base = encoded.base
    writeSidecar(tree, dirfd, encoded)
    fd = backing.createNew(dirfd, base + extension, bits)
  }
  let inode: Inode | null = null
  try {
    settle(tree, fd, bits, owner, out)
    inode = unnamed
      ? tree.addPending(parent, name, extension, out.ino)
      : tree.adopt(parent, name, base, extension, first.dirId, out)
    inode.body = FileBody.create(tree.ctx, KIND_OF[extension], fd, out.ino, mode & 0o7777)
    born(tree, inode)
    if (unnamed && extension === '.cff') parent.madeAt = timeOf(tree.ctx.clock())
    return inode
  } catch (error) {
    if (inode !== null) tree.unlinked(inode)
    backing.close(fd)
    throw error
  }
}

/** A file without a name (O_TMPFILE), open. */
export function tmpfile(
  tree: Tree,
  parent: Inode,
  mode: number,
  caller: Caller,
  out: FileStat,
): Inode {
  const { backing } = tree.ctx
  const owner = ownership(tree, parent, caller)
  const bits = backingMode(mode, false)
  const fd = backing.createUnnamed(tree.descriptor(parent), bits)
  if (fd < 0) throw new CofferError('EOPNOTSUPP', 'the vault folder takes no files without a name')
  try {
    settle(tree, fd, bits, owner, out)
    const inode = tree.addNameless('.cff', out.ino)
    inode.body = FileBody.create(tree.ctx, KIND_OF['.cff'], fd, out.ino, mode)
    return born(tree, inode)
  } catch (error) {
    backing.close(fd)
    throw error
  }
}

/** The new inode has an open body and is dirty: whoever asked opens a handle on it or commits it. */
export function create(
  tree: Tree,
  parent: Inode,
  name: string,
  mode: number,
  caller: Caller,
  out: FileStat,
): Inode {
  return createBody(tree, parent, name, '.cff', mode & 0o7777 & ~caller.umask, caller, out)
}

export function symlink(
  tree: Tree,
  parent: Inode,
  name: string,
  target: Uint8Array,
  caller: Caller,
  out: FileStat,
): Inode {
  const inode = createBody(tree, parent, name, '.cfl', 0o777, caller, out)
  try {
    inode.body?.content.write(0, target, 0, target.length)
    commit(tree, inode)
    if (inode.body !== null) tree.ctx.backing.statFd(inode.body.fd, out)
    inode.closedAt = 0
    return inode
  } catch (error) {
    tree.unlinked(inode)
    throw error
  } finally {
    inode.body?.close()
    inode.body = null
  }
}

export function mkdir(
  tree: Tree,
  parent: Inode,
  name: string,
  mode: number,
  caller: Caller,
  out: FileStat,
): Inode {
  const { backing } = tree.ctx
  assertMakeable(tree, parent, name)
  const owner = ownership(tree, parent, caller)
  const bits = (mode & 0o1777 & ~caller.umask) | (owner.setgid ? S_ISGID : 0)
  const directory = tree.directory(parent)
  const encoded = tree.encode(directory.first, name)
  const dirfd = tree.descriptor(parent)
  const shown = `${encoded.base}.cfd`
  const first = backing.inPlace ? shown : temporaryName(tree)
  const place = { parentDirId: directory.first.dirId, name }
  const { object, file } = newMeta(tree.ctx, place, S_IFDIR | bits)
  let meta = -1
  let made = -1
  try {
    const { header } = object
    writeSidecar(tree, dirfd, encoded)
    // without it nothing below can ever be opened; what waits for the disk waits before anything shows
    meta = openUnnamed(tree, dirfd, header, true)
    backing.mkdir(dirfd, first, 0o700)
    made = backing.openDirectory(dirfd, first)
    if (meta >= 0) backing.nameUnnamed(meta, made, file)
    else writeSmall(tree, made, file, header, true)
    settle(tree, made, backingMode(bits, true), owner, out)
    if (first !== shown) backing.rename(dirfd, first, dirfd, shown)
    rememberMeta(tree.ctx, object)
    backing.statFd(made, out)
    return born(tree, tree.adopt(parent, name, encoded.base, '.cfd', directory.first.dirId, out))
  } catch (error) {
    if (made >= 0) removeQuietly(tree, made, dirfd, file, first)
    throw error
  } finally {
    object.wipe()
    if (meta >= 0) backing.close(meta)
    if (made >= 0) backing.closeDirectory(made)
  }
}

function removeQuietly(tree: Tree, made: number, dirfd: number, file: string, name: string): void {
  const { backing } = tree.ctx
  try {
    if (backing.stat(made, file, stat)) backing.unlink(made, file)
    backing.rmdir(dirfd, name)
  } catch {
    // the error that is on its way says more
  }
}

/** A fifo, socket or device: a header alone. */
export function mknod(
  tree: Tree,
  parent: Inode,
  name: string,
  mode: number,
  rdev: number,
  caller: Caller,
  out: FileStat,
): Inode {
  const { backing } = tree.ctx
  assertMakeable(tree, parent, name)
  const owner = ownership(tree, parent, caller)
  const directory = tree.directory(parent)
  const encoded = tree.encode(directory.first, name)
  const dirfd = tree.descriptor(parent)
  const object = SealedObject.create(tree.ctx, KIND_SPECIAL)
  const bits = mode & ~caller.umask
  let fd = backing.createUnnamed(dirfd, 0o600)
  const file = `${encoded.base}.cfs`
  const temporary = fd >= 0 ? null : backing.inPlace ? file : temporaryName(tree)
  if (temporary !== null) fd = backing.createNew(dirfd, temporary, 0o600)
  try {
    const place = { parentDirId: directory.first.dirId, name }
    object.begin(headerSeal(tree.ctx, place, bits, ZERO16, rdev), 0, (bytes, offset) => {
      backing.write(fd, bytes, 0, bytes.length, offset)
    })
    settle(tree, fd, backingMode(bits & 0o7777, false), owner, out)
    writeSidecar(tree, dirfd, encoded)
    backing.datasync(fd)
    if (temporary === null) backing.nameUnnamed(fd, dirfd, file)
    else if (temporary !== file) backing.rename(dirfd, temporary, dirfd, file)
    backing.statFd(fd, out)
    return born(tree, tree.adopt(parent, name, encoded.base, '.cfs', directory.first.dirId, out))
  } catch (error) {
    if (temporary !== null && backing.stat(dirfd, temporary, stat)) backing.unlink(dirfd, temporary)
    throw error
  } finally {
    object.wipe()
    backing.close(fd)
  }
}
