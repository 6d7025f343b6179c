// What readdir shows: backing names decoded, each plain name once. FORMAT.md §7.

import { Buffer } from 'node:buffer'
import { HEADER_SIZE } from '../format/constants.js'
import {
  decodeName,
  encodeName,
  longBase,
  OBJECT_EXTENSIONS,
  parseBackingName,
  type ObjectExtension,
} from '../format/name.js'
import { TYPE_OF, KIND_OF } from './attributes.js'
import { blobPath, type Inode } from './inode.js'
import { Later } from './later.js'
import { SealedObject } from './sealed-object.js'
import type { Directory, DirectoryId } from './directory.js'
import type { Tree } from './tree.js'

export interface Listed {
  name: string
  /** S_IFMT bits, 0 where only the blob could say */
  type: number
}

const SIDECAR_MAX = 272

/** Everything in a directory at this moment. Reads no blob, but the sidecars of long names. */
export function list(tree: Tree, inode: Inode): Listed[] {
  const { ctx } = tree
  const directory = tree.directory(inode)
  const dirfd = tree.descriptor(inode)
  const found = new Map<string, { rank: number; type: number }>()
  let foreign = 0
  const listed = ctx.readOnly ? ctx.backing.list(dirfd) : ctx.backing.listAsUser(dirfd)
  const files = ctx.fetches.standing(listed)
  directory.noteTickets(files)
  for (const file of files) {
    const parsed = parseBackingName(file)
    if (parsed.what === 'foreign') foreign++
    if (parsed.what !== 'object') continue
    const decoded = decode(tree, directory, dirfd, parsed.base, parsed.extension)
    if (decoded === null) {
      foreign++
      continue
    }
    // under several ids, or with several extensions: the first wins
    const rank =
      decoded.rank * OBJECT_EXTENSIONS.length + OBJECT_EXTENSIONS.indexOf(parsed.extension)
    const known = found.get(decoded.name)
    if (known === undefined || rank < known.rank) {
      found.set(decoded.name, {
        rank,
        type: parsed.extension === '.cfs' ? 0 : TYPE_OF[parsed.extension],
      })
    }
  }
  if (foreign > 0 && foreign !== directory.foreign) {
    const message = `${String(foreign)} entries of the vault folder are not coffer's, or do not belong here; they are not shown`
    ctx.log({ level: 'warn', event: 'foreign-file', message, blob: blobPath(inode) })
  }
  directory.foreign = foreign
  for (const [name, { extension }] of directory.pending)
    found.set(name, { rank: 0, type: TYPE_OF[extension] })
  return [...found].map(([name, { type }]) => ({ name, type }))
}

/** The plain name of a base under one of the directory's ids, and the rank of that id; null where none fits. */
export function decode(
  tree: Tree,
  directory: Directory,
  dirfd: number,
  base: string,
  extension: ObjectExtension,
): { name: string; rank: number } | null {
  const sidecar = base.startsWith('l') ? readSidecar(tree, dirfd, base) : null
  for (const [rank, id] of directory.ids.entries()) {
    const name =
      base.startsWith('l') && sidecar === null
        ? nameFromSeal(tree, dirfd, id, base, extension)
        : decodeName(tree.ctx.engine, id.generation.name, id.dirId, base, sidecar)
    if (name !== null) return { name, rank }
  }
  return null
}

/** The content of a sidecar, null where it is missing or not what the base hashes. */
function readSidecar(tree: Tree, dirfd: number, base: string): Uint8Array | null {
  const { backing, fetches } = tree.ctx
  try {
    const fd = fetches.open(dirfd, `${base}.cfn`, false)
    try {
      const bytes = new Uint8Array(SIDECAR_MAX + 1)
      const size = backing.read(fd, bytes, 0, bytes.length, 0)
      const ct = bytes.subarray(0, size)
      return size <= SIDECAR_MAX && longBase(tree.ctx.engine, ct) === base ? ct : null
    } finally {
      backing.close(fd)
    }
  } catch (error) {
    if (error instanceof Later) throw error
    return null
  }
}

/** A long name whose sidecar is missing: the name in the seal, if it is the one that the base hashes. */
function nameFromSeal(
  tree: Tree,
  dirfd: number,
  id: DirectoryId,
  base: string,
  extension: ObjectExtension,
): string | null {
  const { ctx } = tree
  if (extension === '.cfd' || ctx.fetches.isMarked(dirfd, base + extension)) return null
  try {
    const fd = ctx.backing.openRead(dirfd, base + extension)
    try {
      const header = new Uint8Array(HEADER_SIZE)
      if (ctx.backing.read(fd, header, 0, HEADER_SIZE, 0) < HEADER_SIZE) return null
      const object = SealedObject.parse(ctx, header, KIND_OF[extension])
      object.wipe()
      if (object.seal === null || Buffer.compare(object.seal.parentDirId, id.dirId) !== 0)
        return null
      const { name } = object.seal
      return encodeName(ctx.engine, id.generation.name, id.dirId, name).base === base ? name : null
    } finally {
      ctx.backing.close(fd)
    }
  } catch {
    return null
  }
}
