// An open file (or symbolic link) and its seal. One for each inode, whatever the number of handles.
// FORMAT.md §5 and §6.

import { Buffer } from 'node:buffer'
import { BugError, CofferError } from '../errors.js'
import { HEADER_SIZE, RECORD_OVERHEAD, type Kind } from '../format/constants.js'
import type { Seal } from '../format/seal.js'
import type { Context } from './context.js'
import { FileContent, NO_ERASE } from './file-content.js'
import type { Journal, JournaledBlob } from './journal.js'
import type { Nameless, Temporary } from './nameless.js'
import { timeOf } from './nonces.js'
import { SealedObject, ZERO16, type Unsequenced } from './sealed-object.js'
import { isUnchanged, stampOf, type Stamp } from './stamp.js'
import { CLOSED, emptyStat, type FileStat, type FileTime } from '../store/backing.js'

/** Bytes that went straight to a blob before it is synced, so that a replay has not to read more. */
const UNSETTLED_BYTES_MAX = 8 * 1024 * 1024 * 1024
const YOUNG_MS = 5000
/** Plaintext bytes between two seals of a file that stays open, and the time. FORMAT.md §6. */
const SEAL_EVERY_BYTES = 256 * 1024 * 1024
export const SEAL_EVERY_MS = 5000
const nothingStaged = new Uint8Array(0)
const stat = emptyStat()
const there = new Uint8Array(HEADER_SIZE)

/**
 * A new object that nobody has asked a sync for (then `bornAt` is 0) has not reached the disk in its
 * first seconds; a machine that stops loses it in any case.
 */
export function isYoung(bornAt: number, now: number): boolean {
  const age = now - bornAt
  return bornAt !== 0 && age >= 0 && age < YOUNG_MS
}

/** The name that a commit seals. */
export interface Place {
  parentDirId: Uint8Array
  name: string
}

export class FileBody implements JournaledBlob {
  readonly kind: Kind
  ino: number
  readonly object: SealedObject
  readonly content: FileContent
  writable: boolean
  mode: number
  /** there is something that the seal on disk does not say */
  dirty = false
  dirtySince = 0
  /** something was changed since a program has closed or synced it */
  unflushed = false
  /** highest sealSeq of a ticket or replaced object that the next seal must exceed */
  seqFloor = 0
  /** times that the application has set, to be applied after the seal */
  readonly set: { atime: FileTime; mtime: FileTime } = { atime: 'omit', mtime: 'omit' }
  /** wall clock of the last change, milliseconds */
  changedAt = 0
  /** extended attributes that may not be on the disk yet */
  attributesChanged = false
  /** the blob bears it until it gets a name that leads to it; null where it has one, or none at all */
  temporary: Temporary | null = null
  /** wall clock of its creation where no sync has been asked for since, otherwise 0 */
  bornAt = 0
  /** somebody else has written over the blob while it was open: there is nothing whole to be had */
  superseded = false
  /** the backing inode when the header was last seen to be ours */
  #seen: Stamp | null = null
  /** where the blob lies below the vault folder */
  path: () => string = () => ''
  readonly #ctx: Context

  private constructor(
    ctx: Context,
    object: SealedObject,
    fd: number,
    ino: number,
    writable: boolean,
    mode: number,
  ) {
    this.#ctx = ctx
    this.kind = object.kind
    this.object = object
    this.ino = ino
    this.writable = writable
    this.mode = mode
    this.content = new FileContent(ctx, object, fd, {
      ready: () => {
        ctx.journal?.bring(this.ino)
      },
      touch: () => {
        this.#touch()
      },
      longer: () => {
        this.#journal.allowLonger(this, this.#precious)
      },
    })
  }

  get fd(): number {
    return this.content.fd
  }

  set fd(fd: number) {
    this.content.fd = fd
  }

  get #journal(): Journal {
    const { journal } = this.#ctx
    if (journal === null) throw new BugError('a change without a journal')
    return journal
  }

  /** Is there something that a stop of the machine must not take away? */
  get #precious(): boolean {
    return !isYoung(this.bornAt, this.#ctx.clock())
  }

  /** A new and empty object over the empty file `fd`, which it takes over. */
  static create(ctx: Context, kind: Kind, fd: number, ino: number, mode: number): FileBody {
    const body = new FileBody(ctx, SealedObject.create(ctx, kind), fd, ino, true, mode)
    body.bornAt = ctx.clock()
    body.#touch()
    return body
  }

  /**
   * Opens a blob, with the checks of FORMAT.md §5 in their order; `place` is check 4. On success the
   * body owns `fd`, otherwise the caller still does. `truncating`: nothing of the content is wanted.
   */
  static open(
    ctx: Context,
    kind: Kind,
    fd: number,
    stat: FileStat,
    writable: boolean,
    place: (object: SealedObject) => number,
    truncating = false,
  ): FileBody {
    const { backing, layout, body: vault, log } = ctx
    const header = new Uint8Array(HEADER_SIZE)
    if (
      stat.size < layout.backingSize(0) ||
      backing.read(fd, header, 0, HEADER_SIZE, 0) < HEADER_SIZE
    ) {
      throw new CofferError(
        'OBJECT_TRUNCATED',
        `the blob has ${String(stat.size)} bytes, fewer than any file takes`,
      )
    }
    const object = SealedObject.parse(ctx, header, kind)
    try {
      const { seal } = object
      if (seal === null) throw new CofferError('OBJECT_DAMAGED', 'no seal')
      const seqFloor = place(object)
      const body = new FileBody(ctx, object, fd, stat.ino, writable, seal.mode)
      body.seqFloor = seqFloor
      // it was taken before the header was read
      body.#seen = stampOf(stat)
      const { length, acc, absent, chunkWrites } = seal
      if (truncating) {
        body.content.records.adopt(length, acc, absent, chunkWrites)
        body.content.size = length
        return body
      }
      const strict = length <= vault.policy.strictMax || vault.policy.integrity === 'full'
      const exact = layout.plainSize(stat.size)
      const there = layout.shownSize(stat.size)
      if (there < length) {
        const message = `the blob is cut short: ${String(there)} of ${String(length)} bytes are there`
        throw new CofferError('OBJECT_TRUNCATED', message)
      }
      if (strict && exact !== length) {
        const message = `the blob is longer than its seal of ${String(length)} bytes: its writer did not come to seal it`
        throw new CofferError('OBJECT_UNSEALED', message)
      }
      body.content.size = length
      body.content.records.adopt(length, acc, absent, chunkWrites)
      if (exact !== length) {
        body.content.unsealedTail = true
        const message =
          'more lies in the blob than its seal says: its writer did not come to seal it'
        log({ level: 'warn', event: 'unsealed-tail', message })
      }
      if (strict) body.content.records.verifyAll(fd)
      return body
    } catch (error) {
      object.wipe()
      throw error
    }
  }

  #touch(): void {
    const now = this.#ctx.clock()
    if (!this.dirty) this.dirtySince = now
    this.dirty = true
    this.unflushed = true
    this.changedAt = now
    this.set.mtime = 'omit'
  }

  /**
   * Is the seal on the disk still the one that is known here? A blob that somebody wrote over in place
   * has another. Looks only where the backing inode is not as it was at the last look.
   */
  isOurs(): boolean {
    const { backing, journal } = this.#ctx
    if (this.superseded) return false
    backing.statFd(this.fd, stat)
    if (isUnchanged(this.#seen, stat)) return true
    // what is journaled and not yet in the blob, or was never sealed, cannot be compared
    const comparable = this.object.seal !== null && journal?.owes(this.ino) !== true
    if (comparable && !this.#bearsHeader(this.fd)) return false
    this.#seen = stampOf(stat)
    return true
  }

  /**
   * Does that name lead to this blob? Asked where numbers do not tell it from another that has taken the
   * name; any other state has another header. True also of one that was written over in place, which
   * `isOurs` is for.
   */
  isNamed(dirfd: number, file: string): boolean {
    const { backing, journal } = this.#ctx
    if (this.object.seal === null || journal?.owes(this.ino) === true) return true
    const named = backing.openRead(dirfd, file)
    try {
      if (this.#bearsHeader(named)) return true
    } finally {
      backing.close(named)
    }
    // an engine may keep pages by name until the next open: those of the other blob would be read as ours
    backing.close(backing.openRead(dirfd, file))
    this.#seen = null
    return !this.#bearsHeader(this.fd)
  }

  #bearsHeader(fd: number): boolean {
    const got = this.#ctx.backing.read(fd, there, 0, HEADER_SIZE, 0)
    return got === HEADER_SIZE && Buffer.compare(there, this.object.header) === 0
  }

  /** Bytes of the blob with all that its seal and what was written since may need. */
  get backingSize(): number {
    const { object, content } = this
    return this.#ctx.layout.backingSize(Math.max(object.seal?.length ?? 0, content.size))
  }

  /** A new mode for the next seal; the content has not changed, so its `mtime` is put back. */
  changeMode(mode: number, mtime: { sec: number; nsec: number }): void {
    this.mode = mode
    if (this.dirty) return
    this.#touch()
    this.set.mtime = mtime
  }

  /** Is it new, or was it emptied, and has nothing been written since? */
  get isEmptied(): boolean {
    const { size, records } = this.content
    return size === 0 && (this.object.seal === null || records.cutTo === 0)
  }

  /** Is it time to seal a file that stays open? */
  due(now: number): boolean {
    const { unsealed, urgent } = this.content
    const age = now - this.dirtySince
    // a clock that was set back must not keep it waiting
    const old = age < 0 || age >= SEAL_EVERY_MS
    return this.dirty && !this.superseded && (urgent || old || unsealed >= SEAL_EVERY_BYTES)
  }

  /**
   * Stores chunks, then the seal, under the name that the blob bears (or is about to). `prevTag` is
   * that of a name being left by a rename; `durable`: a stop of the machine changes nothing any more,
   * after the next mount.
   */
  commit(place: Place, mode: number, prevTag: Uint8Array = ZERO16, durable = false): void {
    this.stage(place, mode, prevTag, durable)
    this.#journal.flush()
  }

  /**
   * The same up to the journal's next flush. The first seal of a new object needs none. False: there
   * is nothing to seal, the blob says it all. `some`: of much that waits in memory no more than goes
   * into one entry; the file stays dirty.
   */
  stage(place: Place, mode: number, prevTag: Uint8Array, durable: boolean, some = false): boolean {
    while (!some && this.content.isMuch) {
      this.#stageOne(place, mode, prevTag, durable)
      this.#journal.flush()
    }
    return this.#stageOne(place, mode, prevTag, durable)
  }

  #stageOne(place: Place, mode: number, prevTag: Uint8Array, durable: boolean): boolean {
    const { backing, stored } = this.#ctx
    this.#journal.bring(this.ino)
    const { content } = this
    const { records } = content
    const { seal: old } = this.object
    if (old !== null) content.spare(old)
    content.storeStraight()
    records.trim(this.fd)
    if (old !== null && this.#says(old, place, mode, prevTag) && this.#leaveBlob(mode)) return false
    if (old === null) {
      // kernels were told when it was made, and believe it beyond the close of what stays empty
      if (content.size === 0 && this.set.mtime === 'omit') this.set.mtime = timeOf(this.changedAt)
      this.object.begin(this.#state(place, mode, prevTag), this.seqFloor, (bytes, offset) => {
        backing.write(this.fd, bytes, 0, bytes.length, offset)
        stored.bytes += bytes.length
      })
      content.settle(nothingStaged, NO_ERASE)
      this.#sealed(mode)
      return true
    }
    const wanted = durable || content.unsettled > UNSETTLED_BYTES_MAX
    // all of the blob, also what another body has stored before this one was opened
    const settled = wanted && content.unsettled + records.straight.bytes.length > 0
    if (settled) backing.datasync(this.fd)
    const journal = this.#journal
    const mark = records.mark()
    const { erased } = content
    const cut = records.cutTo
    journal.entry.begin()
    try {
      content.stage(journal.entry)
      const next = this.object.prepare(this.#state(place, mode, prevTag), this.seqFloor)
      const { slot, record: seal } = next
      const change = { slot, seal, cut, eraseFrom: erased.first, eraseTo: erased.end, settled }
      const item = {
        blob: this,
        change,
        records: records.staged,
        durable: durable || this.#precious,
        done: (bytes: Uint8Array) => {
          this.object.accept(next)
          stored.bytes += seal.length
          for (const { length } of records.staged) stored.bytes += length + RECORD_OVERHEAD
          if (settled) content.unsettled = 0
          content.settle(bytes, erased)
          this.#sealed(mode)
        },
        failed: (counts: boolean) => {
          if (!counts) records.restore(mark)
          content.erased = NO_ERASE
        },
      }
      journal.queue(item, records.straight.bytes)
      return true
    } catch (error) {
      records.restore(mark)
      content.erased = NO_ERASE
      throw error
    }
  }

  /** Would the next seal say nothing that this one does not? Of mtime it is the blob's that counts. */
  #says(seal: Seal, { parentDirId, name }: Place, mode: number, prevTag: Uint8Array): boolean {
    return (
      this.content.isSealedBy(seal) &&
      seal.mode === mode &&
      seal.name === name &&
      Buffer.compare(seal.parentDirId, parentDirId) === 0 &&
      Buffer.compare(seal.prevTag, prevTag) === 0
    )
  }

  /** The bytes of the blob stay, its mtime moves. False where only its owner may do that. */
  #leaveBlob(mode: number): boolean {
    const { set } = this
    // it may give blocks back, which moves mtime
    this.content.settle(nothingStaged, NO_ERASE)
    try {
      this.#ctx.backing.utimesFd(this.fd, set.atime, set.mtime === 'omit' ? 'now' : set.mtime)
    } catch (error) {
      if (error instanceof CofferError && error.code === 'EPERM') return false
      throw error
    }
    set.atime = set.mtime = 'omit'
    this.#sealed(mode)
    return true
  }

  /** What the next seal says. */
  #state(place: Place, mode: number, prevTag: Uint8Array): Unsequenced {
    const { size, records } = this.content
    const { acc, absent, chunkWrites } = records
    const { mtime } = this.set
    const sealed = typeof mtime === 'string' ? timeOf(this.#ctx.clock()) : mtime
    return {
      ...place,
      length: size,
      acc: Uint8Array.from(acc),
      absent,
      chunkWrites,
      mtimeSec: sealed.sec,
      mtimeNsec: sealed.nsec,
      mode,
      rdev: 0,
      prevTag,
    }
  }

  #sealed(mode: number): void {
    this.mode = mode
    this.dirty = this.content.paged > 0
    // the last seal of several is the one that they come after
    if (!this.dirty) this.applyTimes()
  }

  /** The times that the application has set, as the last operation on the blob. FORMAT.md §6. */
  applyTimes(): void {
    const { atime, mtime } = this.set
    if (atime === 'omit' && mtime === 'omit') return
    this.#ctx.backing.utimesFd(this.fd, atime, mtime)
    this.set.atime = 'omit'
    this.set.mtime = 'omit'
  }

  /**
   * Goes on over another blob with the same bytes, which it takes over. `stays`: the old one has a name
   * yet, and is left as its seal says.
   */
  moveTo({ fd, temporary }: Nameless, ino: number, stays: boolean): void {
    const { backing, journal, clock } = this.#ctx
    if (stays && !this.superseded) this.content.records.revert(this.fd)
    if (journal?.closing(this) !== true) backing.close(this.fd)
    this.temporary?.remove()
    this.temporary = temporary
    this.content.moveTo(fd)
    this.ino = ino
    this.writable = true
    this.bornAt = clock()
    this.attributesChanged = true
  }

  /** Forgets plaintext and keys and closes the blob. What is dirty is lost. */
  close(): void {
    const { backing, journal } = this.#ctx
    this.content.drop()
    const owed = journal?.owes(this.ino) === true
    if (this.dirty && !owed && !this.superseded && this.object.seal !== null) {
      try {
        this.content.records.revert(this.fd)
      } catch {
        // the next mount does it, by the journal
      }
    }
    this.object.wipe()
    if (journal?.closing(this) !== true) backing.close(this.fd)
    this.temporary?.remove()
    this.fd = CLOSED
  }
}
