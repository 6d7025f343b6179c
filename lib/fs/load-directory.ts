// Which metas of a directory count: those in it, and those that this machine remembers. FORMAT.md §7.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import { metaName, parseBackingName } from '../format/name.js'
import { previousTag, type Seal } from '../format/seal.js'
import type { Context } from './context.js'
import {
  Directory,
  isAwaited,
  LateMeta,
  lendKept,
  sameBytes,
  withMeta,
  type DirectoryId,
  type Meta,
  type Place,
} from './directory.js'
import { decodeFile } from './entry-names.js'
import { holdsVerified } from './holds-verified.js'
import { isHusk } from './husks.js'
import { Later } from './later.js'
import type { Kept } from './memory.js'
import { ZERO16, type SealedObject } from './sealed-object.js'

/** A meta that counts, with what is to be remembered of it. */
interface Found {
  meta: Meta
  header: Uint8Array
  since: number
}

/**
 * The directory `dirfd`, which is reached as (parentDirId, name). Of the metas in it every one counts
 * whose seal names that place and is no older than what is remembered; by prevTag only where none does
 * by its current name. Throws DIRECTORY_META where none counts and none is remembered; LateMeta where
 * that is because it has not arrived yet, or only an old one has. Where no meta is refused for anything
 * but its age, one that this machine has removed or moved away counts from memory, after the others, if a
 * child is there again. One without a meta in which nothing lies is an empty one. A conflict copy is
 * another version, maybe of the same metas: what is remembered is of the first, and must not learn from
 * this one.
 */
export function loadDirectory(
  ctx: Context,
  dirfd: number,
  parentDirId: Uint8Array,
  name: string,
  isCopy = false,
): Directory {
  const listing = ctx.fetches.standing(ctx.backing.list(dirfd))
  const place = { parentDirId, name }
  const { counting, problem } = metasIn(ctx, dirfd, listing, place, isCopy)
  if (!isCopy)
    for (const { meta, header, since } of counting)
      ctx.memory.noteMeta(meta.objectId, header, meta.seal, since)
  const metas = counting.map(({ meta }) => meta).sort(byRank)
  const kept = isCopy ? [] : keptMetas(ctx, place, metas)
  // beside others, those without which something in the directory could not be read
  const needed = metas.length === 0 ? kept : kept.filter((of) => isNamed(ctx, dirfd, listing, of))
  metas.push(...needed.sort(byRank))
  const returned =
    problem instanceof LateMeta ? returnedMetas(ctx, dirfd, listing, place, metas, isCopy) : []
  metas.push(...returned.sort(byRank))
  if (metas.length === 0 && !(problem instanceof LateMeta && isHusk(ctx, dirfd))) throw problem
  const directory = new Directory(idsOf(ctx, metas), metas)
  directory.returned = returned.length > 0
  // what arrives somewhere in it makes it another
  directory.stale = directory.isHusk
  directory.note(listing)
  return directory
}

/**
 * Remembered ones that somebody goes on using: the first shows it by a child that is sealed for it, and
 * beside one that counts a name is enough. A copy may have lost those of the first version, too.
 */
function returnedMetas(
  ctx: Context,
  dirfd: number,
  listing: readonly string[],
  place: Place,
  there: readonly Meta[],
  isCopy: boolean,
): Meta[] {
  const gone = goneMetas(ctx, place, there)
  if (isCopy) gone.push(...keptMetas(ctx, place, there))
  const verified = there.length > 0 ? [] : gone.filter((of) => holdsVerified(ctx, dirfd, of))
  if (there.length + verified.length === 0) return []
  return gone.filter((of) => verified.includes(of) || isNamed(ctx, dirfd, listing, of))
}

function metasIn(
  ctx: Context,
  dirfd: number,
  listing: readonly string[],
  place: Place,
  anyAge: boolean,
): { counting: Found[]; problem: CofferError } {
  const current: Found[] = []
  const leaving: Found[] = []
  let problem: CofferError = new LateMeta(
    'the directory cannot be read: it has no meta file; it may not have arrived yet',
  )
  for (const file of listing) {
    if (parseBackingName(file).what !== 'meta') continue
    try {
      const [found, where] = withMeta(ctx, dirfd, file, false, (object, seal, _fd, since) => {
        const { objectId, keyId, header } = object
        const meta = { file, objectId: objectId.slice(), keyId: keyId.slice(), seal, kept: null }
        return [{ meta, header, since }, standing(seal, object, place)] as const
      })
      // where an old one says that it belongs says nothing
      if (!anyAge && !ctx.memory.counts(found.meta.objectId, found.meta.seal)) {
        if (problem instanceof LateMeta) problem = new LateMeta(OLD_META)
      } else if (where === 'elsewhere') problem = refused('its meta file belongs to another place')
      else if (where === 'current') current.push(found)
      else leaving.push(found)
    } catch (error) {
      if (error instanceof Later) throw error
      if (isAwaited(error)) continue
      // nothing is wrong with one that is elsewhere
      if (error instanceof CofferError && error.code === 'ONLINE_ONLY') problem = error
      else {
        const what = error instanceof Error ? error.message : String(error)
        problem = refused(`its meta file is damaged (${what})`)
      }
    }
  }
  return { counting: current.length > 0 ? current : leaving, problem }
}

const OLD_META =
  'the directory cannot be read: its meta file is an old one; a newer one may not have arrived yet'

const refused = (problem: string): CofferError =>
  new CofferError('DIRECTORY_META', `the directory cannot be read: ${problem}`)

/** What this machine remembers of the place, but those that are there. */
function keptMetas(ctx: Context, place: Place, there: readonly Meta[]): Meta[] {
  const { memory } = ctx
  const kept = memory.keptAt(memory.place(place.parentDirId, place.name))
  return recalled(ctx, place, kept, there)
}

/**
 * What it remembers of the directories that have left the place. Somebody else goes on using one where
 * a child lies there that is sealed for it. The meta is never taken from the folder: an old one that is
 * put back says nothing, and clients put back old ones, where the directory above was moved away and back.
 */
function goneMetas(ctx: Context, place: Place, there: readonly Meta[]): Meta[] {
  const { memory } = ctx
  const gone = memory.goneFrom(memory.place(place.parentDirId, place.name))
  return recalled(ctx, place, gone, there)
}

function recalled(
  ctx: Context,
  place: Place,
  some: readonly Kept[],
  there: readonly Meta[],
): Meta[] {
  const metas: Meta[] = []
  for (const one of some) {
    const bytes = ctx.memory.bytes(one)
    if (bytes === null) continue
    try {
      const meta = lendKept(ctx, bytes, (object, seal) => {
        const { objectId, keyId } = object
        const own = { objectId: objectId.slice(), keyId: keyId.slice(), kept: bytes, seal }
        return standing(seal, object, place) === 'current' && seal.sealSeq === one.sealSeq
          ? { ...own, file: metaName(objectId) }
          : null
      })
      if (meta !== null && !there.some((of) => sameBytes(of.objectId, meta.objectId)))
        metas.push(meta)
    } catch (error) {
      // the bytes are lost
      if (!(error instanceof CofferError)) throw error
    }
  }
  return metas
}

/** Does something in the directory have its name under this meta alone? */
function isNamed(ctx: Context, dirfd: number, listing: readonly string[], meta: Meta): boolean {
  const ids = idsOf(ctx, [meta])
  return listing.some((file) => decodeFile(ctx, ids, dirfd, file) !== null)
}

/**
 * The ids that metas give, each once, the newest mkdir first. A new seal, or a meta that has gone or come
 * back, must not give the name of one entry to another under the hands of who works on them.
 */
export function idsOf(ctx: Context, metas: readonly Meta[]): DirectoryId[] {
  const ids: DirectoryId[] = []
  for (const { keyId, seal } of [...metas].sort(byAge)) {
    if (ids.some(({ dirId }) => sameBytes(dirId, seal.acc))) continue
    ids.push({ dirId: seal.acc, generation: ctx.keyring.generation(keyId) })
  }
  return ids
}

/** Highest sealSeq, then newest mkdir, then smallest objectId. */
const byRank = (a: Meta, b: Meta): number => b.seal.sealSeq - a.seal.sealSeq || byAge(a, b)

function byAge(a: Meta, b: Meta): number {
  return (
    b.seal.mtimeSec - a.seal.mtimeSec ||
    b.seal.mtimeNsec - a.seal.mtimeNsec ||
    Buffer.compare(a.objectId, b.objectId)
  )
}

/** Does a meta's seal name this place, as its own or as the one it is leaving? */
function standing(
  seal: Seal,
  object: SealedObject,
  { parentDirId, name }: Place,
): 'current' | 'leaving' | 'elsewhere' {
  if (sameBytes(seal.parentDirId, parentDirId) && seal.name === name) return 'current'
  if (sameBytes(seal.prevTag, ZERO16)) return 'elsewhere'
  return sameBytes(seal.prevTag, previousTag(parentDirId, name, object.keys.acc))
    ? 'leaving'
    : 'elsewhere'
}
