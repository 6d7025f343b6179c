// Requests on open directories. Listings are written straight into the reply, as many entries as fit.

import { Buffer } from 'node:buffer'
import type { Entry, Filesystem } from '../../fs/filesystem.js'
import type { Exchange, Handler } from './exchange.js'
import type { Reply } from './reply.js'
import { DIRENT, ENTRY_OUT, MAX_IO, OUT_HEADER_SIZE, READ_IN, RELEASE_IN } from './wire.js'

export const opendir: Handler = ({ fs, request, reply }) =>
  reply.opened(fs.opendir(request.nodeid), false, true)

export const releasedir: Handler = ({ fs, request }) => {
  fs.releasedir(request.u64(RELEASE_IN.fh))
  return 0
}

export const fsyncdir: Handler = ({ fs, request }) => {
  fs.fsyncdir(request.nodeid)
  return 0
}

export const readdir: Handler = (exchange) => list(exchange, false)
export const readdirplus: Handler = (exchange) => list(exchange, true)

function list({ fs, request, reply, entry }: Exchange, plus: boolean): number {
  const parent = request.nodeid
  const end = OUT_HEADER_SIZE + Math.min(request.u32(READ_IN.size), MAX_IO)
  const head = plus ? ENTRY_OUT.size : 0
  let at = OUT_HEADER_SIZE

  fs.readdir(request.u64(READ_IN.fh), request.u64(READ_IN.offset), (name, ino, type, next) => {
    const nameLength = Buffer.byteLength(name)
    const size = (head + DIRENT.name + nameLength + 7) & ~7
    if (at + size > end) return false
    if (plus) {
      // only an entry that is sent may count a lookup
      if (found(fs, parent, name, entry)) reply.entryAt(at, entry)
      else reply.bytes.fill(0, at, at + ENTRY_OUT.size)
    }
    direntAt(reply, at + head, name, nameLength, ino, type, next)
    at += size
    return true
  })
  return at - OUT_HEADER_SIZE
}

/**
 * False means "listed, but no more is known": nodeid 0. So it is for the two names that take no
 * lookup count, for one removed meanwhile, and for one that cannot be read; asking for that one by
 * name tells the error, and it must not spoil the listing.
 */
function found(fs: Filesystem, parent: number, name: string, entry: Entry): boolean {
  if (name === '.' || name === '..') return false
  try {
    return fs.lookup(parent, name, entry)
  } catch {
    return false
  }
}

function direntAt(
  reply: Reply,
  at: number,
  name: string,
  nameLength: number,
  ino: number,
  type: number,
  next: number,
): void {
  reply.u64(at + DIRENT.ino, ino)
  reply.u64(at + DIRENT.off, next)
  reply.u32(at + DIRENT.namelen, nameLength)
  reply.u32(at + DIRENT.type, type >> 12)
  const start = at + DIRENT.name
  reply.bytes.write(name, start, nameLength, 'utf8')
  const padding = -nameLength & 7
  if (padding > 0) reply.bytes.fill(0, start + nameLength, start + nameLength + padding)
}
