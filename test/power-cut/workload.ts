// What programs do to a drive before the power fails: every way to change a file or a name that an
// fsync may follow, with and without it. A ledger is kept of what each call promised. Meanwhile the
// disk is disturbed as other programs and the kernel disturb it: pages are written back early, and the
// file system under the vault commits.

import {
  closeSync,
  constants,
  fsyncSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { Buffer } from 'node:buffer'
import { join } from 'node:path'
import { native } from '../../lib/native/libc.js'
import { Ledger, type Item } from './ledger.js'
import type { Random } from './random.js'
import type { Rig } from './rig.js'
import type { Subject } from './subject.js'

const { O_CREAT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC } = constants
const CHUNK = 32768
const SIZES = [0, 1, 700, 5000, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 5 * CHUNK + 77, 9 * CHUNK]
const OPEN_MAX = 4
/** names that no backing file system takes as they are */
const LONG = 'ü'.repeat(120)
/** SYNC_FILE_RANGE_WAIT_BEFORE, _WRITE, _WAIT_AFTER: written, and no flush */
const WRITTEN = 7

interface Folder {
  item: Item
  parent: Folder | null
  name: string
  entries: Map<string, Entry>
}

interface File {
  item: Item
}

type Entry = Folder | File

const isFolder = (entry: Entry): entry is Folder => 'entries' in entry

interface Open {
  fd: number
  item: Item
}

export class Workload {
  readonly ledger = new Ledger()
  readonly #rig: Rig
  readonly #subject: Subject
  readonly #random: Random
  readonly #root: Folder = {
    item: this.ledger.root,
    parent: null,
    name: '',
    entries: new Map<string, Entry>(),
  }
  #names = 0
  #open: Open[] = []
  readonly #writeBack = native('int sync_file_range(int fd, int64_t at, int64_t n, uint32_t flags)')

  constructor(rig: Rig, subject: Subject, random: Random) {
    this.#rig = rig
    this.#subject = subject
    this.#random = random
  }

  /** Files at rest. The drive is unmounted, and mounted again, before the log begins. */
  prepare(): void {
    for (let i = 0; i < 4; i++) this.#mkdir()
    for (let i = 0; i < 24; i++) this.#create(1)
    for (let i = 0; i < 3; i++) this.#symlink()
    this.#closeAll()
    for (const { item } of this.#all()) item.deeds.length = 0
  }

  rest(): void {
    this.ledger.syncedAll(0)
  }

  step(): void {
    const random = this.#random
    const steps: [number, () => void][] = [
      [
        12,
        () => {
          this.#create(0.6)
        },
      ],
      [
        14,
        () => {
          this.#write('overwrite')
        },
      ],
      [
        10,
        () => {
          this.#write('append')
        },
      ],
      [
        8,
        () => {
          this.#rewrite()
        },
      ],
      [
        8,
        () => {
          this.#resize()
        },
      ],
      [
        10,
        () => {
          this.#replace()
        },
      ],
      [
        5,
        () => {
          this.#folderWithFile()
        },
      ],
      [
        6,
        () => {
          this.#link()
        },
      ],
      [
        12,
        () => {
          this.#rename()
        },
      ],
      [
        3,
        () => {
          this.#renameFolder()
        },
      ],
      [
        5,
        () => {
          this.#unlink()
        },
      ],
      [
        2,
        () => {
          this.#rmdir()
        },
      ],
      [
        3,
        () => {
          this.#symlink()
        },
      ],
      [
        6,
        () => {
          this.#use()
        },
      ],
      [
        5,
        () => {
          this.#syncFolder(this.#folder())
        },
      ],
      [
        12,
        () => {
          this.#writeBackSome()
        },
      ],
      [
        6,
        () => {
          this.#commitDisk()
        },
      ],
    ]
    let at = random.between(
      0,
      steps.reduce((sum, [weight]) => sum + weight, 0),
    )
    for (const [weight, act] of steps) {
      if ((at -= weight) >= 0) continue
      act()
      return
    }
  }

  finish(): void {
    this.#closeAll()
  }

  // Where things are

  #path(folder: Folder, name: string): string {
    return folder.parent === null ? `/${name}` : `${this.#path(folder.parent, folder.name)}/${name}`
  }

  #at(folder: Folder, name: string): string {
    return join(this.#subject.drive, this.#path(folder, name))
  }

  #folders(): Folder[] {
    const found = [this.#root]
    for (const folder of found)
      for (const entry of folder.entries.values()) if (isFolder(entry)) found.push(entry)
    return found
  }

  #folder(): Folder {
    return this.#random.pick(this.#folders())
  }

  #all(): { folder: Folder; name: string; item: Item }[] {
    return this.#folders().flatMap((folder) =>
      [...folder.entries].map(([name, { item }]) => ({ folder, name, item })),
    )
  }

  /** A file by one of its names. */
  #file(): { folder: Folder; name: string; item: Item } | null {
    const files = this.#all().filter(({ item }) => item.kind === 'file')
    return files.length === 0 ? null : this.#random.pick(files)
  }

  #newName(): string {
    const name = `f${String(this.#names++)}`
    return this.#random.chance(0.2) ? `${name}-${LONG}` : name
  }

  #parents(folder: Folder): Item[] {
    return folder.parent === null ? [folder.item] : [...this.#parents(folder.parent), folder.item]
  }

  #deed(item: Item, what: string): number {
    const begun = this.#rig.position()
    item.deeds.push({ begun, what })
    return begun
  }

  // What is done to content

  #create(synced: number): Item {
    const folder = this.#folder()
    const name = this.#newName()
    const begun = this.#rig.position()
    const item = this.ledger.make('file', this.#path(folder, name), begun, this.#parents(folder))
    item.versions.push({ begun, content: Buffer.alloc(0) })
    item.deeds.push({ begun, what: 'create' })
    const fd = openSync(this.#at(folder, name), O_RDWR | O_CREAT | O_EXCL, 0o644)
    folder.entries.set(name, { item })
    const size = this.#random.pick(SIZES)
    const parts = this.#random.between(1, 4)
    for (let i = 0; i < parts; i++)
      this.#pwrite(fd, item, this.#random.bytes(Math.ceil(size / parts)), item.content.length)
    this.#done({ fd, item }, synced)
    return item
  }

  #pwrite(fd: number, item: Item, bytes: Buffer, at: number): void {
    const begun = this.#rig.position()
    const content = Buffer.alloc(Math.max(item.content.length, at + bytes.length))
    item.content.copy(content)
    bytes.copy(content, at)
    item.versions.push({ begun, content })
    if (writeSync(fd, bytes, 0, bytes.length, at) !== bytes.length)
      throw new Error('a write was short')
  }

  /** The end of a task: perhaps an fsync; then a close, or the file stays open for a while. */
  #done(open: Open, synced: number): void {
    if (this.#random.chance(synced)) this.#sync(open)
    if (this.#random.chance(0.2)) this.#open.push(open)
    else closeSync(open.fd)
    while (this.#open.length > OPEN_MAX) closeSync(this.#open.shift()?.fd ?? -1)
  }

  #sync({ fd, item }: Open): void {
    fsyncSync(fd)
    this.ledger.syncedFile(item, this.#rig.position())
  }

  #write(what: 'overwrite' | 'append'): void {
    const file = this.#file()
    if (file === null) return
    const { folder, name, item } = file
    this.#deed(item, what)
    this.#change({ fd: openSync(this.#at(folder, name), O_RDWR), item }, what)
  }

  #change(open: Open, what: 'overwrite' | 'append'): void {
    const { fd, item } = open
    for (let i = this.#random.between(1, 4); i > 0; i--) {
      const { length } = item.content
      const at = what === 'append' ? length : this.#random.between(0, length + 1)
      const size = this.#random.pick([1, 100, 4096, CHUNK, CHUNK + 10, 3 * CHUNK])
      this.#pwrite(fd, item, this.#random.bytes(size), at)
    }
    this.#done(open, 0.6)
  }

  /** Writes to a file that has been open for a while, or syncs it. */
  #use(): void {
    const [open] = this.#open.splice(0, 1)
    if (open === undefined) return
    if (this.#random.chance(0.5)) {
      this.#deed(open.item, 'overwrite')
      this.#change(open, 'overwrite')
    } else this.#done(open, 1)
  }

  #rewrite(): void {
    const file = this.#file()
    if (file === null) return
    const { folder, name, item } = file
    const begun = this.#deed(item, 'O_TRUNC rewrite')
    item.versions.push({ begun, content: Buffer.alloc(0) })
    const fd = openSync(this.#at(folder, name), O_RDWR | O_TRUNC)
    this.#pwrite(fd, item, this.#random.bytes(this.#random.pick(SIZES)), 0)
    this.#done({ fd, item }, 0.6)
  }

  #resize(): void {
    const file = this.#file()
    if (file === null) return
    const { folder, name, item } = file
    const begun = this.#deed(item, 'truncate')
    const fd = openSync(this.#at(folder, name), O_RDWR)
    const { length } = item.content
    const size = this.#random.chance(0.7)
      ? this.#random.between(0, length + 1)
      : length + this.#random.between(1, 2 * CHUNK)
    const content = Buffer.alloc(size)
    item.content.copy(content)
    item.versions.push({ begun, content })
    ftruncateSync(fd, size)
    this.#done({ fd, item }, 0.6)
  }

  // What is done to names

  /** The way of editors and databases: a new file, fsync, rename over the old one, fsync of the folder. */
  #replace(): void {
    const old = this.#file()
    if (old === null) return
    const { folder, name } = old
    const temporary = this.#newName()
    const begun = this.#rig.position()
    const path = this.#path(folder, temporary)
    const item = this.ledger.make('file', path, begun, this.#parents(folder))
    item.versions.push({ begun, content: Buffer.alloc(0) })
    item.deeds.push({ begun, what: 'create' })
    const fd = openSync(this.#at(folder, temporary), O_RDWR | O_CREAT | O_EXCL, 0o644)
    folder.entries.set(temporary, { item })
    this.#pwrite(fd, item, this.#random.bytes(this.#random.pick(SIZES)), 0)
    if (this.#random.chance(0.9)) this.#sync({ fd, item })
    closeSync(fd)
    this.#deed(old.item, 'replaced')
    this.#move(folder, temporary, folder, name, 'rename over')
    if (this.#random.chance(0.7)) this.#syncFolder(folder)
  }

  #move(from: Folder, name: string, to: Folder, newName: string, what: string): void {
    const entry = from.entries.get(name)
    if (entry === undefined) throw new Error('it was there')
    const begun = this.#deed(entry.item, what)
    const changes: [string, Item | null][] = []
    const old = this.#path(from, name)
    const now = this.#path(to, newName)
    const below = (folder: Folder, path: string): [string, Item][] =>
      [...folder.entries].flatMap(([name, entry]) => [
        [`${path}/${name}`, entry.item],
        ...(isFolder(entry) ? below(entry, `${path}/${name}`) : []),
      ])
    const moved: [string, Item][] = [['', entry.item], ...(isFolder(entry) ? below(entry, '') : [])]
    for (const [path, item] of moved) changes.push([old + path, null], [now + path, item])
    this.ledger.change(begun, [...new Set([from.item, to.item])], changes)
    renameSync(this.#at(from, name), this.#at(to, newName))
    // two names of one file: rename(2) does nothing then
    from.entries.delete(name)
    to.entries.set(newName, entry)
    if (isFolder(entry)) {
      entry.parent = to
      entry.name = newName
    }
  }

  #rename(): void {
    const files = this.#all().filter(({ item }) => item.kind !== 'directory')
    if (files.length === 0) return
    const { folder, name, item } = this.#random.pick(files)
    const to = this.#random.chance(0.5) ? folder : this.#folder()
    const what = item.deeds.length === 0 ? 'rename at rest' : 'rename'
    this.#move(folder, name, to, this.#newName(), what)
    if (this.#random.chance(0.6)) for (const one of new Set([to, folder])) this.#syncFolder(one)
  }

  #renameFolder(): void {
    const folder = this.#folder()
    const { parent } = folder
    if (parent === null) return
    const outside = this.#folders().filter((to) => !this.#parents(to).includes(folder.item))
    const to = this.#random.chance(0.5) ? parent : this.#random.pick(outside)
    for (const { item } of this.#below(folder)) this.#deed(item, 'rename of a folder above')
    this.#move(parent, folder.name, to, this.#newName(), 'rename of a folder')
    if (this.#random.chance(0.6)) for (const one of new Set([to, parent])) this.#syncFolder(one)
  }

  #below(folder: Folder): Entry[] {
    return [...folder.entries.values()].flatMap((entry) => [
      entry,
      ...(isFolder(entry) ? this.#below(entry) : []),
    ])
  }

  #mkdir(): Folder {
    const parent = this.#folder()
    const name = this.#newName()
    const begun = this.#rig.position()
    const path = this.#path(parent, name)
    const item = this.ledger.make('directory', path, begun, this.#parents(parent))
    item.deeds.push({ begun, what: 'mkdir' })
    mkdirSync(this.#at(parent, name))
    const folder = { item, parent, name, entries: new Map<string, Entry>() }
    parent.entries.set(name, folder)
    return folder
  }

  #folderWithFile(): void {
    const folder = this.#mkdir()
    const name = this.#newName()
    const begun = this.#rig.position()
    const item = this.ledger.make('file', this.#path(folder, name), begun, this.#parents(folder))
    item.versions.push({ begun, content: Buffer.alloc(0) })
    item.deeds.push({ begun, what: 'create in a new folder' })
    const fd = openSync(this.#at(folder, name), O_RDWR | O_CREAT | O_EXCL, 0o644)
    folder.entries.set(name, { item })
    this.#pwrite(fd, item, this.#random.bytes(this.#random.pick(SIZES)), 0)
    this.#done({ fd, item }, 0.8)
  }

  #link(): void {
    const file = this.#file()
    if (file === null) return
    const to = this.#folder()
    const name = this.#newName()
    const begun = this.#deed(file.item, 'link')
    this.ledger.change(begun, [to.item], [[this.#path(to, name), file.item]])
    linkSync(this.#at(file.folder, file.name), this.#at(to, name))
    to.entries.set(name, { item: file.item })
    if (this.#random.chance(0.6)) this.#syncFolder(to)
  }

  #symlink(): void {
    const folder = this.#folder()
    const name = this.#newName()
    const begun = this.#rig.position()
    const path = this.#path(folder, name)
    const item = this.ledger.make('symlink', path, begun, this.#parents(folder))
    const target = `to/${String(this.#names)}`
    item.versions.push({ begun, content: Buffer.from(target) })
    item.deeds.push({ begun, what: 'symlink' })
    symlinkSync(target, this.#at(folder, name))
    folder.entries.set(name, { item })
    if (this.#random.chance(0.6)) this.#syncFolder(folder)
  }

  #unlink(): void {
    const files = this.#all().filter(({ item }) => item.kind !== 'directory')
    if (files.length === 0) return
    const { folder, name, item } = this.#random.pick(files)
    const begun = this.#deed(item, 'unlink')
    this.ledger.change(begun, [folder.item], [[this.#path(folder, name), null]])
    unlinkSync(this.#at(folder, name))
    folder.entries.delete(name)
    if (this.#random.chance(0.6)) this.#syncFolder(folder)
  }

  #rmdir(): void {
    const empty = this.#folders().filter(({ entries, parent }) => entries.size === 0 && parent)
    if (empty.length === 0) return
    const { parent, name, item } = this.#random.pick(empty)
    if (parent === null) return
    const begun = this.#deed(item, 'rmdir')
    this.ledger.change(begun, [parent.item], [[this.#path(parent, name), null]])
    rmdirSync(this.#at(parent, name))
    parent.entries.delete(name)
    if (this.#random.chance(0.6)) this.#syncFolder(parent)
  }

  #syncFolder({ item, parent, name }: Folder): void {
    const path = parent === null ? this.#subject.drive : this.#at(parent, name)
    const fd = openSync(path, O_RDONLY | O_DIRECTORY)
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    this.ledger.syncedDirectory(item, this.#rig.position())
  }

  #closeAll(): void {
    for (const { fd } of this.#open) closeSync(fd)
    this.#open = []
  }

  // What others do to the disk

  #writeBackSome(): void {
    const files = this.#subject.onDisk
      .flatMap((folder) =>
        readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) =>
          join(folder, name),
        ),
      )
      .filter((path) => lstatSync(path).isFile())
    for (let i = this.#random.between(1, 8); i > 0; i--) {
      const fd = openSync(this.#random.pick(files), O_RDONLY)
      this.#writeBack(fd, 0, 0, WRITTEN)
      closeSync(fd)
    }
  }

  /** fsync of a file that is nobody's: ext4 writes all its metadata, of others too, and no data of theirs. */
  #commitDisk(): void {
    const fd = openSync(join(this.#rig.disk, 'noise'), O_RDWR | O_CREAT)
    writeSync(fd, 'noise')
    fsyncSync(fd)
    closeSync(fd)
  }
}
