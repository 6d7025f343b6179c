// The plain name of what lies in a backing directory, by its base: under which of the directory's ids
// it is one. FORMAT.md §7. Reads no blob, but the sidecars of long names.

import { Buffer } from 'node:buffer'
import { HEADER_SIZE } from '../format/constants.js'
import { decodeName, encodeName, longBase, type ObjectExtension } from '../format/name.js'
import { KIND_OF } from './attributes.js'
import type { Directory, DirectoryId } from './directory.js'
import { SealedObject } from './sealed-object.js'
import type { Tree } from './tree.js'

const SIDECAR_MAX = 272

export interface Decoded {
  name: string
  /** place of the id among the directory's */
  rank: number
  dirId: Uint8Array
}

/** `file` is the backing name of the object, or of a copy of it. */
export function decode(
  tree: Tree,
  directory: Directory,
  dirfd: number,
  base: string,
  extension: ObjectExtension,
  file: string,
): Decoded | null {
  const isLong = base.startsWith('l')
  const sidecar = isLong ? readSidecar(tree, dirfd, base) : null
  for (const [rank, id] of directory.ids.entries()) {
    const name =
      isLong && sidecar === null
        ? nameFromSeal(tree, dirfd, id, base, extension, file)
        : decodeName(tree.ctx.engine, id.generation.name, id.dirId, base, sidecar)
    if (name !== null) return { name, rank, dirId: id.dirId }
  }
  return null
}
/** The content of a sidecar, null where it is missing or not what the base hashes. */
function readSidecar(tree: Tree, dirfd: number, base: string): Uint8Array | null {
  const { backing } = tree.ctx
  try {
    const fd = backing.openRead(dirfd, `${base}.cfn`)
    try {
      const bytes = new Uint8Array(SIDECAR_MAX + 1)
      const size = backing.read(fd, bytes, 0, bytes.length, 0)
      const ct = bytes.subarray(0, size)
      return size <= SIDECAR_MAX && longBase(tree.ctx.engine, ct) === base ? ct : null
    } finally {
      backing.close(fd)
    }
  } catch {
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
  file: string,
): string | null {
  const { ctx } = tree
  if (extension === '.cfd') return null
  try {
    const fd = ctx.backing.openRead(dirfd, file)
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
