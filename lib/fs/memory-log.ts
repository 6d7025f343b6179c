// The entries of this machine's memory of a vault, as they lie in its file: read once, added at the
// end, written anew when most of them are outdated. A torn end is ignored. A stop of the machine must not
// leave a memory that is ahead of the vault's disk: what is not settled yet counts until then alone.

import { Buffer } from 'node:buffer'
import type { Xaes } from '../crypto/engine.js'
import { HEADER_SIZE } from '../format/constants.js'
import {
  ENTRY_BOOT,
  ENTRY_SETTLED,
  FRAME_HEAD,
  frameShape,
  frameSize,
  NO_ID,
  NOTHING,
  openFrame,
  sealedSize,
  sealFrame,
  type Id,
  type MemoryEntry,
} from '../format/memory.js'
import type { MemoryFile } from '../store/memory-file.js'
import type { Nonces } from './nonces.js'

const FRAME_ENTRIES = 1024
/** More than any frame seals. */
const SEALED_MAX = 16 * 1024 * 1024
/** Outdated bytes, and frames, that are not worth a new file. */
const SLACK = 1024 * 1024
const FRAMES_MAX = 1024

/** A frame that another boot has left unsettled. */
interface Doubtful {
  position: number
  entries: MemoryEntry[]
}

export class MemoryLog {
  readonly #file: MemoryFile
  /** which boot this is; NO_ID where the system does not tell */
  readonly #boot: Id
  readonly #key: Xaes
  readonly #nonce: (into: Uint8Array, offset: number) => void
  /** end of the last whole frame */
  #end = 0
  #frames = 0
  #torn = false
  /** ends of frames that are not settled, with the wall clock of their last change, milliseconds */
  #unsettled: { end: number; since: number }[] = []
  #doubtful: Doubtful[] = []

  constructor(file: MemoryFile, boot: Id, key: Xaes, nonces: Nonces) {
    this.#file = file
    this.#boot = boot
    this.#key = key
    this.#nonce = (into, offset) => {
      nonces.fill(into, offset)
    }
  }

  /**
   * Every entry that counts, in the order in which they were added. Reads no meta. What this boot has
   * not settled may have changed as late as `now`, milliseconds.
   */
  load(now: number, use: (entry: MemoryEntry) => void): void {
    const head = Buffer.alloc(FRAME_HEAD)
    let buffer = Buffer.alloc(64 * 1024)
    for (;;) {
      const got = this.#file.read(head, FRAME_HEAD, this.#end)
      this.#torn = got > 0
      const shape = frameShape(head.subarray(0, got))
      if (shape === null) return
      const size = sealedSize(shape)
      if (size > SEALED_MAX) return
      if (size > buffer.length) buffer = Buffer.alloc(size)
      if (this.#file.read(buffer, size, this.#end) < size) return
      const entries = openFrame(this.#key, shape, buffer, this.#end)
      if (entries === null) return
      const position = this.#end
      this.#end += frameSize(shape)
      this.#frames++
      const [first] = entries
      if (first?.type === ENTRY_SETTLED) this.#settled(first.number, use)
      const boot = first?.type === ENTRY_BOOT ? first.id : null
      if (boot !== null && (boot !== this.#boot || boot === NO_ID)) {
        this.#doubtful.push({ position, entries })
        continue
      }
      for (const entry of entries) use(entry)
      if (boot !== null) this.#unsettled.push({ end: this.#end, since: now })
    }
  }

  #settled(position: number, use: (entry: MemoryEntry) => void): void {
    for (const frame of this.#doubtful)
      if (frame.position < position) for (const entry of frame.entries) use(entry)
    this.#doubtful = this.#doubtful.filter((frame) => frame.position >= position)
    this.#unsettled = this.#unsettled.filter(({ end }) => end > position)
  }

  /** What the next settling would make count, though its boot has ended: the file must be written anew. */
  get isDoubtful(): boolean {
    return this.#doubtful.length > 0
  }

  isSettled(): boolean {
    return this.#unsettled.length === 0
  }

  /** What has not changed since `before`, wall clock in milliseconds, is on the vault's disk. */
  settle(before: number): void {
    const first = this.#unsettled.findIndex(({ since }) => since > before)
    const settled = this.#unsettled.splice(0, first < 0 ? Infinity : first)
    const position = settled.at(-1)?.end
    if (position !== undefined)
      this.#append([{ ...NOTHING, type: ENTRY_SETTLED, id: NO_ID, number: position }])
  }

  /** The bytes of a meta that lie there; null where they have gone. */
  meta(at: number): Uint8Array | null {
    const bytes = new Uint8Array(HEADER_SIZE)
    return this.#file.read(bytes, HEADER_SIZE, at) === HEADER_SIZE ? bytes : null
  }

  /**
   * Adds entries, of changes up to `since`; where their metas lie is left in `meta`. They are settled at
   * once where all that lies before them is, and no change was later than `before`.
   */
  add(entries: readonly MemoryEntry[], since: number, before: number): void {
    if (this.isSettled() && since <= before) {
      this.#append(entries)
      return
    }
    this.#append([{ ...NOTHING, type: ENTRY_BOOT, id: this.#boot }, ...entries])
    this.#unsettled.push({ end: this.#end, since })
  }

  #append(entries: readonly MemoryEntry[]): void {
    if (this.#torn) this.#file.cut(this.#end)
    this.#torn = true
    this.#end = this.#put(entries, this.#end, (bytes, position) => {
      this.#file.write(bytes, position)
    })
    this.#torn = false
  }

  /** Is a file with these numbers of entries and metas worth its making? */
  isWasteful(entries: number, metas: number): boolean {
    const needed = sealedSize({ entries, metas }) + metas * HEADER_SIZE
    return this.#frames > FRAMES_MAX + entries / 8 || this.#end > 2 * needed + SLACK
  }

  /** A new file with these entries alone. `written` is told where each has its meta. */
  rewrite(entries: Iterable<MemoryEntry>): MemoryEntry[] {
    const all: MemoryEntry[] = []
    let end = 0
    const before = this.#frames
    this.#frames = 0
    try {
      this.#file.replace((write) => {
        let some: MemoryEntry[] = []
        const put = (): void => {
          if (some.length > 0) end = this.#put(some, end, write)
          all.push(...some)
          some = []
        }
        for (const entry of entries) {
          some.push(entry)
          if (some.length === FRAME_ENTRIES) put()
        }
        put()
      })
    } catch (error) {
      this.#frames = before
      throw error
    }
    this.#end = end
    this.#torn = false
    this.#unsettled = []
    this.#doubtful = []
    return all
  }

  #put(
    entries: readonly MemoryEntry[],
    position: number,
    write: (bytes: Uint8Array, position: number) => void,
  ): number {
    const frame = sealFrame(this.#key, this.#nonce, entries, position)
    write(frame, position)
    this.#frames++
    let at = frame.length
    for (let i = entries.length - 1; i >= 0; i--) {
      const entry = entries[i]
      if (!(entry?.meta instanceof Uint8Array)) continue
      at -= HEADER_SIZE
      entry.meta = position + at
    }
    return position + frame.length
  }

  close(): void {
    this.#file.close()
    this.#key.wipe()
  }
}
