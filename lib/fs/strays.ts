// What a sync client leaves behind where a directory was: it was renamed on one machine while a file in
// it was changed on another, so the client keeps that file, at the old place and without a meta. Its
// seal, or its ticket, says which directory it is of; there it goes, as it is. FORMAT.md §7.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import { parseBackingName, type ObjectExtension } from '../format/name.js'
import { emptyStat } from '../store/backing.js'
import { KIND_OF } from './attributes.js'
import { sameBytes, type DirectoryId } from './directory.js'
import { decodeEntry } from './entry-names.js'
import { directoryOf } from './find-directory.js'
import type { Inode } from './inode.js'
import { lendObject, type SealedObject } from './sealed-object.js'
import { checkPlace, ticketBeside } from './tickets.js'
import type { Tree } from './tree.js'
import { within } from './within.js'

const stat = emptyStat()

interface Home {
  inode: Inode
  id: DirectoryId
  name: string
  /** what tells it from another version there, the same on every machine */
  version: string
}

/** The directories that were asked for, by their ids. */
type Homes = Map<string, Inode | null>

/** Objects in a row that have no home known here: the others will have none, either. */
const HOMELESS_MAX = 16

/**
 * Brings home what lies below a directory that has lost metas; how many objects. What has its name under
 * one of `ids` is at home where it is.
 */
export function bringHome(
  tree: Tree,
  dirfd: number,
  ids: readonly DirectoryId[],
  homes: Homes = new Map(),
): number {
  const { backing } = tree.ctx
  let moved = 0
  let looked = 0
  for (const file of backing.list(dirfd)) {
    const parsed = parseBackingName(file)
    if (parsed.what !== 'object') continue
    const { base, extension } = parsed
    if (decodeEntry(tree.ctx, ids, dirfd, base, extension) !== null) continue
    if (moved === 0 && looked++ >= HOMELESS_MAX) break
    try {
      const home = homeOf(tree, dirfd, file, base, extension, homes)
      if (home !== null) {
        move(tree, dirfd, base, extension, home)
        moved++
      } else if (extension === '.cfd') moved += bringHomeFrom(tree, dirfd, file, homes)
    } catch (error) {
      // it stays where it is
      if (!(error instanceof CofferError)) throw error
    }
  }
  return moved
}

function bringHomeFrom(tree: Tree, dirfd: number, file: string, homes: Homes): number {
  const { backing } = tree.ctx
  return within(backing, dirfd, file, (fd) => {
    const moved = bringHome(tree, fd, [], homes)
    if (moved > 0 && backing.list(fd).length === 0) backing.rmdir(dirfd, file)
    return moved
  })
}

/** The directory that an object is of; null where none is known. */
function homeOf(
  tree: Tree,
  dirfd: number,
  file: string,
  base: string,
  extension: ObjectExtension,
  homes: Homes,
): Home | null {
  return withSeal(tree, dirfd, file, extension, (object) => {
    const { seal } = object
    if (seal === null) return null
    // a file that was renamed into the directory is still sealed for the one that it came from
    const { parentDirId } = ticketBeside(tree.ctx, dirfd, object, base)?.ticket ?? seal
    const key = Buffer.from(parentDirId).toString('hex')
    const inode = homes.get(key) ?? (homes.has(key) ? null : directoryOf(tree, parentDirId))
    homes.set(key, inode)
    const id =
      inode === null
        ? undefined
        : tree.directory(inode).ids.find(({ dirId }) => sameBytes(dirId, parentDirId))
    if (inode === null || id === undefined) return null
    const name = decodeEntry(tree.ctx, [id], dirfd, base, extension)?.name
    if (name === undefined) return null
    checkPlace(tree.ctx, dirfd, object, { base, dirId: id.dirId, name })
    const writer = Buffer.from(seal.writer).toString('hex', 0, 4)
    return { inode, id, name, version: `${writer}-${String(seal.sealSeq)}` }
  })
}

/** The object of a file, or of the first meta of a directory that verifies. */
function withSeal<T>(
  tree: Tree,
  dirfd: number,
  file: string,
  extension: ObjectExtension,
  use: (object: SealedObject) => T | null,
): T | null {
  const { ctx } = tree
  const { backing } = ctx
  if (extension === '.cfd') {
    return within(backing, dirfd, file, (below) => {
      const meta = backing.list(below).find((name) => parseBackingName(name).what === 'meta')
      return meta === undefined ? null : withBlob(tree, below, meta, extension, use)
    })
  }
  return withBlob(tree, dirfd, file, extension, use)
}

function withBlob<T>(
  { ctx }: Tree,
  dirfd: number,
  file: string,
  extension: ObjectExtension,
  use: (object: SealedObject) => T,
): T {
  if (ctx.fetches.isMarked(dirfd, file)) throw new CofferError('ONLINE_ONLY', 'it is not here')
  return lendObject(ctx, dirfd, file, KIND_OF[extension], use)
}

/** Under its name, or where that is taken as a conflict copy, as a sync client would name it. */
function move(
  tree: Tree,
  dirfd: number,
  base: string,
  extension: ObjectExtension,
  { inode, name, version }: Home,
): void {
  const { backing } = tree.ctx
  const to = tree.descriptor(inode)
  const isTaken =
    tree.baseInUse(to, base) || (tree.directory(inode).pending.get(name) ?? null) !== null
  const target = isTaken ? `${base} (conflict ${version})${extension}` : base + extension
  if (isTaken && backing.stat(to, target, stat))
    throw new CofferError('EEXIST', 'that version is there already')
  for (const file of backing.list(dirfd)) {
    const parsed = parseBackingName(file)
    const belongs = (parsed.what === 'ticket' || parsed.what === 'sidecar') && parsed.base === base
    if (belongs && !backing.stat(to, file, stat)) backing.rename(dirfd, file, to, file)
  }
  backing.rename(dirfd, base + extension, to, target)
  tree.outdated(inode, name)
}
