// A disk that remembers: one file, `disk.img`, for a loop device to lie on. Every write and every
// flush that reaches it goes into a log; then it can be put into any state in which a power cut may
// have left it. What was flushed is there; of what was written since, any sectors.
//
// Two more files drive it: `position` tells the length of the log, and an order (JSON) is written to
// `orders`. In a state of a cut, writes are logged apart, and are undone by the next order.

import { Buffer } from 'node:buffer'
import { writeFileSync } from 'node:fs'
import { CofferError } from '../../lib/errors.js'
import { emptyEntry, type Opened } from '../../lib/fs/filesystem.js'
import { MemoryFilesystem } from '../mount/memory-filesystem.js'
import { Random } from './random.js'

export const IMAGE = 'disk.img'
export const POSITION = 'position'
export const ORDERS = 'orders'
/** what a disk writes whole or not at all */
export const SECTOR = 512
const BLOCK = 4096
/** ext4 writes its superblock in place, and cannot stand half of one: no disk of today would write it */
const SUPERBLOCK_END = 4096
const POSITION_WIDTH = 12
const FALLOC_FL_ZERO_RANGE = 16
const FALLOC_FL_PUNCH_HOLE = 2

/** Entries of the log before `flushed` are there, of those from there to `until` what the seed says. */
export interface Cut {
  flushed: number
  until: number
  seed: string
}

export type Order =
  /** The log begins here. */
  | { order: 'begin' }
  /** Where the flushes are. */
  | { order: 'flushes'; file: string }
  | { order: 'cut'; cut: Cut }
  /** The power fails again, while what the last cut left is being recovered. */
  | { order: 'again'; seed: string }
  | { order: 'save'; file: string }
  /** The loop device, for whoever has to clear up. */
  | { order: 'loop'; device: string }

/** A flush, or bytes and their place. */
type Logged = null | { at: number; bytes: Buffer }

export class DiskFilesystem extends MemoryFilesystem {
  loop = ''
  readonly #image: Buffer
  readonly #nodes = new Map<number, string>()
  readonly #handles = new Map<number, string>()
  /** what the image was when the log began */
  #origin: Buffer
  #log: Logged[] = []
  #begun = false
  /** how much of the log is in the image below a cut; -1 while all of it is, and more comes */
  #applied = -1
  #cut: Cut | null = null
  #recovery: Logged[] = []
  /** blocks as they were before the cut */
  readonly #undo = new Map<number, Buffer>()

  constructor(image: Buffer) {
    super()
    this.#image = image
    this.#origin = image
    this.#add(IMAGE, image)
    this.#add(POSITION, Buffer.alloc(POSITION_WIDTH))
    this.#add(ORDERS, Buffer.alloc(0))
    this.#tellPosition()
  }

  #add(name: string, content: Buffer): void {
    const out = emptyEntry()
    const { fh } = super.create(1, name, 0o600, 0, { uid: 0, gid: 0, umask: 0 }, out)
    this.release(fh)
    const inode = this.inodes.get(out.nodeid)
    if (inode === undefined) throw new Error('it was just made')
    inode.content = content
    inode.attributes.size = content.length
    this.#nodes.set(out.nodeid, name)
  }

  override open(nodeid: number, flags: number): Opened {
    const opened = super.open(nodeid, flags)
    this.#handles.set(opened.fh, this.#nodes.get(nodeid) ?? '')
    return opened
  }

  override write(
    fh: number,
    offset: number,
    from: Uint8Array,
    fromOffset: number,
    length: number,
    killPriv: boolean,
  ): number {
    if (this.#handles.get(fh) === IMAGE) {
      this.#store(offset, Buffer.from(from.subarray(fromOffset, fromOffset + length)))
      return length
    }
    if (this.#handles.get(fh) === ORDERS) {
      const text = Buffer.from(from.subarray(fromOffset, fromOffset + length)).toString()
      this.#obey(JSON.parse(text) as Order)
      return length
    }
    return super.write(fh, offset, from, fromOffset, length, killPriv)
  }

  override fallocate(fh?: number, mode = 0, offset = 0, length = 0): void {
    const zeros = (mode & (FALLOC_FL_ZERO_RANGE | FALLOC_FL_PUNCH_HOLE)) !== 0
    if (fh === undefined || this.#handles.get(fh) !== IMAGE || !zeros)
      throw new CofferError('EOPNOTSUPP', 'a disk has its size')
    this.#store(offset, Buffer.alloc(length))
  }

  override fsync(fh: number): void {
    if (this.#handles.get(fh) !== IMAGE) return
    this.#remember(null)
  }

  override release(fh: number): void {
    super.release(fh)
    this.#handles.delete(fh)
  }

  #store(at: number, bytes: Buffer): void {
    if (at < 0 || at + bytes.length > this.#image.length)
      throw new CofferError('ENOSPC', 'beyond the end of the disk')
    this.#put(at, bytes)
    this.#remember({ at, bytes })
  }

  #remember(entry: Logged): void {
    if (this.#cut !== null) this.#recovery.push(entry)
    else if (this.#begun) this.#log.push(entry)
    this.#tellPosition()
  }

  #tellPosition(): void {
    const node = [...this.#nodes].find(([, name]) => name === POSITION)?.[0] ?? 0
    const text = String(this.#log.length).padStart(POSITION_WIDTH)
    this.inodes.get(node)?.content.write(text)
  }

  #put(at: number, bytes: Buffer): void {
    if (this.#cut !== null) {
      for (let block = Math.floor(at / BLOCK); block * BLOCK < at + bytes.length; block++) {
        if (this.#undo.has(block)) continue
        const before = this.#image.subarray(block * BLOCK, (block + 1) * BLOCK)
        this.#undo.set(block, Buffer.from(before))
      }
    }
    this.#image.set(bytes, at)
  }

  #obey(order: Order): void {
    switch (order.order) {
      case 'begin':
        this.#origin = Buffer.from(this.#image)
        this.#begun = true
        return
      case 'flushes':
        writeFileSync(
          order.file,
          JSON.stringify(this.#log.flatMap((entry, i) => (entry === null ? [i] : []))),
        )
        return
      case 'cut':
        this.#apply(order.cut)
        this.#recovery = []
        return
      case 'again':
        this.#again(new Random(order.seed))
        return
      case 'save':
        writeFileSync(order.file, this.#image)
        return
      case 'loop':
        this.loop = order.device
        return
    }
  }

  #apply(cut: Cut): void {
    this.#rewind()
    if (this.#applied < 0 || cut.flushed < this.#applied) {
      this.#image.set(this.#origin)
      this.#applied = 0
    }
    for (const entry of this.#log.slice(this.#applied, cut.flushed))
      if (entry !== null) this.#image.set(entry.bytes, entry.at)
    this.#applied = cut.flushed
    this.#cut = cut
    this.#lose(this.#log.slice(cut.flushed, cut.until), new Random(cut.seed))
  }

  #again(random: Random): void {
    const cut = this.#cut
    if (cut === null) throw new Error('there was no cut yet')
    const recovery = this.#recovery
    this.#recovery = []
    this.#apply(cut)
    const until = random.between(0, recovery.length + 1)
    const flushed = recovery.lastIndexOf(null, until - 1) + 1
    for (const entry of recovery.slice(0, flushed))
      if (entry !== null) this.#put(entry.at, entry.bytes)
    this.#lose(recovery.slice(flushed, until), random)
  }

  /**
   * Of writes that no flush has followed, some arrived, some did not, some in part. The order in which
   * they arrived would make no difference beyond that.
   */
  #lose(writes: Logged[], random: Random): void {
    const kept = random.pick([0.1, 0.5, 0.9, 1])
    const torn = random.pick([0, 0.1, 0.5])
    for (const entry of writes) {
      if (entry === null || !random.chance(kept)) continue
      const { at, bytes } = entry
      if (at < SUPERBLOCK_END || !random.chance(torn)) {
        this.#put(at, bytes)
        continue
      }
      const sectors = bytes.length / SECTOR
      const prefix = random.chance(0.5) ? random.between(0, sectors + 1) : -1
      for (let i = 0; i < sectors; i++)
        if (prefix >= 0 ? i < prefix : random.chance(0.5))
          this.#put(at + i * SECTOR, bytes.subarray(i * SECTOR, (i + 1) * SECTOR))
    }
  }

  #rewind(): void {
    for (const [block, before] of this.#undo) this.#image.set(before, block * BLOCK)
    this.#undo.clear()
    this.#cut = null
  }
}
