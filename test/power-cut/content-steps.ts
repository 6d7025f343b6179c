// What programs do to the content of files.

import { Buffer } from 'node:buffer'
import { chmodSync, closeSync, constants, ftruncateSync, futimesSync } from 'node:fs'
import { fallocate } from '../posix/calls.js'
import { CHUNK, SIZES, type Open, type Work } from './work.js'

const { O_TRUNC } = constants
/** FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE */
const HOLE = 3
const PAGE = 4096
const LARGE = 4 * 1024 * 1024 + 2 * CHUNK
const PARTS = [1, 100, 4096, CHUNK, CHUNK + 10, 3 * CHUNK]
/** the last of them cannot be the blob's own */
const MODES = [0o600, 0o644, 0o400, 0o4755]

export function create(work: Work, synced = 0.6): void {
  const { random } = work
  const folder = work.folder()
  const open = work.create(folder, work.newName(), 'create')
  const size = random.pick(SIZES)
  const parts = random.between(1, 4)
  for (let i = 0; i < parts; i++)
    work.write(open, random.bytes(Math.ceil(size / parts)), open.item.content.length)
  work.done(open, synced)
}

export function overwrite(work: Work): void {
  const file = work.entry('file')
  if (file === null) return
  work.deed(file.item, 'overwrite')
  writeParts(work, work.open(file), false)
}

/** Whole pages here and there in a file that is too large to be compared before it is sealed. */
export function scatter(work: Work): void {
  const { random } = work
  const large = work
    .everything()
    .find(({ item }) => item.kind === 'file' && item.content.length > LARGE)
  if (large === undefined) {
    const open = work.create(work.folder(), work.newName(), 'create')
    work.write(open, random.bytes(LARGE + 3 * CHUNK), 0)
    work.done(open, 1)
    return
  }
  work.deed(large.item, 'scatter')
  const open = work.open(large)
  for (let i = random.between(1, 12); i > 0; i--) {
    const page = random.between(0, LARGE / PAGE)
    work.write(open, random.bytes(PAGE * random.between(1, 4)), page * PAGE)
  }
  work.done(open, 0.6)
}

export function append(work: Work): void {
  const file = work.entry('file')
  if (file === null) return
  work.deed(file.item, 'append')
  writeParts(work, work.open(file), true)
}

function writeParts(work: Work, open: Open, atEnd: boolean): void {
  const { random } = work
  for (let i = random.between(1, 4); i > 0; i--) {
    const { length } = open.item.content
    const at = atEnd ? length : random.between(0, length + 1)
    work.write(open, random.bytes(random.pick(PARTS)), at)
  }
  work.done(open, 0.6)
}

/** Writes to a file that has been open for a while, or syncs it. */
export function useOpen(work: Work): void {
  const open = work.takeOpen()
  if (open === null) return
  if (work.random.chance(0.5)) {
    work.deed(open.item, 'overwrite')
    writeParts(work, open, false)
  } else work.done(open, 1)
}

export function rewrite(work: Work): void {
  const file = work.entry('file')
  if (file === null) return
  const begun = work.deed(file.item, 'O_TRUNC rewrite')
  file.item.versions.push({ begun, content: Buffer.alloc(0) })
  const open = work.open(file, O_TRUNC)
  work.write(open, work.random.bytes(work.random.pick(SIZES)), 0)
  work.done(open, 0.6)
}

export function resize(work: Work): void {
  const file = work.entry('file')
  if (file === null) return
  const { random } = work
  const begun = work.deed(file.item, 'truncate')
  const open = work.open(file)
  const { length } = file.item.content
  const size = random.chance(0.7)
    ? random.between(0, length + 1)
    : length + random.between(1, 2 * CHUNK)
  const content = Buffer.alloc(size)
  file.item.content.copy(content)
  file.item.versions.push({ begun, content })
  ftruncateSync(open.fd, size)
  work.done(open, 0.6)
}

export function punch(work: Work): void {
  const file = work.entry('file')
  if (file === null || file.item.content.length === 0) return
  const { random } = work
  const begun = work.deed(file.item, 'hole')
  const open = work.open(file)
  const content = Buffer.from(file.item.content)
  const from = random.between(0, content.length)
  const to = random.between(from + 1, content.length + 1)
  file.item.versions.push({ begun, content: content.fill(0, from, to) })
  fallocate(open.fd, HOLE, from, to - from)
  work.done(open, 0.6)
}

/** Nothing of the content changes; it must not be lost either. */
export function setAttributes(work: Work): void {
  const file = work.entry('file')
  if (file === null) return
  const { random } = work
  work.deed(file.item, 'chmod or utimes')
  if (random.chance(0.5)) chmodSync(work.at(file.folder, file.name), random.pick(MODES))
  const open = work.open(file)
  if (random.chance(0.5))
    futimesSync(open.fd, random.between(0, 2 ** 31), random.between(0, 2 ** 31))
  if (random.chance(0.6)) work.sync(open)
  closeSync(open.fd)
}
