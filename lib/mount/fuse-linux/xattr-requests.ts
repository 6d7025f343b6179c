// Requests about extended attributes.

import { CofferError } from '../../errors.js'
import { ownXattrName, xattrList } from '../xattr-names.js'
import type { Handler } from './exchange.js'
import type { Reply } from './reply.js'
import { GETXATTR_IN, IN_HEADER_SIZE, SETXATTR_IN } from './wire.js'

/** A size of 0 asks how much there is. */
function answer(reply: Reply, room: number, bytes: Uint8Array): number {
  if (room === 0) return reply.xattrSize(bytes.length)
  if (bytes.length > room) throw new CofferError('ERANGE', 'the buffer is too small')
  return reply.data(bytes)
}

export const getxattr: Handler = ({ fs, request, reply }) => {
  const name = ownXattrName(request.name(GETXATTR_IN.name))
  return answer(reply, request.u32(GETXATTR_IN.size), fs.getxattr(request.nodeid, name))
}

export const setxattr: Handler = ({ fs, request }) => {
  const name = ownXattrName(request.name(SETXATTR_IN.name))
  const value = request.nameEnd
  const end = value + request.u32(SETXATTR_IN.size)
  if (end > request.length) throw new CofferError('EIO', 'a value was cut short')
  const flags = request.u32(SETXATTR_IN.flags)
  fs.setxattr(request.nodeid, name, request.bytes.subarray(value, end), flags)
  return 0
}

export const listxattr: Handler = ({ fs, request, reply }) => {
  const list = xattrList(fs.listxattr(request.nodeid))
  return answer(reply, request.u32(GETXATTR_IN.size), list)
}

export const removexattr: Handler = ({ fs, request }) => {
  fs.removexattr(request.nodeid, ownXattrName(request.name(IN_HEADER_SIZE)))
  return 0
}
