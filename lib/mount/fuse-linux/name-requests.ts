// Requests that make, remove or move a name in a directory. The kernel has already applied the
// caller's umask to the modes, since DONT_MASK is not negotiated.

import type { Caller } from '../../fs/filesystem.js'
import type { Exchange, Handler } from './exchange.js'
import {
  CREATE_IN,
  IN_HEADER,
  IN_HEADER_SIZE,
  LINK_IN,
  MKDIR_IN,
  MKNOD_IN,
  RENAME2_IN,
  RENAME_IN,
} from './wire.js'

function callerOf({ request, caller }: Exchange, umask: number): Caller {
  caller.uid = request.u32(IN_HEADER.uid)
  caller.gid = request.u32(IN_HEADER.gid)
  caller.umask = umask
  return caller
}

export const mknod: Handler = (exchange) => {
  const { fs, request, reply, entry } = exchange
  const caller = callerOf(exchange, request.u32(MKNOD_IN.umask))
  const mode = request.u32(MKNOD_IN.mode)
  const rdev = request.u32(MKNOD_IN.rdev)
  fs.mknod(request.nodeid, request.name(MKNOD_IN.name), mode, rdev, caller, entry)
  return reply.entry(entry)
}

export const mkdir: Handler = (exchange) => {
  const { fs, request, reply, entry } = exchange
  const caller = callerOf(exchange, request.u32(MKDIR_IN.umask))
  const mode = request.u32(MKDIR_IN.mode) & 0o7777
  fs.mkdir(request.nodeid, request.name(MKDIR_IN.name), mode, caller, entry)
  return reply.entry(entry)
}

export const symlink: Handler = (exchange) => {
  const { fs, request, reply, entry } = exchange
  const caller = callerOf(exchange, 0)
  const name = request.name(IN_HEADER_SIZE)
  fs.symlink(request.nodeid, name, request.text(request.nameEnd), caller, entry)
  return reply.entry(entry)
}

export const create: Handler = (exchange) => {
  const { fs, request, reply, entry } = exchange
  const caller = callerOf(exchange, request.u32(CREATE_IN.umask))
  const mode = request.u32(CREATE_IN.mode) & 0o7777
  const flags = request.u32(CREATE_IN.flags)
  const name = request.name(CREATE_IN.name)
  return reply.created(entry, fs.create(request.nodeid, name, mode, flags, caller, entry))
}

/** The name in the request is the kernel's own, for its tables. */
export const tmpfile: Handler = (exchange) => {
  const { fs, request, reply, entry } = exchange
  const caller = callerOf(exchange, request.u32(CREATE_IN.umask))
  const mode = request.u32(CREATE_IN.mode) & 0o7777
  return reply.created(entry, fs.tmpfile(request.nodeid, mode, caller, entry))
}

export const link: Handler = ({ fs, request, reply, entry }) => {
  fs.link(request.u64(LINK_IN.oldnodeid), request.nodeid, request.name(LINK_IN.name), entry)
  return reply.entry(entry)
}

export const unlink: Handler = ({ fs, request }) => {
  fs.unlink(request.nodeid, request.name(IN_HEADER_SIZE))
  return 0
}

export const rmdir: Handler = ({ fs, request }) => {
  fs.rmdir(request.nodeid, request.name(IN_HEADER_SIZE))
  return 0
}

export const rename: Handler = ({ fs, request }) => {
  const name = request.name(RENAME_IN.names)
  fs.rename(request.nodeid, name, request.u64(RENAME_IN.newdir), request.name(request.nameEnd), 0)
  return 0
}

export const rename2: Handler = ({ fs, request }) => {
  const name = request.name(RENAME2_IN.names)
  const newName = request.name(request.nameEnd)
  const flags = request.u32(RENAME2_IN.flags)
  fs.rename(request.nodeid, name, request.u64(RENAME2_IN.newdir), newName, flags)
  return 0
}
