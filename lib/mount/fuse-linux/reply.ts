// The reply to one request, built in place behind its 16-byte header. There is one buffer, kept for
// the life of the session; READ and READDIR fill it directly. Methods return the length of the body.

import { Buffer } from 'node:buffer'
import type { Attributes, Entry, Opened, Statfs } from '../../fs/filesystem.js'
import type { Request } from './request.js'
import {
  ATTR,
  ATTR_OUT,
  ENTRY_OUT,
  FOPEN_KEEP_CACHE,
  FOPEN_NOFLUSH,
  GETXATTR_OUT,
  IN_HEADER,
  LSEEK_OUT,
  MAX_IO,
  OPEN_OUT,
  OUT_HEADER,
  OUT_HEADER_SIZE,
  STATFS_OUT,
  WRITE_OUT,
} from './wire.js'

export const REPLY_CAPACITY = OUT_HEADER_SIZE + MAX_IO

/** st_blksize: stdio and cp take it as the size of their buffers, and so of their requests. */
const PREFERRED_IO = 65536

export class Reply {
  readonly bytes: Buffer
  readonly #view: DataView
  readonly #believedMs: number

  /** `believedMs`: no answer is believed for longer, whatever the file system says */
  constructor(bytes: Uint8Array, believedMs: number) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#believedMs = believedMs
  }

  /** Completes the header; the length of the whole message. */
  finish(request: Request, bodyLength: number): number {
    const length = OUT_HEADER_SIZE + bodyLength
    this.u32(OUT_HEADER.len, length)
    this.u32(OUT_HEADER.error, 0)
    this.u32(OUT_HEADER.unique, request.u32(IN_HEADER.unique))
    this.u32(OUT_HEADER.unique + 4, request.u32(IN_HEADER.unique + 4))
    return length
  }

  fail(request: Request, errno: number): number {
    const length = this.finish(request, 0)
    this.u32(OUT_HEADER.error, -errno)
    return length
  }

  entry(entry: Entry): number {
    this.entryAt(OUT_HEADER_SIZE, entry)
    return ENTRY_OUT.size
  }

  /** "There is no such name, and you may remember that." */
  negativeEntry(entry: Entry): number {
    const at = OUT_HEADER_SIZE
    this.bytes.fill(0, at, at + ENTRY_OUT.size)
    this.#duration(at + ENTRY_OUT.entry_valid, at + ENTRY_OUT.entry_valid_nsec, this.#valid(entry))
    return ENTRY_OUT.size
  }

  created(entry: Entry, opened: Opened): number {
    this.entryAt(OUT_HEADER_SIZE, entry)
    this.#openedAt(OUT_HEADER_SIZE + ENTRY_OUT.size, opened.fh, opened.keepCache, true)
    return ENTRY_OUT.size + OPEN_OUT.size
  }

  /** `flushes`: a close(2) is to be told. */
  opened(fh: number, keepCache: boolean, flushes: boolean): number {
    this.#openedAt(OUT_HEADER_SIZE, fh, keepCache, flushes)
    return OPEN_OUT.size
  }

  attributes(attributes: Attributes): number {
    this.#duration(ATTR_OUT.attr_valid, ATTR_OUT.attr_valid_nsec, this.#valid(attributes))
    this.u32(ATTR_OUT.attr_valid_nsec + 4, 0)
    this.#attributesAt(ATTR_OUT.attr, attributes)
    return ATTR_OUT.size
  }

  written(length: number): number {
    this.u32(WRITE_OUT.size_, length)
    this.u32(WRITE_OUT.padding, 0)
    return WRITE_OUT.size
  }

  found(offset: number): number {
    this.u64(LSEEK_OUT.offset, offset)
    return LSEEK_OUT.size
  }

  /** How many bytes a value or a list has, for who asked for no more. */
  xattrSize(length: number): number {
    this.u32(GETXATTR_OUT.size_, length)
    this.u32(GETXATTR_OUT.padding, 0)
    return GETXATTR_OUT.size
  }

  data(bytes: Uint8Array): number {
    this.bytes.set(bytes, OUT_HEADER_SIZE)
    return bytes.length
  }

  statfs(statfs: Statfs): number {
    this.bytes.fill(0, OUT_HEADER_SIZE, OUT_HEADER_SIZE + STATFS_OUT.size)
    this.u64(STATFS_OUT.blocks, statfs.blocks)
    this.u64(STATFS_OUT.bfree, statfs.blocksFree)
    this.u64(STATFS_OUT.bavail, statfs.blocksAvailable)
    this.u64(STATFS_OUT.files, statfs.files)
    this.u64(STATFS_OUT.ffree, statfs.filesFree)
    this.u32(STATFS_OUT.bsize, statfs.blockSize)
    this.u32(STATFS_OUT.namelen, statfs.nameMax)
    this.u32(STATFS_OUT.frsize, statfs.blockSize)
    return STATFS_OUT.size
  }

  entryAt(at: number, entry: Entry): void {
    this.u64(at + ENTRY_OUT.nodeid, entry.nodeid)
    this.u64(at + ENTRY_OUT.generation, entry.generation)
    const attributesMs = this.#valid(entry.attributes)
    this.#duration(at + ENTRY_OUT.entry_valid, at + ENTRY_OUT.entry_valid_nsec, this.#valid(entry))
    this.#duration(at + ENTRY_OUT.attr_valid, at + ENTRY_OUT.attr_valid_nsec, attributesMs)
    this.#attributesAt(at + ENTRY_OUT.attr, entry.attributes)
  }

  u16(at: number, value: number): void {
    this.#view.setUint16(at, value, true)
  }

  u32(at: number, value: number): void {
    this.#view.setUint32(at, value, true)
  }

  /** Also negative seconds, in two's complement. */
  u64(at: number, value: number): void {
    this.#view.setUint32(at, value, true)
    this.#view.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
  }

  #valid({ validMs }: { validMs: number }): number {
    return Math.min(validMs, this.#believedMs)
  }

  #openedAt(at: number, fh: number, keepCache: boolean, flushes: boolean): void {
    this.u64(at + OPEN_OUT.fh, fh)
    this.u32(
      at + OPEN_OUT.open_flags,
      (keepCache ? FOPEN_KEEP_CACHE : 0) | (flushes ? 0 : FOPEN_NOFLUSH),
    )
    this.u32(at + OPEN_OUT.padding, 0)
  }

  #attributesAt(at: number, a: Attributes): void {
    this.u64(at + ATTR.ino, a.ino)
    this.u64(at + ATTR.size, a.size)
    this.u64(at + ATTR.blocks, a.blocks)
    this.u64(at + ATTR.atime, a.atimeSec)
    this.u64(at + ATTR.mtime, a.mtimeSec)
    this.u64(at + ATTR.ctime, a.ctimeSec)
    this.u32(at + ATTR.atimensec, a.atimeNsec)
    this.u32(at + ATTR.mtimensec, a.mtimeNsec)
    this.u32(at + ATTR.ctimensec, a.ctimeNsec)
    this.u32(at + ATTR.mode, a.mode)
    this.u32(at + ATTR.nlink, a.nlink)
    this.u32(at + ATTR.uid, a.uid)
    this.u32(at + ATTR.gid, a.gid)
    this.u32(at + ATTR.rdev, a.rdev)
    this.u32(at + ATTR.blksize, PREFERRED_IO)
    this.u32(at + ATTR.flags, 0)
  }

  #duration(seconds: number, nanoseconds: number, milliseconds: number): void {
    this.u64(seconds, Math.floor(milliseconds / 1000))
    this.u32(nanoseconds, (milliseconds % 1000) * 1e6)
  }
}
