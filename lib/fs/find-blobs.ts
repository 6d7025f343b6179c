// The blobs that entries of a journal are of. Each says where its blob was; where it is not there any
// more, since it or a directory above it was renamed, the whole tree is searched for its inode.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import {
  ID_SIZE,
  KIND_DIRECTORY,
  KIND_FILE,
  KIND_SYMLINK,
  OBJECT_ID_OFFSET,
  type Kind,
} from '../format/constants.js'
import { emptyStat } from '../store/backing.js'
import { isZero } from '../format/chunk.js'
import { ENTRY_BORN } from '../format/journal.js'
import type { Chain } from './journal-chains.js'
import type { Tree } from './tree.js'

const stat = emptyStat()
const nobody = new Uint8Array(0)
/** Nothing is there, or something that is no blob. */
const ABSENT: readonly string[] = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR']

/** Works on a blob: open for writing, or -1 where it is not found; `path` is below the vault folder. */
export type OnBlob = (chain: Chain, fd: number, path: string) => void

/** Nothing was done to the new blob since it got its name. */
export const isOnlyBorn = ({ entries }: Chain): boolean =>
  entries.every(({ type }) => type === ENTRY_BORN)

export function findBlobs(tree: Tree, chains: readonly Chain[], use: OnBlob): void {
  const missing = new Map<number, Chain>()
  for (const chain of chains) {
    const path = pathOf(chain)
    const fd = openPath(tree, path)
    if (fd >= 0 && isOf(tree, fd, chain)) lend(tree, chain, fd, path, use)
    else {
      if (fd >= 0) tree.ctx.backing.close(fd)
      // it is where it was, or it never reached the disk
      if (!isOnlyBorn(chain) && !chain.removed) missing.set(chain.ino, chain)
    }
  }
  if (missing.size > 0) search(tree, tree.folder.rootFd, 'data', missing, use)
  for (const chain of missing.values()) use(chain, -1, pathOf(chain))
}

const pathOf = ({ entries }: Chain): string => entries.at(-1)?.path ?? ''

function lend(tree: Tree, chain: Chain, fd: number, path: string, use: OnBlob): void {
  try {
    use(chain, fd, path)
  } finally {
    tree.ctx.backing.close(fd)
  }
}

/**
 * Does the blob name that object? It may be another inode, in a folder that was copied. One without a
 * header is known by its inode.
 */
function isOf({ ctx }: Tree, fd: number, { ino, entries }: Chain): boolean {
  const id = Buffer.alloc(ID_SIZE)
  const got = ctx.backing.read(fd, id, 0, ID_SIZE, OBJECT_ID_OFFSET)
  const objectId = entries[0]?.objectId ?? nobody
  if (got === ID_SIZE && id.equals(objectId)) return true
  ctx.backing.statFd(fd, stat)
  return stat.ino === ino && isZero(id, 0, got)
}

/** Opens the file at a path below the vault folder, never through a link; -1 where it is not. */
export function openPath(tree: Tree, path: string): number {
  try {
    return withDirectory(tree, path, (dirfd, name) => tree.ctx.backing.openWrite(dirfd, name))
  } catch (error) {
    if (error instanceof CofferError && ABSENT.includes(error.code)) return -1
    throw error
  }
}

/** Lends the directory that a path of backing names leads to, and the last name. */
function withDirectory<T>(tree: Tree, path: string, use: (dirfd: number, name: string) => T): T {
  const { backing } = tree.ctx
  const names = path.split('/').slice(1)
  const last = names.pop()
  if (last === undefined) throw new CofferError('ENOENT', 'no path')
  let dirfd = tree.folder.rootFd
  try {
    for (const name of names) {
      const next = backing.openDirectory(dirfd, name)
      if (dirfd !== tree.folder.rootFd) backing.closeDirectory(dirfd)
      dirfd = next
    }
    return use(dirfd, last)
  } finally {
    if (dirfd !== tree.folder.rootFd) backing.closeDirectory(dirfd)
  }
}

function search(
  tree: Tree,
  dirfd: number,
  path: string,
  missing: Map<number, Chain>,
  use: OnBlob,
): void {
  const { backing } = tree.ctx
  for (const name of backing.list(dirfd)) {
    if (missing.size === 0) return
    if (!backing.stat(dirfd, name, stat)) continue
    const chain = missing.get(stat.ino)
    if (chain !== undefined && extensionFits(name, chain.entries[0]?.kind)) {
      const fd = backing.openWrite(dirfd, name)
      if (isOf(tree, fd, chain)) {
        missing.delete(stat.ino)
        lend(tree, chain, fd, `${path}/${name}`, use)
      } else backing.close(fd)
    }
    if (!name.includes('.cfd')) continue
    let below: number
    try {
      below = backing.openDirectory(dirfd, name)
    } catch (error) {
      // what is no directory, or not ours to enter, has no blob that could be finished
      if (error instanceof CofferError && [...ABSENT, 'EACCES'].includes(error.code)) continue
      throw error
    }
    try {
      search(tree, below, `${path}/${name}`, missing, use)
    } finally {
      backing.closeDirectory(below)
    }
  }
}

/** An inode number may be another file's by now. In a conflict copy's name something may come after. */
function extensionFits(name: string, kind: Kind | undefined): boolean {
  if (kind === KIND_FILE) return name.includes('.cff')
  if (kind === KIND_SYMLINK) return name.includes('.cfl')
  return kind !== KIND_DIRECTORY && name.includes('.cfs')
}
