// Requests about one inode: its attributes, its target, the kernel's references to it.

import type { AttributeChanges, Filesystem } from '../../fs/filesystem.js'
import { CofferError } from '../../errors.js'
import { NO_REPLY, type Handler } from './exchange.js'
import type { Request } from './request.js'
import {
  BATCH_FORGET_IN,
  FATTR,
  FORGET_IN,
  FORGET_ONE,
  FUSE_ROOT_ID,
  IN_HEADER,
  IN_HEADER_SIZE,
  OUT_HEADER_SIZE,
  SETATTR_IN,
} from './wire.js'

export const lookup: Handler = ({ fs, request, reply, entry }) =>
  fs.lookup(request.nodeid, request.name(IN_HEADER_SIZE), entry, request.u32(IN_HEADER.pid))
    ? reply.entry(entry)
    : reply.negativeEntry(entry)

export const forget: Handler = ({ fs, request }) => {
  drop(fs, request.nodeid, request.u64(FORGET_IN.nlookup))
  return NO_REPLY
}

export const batchForget: Handler = ({ fs, request }) => {
  const count = request.u32(BATCH_FORGET_IN.count)
  let at = BATCH_FORGET_IN.first
  for (let i = 0; i < count && at + FORGET_ONE.size <= request.length; i++) {
    try {
      drop(fs, request.u64(at + FORGET_ONE.nodeid), request.u64(at + FORGET_ONE.nlookup))
    } catch (error) {
      // one that is not known any more must not keep the others
      if (!(error instanceof CofferError)) throw error
    }
    at += FORGET_ONE.size
  }
  return NO_REPLY
}

function drop(fs: Filesystem, nodeid: number, lookups: number): void {
  if (nodeid !== FUSE_ROOT_ID) fs.forget(nodeid, lookups)
}

export const getattr: Handler = ({ fs, request, reply, attributes }) => {
  fs.getattr(request.nodeid, attributes)
  return reply.attributes(attributes)
}

export const setattr: Handler = ({ fs, request, reply, attributes }) => {
  const changes = requestedChanges(request)
  if (changes === null) fs.getattr(request.nodeid, attributes)
  else fs.setattr(request.nodeid, changes, attributes)
  return reply.attributes(attributes)
}

const CHANGES =
  FATTR.MODE |
  FATTR.UID |
  FATTR.GID |
  FATTR.SIZE |
  FATTR.ATIME |
  FATTR.MTIME |
  FATTR.ATIME_NOW |
  FATTR.MTIME_NOW |
  FATTR.KILL_SUIDGID

/** Null where nothing is asked for, which happens. */
function requestedChanges(request: Request): AttributeChanges | null {
  const valid = request.u32(SETATTR_IN.valid)
  if ((valid & CHANGES) === 0) return null
  const changes: AttributeChanges = {}
  if (valid & FATTR.MODE) changes.mode = request.u32(SETATTR_IN.mode) & 0o7777
  if (valid & FATTR.UID) changes.uid = request.u32(SETATTR_IN.uid)
  if (valid & FATTR.GID) changes.gid = request.u32(SETATTR_IN.gid)
  if (valid & FATTR.SIZE) changes.size = fileSize(request)
  if (valid & FATTR.ATIME_NOW) changes.atime = 'now'
  else if (valid & FATTR.ATIME)
    changes.atime = time(request, SETATTR_IN.atime, SETATTR_IN.atimensec)
  if (valid & FATTR.MTIME_NOW) changes.mtime = 'now'
  else if (valid & FATTR.MTIME)
    changes.mtime = time(request, SETATTR_IN.mtime, SETATTR_IN.mtimensec)
  if (valid & FATTR.FH) changes.fh = request.u64(SETATTR_IN.fh)
  if (valid & FATTR.KILL_SUIDGID) changes.killPriv = true
  return changes
}

function fileSize(request: Request): number {
  const size = request.u64(SETATTR_IN.size)
  if (!Number.isSafeInteger(size)) throw new CofferError('EFBIG', 'a file cannot be that large')
  return size
}

const time = (request: Request, sec: number, nsec: number): { sec: number; nsec: number } => ({
  sec: request.i64(sec),
  nsec: request.u32(nsec),
})

export const readlink: Handler = ({ fs, request, reply }) => {
  const target = fs.readlink(request.nodeid)
  reply.bytes.set(target, OUT_HEADER_SIZE)
  return target.length
}

export const statfs: Handler = ({ fs, reply, statfs: out }) => {
  fs.statfs(out)
  return reply.statfs(out)
}
