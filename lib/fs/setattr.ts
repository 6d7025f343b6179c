// chmod, chown, truncate, utimens.

import { constants } from 'node:fs'
import { CofferError } from '../errors.js'
import { emptyStat, type FileTime } from '../store/backing.js'
import { TYPE_OF, permissions } from './attributes.js'
import { sealMetas } from './directory.js'
import type { FileBody } from './file-body.js'
import type { AttributeChanges } from './filesystem.js'
import { backingName, isRecent, type Inode } from './inode.js'
import { backingMode, modeIsSealed } from './mode.js'
import { timeOf } from './nonces.js'
import { makeWritable, openBody } from './open-body.js'
import { commit } from './commit.js'
import { giveUpRescue } from './rescue.js'
import { reseal } from './reseal.js'
import { KEEP_ID } from './not-carried.js'
import { assertOwnMetas } from './shared-metas.js'
import { isDirectory, type Tree } from './tree.js'

const { S_IFDIR, S_IFMT } = constants
const stat = emptyStat()

function statOrFail(tree: Tree, inode: Inode): void {
  if (!tree.stat(inode, stat)) throw new CofferError('ENOENT', 'the file is not there any more')
}

/** Directory descriptor and name to change a closed inode by; the root is ".". */
function where(tree: Tree, inode: Inode): [number, string] {
  if (inode === tree.root) return [tree.folder.rootFd, '.']
  if (inode.others.length > 0) tree.settle(inode)
  if (inode.parent === null) throw new CofferError('ENOENT', 'the file was removed')
  return [tree.descriptor(inode.parent), backingName(inode)]
}

export function setattr(tree: Tree, inode: Inode, changes: AttributeChanges): void {
  if (changes.uid !== undefined || changes.gid !== undefined) chown(tree, inode, changes)
  if (changes.size !== undefined) truncate(tree, inode, changes.size)
  if (changes.mode !== undefined) chmod(tree, inode, changes.mode & 0o7777)
  else if (changes.killPriv === true) killPrivileges(tree, inode)
  if (changes.atime !== undefined || changes.mtime !== undefined) utimens(tree, inode, changes)
}

/** Set-uid goes, and set-gid where the group may execute. */
export function killPrivileges(tree: Tree, inode: Inode): void {
  statOrFail(tree, inode)
  if (isDirectory(inode) || !modeIsSealed(stat.mode)) return
  const mode = permissions(tree, inode, stat)
  const kept = mode & ~0o4000 & ~((mode & 0o10) !== 0 ? 0o2000 : 0)
  if (kept !== mode) chmod(tree, inode, kept)
}

export function chmod(tree: Tree, inode: Inode, mode: number): void {
  const { backing } = tree.ctx
  if (inode.extension === '.cfl') return
  statOrFail(tree, inode)
  const { body } = inode
  if (isDirectory(inode) && permissions(tree, inode, stat) !== mode)
    tree.ctx.notCarried.folderMode()
  if (inode === tree.root) {
    // the root has no meta to keep a mode in
    backing.chmod(tree.folder.rootFd, '.', (mode & 0o777) | 0o700)
    return
  }
  const bits = backingMode(mode, isDirectory(inode))
  if (body === null) {
    if (modeIsSealed(bits)) sealMode(tree, inode, mode)
    const [dirfd, name] = where(tree, inode)
    backing.chmod(dirfd, name, bits)
    inode.sealed = null
    if (!modeIsSealed(bits) && modeTravels(tree, inode, stat.size))
      quietly(() => {
        sealMode(tree, inode, mode, false)
      })
    return
  }
  const change = (): void => {
    makeWritable(tree, inode)
    body.changeMode(mode, { sec: stat.mtimeSec, nsec: stat.mtimeNsec })
  }
  if (modeIsSealed(bits) && inode.parent !== null) change()
  else body.mode = mode
  backing.chmodFd(body.fd, bits)
  if (!modeIsSealed(bits) && inode.parent !== null && modeTravels(tree, inode, stat.size))
    quietly(change)
}

/**
 * Does a mode that the backing inode bears go into the seal at once, so that it comes to other
 * machines? Of a large file only where no client has looked yet: it would be sent again for that.
 */
function modeTravels({ ctx }: Tree, inode: Inode, bytes: number): boolean {
  if (inode.extension !== '.cff') return false
  const recent = isRecent(inode, ctx.clock())
  return recent || ctx.layout.shownSize(bytes) <= ctx.body.policy.strictMax
}

/** The mode has been changed; the seal will have it with the next commit at the latest. */
function quietly(seal: () => void): void {
  try {
    seal()
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
  }
}

/** `alone`: the seal is all that has it. */
function sealMode(tree: Tree, inode: Inode, mode: number, alone = true): void {
  if (isDirectory(inode)) {
    assertOwnMetas(tree, inode, 'EOPNOTSUPP')
    const { metas } = tree.directory(inode)
    const place = { parentDirId: inode.dirId, name: inode.name }
    sealMetas(
      tree.ctx,
      tree.descriptor(inode),
      metas,
      { place, mode: S_IFDIR | mode, leaving: null },
      0,
    )
    return
  }
  const type =
    inode.extension === '.cfs' ? (inode.sealed?.mode ?? 0) & S_IFMT : TYPE_OF[inode.extension]
  const wanted = type | mode
  reseal(
    tree,
    inode,
    ({ seal }) => (seal?.mode === wanted && !alone ? null : { mode: wanted }),
    0,
    alone,
  )
}

function chown(tree: Tree, inode: Inode, { uid = KEEP_ID, gid = KEEP_ID }: AttributeChanges): void {
  const { backing } = tree.ctx
  if (inode.body === null) {
    const [dirfd, name] = where(tree, inode)
    backing.chown(dirfd, name, uid, gid)
  } else backing.chownFd(inode.body.fd, uid, gid)
  tree.ctx.notCarried.owner(tree, uid, gid)
}

/** Lends the inode's body, opened for writing for the moment where nobody has it open. */
function withBody(
  tree: Tree,
  inode: Inode,
  truncating: boolean,
  use: (body: FileBody) => void,
): void {
  if (inode.body !== null) {
    makeWritable(tree, inode)
    // nobody changes a blob that is being copied
    if (inode.rescue !== null) commit(tree, inode)
    use(inode.body)
    return
  }
  inode.body = openBody(tree, inode, true, truncating)
  try {
    use(inode.body)
    if (inode.body.dirty) commit(tree, inode)
  } finally {
    giveUpRescue(tree, inode)
    inode.body.close()
    inode.body = null
  }
}

export function truncate(tree: Tree, inode: Inode, size: number): void {
  if (isDirectory(inode)) throw new CofferError('EISDIR', 'it is a directory')
  if (inode.extension !== '.cff') throw new CofferError('EINVAL', 'not a regular file')
  withBody(tree, inode, size === 0, (body) => {
    body.content.truncate(size)
  })
}

function utimens(tree: Tree, inode: Inode, changes: AttributeChanges): void {
  const { backing, clock } = tree.ctx
  const atime: FileTime = changes.atime ?? 'omit'
  const mtime: FileTime = changes.mtime ?? 'omit'
  const { body } = inode
  if (mtime !== 'omit') inode.madeAt = null
  if (body === null) {
    const [dirfd, name] = where(tree, inode)
    backing.utimes(dirfd, name, atime, mtime)
    tree.touched(inode)
    return
  }
  const now = timeOf(clock())
  if (atime !== 'omit') body.set.atime = atime === 'now' ? now : atime
  if (mtime !== 'omit') body.set.mtime = mtime === 'now' ? now : mtime
  // where a seal is due, they are set again after it
  if (!body.dirty) body.applyTimes()
  else backing.utimesFd(body.fd, atime, mtime)
}
