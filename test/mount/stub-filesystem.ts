// A folder as a sync engine with online-only files shows it: `stat` answers, with a size and no blocks;
// `open` or `read` waits, fails or passes, as it is told. It is served by the project's own FUSE layer.

import { readdirSync, readFileSync, lstatSync } from 'node:fs'
import { join } from 'node:path'
import { CofferError } from '../../lib/errors.js'
import {
  emptyEntry,
  type Attributes,
  type Caller,
  type Entry,
  type Opened,
} from '../../lib/fs/filesystem.js'
import { Later } from '../../lib/fs/later.js'
import { MemoryFilesystem } from './memory-filesystem.js'

const ROOT = 1
const COPY_BYTES = 1024 * 1024

export interface StubOrder {
  /** from now on; what was fetched stays here */
  engine?: 'waits' | 'fails' | 'passes'
  /** which call it is that needs the content */
  at?: 'open' | 'read'
  /** files of blobs with at least that many bytes are online-only from now on */
  evict?: number
}

export interface StubReport {
  /** calls that needed content which was not here */
  asked: number
  /** of those, how many wait now */
  waiting: number
}

export class StubFilesystem extends MemoryFilesystem {
  readonly #elsewhere = new Set<number>()
  readonly #waiting = new Map<number, Later>()
  readonly #files = new Map<number, number>()
  readonly #uid = process.getuid?.() ?? 0
  readonly #gid = process.getgid?.() ?? 0
  #engine: NonNullable<StubOrder['engine']> = 'passes'
  #at: NonNullable<StubOrder['at']> = 'open'
  #asked = 0
  #unnamed = 0

  constructor(folder: string) {
    super(false, process.getuid?.(), process.getgid?.())
    this.#load(ROOT, folder)
  }

  #load(parent: number, folder: string): void {
    const caller = { uid: this.#uid, gid: this.#gid, umask: 0 }
    for (const name of readdirSync(folder)) {
      const path = join(folder, name)
      const { mode } = lstatSync(path)
      const out = emptyEntry()
      if (lstatSync(path).isDirectory()) {
        this.mkdir(parent, name, mode & 0o7777, caller, out)
        this.#load(out.nodeid, path)
        continue
      }
      const { fh } = this.create(parent, name, mode & 0o7777, 0, caller, out)
      const content = readFileSync(path)
      this.write(fh, 0, content, 0, content.length, false)
      this.release(fh)
    }
  }

  obey({ engine, at, evict }: StubOrder): StubReport {
    if (at !== undefined) this.#at = at
    if (engine !== undefined) {
      this.#engine = engine
      for (const later of this.#waiting.values()) if (engine !== 'waits') later.settle({ fd: -1 })
      if (engine !== 'waits') this.#waiting.clear()
    }
    if (evict !== undefined) {
      for (const [ino, { attributes, entries }] of this.inodes)
        if (attributes.size >= evict && entries.size === 0 && ino !== ROOT) this.#elsewhere.add(ino)
    }
    return { asked: this.#asked, waiting: this.#waiting.size }
  }

  #need(ino: number): void {
    if (!this.#elsewhere.has(ino)) return
    if (!this.#waiting.has(ino)) this.#asked++
    if (this.#engine === 'fails') throw new CofferError('EIO', 'the engine is offline')
    if (this.#engine === 'passes') {
      this.#elsewhere.delete(ino)
      return
    }
    const later = this.#waiting.get(ino) ?? new Later(null)
    this.#waiting.set(ino, later)
    throw later
  }

  #mark(attributes: Attributes): void {
    if (this.#elsewhere.has(attributes.ino)) attributes.blocks = 0
  }

  override lookup(parent: number, name: string, out: Entry): boolean {
    if (!super.lookup(parent, name, out)) return false
    this.#mark(out.attributes)
    return true
  }

  override getattr(nodeid: number, out: Attributes): void {
    super.getattr(nodeid, out)
    this.#mark(out)
  }

  override open(nodeid: number, flags: number): Opened {
    if (this.#at === 'open') this.#need(nodeid)
    const opened = super.open(nodeid, flags)
    this.#files.set(opened.fh, nodeid)
    return opened
  }

  /** A file that has no name until it is linked. */
  override tmpfile(parent: number, mode: number, caller: Caller, out: Entry): Opened {
    const name = `unnamed-${String(this.#unnamed++)}`
    const opened = this.create(parent, name, mode, 0, caller, out)
    this.#files.set(opened.fh, out.nodeid)
    this.inodes.get(parent)?.entries.delete(name)
    const inode = this.inodes.get(out.nodeid)
    if (inode !== undefined) inode.attributes.nlink = 0
    out.attributes.nlink = 0
    return opened
  }

  override copyFileRange(
    from: number,
    offset: number,
    to: number,
    toOffset: number,
    length: number,
  ): number {
    this.#need(this.#files.get(from) ?? 0)
    const bytes = new Uint8Array(Math.min(length, COPY_BYTES))
    const read = super.read(from, offset, bytes.length, bytes, 0)
    return this.write(to, toOffset, bytes, 0, read, false)
  }

  override read(
    fh: number,
    offset: number,
    length: number,
    into: Uint8Array,
    intoOffset: number,
  ): number {
    this.#need(this.#files.get(fh) ?? 0)
    return super.read(fh, offset, length, into, intoOffset)
  }
}
