// Requests on open files.

import { CofferError } from '../../errors.js'
import { opensToWrite } from '../../fs/filesystem.js'
import type { Exchange, Handler } from './exchange.js'
import {
  COPY_FILE_RANGE_IN,
  FALLOCATE_IN,
  FLUSH_IN,
  FSYNC_IN,
  FUSE_FSYNC_FDATASYNC,
  FUSE_OPEN_KILL_SUIDGID,
  FUSE_WRITE_KILL_SUIDGID,
  IN_HEADER,
  LSEEK_IN,
  MAX_IO,
  OPEN_IN,
  OUT_HEADER_SIZE,
  READ_IN,
  RELEASE_IN,
  WRITE_DATA,
  WRITE_IN,
} from './wire.js'

const FALLOC_FL_PUNCH_HOLE = 2

export const open: Handler = ({ fs, request, reply, attributes }) => {
  const flags = request.u32(OPEN_IN.flags)
  const opened = fs.open(request.nodeid, flags)
  // O_TRUNC by somebody who may not keep set-uid bits
  if (request.u32(OPEN_IN.open_flags) & FUSE_OPEN_KILL_SUIDGID) {
    fs.setattr(request.nodeid, { killPriv: true, fh: opened.fh }, attributes)
  }
  // what only reads has nothing to store when it is closed
  return reply.opened(opened.fh, opened.keepCache, opensToWrite(flags))
}

export const read: Handler = ({ fs, request, reply }) => {
  const offset = request.u64(READ_IN.offset)
  const length = Math.min(request.u32(READ_IN.size), MAX_IO)
  if (!Number.isSafeInteger(offset + length)) return 0
  return fs.read(request.u64(READ_IN.fh), offset, length, reply.bytes, OUT_HEADER_SIZE)
}

export const write: Handler = ({ fs, request, reply }) => {
  const fh = request.u64(WRITE_IN.fh)
  const offset = request.u64(WRITE_IN.offset)
  const length = request.u32(WRITE_IN.size)
  exact(offset + length)
  if (WRITE_DATA + length > request.length) throw new CofferError('EIO', 'a write was cut short')
  const killPriv = (request.u32(WRITE_IN.write_flags) & FUSE_WRITE_KILL_SUIDGID) !== 0
  return reply.written(fs.write(fh, offset, request.bytes, WRITE_DATA, length, killPriv))
}

/** Offsets that a number cannot hold are beyond every file. */
function exact(end: number): void {
  if (!Number.isSafeInteger(end)) throw new CofferError('EFBIG', 'a file cannot be that large')
}

/**
 * Set-uid bits go when anybody but root changes content. Of writes and cuts the kernel says so; here
 * it leaves it to us (FUSE_HANDLE_KILLPRIV_V2), and does not tell who may keep them (CAP_FSETID).
 */
function killPrivileges({ fs, request, attributes }: Exchange, nodeid: number): void {
  if (request.u32(IN_HEADER.uid) !== 0) fs.setattr(nodeid, { killPriv: true }, attributes)
}

export const fallocate: Handler = (exchange) => {
  const { fs, request } = exchange
  const offset = request.u64(FALLOCATE_IN.offset)
  const length = request.u64(FALLOCATE_IN.length)
  const mode = request.u32(FALLOCATE_IN.mode)
  // a hole may reach as far beyond the end as it likes
  if ((mode & FALLOC_FL_PUNCH_HOLE) === 0) exact(offset + length)
  killPrivileges(exchange, request.nodeid)
  fs.fallocate(request.u64(FALLOCATE_IN.fh), mode, offset, length)
  return 0
}

export const lseek: Handler = ({ fs, request, reply }) => {
  const offset = request.u64(LSEEK_IN.offset)
  return reply.found(fs.lseek(request.u64(LSEEK_IN.fh), offset, request.u32(LSEEK_IN.whence)))
}

/** Both files are of this mount: the kernel sees to that, and to ranges that overlap. */
export const copyFileRange: Handler = (exchange) => {
  const { fs, request, reply } = exchange
  const offset = request.u64(COPY_FILE_RANGE_IN.off_in)
  const toOffset = request.u64(COPY_FILE_RANGE_IN.off_out)
  const length = request.u64(COPY_FILE_RANGE_IN.len)
  exact(toOffset + Math.min(length, MAX_IO))
  const from = request.u64(COPY_FILE_RANGE_IN.fh_in)
  const to = request.u64(COPY_FILE_RANGE_IN.fh_out)
  killPrivileges(exchange, request.u64(COPY_FILE_RANGE_IN.nodeid_out))
  return reply.written(fs.copyFileRange(from, offset, to, toOffset, length))
}

export const flush: Handler = ({ fs, request }) => {
  fs.flush(request.u64(FLUSH_IN.fh))
  return 0
}

export const fsync: Handler = ({ fs, request }) => {
  const dataOnly = (request.u32(FSYNC_IN.fsync_flags) & FUSE_FSYNC_FDATASYNC) !== 0
  fs.fsync(request.u64(FSYNC_IN.fh), dataOnly)
  return 0
}

export const release: Handler = ({ fs, request }) => {
  fs.release(request.u64(RELEASE_IN.fh))
  return 0
}
