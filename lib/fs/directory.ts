// What is known of one directory: the ids under which its names are encrypted, from its metas, and
// what else of ours lies in it. FORMAT.md §7.

import { Buffer } from 'node:buffer'
import { constants } from 'node:fs'
import { CofferError } from '../errors.js'
import { HEADER_SIZE, ID_SIZE, KIND_DIRECTORY } from '../format/constants.js'
import type { Generation } from '../format/keys.js'
import { metaName, parseBackingName } from '../format/name.js'
import { previousTag, type Seal } from '../format/seal.js'
import { emptyStat, type FileStat, type FileTime } from '../store/backing.js'
import type { Context } from './context.js'
import type { Inode } from './inode.js'
import { Later } from './later.js'
import { SealedObject, ZERO16 } from './sealed-object.js'

export interface DirectoryId {
  dirId: Uint8Array
  generation: Generation
}

export interface Meta {
  /** backing name */
  file: string
  /** 16 bytes */
  objectId: Uint8Array
  /** generation of the names in the directory */
  keyId: Uint8Array
  seal: Seal
}

export type Stamp = Pick<FileStat, 'mtimeSec' | 'mtimeNsec' | 'ctimeSec' | 'ctimeNsec'>

export class Directory {
  /** The first names all new entries and is tried first. */
  readonly ids: DirectoryId[]
  /** None for the root. */
  readonly metas: Meta[]
  /** backing names of tickets, by the base they stand for */
  readonly tickets = new Map<string, Set<string>>()
  /** new files that have no name in the backing tree yet; it outlives a reading */
  pending = new Map<string, Inode>()
  /** entries that are not ours; never touched */
  foreign = 0
  /** others have changed it since it was read */
  stale = false
  /** the backing directory's times just before it was read */
  loaded: Stamp | null = null
  /** where nobody tells of changes: wall clock of the reading, and of the next look, milliseconds */
  loadedAt = 0
  lookAt = 0

  constructor(ids: DirectoryId[], metas: Meta[]) {
    this.ids = ids
    this.metas = metas
  }

  get first(): DirectoryId {
    const id = this.ids[0]
    if (id === undefined) throw new CofferError('DIRECTORY_META', 'the directory has no id')
    return id
  }

  isAsLoaded({ mtimeSec, mtimeNsec, ctimeSec, ctimeNsec }: Stamp): boolean {
    const { loaded } = this
    return (
      loaded?.mtimeSec === mtimeSec &&
      loaded.mtimeNsec === mtimeNsec &&
      loaded.ctimeSec === ctimeSec &&
      loaded.ctimeNsec === ctimeNsec
    )
  }

  noteTicket(base: string, file: string): void {
    const known = this.tickets.get(base)
    if (known === undefined) this.tickets.set(base, new Set([file]))
    else known.add(file)
  }

  dropTicket(base: string, file: string): void {
    const known = this.tickets.get(base)
    if (known?.delete(file) === true && known.size === 0) this.tickets.delete(base)
  }

  noteTickets(listing: readonly string[]): void {
    this.tickets.clear()
    for (const file of listing) {
      const parsed = parseBackingName(file)
      if (parsed.what === 'ticket') this.noteTicket(parsed.base, file)
    }
  }
}

export function rootDirectory(ctx: Context, dirfd: number): Directory {
  const generation = ctx.keyring.generation(ctx.body.rootKeyId)
  const directory = new Directory([{ dirId: ctx.body.rootDirId, generation }], [])
  directory.noteTickets(ctx.fetches.standing(ctx.backing.list(dirfd)))
  return directory
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

/**
 * The times of a directory that has got or lost a name which the vault folder does not show (yet).
 * Only its owner may set them; where that is somebody else they move with the seal.
 */
export function directoryChanged(
  { backing }: Context,
  dirfd: number,
  mtime: FileTime = 'now',
): void {
  try {
    backing.utimes(dirfd, '.', 'omit', mtime)
  } catch (error) {
    if (!(error instanceof CofferError) || error.code !== 'EPERM') throw error
  }
}

/**
 * Reads the metas of the directory `dirfd`, which is reached as (parentDirId, name). Every one counts
 * whose seal names that place; by prevTag only where none does by its current name. Throws
 * DIRECTORY_META where none counts.
 */
export function loadDirectory(
  ctx: Context,
  dirfd: number,
  parentDirId: Uint8Array,
  name: string,
): Directory {
  const listing = ctx.fetches.standing(ctx.backing.list(dirfd))
  const current: Meta[] = []
  const leaving: Meta[] = []
  const place = { parentDirId, name }
  let problem = 'it has no meta file; it may not have arrived yet'
  for (const file of listing) {
    if (parseBackingName(file).what !== 'meta') continue
    try {
      const [meta, where] = withMeta(ctx, dirfd, file, false, (object, seal) => {
        const { objectId, keyId } = object
        return [
          { file, objectId: objectId.slice(), keyId: keyId.slice(), seal },
          standing(seal, object, place),
        ] as const
      })
      if (where === 'current') current.push(meta)
      else if (where === 'leaving') leaving.push(meta)
      else problem = 'its meta file belongs to another place'
    } catch (error) {
      if (error instanceof Later) throw error
      problem = `its meta file is damaged (${error instanceof Error ? error.message : String(error)})`
    }
  }
  const counting = current.length > 0 ? current : leaving
  if (counting.length === 0)
    throw new CofferError('DIRECTORY_META', `the directory cannot be read: ${problem}`)
  counting.sort(byRank)
  const ids: DirectoryId[] = []
  for (const { keyId, seal } of counting) {
    if (ids.some(({ dirId }) => sameBytes(dirId, seal.acc))) continue
    ids.push({ dirId: seal.acc, generation: ctx.keyring.generation(keyId) })
  }
  const directory = new Directory(ids, counting)
  directory.noteTickets(listing)
  return directory
}

/** Highest sealSeq, then newest mkdir, then smallest objectId. */
function byRank(a: Meta, b: Meta): number {
  return (
    b.seal.sealSeq - a.seal.sealSeq ||
    b.seal.mtimeSec - a.seal.mtimeSec ||
    b.seal.mtimeNsec - a.seal.mtimeNsec ||
    Buffer.compare(a.objectId, b.objectId)
  )
}

export interface Place {
  parentDirId: Uint8Array
  name: string
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

/** Reads a meta file and lends its object to `use`; the keys are gone afterwards. */
export function withMeta<T>(
  ctx: Context,
  dirfd: number,
  file: string,
  writing: boolean,
  use: (object: SealedObject, seal: Seal, fd: number) => T,
): T {
  const { backing, fetches } = ctx
  const fd = fetches.open(dirfd, file, writing)
  try {
    const stat = emptyStat()
    backing.statFd(fd, stat)
    if (stat.size !== HEADER_SIZE || (stat.mode & constants.S_IFMT) !== constants.S_IFREG) {
      throw new CofferError(
        'OBJECT_TRUNCATED',
        `it has ${String(stat.size)} bytes instead of ${String(HEADER_SIZE)}`,
      )
    }
    const header = new Uint8Array(HEADER_SIZE)
    if (backing.read(fd, header, 0, HEADER_SIZE, 0) !== HEADER_SIZE) {
      throw new CofferError('OBJECT_TRUNCATED', 'it became shorter')
    }
    const object = SealedObject.parse(ctx, header, KIND_DIRECTORY)
    try {
      if (object.seal === null) throw new CofferError('OBJECT_DAMAGED', 'no seal')
      return use(object, object.seal, fd)
    } finally {
      object.wipe()
    }
  } finally {
    backing.close(fd)
  }
}

/** A meta for a directory that is being made. Nothing is written. */
export function newMeta(ctx: Context): { object: SealedObject; dirId: Uint8Array; file: string } {
  const object = SealedObject.create(ctx, KIND_DIRECTORY)
  const dirId = new Uint8Array(ID_SIZE)
  ctx.random(dirId)
  return { object, dirId, file: metaName(object.objectId) }
}

export interface MetaChange {
  place: Place
  mode: number
  /** the place that a rename is leaving, or null */
  leaving: Place | null
}

/** Seals a new state into every meta, each above its own sealSeq and `floor`; `durable`: on the disk, too. */
export function sealMetas(
  ctx: Context,
  dirfd: number,
  metas: readonly Meta[],
  change: MetaChange,
  floor: number,
  durable = false,
): void {
  for (const meta of metas) {
    meta.seal = withMeta(ctx, dirfd, meta.file, true, (object, seal, fd) => {
      const { place, mode, leaving } = change
      const prevTag =
        leaving === null ? ZERO16 : previousTag(leaving.parentDirId, leaving.name, object.keys.acc)
      const next = object.prepare({ ...seal, ...place, mode, prevTag }, floor)
      // the other slot stays as it is, so that a torn one does no harm
      ctx.backing.write(fd, next.record, 0, next.record.length, next.offset)
      if (durable) ctx.backing.datasync(fd)
      return next.seal
    })
  }
}
