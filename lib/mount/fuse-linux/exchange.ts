// What a request handler works on. Everything here is kept and filled again for each request.

import type { Attributes, Caller, Entry, Filesystem, Statfs } from '../../fs/filesystem.js'
import type { Reply } from './reply.js'
import type { Request } from './request.js'

export interface Exchange {
  readonly fs: Filesystem
  readonly request: Request
  readonly reply: Reply
  readonly entry: Entry
  readonly attributes: Attributes
  readonly statfs: Statfs
  readonly caller: Caller
}

/** Returns the length of the reply's body, or NO_REPLY. Throws what becomes the errno. */
export type Handler = (exchange: Exchange) => number

export const NO_REPLY = -1
