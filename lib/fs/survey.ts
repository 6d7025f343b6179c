// What the names in a backing directory stand for: which object bears each plain name, and what is
// left over as conflict copies, with the names that those are shown under. FORMAT.md §7.

import { CofferError } from '../errors.js'
import { conflictName, originOf, type Origin } from '../format/conflict.js'
import { isLitter } from '../format/litter.js'
import { OBJECT_EXTENSIONS, parseBackingName, type ObjectExtension } from '../format/name.js'
import { decodeCopy, decodeEntry } from './entry-names.js'
import type { Directory } from './directory.js'
import { blobPath, plainPath, type Copy, type Inode } from './inode.js'
import { isThere } from './is-there.js'
import { Later } from './later.js'
import type { Tree } from './tree.js'

export interface Bearer {
  name: string
  /** under several ids, or with several extensions, the lowest has the name */
  rank: number
  file: string
  base: string
  extension: ObjectExtension
  dirId: Uint8Array
}

export type Found = Omit<Copy, 'shown'>

const UNKNOWN: Origin = { by: null, date: null }

/** Decodes a listing of the directory. Afterwards its `conflicts` are what the listing shows. */
export function survey(tree: Tree, inode: Inode, listing: readonly string[]): Map<string, Bearer> {
  const files = tree.ctx.fetches.standing(listing)
  const directory = tree.directory(inode)
  if (directory.isHusk) return new Map()
  const dirfd = tree.descriptor(inode)
  directory.note(files)
  const bearers = new Map<string, Bearer>()
  const copies: Found[] = []
  const foreign: string[] = []
  for (const file of files) {
    const parsed = parseBackingName(file)
    if (parsed.what === 'foreign' && !isLitter(file)) foreign.push(file)
    if (parsed.what !== 'object' && parsed.what !== 'copy') continue
    const bearer = parsed.what === 'object' ? bearerOf(tree, directory, dirfd, file, parsed) : null
    if (bearer !== null) {
      const known = bearers.get(bearer.name)
      const wins = known === undefined || bearer.rank < known.rank
      if (wins) bearers.set(bearer.name, bearer)
      const behind = wins ? known : bearer
      if (behind !== undefined) copies.push({ ...behind, name: bearer.name, origin: UNKNOWN })
      continue
    }
    const copy = copyOf(tree, directory, dirfd, file)
    if (copy === null) foreign.push(file)
    else copies.push(copy)
  }
  if (inode === tree.root) {
    if (bearers.size > 0) tree.ctx.memory.noteContent(true)
    if (tree.folder.standsIn) foreign.length = 0
  }
  tellForeign(tree, inode, directory, foreign)
  if (copies.length > 0 || directory.conflicts.size > 0)
    showCopies(tree, inode, directory, copies, bearers)
  return bearers
}

function bearerOf(
  tree: Tree,
  directory: Directory,
  dirfd: number,
  file: string,
  { base, extension }: { base: string; extension: ObjectExtension },
): Bearer | null {
  const decoded = decodeEntry(tree.ctx, directory.ids, dirfd, base, extension, file)
  if (decoded === null) return null
  const { name, dirId } = decoded
  const rank = decoded.rank * OBJECT_EXTENSIONS.length + OBJECT_EXTENSIONS.indexOf(extension)
  return { name, rank, file, base, extension, dirId }
}

function copyOf(tree: Tree, directory: Directory, dirfd: number, file: string): Found | null {
  const copy = decodeCopy(tree.ctx, directory.ids, dirfd, file)
  if (copy === null) return null
  const { base, extension, dirId, name, added } = copy
  const deviceOf = (prefix: string): string | null => tree.ctx.writers.nameOf(prefix)
  return { file, base, extension, dirId, name, origin: originOf(added, deviceOf) }
}

/** A copy that has been shown keeps its name for as long as nothing else bears that. */
function showCopies(
  tree: Tree,
  inode: Inode,
  directory: Directory,
  found: readonly Found[],
  bearers: ReadonlyMap<string, unknown>,
): void {
  const { conflicts, pending } = directory
  const before = new Map([...conflicts.values()].map((copy) => [copy.file, copy]))
  const isFree = (name: string): boolean =>
    !conflicts.has(name) && !bearers.has(name) && !pending.has(name)
  conflicts.clear()
  const fresh: Found[] = []
  for (const copy of found) {
    const known = before.get(copy.file)
    if (known?.name === copy.name && isFree(known.shown)) conflicts.set(known.shown, known)
    else fresh.push(copy)
  }
  fresh.sort((a, b) => (a.file < b.file ? -1 : 1))
  for (const copy of fresh) {
    const shown = freeName(copy, isFree)
    conflicts.set(shown, { ...copy, shown })
    tell(tree, inode, copy.file, shown)
  }
}

export function freeName(
  { name, origin }: Pick<Copy, 'name' | 'origin'>,
  isFree: (name: string) => boolean,
): string {
  for (let number = 1; ; number++) {
    const shown = conflictName(name, origin, number)
    if (isFree(shown)) return shown
  }
}

function tell(tree: Tree, inode: Inode, file: string, shown: string): void {
  const blob = `${blobPath(inode)}/${file}`
  if (tree.seenConflicts.has(blob)) return
  tree.seenConflicts.add(blob)
  const message = 'a sync client has kept two versions; the other one is shown beside the first'
  const path = `${inode === tree.root ? '' : plainPath(inode)}/${shown}`
  tree.ctx.log({ level: 'info', event: 'conflict', message, blob, path })
}

/** They keep their directory from being removed, so the first of them is named. */
function tellForeign(
  tree: Tree,
  inode: Inode,
  directory: Directory,
  foreign: readonly string[],
): void {
  const [first] = foreign
  if (first !== undefined && foreign.length !== directory.foreign) {
    const message = `${String(foreign.length)} entries of the vault folder are not coffer's, or do not belong here; they are not shown`
    const blob = `${blobPath(inode)}/${first}`
    tree.ctx.log({ level: 'warn', event: 'foreign-file', message, blob })
  }
  directory.foreign = foreign.length
}

/** In the directories where some were seen, as these are now. */
export function countForeign(tree: Tree): number {
  let count = 0
  for (const inode of [...tree.inodes()]) {
    if ((inode.directory?.foreign ?? 0) === 0) continue
    try {
      if (!isThere(tree, inode)) continue
      survey(tree, inode, tree.ctx.backing.list(tree.descriptor(inode)))
    } catch (error) {
      if (!(error instanceof CofferError || error instanceof Later)) throw error
    }
    count += inode.directory?.foreign ?? 0
  }
  return count
}
