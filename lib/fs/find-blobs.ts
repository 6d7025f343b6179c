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
import type { Chain } from './journal-chains.js'
import type { Tree } from './tree.js'

const stat = emptyStat()
const nobody = new Uint8Array(0)
/** Nothing is there, or something that is no blob. */
const ABSENT: readonly string[] = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR']

export interface FoundBlob {
  chain: Chain
  /** below the vault folder; where it was last, if it was not found */
  path: string
  found: boolean
}

export function findBlobs(tree: Tree, chains: readonly Chain[]): FoundBlob[] {
  const found: FoundBlob[] = []
  const missing = new Map<number, Chain>()
  for (const chain of chains) {
    const path = chain.entries.at(-1)?.path ?? ''
    const fd = openPath(tree, path)
    if (fd >= 0) {
      const itself = isOf(tree, fd, chain)
      tree.ctx.backing.close(fd)
      if (itself) {
        found.push({ chain, path, found: true })
        continue
      }
    }
    if (!chain.removed) missing.set(chain.ino, chain)
  }
  if (missing.size > 0) search(tree, tree.folder.rootFd, 'data', missing, found)
  for (const chain of missing.values())
    found.push({ chain, path: chain.entries.at(-1)?.path ?? '', found: false })
  return found
}

/** Does the blob name that object? It may be another inode, in a folder that was copied. */
function isOf({ ctx }: Tree, fd: number, { entries }: Chain): boolean {
  const id = Buffer.alloc(ID_SIZE)
  const got = ctx.backing.read(fd, id, 0, ID_SIZE, OBJECT_ID_OFFSET)
  return got === ID_SIZE && id.equals(entries[0]?.objectId ?? nobody)
}

/** Opens the file at a path below the vault folder, never through a link; -1 where it is not. */
export function openPath(tree: Tree, path: string): number {
  const names = path.split('/').slice(1)
  const { backing } = tree.ctx
  let dirfd = tree.folder.rootFd
  try {
    for (const name of names.slice(0, -1)) {
      const next = backing.openDirectory(dirfd, name)
      if (dirfd !== tree.folder.rootFd) backing.closeDirectory(dirfd)
      dirfd = next
    }
    const file = names.at(-1)
    return file === undefined ? -1 : backing.openWrite(dirfd, file)
  } catch (error) {
    if (error instanceof CofferError && ABSENT.includes(error.code)) return -1
    throw error
  } finally {
    if (dirfd !== tree.folder.rootFd) backing.closeDirectory(dirfd)
  }
}

function search(
  tree: Tree,
  dirfd: number,
  path: string,
  missing: Map<number, Chain>,
  found: FoundBlob[],
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
        found.push({ chain, path: `${path}/${name}`, found: true })
      }
      backing.close(fd)
    }
    if (!name.endsWith('.cfd')) continue
    let below: number
    try {
      below = backing.openDirectory(dirfd, name)
    } catch (error) {
      // what is no directory, or not ours to enter, has no blob that could be finished
      if (error instanceof CofferError && [...ABSENT, 'EACCES'].includes(error.code)) continue
      throw error
    }
    try {
      search(tree, below, `${path}/${name}`, missing, found)
    } finally {
      backing.closeDirectory(below)
    }
  }
}

/** An inode number may be another file's by now. */
function extensionFits(name: string, kind: Kind | undefined): boolean {
  if (kind === KIND_FILE) return name.endsWith('.cff')
  if (kind === KIND_SYMLINK) return name.endsWith('.cfl')
  return kind !== KIND_DIRECTORY && name.endsWith('.cfs')
}
