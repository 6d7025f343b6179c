// Requests about extended attributes. Linux puts a namespace before each name; a vault keeps those of
// "user." alone. All others are not supported, which is said without asking the file system: `ls` and
// the kernel ask for security.* and system.posix_acl_* at every turn.

import { Buffer } from 'node:buffer'
import { CofferError } from '../../errors.js'
import type { Handler } from './exchange.js'
import type { Reply } from './reply.js'
import type { Request } from './request.js'
import { GETXATTR_IN, IN_HEADER_SIZE, SETXATTR_IN } from './wire.js'

const NAMESPACE = 'user.'
/** The most that the kernel takes, XATTR_LIST_MAX. */
const LIST_MAX = 65536
// thrown again and again: a stack trace each time would cost more than the request
const OTHER_NAMESPACE = new CofferError('EOPNOTSUPP', 'only attributes of "user." can be stored')

function plainName(request: Request, at: number): string {
  const name = request.name(at)
  if (!name.startsWith(NAMESPACE)) throw OTHER_NAMESPACE
  return name.slice(NAMESPACE.length)
}

/** A size of 0 asks how much there is. */
function answer(reply: Reply, room: number, bytes: Uint8Array): number {
  if (room === 0) return reply.xattrSize(bytes.length)
  if (bytes.length > room) throw new CofferError('ERANGE', 'the buffer is too small')
  return reply.data(bytes)
}

export const getxattr: Handler = ({ fs, request, reply }) => {
  const name = plainName(request, GETXATTR_IN.name)
  return answer(reply, request.u32(GETXATTR_IN.size), fs.getxattr(request.nodeid, name))
}

export const setxattr: Handler = ({ fs, request }) => {
  const name = plainName(request, SETXATTR_IN.name)
  const value = request.nameEnd
  const end = value + request.u32(SETXATTR_IN.size)
  if (end > request.length) throw new CofferError('EIO', 'a value was cut short')
  const flags = request.u32(SETXATTR_IN.flags)
  fs.setxattr(request.nodeid, name, request.bytes.subarray(value, end), flags)
  return 0
}

export const listxattr: Handler = ({ fs, request, reply }) => {
  const names = fs.listxattr(request.nodeid).map((name) => `${NAMESPACE}${name}\0`)
  const list = Buffer.from(names.join(''), 'utf8')
  if (list.length > LIST_MAX) throw new CofferError('E2BIG', 'the names are too many to list')
  return answer(reply, request.u32(GETXATTR_IN.size), list)
}

export const removexattr: Handler = ({ fs, request }) => {
  fs.removexattr(request.nodeid, plainName(request, IN_HEADER_SIZE))
  return 0
}
