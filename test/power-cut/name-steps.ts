// What programs do to names.

import { Buffer } from 'node:buffer'
import {
  closeSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs'
import type { Item } from './ledger.js'
import { isFolder, SIZES, type Entry, type Folder, type Work } from './work.js'

/** The way of editors and databases: a new file, fsync, rename over the old one, fsync of the folder. */
export function replace(work: Work): void {
  const old = work.entry('file')
  if (old === null) return
  const { random } = work
  const { folder, name } = old
  const temporary = work.newName()
  const open = work.create(folder, temporary, 'create')
  work.write(open, random.bytes(random.pick(SIZES)), 0)
  if (random.chance(0.9)) work.sync(open)
  closeSync(open.fd)
  work.deed(old.item, 'replaced')
  move(work, folder, temporary, folder, name, 'rename over')
  work.perhapsSync(folder)
}

export function rename(work: Work): void {
  const entry = work.entry('file', 'symlink')
  if (entry === null) return
  const { folder, name, item } = entry
  const to = work.random.chance(0.5) ? folder : work.folder()
  const deed = item.deeds.length === 0 ? 'rename at rest' : 'rename'
  move(work, folder, name, to, work.newName(), deed)
  work.perhapsSync(to, folder)
}

export function renameFolder(work: Work): void {
  const folder = work.folder()
  const { parent } = folder
  if (parent === null) return
  const outside = work.folders().filter((to) => !work.line(to).includes(folder.item))
  const to = work.random.chance(0.5) ? parent : work.random.pick(outside)
  for (const { item } of work.below(folder)) work.deed(item, 'rename of a folder above')
  move(work, parent, folder.name, to, work.newName(), 'rename of a folder')
  work.perhapsSync(to, parent)
}

function move(
  work: Work,
  from: Folder,
  name: string,
  to: Folder,
  newName: string,
  deed: string,
): void {
  const entry = from.entries.get(name)
  if (entry === undefined) throw new Error('it was there')
  const begun = work.deed(entry.item, deed)
  const changes = moved(entry).flatMap(([path, item]): [string, Item | null][] => [
    [work.path(from, name) + path, null],
    [work.path(to, newName) + path, item],
  ])
  work.ledger.change(begun, [from.item, to.item], changes)
  renameSync(work.at(from, name), work.at(to, newName))
  from.entries.delete(name)
  to.entries.set(newName, entry)
  if (!isFolder(entry)) return
  entry.parent = to
  entry.name = newName
}

/** It and all below it, with their paths from it on. */
function moved(entry: Entry): [string, Item][] {
  if (!isFolder(entry)) return [['', entry.item]]
  const below = [...entry.entries].flatMap(([name, inside]) =>
    moved(inside).map(([path, item]): [string, Item] => [`/${name}${path}`, item]),
  )
  return [['', entry.item], ...below]
}

export function mkdir(work: Work): Folder {
  const parent = work.folder()
  const name = work.newName()
  const item = work.make('directory', parent, name, 'mkdir')
  mkdirSync(work.at(parent, name))
  const folder = { item, parent, name, entries: new Map<string, Entry>() }
  parent.entries.set(name, folder)
  return folder
}

export function folderWithFile(work: Work): void {
  const open = work.create(mkdir(work), work.newName(), 'create in a new folder')
  work.write(open, work.random.bytes(work.random.pick(SIZES)), 0)
  work.done(open, 0.8)
}

export function link(work: Work): void {
  const file = work.entry('file')
  if (file === null) return
  const to = work.folder()
  const name = work.newName()
  const begun = work.deed(file.item, 'link')
  work.ledger.change(begun, [to.item], [[work.path(to, name), file.item]])
  linkSync(work.at(file.folder, file.name), work.at(to, name))
  to.entries.set(name, { item: file.item })
  work.perhapsSync(to)
}

export function symlink(work: Work): void {
  const folder = work.folder()
  const name = work.newName()
  const item = work.make('symlink', folder, name, 'symlink')
  const target = `to/${name}`
  item.versions.push({ begun: item.deeds[0]?.begun ?? 0, content: Buffer.from(target) })
  symlinkSync(target, work.at(folder, name))
  folder.entries.set(name, { item })
  work.perhapsSync(folder)
}

export function unlink(work: Work): void {
  const entry = work.entry('file', 'symlink')
  if (entry === null) return
  const { folder, name, item } = entry
  const begun = work.deed(item, 'unlink')
  work.ledger.change(begun, [folder.item], [[work.path(folder, name), null]])
  unlinkSync(work.at(folder, name))
  folder.entries.delete(name)
  work.perhapsSync(folder)
}

export function rmdir(work: Work): void {
  const empty = work.folders().filter(({ entries }) => entries.size === 0)
  if (empty.length === 0) return
  const { parent, name, item } = work.random.pick(empty)
  if (parent === null) return
  const begun = work.deed(item, 'rmdir')
  work.ledger.change(begun, [parent.item], [[work.path(parent, name), null]])
  rmdirSync(work.at(parent, name))
  parent.entries.delete(name)
  work.perhapsSync(parent)
}
