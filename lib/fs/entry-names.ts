// Backing names decoded under an id of their directory. FORMAT.md §7.

import { Buffer } from 'node:buffer'
import { decodeName, encodeName, longBase, type ObjectExtension } from '../format/name.js'
import { KIND_OF } from './attributes.js'
import type { Context } from './context.js'
import type { DirectoryId } from './directory.js'
import { Later } from './later.js'
import { lendObject } from './sealed-object.js'

const SIDECAR_MAX = 272

export interface Decoded {
  name: string
  /** place of the id among those given */
  rank: number
  dirId: Uint8Array
}

/**
 * The plain name, and which of the ids gives it; null where none does. Reads the sidecar of a long one.
 * `file` is the backing name of the object, or of a copy of it.
 */
export function decodeEntry(
  ctx: Context,
  ids: readonly DirectoryId[],
  dirfd: number,
  base: string,
  extension: ObjectExtension,
  file = base + extension,
): Decoded | null {
  const sidecar = base.startsWith('l') ? readSidecar(ctx, dirfd, base) : null
  for (const [rank, id] of ids.entries()) {
    const name =
      base.startsWith('l') && sidecar === null
        ? nameFromSeal(ctx, dirfd, id, base, extension, file)
        : decodeName(ctx.engine, id.generation.name, id.dirId, base, sidecar)
    if (name !== null) return { name, rank, dirId: id.dirId }
  }
  return null
}

/** The content of a sidecar, null where it is missing or not what the base hashes. */
function readSidecar(
  { engine, backing, fetches }: Context,
  dirfd: number,
  base: string,
): Uint8Array | null {
  try {
    const fd = fetches.open(dirfd, `${base}.cfn`, false)
    try {
      const bytes = new Uint8Array(SIDECAR_MAX + 1)
      const size = backing.read(fd, bytes, 0, bytes.length, 0)
      const ct = bytes.subarray(0, size)
      return size <= SIDECAR_MAX && longBase(engine, ct) === base ? ct : null
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
  ctx: Context,
  dirfd: number,
  id: DirectoryId,
  base: string,
  extension: ObjectExtension,
  file: string,
): string | null {
  if (extension === '.cfd' || ctx.fetches.isMarked(dirfd, file)) return null
  try {
    const seal = lendObject(ctx, dirfd, file, KIND_OF[extension], (object) => object.seal)
    if (seal === null || Buffer.compare(seal.parentDirId, id.dirId) !== 0) return null
    const { name } = seal
    return encodeName(ctx.engine, id.generation.name, id.dirId, name).base === base ? name : null
  } catch {
    return null
  }
}
