// Programs at work on a drive, with a ledger of what each call promised: where files are, what is open,
// and the ways in which a step begins and ends. The steps themselves are in content-steps.ts and
// name-steps.ts.

import { Buffer } from 'node:buffer'
import { closeSync, constants, fsyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Ledger, type Item } from './ledger.js'
import type { Random } from './random.js'
import type { Rig } from './rig.js'
import type { Subject } from './subject.js'

const { O_CREAT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR } = constants
export const CHUNK = 32768
export const SIZES = [
  ...[0, 1, 700, 5000],
  ...[CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 5 * CHUNK + 77, 9 * CHUNK],
]
const OPEN_MAX = 4
/** a name that no backing file system takes as it is */
const LONG = 'ü'.repeat(120)

export interface Folder {
  item: Item
  parent: Folder | null
  name: string
  entries: Map<string, Entry>
}

/** A folder, or one of the names of anything else. */
export type Entry = Folder | { item: Item }

export const isFolder = (entry: Entry): entry is Folder => 'entries' in entry

export interface Named {
  folder: Folder
  name: string
  item: Item
}

export interface Open {
  fd: number
  item: Item
}

export class Work {
  readonly ledger = new Ledger()
  readonly random: Random
  readonly #rig: Rig
  readonly #subject: Subject
  readonly #root: Folder = {
    item: this.ledger.root,
    parent: null,
    name: '',
    entries: new Map<string, Entry>(),
  }
  #names = 0
  #open: Open[] = []

  constructor(rig: Rig, subject: Subject, random: Random) {
    this.#rig = rig
    this.#subject = subject
    this.random = random
  }

  // Where things are

  path(folder: Folder, name: string): string {
    return folder.parent === null ? `/${name}` : `${this.path(folder.parent, folder.name)}/${name}`
  }

  at(folder: Folder, name: string): string {
    return join(this.#subject.drive, this.path(folder, name))
  }

  folders(): Folder[] {
    const found = [this.#root]
    for (const folder of found)
      for (const entry of folder.entries.values()) if (isFolder(entry)) found.push(entry)
    return found
  }

  /** Any one. */
  folder(): Folder {
    return this.random.pick(this.folders())
  }

  everything(): Named[] {
    return this.folders().flatMap((folder) =>
      [...folder.entries].map(([name, { item }]) => ({ folder, name, item })),
    )
  }

  /** A file, or a link to something, by one of its names. */
  entry(...kinds: ('file' | 'symlink')[]): Named | null {
    const found = this.everything().filter(({ item }) => kinds.some((kind) => kind === item.kind))
    return found.length === 0 ? null : this.random.pick(found)
  }

  newName(): string {
    const name = `f${this.#names++}`
    return this.random.chance(0.2) ? `${name}-${LONG}` : name
  }

  /** A folder and those above it, from the root on. */
  line(folder: Folder): Item[] {
    return folder.parent === null ? [folder.item] : [...this.line(folder.parent), folder.item]
  }

  below(folder: Folder): Entry[] {
    return [...folder.entries.values()].flatMap((entry) => [
      entry,
      ...(isFolder(entry) ? this.below(entry) : []),
    ])
  }

  // How steps begin

  /** Something is about to be done with an item: from this position on it may be on the disk. */
  deed(item: Item, what: string): number {
    const begun = this.#rig.position()
    item.deeds.push({ begun, what })
    return begun
  }

  make(kind: Item['kind'], folder: Folder, name: string, deed: string): Item {
    const begun = this.#rig.position()
    const item = this.ledger.make(kind, this.path(folder, name), begun, this.line(folder))
    item.deeds.push({ begun, what: deed })
    return item
  }

  create(folder: Folder, name: string, deed: string): Open {
    const item = this.make('file', folder, name, deed)
    item.versions.push({ begun: item.deeds[0]?.begun ?? 0, content: Buffer.alloc(0) })
    const fd = openSync(this.at(folder, name), O_RDWR | O_CREAT | O_EXCL, 0o644)
    folder.entries.set(name, { item })
    return { fd, item }
  }

  /** `flags` beside those for reading and writing. */
  open({ folder, name, item }: Named, flags = 0): Open {
    return { fd: openSync(this.at(folder, name), O_RDWR | flags), item }
  }

  write({ fd, item }: Open, bytes: Buffer, at: number): void {
    const begun = this.#rig.position()
    const content = Buffer.alloc(Math.max(item.content.length, at + bytes.length))
    item.content.copy(content)
    bytes.copy(content, at)
    item.versions.push({ begun, content })
    if (writeSync(fd, bytes, 0, bytes.length, at) !== bytes.length)
      throw new Error('a write was short')
  }

  /** Something that has been open for a while; whoever takes it ends its step with `done`. */
  takeOpen(): Open | null {
    return this.#open.shift() ?? null
  }

  // How steps end

  /** Perhaps an fsync; then a close, or the file stays open for a while. */
  done(open: Open, synced: number): void {
    if (this.random.chance(synced)) this.sync(open)
    if (this.random.chance(0.2)) this.#open.push(open)
    else closeSync(open.fd)
    while (this.#open.length > OPEN_MAX) closeSync(this.#open.shift()?.fd ?? -1)
  }

  sync({ fd, item }: Open): void {
    fsyncSync(fd)
    this.ledger.syncedFile(item, this.#rig.position())
  }

  syncFolder({ item, parent, name }: Folder): void {
    const path = parent === null ? this.#subject.drive : this.at(parent, name)
    const fd = openSync(path, O_RDONLY | O_DIRECTORY)
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    this.ledger.syncedDirectory(item, this.#rig.position())
  }

  perhapsSync(...folders: Folder[]): void {
    if (this.random.chance(0.6)) for (const folder of new Set(folders)) this.syncFolder(folder)
  }

  closeAll(): void {
    for (const { fd } of this.#open) closeSync(fd)
    this.#open = []
  }
}
