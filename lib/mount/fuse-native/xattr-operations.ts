// Operations on extended attributes.

import type { Buffer } from 'node:buffer'
import { CofferError } from '../../errors.js'
import { ownXattrName, xattrList } from '../xattr-names.js'
import type { Answer, Parts } from './parts.js'
import { checkText } from './request-struct.js'

export function xattrOperations({ fs, paths, request }: Parts) {
  return {
    getxattr(path: string, name: string, room: Buffer): Answer {
      const plain = ownXattrName(name)
      checkText(request(), 'name', name)
      return put(fs.getxattr(paths.nodeid(path), plain), room)
    },

    setxattr(path: string, name: string, value: Buffer, _at: number, flags: number): Answer {
      const plain = ownXattrName(name)
      checkText(request(), 'name', name)
      fs.setxattr(paths.nodeid(path), plain, new Uint8Array(value), flags)
      return undefined
    },

    listxattr(path: string, room: Buffer): Answer {
      return put(xattrList(fs.listxattr(paths.nodeid(path))), room)
    },

    removexattr(path: string, name: string): Answer {
      const plain = ownXattrName(name)
      checkText(request(), 'name', name)
      fs.removexattr(paths.nodeid(path), plain)
      return undefined
    },
  }
}

/** Room of 0 asks how much there is. libfuse would send what lies behind a buffer that is too small. */
function put(bytes: Uint8Array, room: Buffer): number {
  if (room.length === 0) return bytes.length
  if (bytes.length > room.length) throw new CofferError('ERANGE', 'the buffer is too small')
  room.set(bytes)
  return bytes.length
}
