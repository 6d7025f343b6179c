// Backing names decoded under an id of their directory. FORMAT.md §7.

import { conflictForms, type ConflictForm } from '../format/conflict.js'
import {
  decodeName,
  encodeName,
  longBase,
  parseBackingName,
  type ObjectExtension,
} from '../format/name.js'
import { KIND_OF } from './attributes.js'
import type { Context } from './context.js'
import { sameBytes, withMeta, type DirectoryId, type Place } from './directory.js'
import { Later } from './later.js'
import { rememberedPlaces } from './remembered-places.js'
import { lendObject } from './sealed-object.js'
import { ticketBeside } from './tickets.js'
import { within } from './within.js'

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
  if (ids.length === 0) return null
  const sidecar = base.startsWith('l') ? readSidecar(ctx, dirfd, base) : null
  const claims =
    base.startsWith('l') && sidecar === null ? claimsOf(ctx, dirfd, base, extension, file) : null
  for (const [rank, id] of ids.entries()) {
    const name =
      claims === null
        ? decodeName(ctx.engine, id.generation.name, id.dirId, base, sidecar)
        : nameOf(ctx, id, base, claims)
    if (name !== null) return { name, rank, dirId: id.dirId }
  }
  return null
}

/** The same of what may be a conflict copy: what the client put in is all that follows the longest base that is a name. */
export function decodeCopy(
  ctx: Context,
  ids: readonly DirectoryId[],
  dirfd: number,
  file: string,
): (Decoded & ConflictForm) | null {
  for (const form of conflictForms(file)) {
    const decoded = decodeEntry(ctx, ids, dirfd, form.base, form.extension, file)
    if (decoded !== null) return { ...decoded, ...form }
  }
  return null
}

/** Of an object or a conflict copy of one; null of every other file, and where no id gives it a name. */
export function decodeFile(
  ctx: Context,
  ids: readonly DirectoryId[],
  dirfd: number,
  file: string,
): (Decoded & { base: string; extension: ObjectExtension }) | null {
  const parsed = parseBackingName(file)
  if (parsed.what === 'copy') return decodeCopy(ctx, ids, dirfd, file)
  if (parsed.what !== 'object') return null
  const { base, extension } = parsed
  const decoded = decodeEntry(ctx, ids, dirfd, base, extension)
  return decoded === null ? null : { ...decoded, base, extension }
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

/** A name that an object says it may bear. */
type Claim = Place

/** A long name whose sidecar is missing: one that the object itself claims, if it is what the base hashes. */
function nameOf(
  ctx: Context,
  id: DirectoryId,
  base: string,
  claims: readonly Claim[],
): string | null {
  const claim = claims.find(
    ({ parentDirId, name }) =>
      sameBytes(parentDirId, id.dirId) &&
      encodeName(ctx.engine, id.generation.name, id.dirId, name).base === base,
  )
  return claim?.name ?? null
}

/**
 * Those of its seal and of a ticket beside it; of a directory, those of its metas, or where a client has left
 * none, of all that this machine remembers.
 */
function claimsOf(
  ctx: Context,
  dirfd: number,
  base: string,
  extension: ObjectExtension,
  file: string,
): Claim[] {
  try {
    if (extension === '.cfd') {
      const claims = within(ctx.backing, dirfd, file, (fd) => claimsOfMetas(ctx, fd))
      return claims.length > 0 ? claims : rememberedPlaces(ctx)
    }
    if (ctx.fetches.isMarked(dirfd, file)) return []
    return lendObject(ctx, dirfd, file, KIND_OF[extension], (object) =>
      [object.seal, ticketBeside(ctx, dirfd, object, base)?.ticket].flatMap((claim) => claim ?? []),
    )
  } catch (error) {
    if (error instanceof Later) throw error
    return []
  }
}

function claimsOfMetas(ctx: Context, dirfd: number): Claim[] {
  return ctx.backing
    .list(dirfd)
    .filter((file) => parseBackingName(file).what === 'meta')
    .flatMap((file) => {
      try {
        return [withMeta(ctx, dirfd, file, false, (_object, seal) => seal)]
      } catch (error) {
        if (error instanceof Later) throw error
        return []
      }
    })
}
