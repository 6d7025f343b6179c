// What the names in a backing directory stand for: which object bears each plain name, and what is
// left over as conflict copies, with the names that those are shown under. FORMAT.md §7.

import { CofferError } from '../errors.js'
import { conflictName, originOf, type Origin } from '../format/conflict.js'
import { isLitter } from '../format/litter.js'
import { OBJECT_EXTENSIONS, parseBackingName, type ObjectExtension } from '../format/name.js'
import type { Types } from '../store/backing.js'
import { decodeCopy, decodeEntry } from './entry-names.js'
import type { Directory } from './directory.js'
import { blobPath, plainPath, type Copy, type Inode } from './inode.js'
import { isMisfit } from './fitting.js'
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

const FOREIGN_NAMED = 5
const UNKNOWN: Origin = { by: null, date: null }

/** Lists the directory and decodes that. Afterwards its `conflicts` are what the listing shows. */
export function survey(tree: Tree, inode: Inode, asUser = false): Map<string, Bearer> {
  const { backing, fetches } = tree.ctx
  const types: Types = new Map()
  const listed = tree.descriptor(inode)
  const files = fetches.standing(
    asUser ? backing.listAsUser(listed, types) : backing.list(listed, types),
  )
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
    if (parsed.what === 'object' && isMisfit(tree, dirfd, file, parsed.extension, types)) {
      foreign.push(file)
      continue
    }
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
    if (copy === null || isMisfit(tree, dirfd, file, copy.extension, types)) foreign.push(file)
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

/** They keep their directory from being removed, so the first few of them are named. */
function tellForeign(
  tree: Tree,
  inode: Inode,
  directory: Directory,
  foreign: readonly string[],
): void {
  const [first] = foreign
  if (first !== undefined && foreign.length !== directory.foreign) {
    const named = foreign.slice(0, FOREIGN_NAMED).join(', ')
    const message = `${String(foreign.length)} entries of the vault folder are not coffer's, or do not belong here; they are not shown: ${named}${foreign.length > FOREIGN_NAMED ? ', …' : ''}`
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
      survey(tree, inode)
    } catch (error) {
      if (!(error instanceof CofferError || error instanceof Later)) throw error
    }
    count += inode.directory?.foreign ?? 0
  }
  return count
}
