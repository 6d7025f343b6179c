// This machine's memory of one vault: the metas of directories that it has used, the highest sealSeq
// that it has seen of each writer of them, sizes of files, and whether there was anything at all. FORMAT.md §7. With it a directory whose
// meta is late can be read, and one whose meta is an old one is not. It is read when it is first asked
// for. Nothing depends on it: a memory that is lost, or cannot be written, is one that knows nothing.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import {
  ENTRY_CONTENT,
  ENTRY_GONE,
  ENTRY_LEFT,
  ENTRY_META,
  ENTRY_SEEN,
  ENTRY_SIZE_OF,
  idOf,
  NO_ID,
  NOTHING,
  type Id,
  type MemoryEntry,
} from '../format/memory.js'
import type { Seal } from '../format/seal.js'
import { openMemoryFile } from '../store/memory-file.js'
import type { Context } from './context.js'
import { MemoryLog } from './memory-log.js'

/** By then the system has written to the vault's disk by itself what nobody synced. */
const SETTLED_MS = 60_000
const SETTLE_EVERY_MS = 10_000
/** As many are stored at once. */
const QUEUE_FULL = 1024
/** Objects, and sizes, that are remembered at most; the oldest are forgotten first. */
const OBJECTS_MAX = 256 * 1024
const SIZES_MAX = 128 * 1024
const SIZES_QUEUED = 512
/** Metas of directories that have gone that are kept at most, and at one place. */
const GONE_MAX = 4096
const GONE_AT_PLACE_MAX = 16

/** A meta that was used, at the place that its seal names. */
export interface Kept {
  readonly objectId: Id
  /** of (parentDirId, name) */
  readonly place: Id
  readonly dirId: Id
  writer: Id
  sealSeq: number
  /** where its bytes lie in the file, or the bytes until they do */
  meta: Uint8Array | number
  /** its directory is not there any more */
  left: boolean
  /** there is a better one, or none is wanted: where it is not stored yet it never will be */
  dropped: boolean
}

interface Known {
  /** One, but where two machines gave one directory two names. */
  kept: Kept[]
  seen: { writer: Id; sealSeq: number }[]
}

/** What the file does not have yet. */
interface Queued {
  what: Kept | MemoryEntry
  /** wall clock of the change in the vault folder, milliseconds */
  since: number
}

type Base = Pick<
  Context,
  'engine' | 'keyring' | 'body' | 'deviceId' | 'backing' | 'nonces' | 'clock' | 'log' | 'readOnly'
>

export class Memory {
  readonly #ctx: Base
  readonly #folder: string | null
  readonly #boot: string
  /** undefined: not looked for yet */
  #log: MemoryLog | null | undefined
  readonly #objects = new Map<Id, Known>()
  /** how many there are in `#objects` */
  readonly #count = { metas: 0, seen: 0 }
  readonly #places = new Map<Id, Kept[]>()
  /** metas by the places that their directories have left, the latest first */
  readonly #gone = new Map<Id, Kept[]>()
  #goneCount = 0
  readonly #sizes = new Map<Id, number>()
  /** there was something in the root, when this machine saw it last */
  #content = false
  #queue: Queued[] = []
  #settledAt = 0
  /** asked for several times in a row */
  #lastPlace: { dirId: Uint8Array; name: string; place: Id } | null = null
  readonly #newSizes = new Map<string, number>()

  /** `folder` null: nothing is remembered. `boot` tells this boot from others, '' where nothing does. */
  constructor(ctx: Base, folder: string | null, boot: string) {
    this.#ctx = ctx
    this.#folder = folder
    this.#boot = boot
  }

  get #writes(): boolean {
    return this.#open() !== null && !this.#ctx.readOnly
  }

  #open(): MemoryLog | null {
    if (this.#log !== undefined) return this.#log
    this.#log = null
    const { backing, body, clock, deviceId, engine, keyring, nonces, readOnly } = this.#ctx
    if (this.#folder === null) return null
    const file = openMemoryFile(backing, this.#folder, !readOnly)
    if (file === null) return null
    const boot = this.#boot === '' ? NO_ID : idOf(engine.sha256(Buffer.from(this.#boot)))
    const log = new MemoryLog(file, boot, keyring.localState(body.rootKeyId, deviceId), nonces)
    this.#log = log
    this.#quietly(() => {
      log.load(clock(), (entry) => {
        this.#recall(entry)
      })
      if (log.isDoubtful && !readOnly) this.#rewrite(log)
    })
    return this.#log
  }

  #recall({ type, id, place, dirId, writer, number, meta }: MemoryEntry): void {
    if (type === ENTRY_META && typeof meta === 'number') {
      this.#keep({ objectId: id, place, dirId, writer, sealSeq: number, meta, ...HERE })
    } else if (type === ENTRY_GONE && typeof meta === 'number') {
      this.#saw(id, writer, number)
      this.#noteGone({ objectId: id, place, dirId, writer, sealSeq: number, meta, ...GONE })
    } else if (type === ENTRY_LEFT) {
      const kept = this.#leave(id, place)
      if (kept !== null) this.#noteGone({ ...kept, ...GONE })
    } else if (type === ENTRY_SEEN) this.#saw(id, writer, number)
    else if (type === ENTRY_SIZE_OF) this.#setSize(id, number)
    else if (type === ENTRY_CONTENT) this.#content = number === 1
  }

  #known(objectId: Id): Known {
    let known = this.#objects.get(objectId)
    if (known === undefined) {
      this.#objects.set(objectId, (known = { kept: [], seen: [] }))
      if (this.#objects.size > OBJECTS_MAX) this.#forgetOldest()
    }
    return known
  }

  #forgetOldest(): void {
    const [oldest] = this.#objects
    if (oldest === undefined) return
    for (const { objectId, place } of oldest[1].kept.slice()) this.#leave(objectId, place)
    this.#objects.delete(oldest[0])
    this.#count.seen -= oldest[1].seen.length
  }

  #saw(objectId: Id, writer: Id, sealSeq: number): void {
    const { seen } = this.#known(objectId)
    const of = seen.find((one) => one.writer === writer)
    if (of === undefined) {
      seen.push({ writer, sealSeq })
      this.#count.seen++
    } else of.sealSeq = Math.max(of.sealSeq, sealSeq)
  }

  #keep(kept: Kept): void {
    this.#leave(kept.objectId, kept.place)
    this.#dropGone(kept.place, ({ objectId }) => objectId === kept.objectId)
    this.#saw(kept.objectId, kept.writer, kept.sealSeq)
    this.#known(kept.objectId).kept.push(kept)
    this.#count.metas++
    const there = this.#places.get(kept.place)
    if (there === undefined) this.#places.set(kept.place, [kept])
    else there.push(kept)
  }

  /** The kept meta that was there, or null. */
  #leave(objectId: Id, place: Id): Kept | null {
    const kept = this.#find(objectId, place)
    if (kept === null) return null
    kept.dropped = true
    this.#count.metas--
    const known = this.#known(objectId)
    known.kept = known.kept.filter((one) => one !== kept)
    const others = (this.#places.get(place) ?? []).filter((one) => one !== kept)
    if (others.length === 0) this.#places.delete(place)
    else this.#places.set(place, others)
    return kept
  }

  #noteGone(gone: Kept): void {
    this.#dropGone(gone.place, ({ objectId }, i) => {
      return objectId === gone.objectId || i >= GONE_AT_PLACE_MAX - 1
    })
    const others = this.#gone.get(gone.place) ?? []
    // the places that were left last come last
    this.#gone.delete(gone.place)
    this.#gone.set(gone.place, [gone, ...others])
    this.#goneCount++
    const [oldest] = this.#gone.keys()
    if (this.#goneCount > GONE_MAX && oldest !== undefined) this.#dropGone(oldest, () => true)
  }

  #dropGone(place: Id, isDropped: (gone: Kept, index: number) => boolean): void {
    const there = this.#gone.get(place)
    if (there === undefined) return
    const left: Kept[] = []
    for (const [i, gone] of there.entries()) {
      gone.dropped = isDropped(gone, i)
      if (!gone.dropped) left.push(gone)
    }
    this.#goneCount -= there.length - left.length
    if (left.length === 0) this.#gone.delete(place)
    else this.#gone.set(place, left)
  }

  #find(objectId: Id, place: Id): Kept | null {
    return this.#objects.get(objectId)?.kept.find((one) => one.place === place) ?? null
  }

  /**
   * Is the seal of a meta no older than what is known of it? One at the place where it was used must
   * not be below what was used; anywhere else it must be above everything that its writer was seen to
   * write, as a change is that another machine made at the same time.
   */
  counts(objectId: Uint8Array, seal: Seal): boolean {
    this.#open()
    const id = idOf(objectId)
    const known = this.#objects.get(id)
    if (known === undefined) return true
    const kept = this.#find(id, this.place(seal.parentDirId, seal.name))
    if (kept !== null && seal.sealSeq >= kept.sealSeq) return true
    const writer = idOf(seal.writer)
    return seal.sealSeq > (known.seen.find((one) => one.writer === writer)?.sealSeq ?? 0)
  }

  /** The highest sealSeq of a meta that was seen: what this machine seals next is above it. */
  highest(objectId: Uint8Array): number {
    this.#open()
    const seen = this.#objects.get(idOf(objectId))?.seen ?? []
    return seen.reduce((most, { sealSeq }) => Math.max(most, sealSeq), 0)
  }

  /** A meta is used, or was written here: 1024 bytes, which are kept, and their current seal. */
  noteMeta(objectId: Uint8Array, header: Uint8Array, seal: Seal, since: number): void {
    if (!this.#writes) return
    const id = idOf(objectId)
    const place = this.place(seal.parentDirId, seal.name)
    const known = this.#find(id, place)
    if (known !== null && known.sealSeq >= seal.sealSeq) return
    const of = { objectId: id, place, dirId: idOf(seal.acc), writer: idOf(seal.writer) }
    const kept = { ...of, sealSeq: seal.sealSeq, meta: header, ...HERE }
    this.#keep(kept)
    this.#enqueue(kept, since)
  }

  /** The directory does not lie there any more, by this machine's doing or as it has seen. */
  left(objectId: Uint8Array | Id, place: Id): void {
    if (!this.#writes) return
    const id = typeof objectId === 'string' ? objectId : idOf(objectId)
    const kept = this.#leave(id, place)
    if (kept === null) return
    const { dirId, writer, sealSeq } = kept
    const entry = { number: sealSeq, id, place, dirId, writer, meta: null }
    const now = this.#ctx.clock()
    this.#enqueue({ ...entry, type: ENTRY_SEEN }, now)
    this.#enqueue({ ...entry, type: ENTRY_LEFT }, now)
    const gone = { ...kept, ...GONE }
    this.#noteGone(gone)
    if (typeof gone.meta !== 'number') this.#enqueue(gone, now)
  }

  /** The directory at that place was removed here. */
  removed(place: Id): void {
    for (const { objectId } of this.keptAt(place).slice()) this.left(objectId, place)
  }

  keptAt(place: Id): readonly Kept[] {
    this.#open()
    return this.#places.get(place) ?? []
  }

  /** Of the directories that were there, and were removed or moved away: the last first. */
  goneFrom(place: Id): readonly Kept[] {
    this.#open()
    return this.#gone.get(place) ?? []
  }

  /** Of a meta that was found at `place`: where else it was used. */
  keptElsewhere(objectId: Uint8Array, place: Id): Kept[] {
    this.#open()
    const { kept } = this.#objects.get(idOf(objectId)) ?? { kept: [] }
    return kept.filter((one) => one.place !== place)
  }

  /** All that is remembered, of directories that have left their places, too. */
  *every(): Generator<Kept> {
    this.#open()
    for (const { kept } of this.#objects.values()) yield* kept
    for (const gone of this.#gone.values()) yield* gone
  }

  /** The directories that have that id. Looks at all: for what happens rarely. */
  keptOf(dirId: Uint8Array): Kept[] {
    this.#open()
    const id = idOf(dirId)
    return [...this.#objects.values()].flatMap(({ kept }) => kept.filter((k) => k.dirId === id))
  }

  /** 1024 bytes, not verified; null where they are lost. The caller's own. */
  bytes({ meta }: Kept): Uint8Array | null {
    if (typeof meta !== 'number') return meta.slice()
    let bytes: Uint8Array | null = null
    this.#quietly(() => (bytes = this.#open()?.meta(meta) ?? null))
    return bytes
  }

  /** Of a name in a directory. */
  place(dirId: Uint8Array, name: string): Id {
    const last = this.#lastPlace
    if (last?.name === name && Buffer.compare(last.dirId, dirId) === 0) return last.place
    const place = idOf(this.#ctx.engine.sha256(Buffer.concat([dirId, Buffer.from(name)])))
    this.#lastPlace = { dirId: dirId.slice(), name, place }
    return place
  }

  /** Plaintext bytes that the file had when this machine saw it last, or null. */
  sizeOf(dirId: Uint8Array, base: string): number | null {
    this.#open()
    const known = this.#newSizes.get(idOf(dirId) + base)
    return known ?? this.#sizes.get(this.place(dirId, base)) ?? null
  }

  noteSize(dirId: Uint8Array, base: string, size: number): void {
    if (!this.#writes) return
    this.#newSizes.set(idOf(dirId) + base, size)
    if (this.#newSizes.size >= SIZES_QUEUED) this.#queueSizes()
  }

  get hadContent(): boolean {
    this.#open()
    return this.#content
  }

  noteContent(content: boolean): void {
    if (!this.#writes || this.#content === content) return
    this.#content = content
    const entry = { ...NOTHING, type: ENTRY_CONTENT, id: NO_ID, number: content ? 1 : 0 }
    this.#enqueue(entry, this.#ctx.clock())
  }

  #queueSizes(): void {
    for (const [key, number] of this.#newSizes) {
      const id = this.place(Buffer.from(key.slice(0, 16), 'latin1'), key.slice(16))
      if (this.#sizes.get(id) === number) continue
      this.#setSize(id, number)
      this.#enqueue({ ...NOTHING, type: ENTRY_SIZE_OF, number, id }, 0)
    }
    this.#newSizes.clear()
  }

  #setSize(id: Id, size: number): void {
    this.#sizes.delete(id)
    this.#sizes.set(id, size)
    if (this.#sizes.size <= SIZES_MAX) return
    const [oldest] = this.#sizes.keys()
    if (oldest !== undefined) this.#sizes.delete(oldest)
  }

  #enqueue(what: Kept | MemoryEntry, since: number): void {
    this.#queue.push({ what, since })
    if (this.#queue.length >= QUEUE_FULL) this.#store(this.#ctx.clock() - SETTLED_MS)
  }

  /** Stores what is new, so that the end of this process takes nothing away; milliseconds until the next look. */
  tend(): number {
    const now = this.#ctx.clock()
    this.#queueSizes()
    this.#store(now - SETTLED_MS)
    const log = this.#log ?? null
    if (log === null || log.isSettled()) return Infinity
    const wait = this.#settledAt + SETTLE_EVERY_MS - now
    if (wait > 0 && wait <= SETTLE_EVERY_MS) return wait
    this.#settledAt = now
    this.#settle(log, now - SETTLED_MS)
    return log.isSettled() ? Infinity : SETTLE_EVERY_MS
  }

  /** Everything of the vault is on its disk. */
  store(): void {
    this.#queueSizes()
    if (this.#log) this.#settle(this.#log, Infinity)
    this.#store(Infinity)
  }

  /** What has not changed since `before` is on the vault's disk. */
  #settle(log: MemoryLog, before: number): void {
    this.#quietly(() => {
      log.settle(before)
      this.#compact(log)
    })
  }

  #store(before: number): void {
    const log = this.#log ?? null
    const queue = this.#queue
    if (log === null || queue.length === 0) return
    this.#queue = []
    const entries: MemoryEntry[] = []
    const owners: (Kept | null)[] = []
    let latest = 0
    for (const { what, since } of queue) {
      const kept = 'left' in what ? what : null
      if (kept?.dropped === true) continue
      latest = Math.max(latest, since)
      entries.push('left' in what ? entryOf(what) : what)
      owners.push(kept)
    }
    if (entries.length === 0) return
    this.#quietly(() => {
      log.add(entries, latest, before)
      locate(entries, owners)
      this.#compact(log)
    })
  }

  #compact(log: MemoryLog): void {
    const { seen } = this.#count
    const metas = this.#count.metas + this.#goneCount
    // what is not settled must not get into the file by another way
    if (log.isSettled() && log.isWasteful(seen + metas + this.#sizes.size, metas))
      this.#rewrite(log)
  }

  #rewrite(log: MemoryLog): void {
    const owners: (Kept | null)[] = []
    locate(log.rewrite(this.#everything(log, owners)), owners)
  }

  *#everything(log: MemoryLog, owners: (Kept | null)[]): Generator<MemoryEntry> {
    for (const [id, { kept, seen }] of this.#objects) {
      for (const one of kept) {
        if (typeof one.meta !== 'number') continue
        const meta = log.meta(one.meta)
        if (meta === null) continue
        owners.push(one)
        yield { ...entryOf(one), meta }
      }
      for (const { writer, sealSeq } of seen) {
        if (kept.some((one) => one.writer === writer && one.sealSeq >= sealSeq)) continue
        owners.push(null)
        yield { ...NOTHING, type: ENTRY_SEEN, id, writer, number: sealSeq }
      }
    }
    for (const one of [...this.#gone.values()].flatMap((there) => there.toReversed())) {
      const meta = typeof one.meta === 'number' ? log.meta(one.meta) : null
      if (meta === null) continue
      owners.push(one)
      yield { ...entryOf(one), meta }
    }
    for (const [id, number] of this.#sizes) {
      owners.push(null)
      yield { ...NOTHING, type: ENTRY_SIZE_OF, id, number }
    }
    if (this.#content) {
      owners.push(null)
      yield { ...NOTHING, type: ENTRY_CONTENT, id: NO_ID, number: 1 }
    }
  }

  /** A memory that fails is given up, and that is all. */
  #quietly(act: () => void): void {
    try {
      act()
    } catch (error) {
      if (!(error instanceof CofferError)) throw error
      this.#log?.close()
      this.#log = null
      this.#queue = []
      const message = `this machine's memory of the vault cannot be kept: ${error.message}`
      this.#ctx.log({ level: 'warn', event: 'memory', message })
    }
  }

  /** What was not stored is lost. */
  close(): void {
    this.#log?.close()
    this.#log = null
  }
}

const HERE = { left: false, dropped: false }
const GONE = { left: true, dropped: false }

const entryOf = ({ objectId, place, dirId, writer, sealSeq, meta, left }: Kept): MemoryEntry => ({
  type: left ? ENTRY_GONE : ENTRY_META,
  number: sealSeq,
  id: objectId,
  place,
  dirId,
  writer,
  meta,
})

/** The metas lie where their entries say. */
function locate(entries: readonly MemoryEntry[], owners: readonly (Kept | null)[]): void {
  for (const [i, owner] of owners.entries()) {
    const meta = entries[i]?.meta
    if (owner === null || meta === undefined || meta === null) continue
    owner.meta = meta
  }
}
