// What is known of one directory: the ids under which its names are encrypted, from its metas, and
// what else of ours lies in it. FORMAT.md §7.

import { Buffer } from 'node:buffer'
import { constants } from 'node:fs'
import { CofferError } from '../errors.js'
import { isZero } from '../format/chunk.js'
import { HEADER_SIZE, ID_SIZE, KIND_DIRECTORY } from '../format/constants.js'
import type { Generation } from '../format/keys.js'
import { idOf } from '../format/memory.js'
import { metaName, parseBackingName } from '../format/name.js'
import { previousTag, type Seal } from '../format/seal.js'
import { emptyStat, type FileStat, type FileTime } from '../store/backing.js'
import { BackingNames } from './backing-names.js'
import type { Context } from './context.js'
import type { Copy, Inode } from './inode.js'
import { headerSeal, SealedObject, ZERO16, type PreparedSeal } from './sealed-object.js'
import { replaceSmall } from './small-files.js'
import type { Stamp } from './stamp.js'

const stat = emptyStat()

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
  /** the bytes that this machine remembers, where the file is not there (yet) */
  kept: Uint8Array | null
}

export class Directory {
  /** Tried in that order, which no seal changes. */
  readonly ids: DirectoryId[]
  /** None for the root. The first has the directory's mode, and names all new entries. */
  readonly metas: Meta[]
  /** the objects in it; true only where somebody tells of changes */
  readonly objects = new BackingNames()
  /** backing names of tickets, by the base they stand for */
  readonly tickets = new Map<string, Set<string>>()
  /** what may be conflict copies, by the form of their backing names: tickets and sidecars are theirs, too */
  readonly copies = new Set<string>()
  /** conflict copies, by the name that they are shown under; filled by survey.ts, and outlives a reading */
  conflicts = new Map<string, Copy>()
  /** new files that have no name in the backing tree yet; it outlives a reading */
  pending = new Map<string, Inode>()
  /** entries that are not ours; never touched */
  foreign = 0
  /** it was removed or moved away, as far as this machine knows; but something of it is there again */
  returned = false
  /** others have changed it since it was read */
  stale = false
  /** the backing directory just before it was read */
  loaded: Stamp | null = null
  /** where nobody tells of changes: wall clock of the reading, and of the next look, milliseconds */
  loadedAt = 0
  lookAt = 0

  constructor(ids: DirectoryId[], metas: Meta[]) {
    this.ids = ids
    this.metas = metas
  }

  /** Some of what is known of it is not in the vault folder, but in this machine's memory. */
  get isKept(): boolean {
    return this.metas.some(({ kept }) => kept !== null)
  }

  /** It has no meta, and nothing lies in it either; what it is may change at any time. */
  get isHusk(): boolean {
    return this.ids.length === 0
  }

  get first(): DirectoryId {
    const named = this.metas[0]?.seal.acc
    const id =
      named === undefined ? this.ids[0] : this.ids.find(({ dirId }) => sameBytes(dirId, named))
    if (id === undefined) throw new CofferError('DIRECTORY_META', 'the directory has no id')
    return id
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

  /** What a listing of the backing directory shows by the forms of names alone. */
  note(listing: readonly string[]): void {
    this.objects.clear()
    this.tickets.clear()
    this.copies.clear()
    for (const file of listing) {
      const parsed = parseBackingName(file)
      if (parsed.what === 'object') this.objects.add(parsed.base, parsed.extension)
      else if (parsed.what === 'ticket') this.noteTicket(parsed.base, file)
      else if (parsed.what === 'copy') this.copies.add(file)
    }
  }

  hasCopyOf(base: string): boolean {
    for (const file of this.copies) if (file.startsWith(base)) return true
    return false
  }

  /** A conflict copy has lost its backing name. */
  lose(copy: Copy | null): void {
    if (copy === null) return
    this.copies.delete(copy.file)
    if (this.conflicts.get(copy.shown)?.file === copy.file) this.conflicts.delete(copy.shown)
  }
}

export function rootDirectory(ctx: Context, dirfd: number): Directory {
  const generation = ctx.keyring.generation(ctx.body.rootKeyId)
  const directory = new Directory([{ dirId: ctx.body.rootDirId, generation }], [])
  directory.note(ctx.fetches.standing(ctx.backing.list(dirfd)))
  return directory
}

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

export const sameIds = (a: readonly DirectoryId[], b: readonly DirectoryId[]): boolean =>
  a.length === b.length && a.every(({ dirId }, i) => sameBytes(dirId, b[i]?.dirId ?? dirId))

/** mtime of a directory that looks like `stat`, with what was made in it and is not shown yet. */
export function changedAt(
  { madeAt }: Inode,
  { mtimeSec: sec, mtimeNsec: nsec }: FileStat,
): { sec: number; nsec: number } {
  const isLater =
    madeAt !== null && (madeAt.sec > sec || (madeAt.sec === sec && madeAt.nsec > nsec))
  return isLater ? madeAt : { sec, nsec }
}

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

export interface Place {
  parentDirId: Uint8Array
  name: string
}

/** A meta file that has not arrived, or not all of it. */
export class LateMeta extends CofferError {
  constructor(what: string) {
    super('DIRECTORY_META', what)
  }
}

/** It has not arrived, or the engine does not give it now. */
export const isAwaited = (error: unknown): boolean =>
  error instanceof LateMeta || (error instanceof CofferError && error.code === 'WAITS_FOR_ENGINE')

/** Lends the object of a meta to `use`; the keys are gone afterwards. */
function lend<T>(
  ctx: Context,
  header: Uint8Array,
  use: (object: SealedObject, seal: Seal) => T,
): T {
  const object = SealedObject.parse(ctx, header, KIND_DIRECTORY)
  try {
    if (object.seal === null) throw new CofferError('OBJECT_DAMAGED', 'no seal')
    return use(object, object.seal)
  } finally {
    object.wipe()
  }
}

/** The same of a meta of this directory, by its file or, where that is missing, as it is remembered. */
export function lendMeta<T>(
  ctx: Context,
  dirfd: number,
  { file, kept }: Meta,
  use: (object: SealedObject, seal: Seal) => T,
): T {
  return kept === null ? withMeta(ctx, dirfd, file, false, use) : lend(ctx, kept.slice(), use)
}

export { lend as lendKept }

/** Reads a meta file and lends its object to `use`; the keys are gone afterwards. */
export function withMeta<T>(
  ctx: Context,
  dirfd: number,
  file: string,
  writing: boolean,
  /** `since`: when the file was changed last */
  use: (object: SealedObject, seal: Seal, fd: number, since: number) => T,
): T {
  const { backing, fetches } = ctx
  const fd = fetches.open(dirfd, file, writing)
  try {
    backing.statFd(fd, stat)
    if ((stat.mode & constants.S_IFMT) !== constants.S_IFREG || stat.size > HEADER_SIZE)
      throw new CofferError('OBJECT_DAMAGED', 'it is no regular file of 1024 bytes')
    const header = new Uint8Array(HEADER_SIZE)
    const got = backing.read(fd, header, 0, HEADER_SIZE, 0)
    // clients that make room first deliver zeros
    if (got < HEADER_SIZE || isZero(header, 0, HEADER_SIZE))
      throw new LateMeta('its meta file has not arrived whole')
    const since = stat.ctimeSec * 1000
    return lend(ctx, header, (object, seal) => use(object, seal, fd, since))
  } finally {
    backing.close(fd)
  }
}

/** A meta for a directory that is being made, sealed, and the name of its file. Nothing is written. */
export function newMeta(
  ctx: Context,
  place: Place,
  mode: number,
): { object: SealedObject; file: string } {
  const object = SealedObject.create(ctx, KIND_DIRECTORY)
  const dirId = new Uint8Array(ID_SIZE)
  ctx.nonces.random(dirId)
  object.begin(headerSeal(ctx, place, mode, dirId, 0), 0, () => undefined)
  return { object, file: metaName(object.objectId) }
}

/** It is used from now on. */
export function rememberMeta(
  { memory, clock }: Context,
  { objectId, header, seal }: SealedObject,
): void {
  if (seal !== null) memory.noteMeta(objectId, header, seal, clock())
}

export interface MetaChange {
  place: Place
  mode: number
  /** the place that a rename is leaving, or null */
  leaving: Place | null
}

/**
 * Seals a new state into every meta, each above its own sealSeq, `floor`, and what was seen of it;
 * `durable`: on the disk, too. One that is only remembered gets its file by that.
 */
export function sealMetas(
  ctx: Context,
  dirfd: number,
  metas: readonly Meta[],
  change: MetaChange,
  floor: number,
  durable = false,
): void {
  for (const meta of metas) {
    const { objectId } = meta
    const above = Math.max(floor, ctx.memory.highest(objectId))
    const header = sealMeta(ctx, dirfd, meta, change, above, durable)
    ctx.memory.noteMeta(objectId, header, meta.seal, ctx.clock())
  }
}

/** The header that it has then. */
function sealMeta(
  ctx: Context,
  dirfd: number,
  meta: Meta,
  change: MetaChange,
  floor: number,
  durable: boolean,
): Uint8Array {
  if (!ctx.backing.stat(dirfd, meta.file, stat)) meta.kept ??= keptBytes(ctx, meta)
  if (meta.kept === null) {
    return withMeta(ctx, dirfd, meta.file, true, (object, seal, fd) => {
      const next = sealNext(object, seal, change, floor)
      // the other slot stays as it is, so that a torn one does no harm
      ctx.backing.write(fd, next.record, 0, next.record.length, next.offset)
      if (durable) ctx.backing.datasync(fd)
      meta.seal = next.seal
      return object.header
    })
  }
  meta.file = metaName(meta.objectId)
  return lend(ctx, meta.kept.slice(), (object, seal) => {
    const next = sealNext(object, seal, change, floor)
    replaceSmall({ ctx }, dirfd, meta.file, object.header, durable)
    meta.seal = next.seal
    meta.kept = null
    return object.header
  })
}

/** The bytes of a meta whose file has gone. */
function keptBytes({ memory }: Context, { objectId, seal }: Meta): Uint8Array | null {
  const id = idOf(objectId)
  const kept = memory.keptAt(memory.place(seal.parentDirId, seal.name))
  const one = kept.find((of) => of.objectId === id)
  return one === undefined ? null : memory.bytes(one)
}

function sealNext(
  object: SealedObject,
  seal: Seal,
  { place, mode, leaving }: MetaChange,
  floor: number,
): PreparedSeal {
  const prevTag =
    leaving === null ? ZERO16 : previousTag(leaving.parentDirId, leaving.name, object.keys.acc)
  const next = object.prepare({ ...seal, ...place, mode, prevTag }, floor)
  object.accept(next)
  return next
}
