// The journal of a drive. FORMAT.md §6. Whoever changes a blob that has a seal says here what it will
// do; the entry is made durable, and only then the blob is touched. So a machine that stops at any
// moment leaves the old state or the new one. Entries of several files become durable together.
//
// An entry counts until its blob has reached the disk by itself. That is left to the system as long as
// it takes, since waiting for it is what makes file systems slow: a blob is synced when nobody has
// written to it for a while, or when the journal has grown too large.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import {
  HEADER_SIZE,
  ID_SIZE,
  KIND_FILE,
  NONCE_SIZE,
  RECORD_OVERHEAD,
  slotOffset,
  type Kind,
} from '../format/constants.js'
import {
  ENTRY_BORN,
  ENTRY_COMMIT,
  ENTRY_GONE,
  ENTRY_LONGER,
  NO_CUT,
  EntryBuffer,
  type EntryChange,
  type EntryRecord,
  type EntryType,
} from '../format/journal.js'
import type { Layout } from '../format/layout.js'
import type { Backing } from '../store/backing.js'
import type { JournalFile } from '../store/journal-file.js'
import type { Clock, Random } from './nonces.js'
import { redo } from './redo.js'
import type { PreparedSeal, SealedObject } from './sealed-object.js'

/** Entries that wait in memory are written when they have become that large, bytes. */
const BUFFER_MAX = 8 * 1024 * 1024
/** The journal is emptied when it has become that large. */
const JOURNAL_MAX = 128 * 1024 * 1024
/** Kept free for what an entry needs besides records. */
const SLACK = 512 * 1024
/** New names are on the disk after a few seconds; so are the entries that tell of them. */
const BORN_MS = 4000
/** Kernels write by themselves within half a minute; then a sync finds little to do. */
const QUIET_MS = 40_000
const BLOBS_MAX = 100
const nothing = Buffer.alloc(0)
const noop = (): void => undefined

/** The blob of an inode, as the journal needs to know it. */
export interface JournaledBlob {
  readonly kind: Kind
  readonly ino: number
  readonly object: SealedObject
  readonly fd: number
  /** it has changes that no entry has */
  readonly dirty: boolean
  /** below the vault folder */
  path(): string
}

/** A change that waits for its entry to be durable. */
export interface Change {
  blob: JournaledBlob
  change: EntryChange
  /** something that has reached the disk is at stake: the entry must be there first */
  durable: boolean
  records: readonly EntryRecord[]
  /** the blob has its new state; `bytes` is what the records lie in */
  done(bytes: Uint8Array): void
  /** `counts`: the entry does, and the blob would not have it (`bring`); otherwise nothing has happened. */
  failed(counts: boolean): void
}

/** A blob with entries that count. */
interface Live {
  blob: JournaledBlob | null
  /** the journal's own where `blob` is null */
  fd: number
  /** nonce of the seal that its last entry leads to */
  seal: Uint8Array
  since: number
}

/** A change that its blob does not have, and where its entry was written. */
interface Stuck {
  item: Change
  position: number
  size: number
}

export class Journal {
  readonly entry = new EntryBuffer()
  readonly #file: JournalFile
  readonly #backing: Backing
  readonly #layout: Layout
  readonly #clock: Clock
  readonly #random: Random
  readonly #session = new Uint8Array(16)
  readonly #live = new Map<number, Live>()
  /** inodes that the journal has entries of, whether they count or not; true: of their names alone */
  readonly #told = new Map<number, boolean>()
  /** changes whose entries are in `entry` */
  #queue: Change[] = []
  #durable = false
  #sequence = 0
  /** end of the entries in the file, and the sequence number of the next there */
  #position = 0
  #sequenceAt = 0
  #promised = 0
  /** wall clock of the first BORN entry that is not durable, 0 where all are; and of the last one */
  #bornSince = 0
  #bornLast = 0
  /** entries that count and that their blobs refused, by inode: they stay, perhaps for the next mount */
  readonly #stuck = new Map<number, Stuck>()

  constructor(file: JournalFile, backing: Backing, layout: Layout, clock: Clock, random: Random) {
    this.#file = file
    this.#backing = backing
    this.#layout = layout
    this.#clock = clock
    this.#random = random
    random(this.#session)
  }

  /** Promises room for `bytes` of records. Throws ENOSPC, and then nothing is promised. */
  promise(bytes: number): void {
    const wanted = this.#position + this.#promised + bytes + SLACK
    try {
      this.#file.reserve(wanted)
    } catch (error) {
      if (this.#position === 0) throw error
      this.checkpoint()
      this.#file.reserve(this.#position + this.#promised + bytes + SLACK)
    }
    this.#promised += bytes
  }

  release(bytes: number): void {
    this.#promised -= bytes
  }

  /** Completes the entry that was begun in `entry`. It waits for `flush`. */
  queue(change: Change, straight: Uint8Array): void {
    this.#finish(ENTRY_COMMIT, change.blob, change.change, straight)
    this.#queue.push(change)
    this.#durable ||= change.durable
  }

  /** A new seal over the content as it is. It counts when this returns. */
  seal(blob: JournaledBlob, next: PreparedSeal, durable: boolean): void {
    // each takes a descriptor until its blob is on the disk
    if (this.large) this.checkpoint()
    const { slot, record: seal } = next
    const change = { slot, seal, cut: NO_CUT, eraseFrom: 0, eraseTo: 0, settled: false }
    this.entry.begin()
    const done = (): void => {
      blob.object.accept(next)
    }
    this.queue({ blob, change, records: [], durable, done, failed: noop }, nothing)
    this.flush()
  }

  #finish(
    type: EntryType,
    blob: JournaledBlob,
    change: EntryChange | null,
    straight: Uint8Array,
  ): void {
    const { kind, ino, object } = blob
    this.#told.set(ino, type === ENTRY_BORN && this.#told.get(ino) !== false)
    const from = currentNonce(object)
    const identity = { kind, ino, objectId: object.objectId, from, path: blob.path() }
    this.entry.finish(type, identity, change, straight, this.#session, this.#sequence++)
  }

  /** Enough for one write; more entries should wait for the next. */
  get full(): boolean {
    return this.entry.filled > BUFFER_MAX
  }

  /** The same, where a change waits; what is told of new names may wait for more, or for `tend`. */
  settle(): void {
    if (this.#queue.length > 0 || this.#durable) this.flush()
  }

  /** Writes what waits, makes it durable where that is asked for, and then does it. Throws the first error. */
  flush(): void {
    const queue = this.#queue
    const { bytes, filled } = this.entry
    const durable = this.#durable
    try {
      if (filled > 0) this.#file.write(bytes, filled, this.#position)
      if (durable) this.#file.sync()
    } catch (error) {
      this.#sequence = this.#sequenceAt
      for (const item of queue) item.failed(false)
      throw error
    } finally {
      this.#queue = []
      this.#durable = false
      this.entry.filled = 0
    }
    const position = this.#position
    this.#position += filled
    this.#sequenceAt = this.#sequence
    if (durable) this.#bornSince = 0
    let first: unknown = null
    for (const item of queue) {
      try {
        this.#do(item, bytes)
      } catch (error) {
        first ??= error
        this.#stuck.set(item.blob.ino, { item, position, size: filled })
        item.failed(true)
      }
    }
    this.entry.clear()
    if (first !== null) throw first as Error
  }

  /** It is time to store what is open, and then to `checkpoint`. */
  get large(): boolean {
    return this.#position > JOURNAL_MAX || this.#live.size > BLOBS_MAX
  }

  #do(item: Change, bytes: Uint8Array): void {
    const { blob, change, records } = item
    this.#enliven(blob, change.seal.subarray(0, NONCE_SIZE))
    redo(this.#backing, this.#layout, blob.fd, bytes, records, change)
    item.done(bytes)
  }

  /**
   * Before a blob is looked at again: does what it refused before, and may refuse once more. Nothing
   * may be made of it earlier, since it may be torn, and the next mount will do the entry in any case.
   */
  bring(ino: number): void {
    const stuck = this.#stuck.get(ino)
    const live = this.#live.get(ino)
    if (stuck === undefined || live === undefined) return
    const { item, position, size } = stuck
    const bytes = Buffer.alloc(size)
    if (this.#file.read(bytes, size, position) < size)
      throw new CofferError('EIO', 'the journal has become shorter')
    const { change, records } = item
    const fd = live.blob?.fd ?? live.fd
    redo(this.#backing, this.#layout, fd, bytes, records, change)
    this.#stuck.delete(ino)
    // where it was closed meanwhile, its header is going to be read anew
    if (live.blob === item.blob) item.done(bytes)
  }

  /** Has the blob entries that count? */
  hasEntries(ino: number): boolean {
    return this.#live.has(ino)
  }

  /** Is the blob behind an entry that counts? */
  owes(ino: number): boolean {
    return this.#stuck.has(ino)
  }

  #enliven(blob: JournaledBlob, seal: Uint8Array): void {
    const live = this.#live.get(blob.ino)
    if (live?.blob === null) this.#backing.close(live.fd)
    this.#live.set(blob.ino, { blob, fd: -1, seal: Uint8Array.from(seal), since: this.#clock() })
  }

  /** Before a blob becomes longer than its seal says: the next mount may cut it back. */
  allowLonger(blob: JournaledBlob, durable: boolean): void {
    const live = this.#live.get(blob.ino)
    const seal = currentNonce(blob.object)
    if (live?.blob === blob && Buffer.compare(live.seal, seal) === 0) return
    this.entry.begin()
    this.#finish(ENTRY_LONGER, blob, null, nothing)
    this.#durable ||= durable
    this.flush()
    this.#enliven(blob, seal)
  }

  /** A new blob has got its name. Nobody waits for this entry: it is written with the next, or by `tend`. */
  born(blob: JournaledBlob): void {
    this.entry.begin()
    const at = this.entry.record(0, HEADER_SIZE - RECORD_OVERHEAD)
    this.entry.bytes.set(blob.object.header, at)
    this.#finish(ENTRY_BORN, blob, null, nothing)
    this.#bornLast = this.#clock()
    if (this.#bornSince === 0) this.#bornSince = this.#bornLast
    if (this.full) this.flush()
  }

  /** The blob is about to be closed. True: the journal has taken over its descriptor. */
  closing(blob: JournaledBlob): boolean {
    const live = this.#live.get(blob.ino)
    if (live?.blob !== blob) return false
    live.blob = null
    live.fd = blob.fd
    return true
  }

  /** Nobody will miss that blob: it was removed, or all of it was copied elsewhere. */
  forget(ino: number): void {
    const live = this.#live.get(ino)
    this.#stuck.delete(ino)
    if (live !== undefined) this.#retire(ino, live)
    const told = this.#told.get(ino)
    if (told === undefined) return
    const from = new Uint8Array(NONCE_SIZE)
    const removed = {
      kind: KIND_FILE,
      ino,
      objectId: new Uint8Array(ID_SIZE),
      from,
      path: '',
    } as const
    this.#told.delete(ino)
    this.entry.begin()
    this.entry.finish(ENTRY_GONE, removed, null, nothing, this.#session, this.#sequence++)
    try {
      // a name that is not there any more is no surprise to a replay
      if (!told || this.full) this.flush()
    } catch {
      // the next mount will find that the blob is not there, and say so
    }
  }

  /** Syncs the blobs that have been quiet; milliseconds until the next may be, or Infinity. */
  tend(): number {
    const now = this.#clock()
    if (this.entry.filled > 0) this.flush()
    let next = this.#tendBorn(now)
    for (const [ino, live] of this.#live) {
      if (live.blob?.dirty === true || this.#stuck.has(ino)) continue
      const left = live.since + QUIET_MS - now
      if (left > 0 && left <= QUIET_MS) next = Math.min(next, left)
      else this.#settle(ino, live)
    }
    if (this.#live.size === 0 && next === Infinity) this.#emptyFile()
    return next
  }

  /** Makes what is told of new names durable; milliseconds for which it must be kept, or Infinity. */
  #tendBorn(now: number): number {
    if (this.#bornSince > 0) {
      const left = this.#bornSince + BORN_MS - now
      if (left > 0 && left <= BORN_MS) return left
      this.#durable = true
      this.flush()
    }
    const kept = this.#bornLast + QUIET_MS - now
    return kept > 0 && kept <= QUIET_MS ? kept : Infinity
  }

  /** Syncs every blob with entries that count, and empties the journal if none is left. */
  checkpoint(): void {
    for (const [ino, live] of this.#live) {
      if (live.blob?.dirty === true) this.#backing.datasync(live.blob.fd)
      else if (!this.#stuck.has(ino)) this.#settle(ino, live)
    }
    if (this.#live.size === 0) this.#emptyFile()
    else if (this.#position > JOURNAL_MAX && this.#stuck.size === 0) this.#restart()
  }

  /** Only files are left that cannot be sealed: of each it is enough to know that it may be longer. */
  #restart(): void {
    const left = [...this.#live.values()].flatMap(({ blob }) => (blob === null ? [] : [blob]))
    this.#live.clear()
    this.#emptyFile()
    for (const blob of left) {
      this.entry.begin()
      this.#finish(ENTRY_LONGER, blob, null, nothing)
    }
    this.#durable = true
    this.flush()
    for (const blob of left) this.#enliven(blob, currentNonce(blob.object))
  }

  /** Everything of the vault has reached the disk. */
  synced(): void {
    for (const [ino, live] of this.#live) {
      if (live.blob?.dirty !== true && !this.#stuck.has(ino)) this.#retire(ino, live)
    }
    if (this.#live.size === 0) this.#emptyFile()
  }

  #settle(ino: number, live: Live): void {
    this.#backing.datasync(live.blob?.fd ?? live.fd)
    this.#retire(ino, live)
  }

  #retire(ino: number, live: Live): void {
    this.#live.delete(ino)
    if (live.blob === null) this.#backing.close(live.fd)
  }

  #emptyFile(): void {
    if (this.#position + this.entry.filled === 0) return
    if (this.#stuck.size + this.#queue.length > 0) return
    this.#file.empty(this.#promised > 0 ? this.#promised + SLACK : 0)
    this.#position = 0
    this.#sequence = this.#sequenceAt = 0
    this.#bornSince = this.#bornLast = 0
    this.entry.clear()
    this.#told.clear()
    this.#random(this.#session)
  }

  close(): void {
    const done = this.#live.size === 0 && this.#stuck.size === 0 && this.#queue.length === 0
    for (const [ino, live] of this.#live) this.#retire(ino, live)
    try {
      if (done) this.#file.end()
    } catch {
      // then the next mount goes through it, and finds nothing to do
    }
    this.#file.close()
  }
}

/** Nonce of the seal that counts now; zero where there is none yet. */
export function currentNonce({ seal, header }: SealedObject): Uint8Array {
  if (seal === null) return new Uint8Array(NONCE_SIZE)
  const at = slotOffset((seal.sealSeq % 2) as 0 | 1)
  return header.subarray(at, at + NONCE_SIZE)
}
