// One function for each opcode, and what happens around it. Whatever a handler throws becomes an
// errno. What is not a CofferError or a failed system call is a defect, and is told to `onDefect`; so is
// a kernel that INIT cannot agree with.

import { constants } from 'node:os'
import { errnoOf } from '../../errors.js'
import { emptyAttributes, emptyEntry, emptyStatfs, type Filesystem } from '../../fs/filesystem.js'
import { Later } from '../../fs/later.js'
import { isDefect } from '../defect.js'
import * as directories from './directory-requests.js'
import { NO_REPLY, type Exchange, type Handler } from './exchange.js'
import * as files from './file-requests.js'
import { init } from './init.js'
import * as inodes from './inode-requests.js'
import * as names from './name-requests.js'
import type { Reply } from './reply.js'
import type { Request } from './request.js'
import { OPCODE } from './wire.js'
import * as xattrs from './xattr-requests.js'

const { ENOSYS, EIO } = constants.errno

const nothing: Handler = () => 0
const silent: Handler = () => NO_REPLY

/** An opcode without a row is ENOSYS, after which the kernel stops asking where it can. */
const HANDLERS = new Map<number, Handler>([
  [OPCODE.LOOKUP, inodes.lookup],
  [OPCODE.FORGET, inodes.forget],
  [OPCODE.BATCH_FORGET, inodes.batchForget],
  [OPCODE.GETATTR, inodes.getattr],
  [OPCODE.SETATTR, inodes.setattr],
  [OPCODE.READLINK, inodes.readlink],
  [OPCODE.STATFS, inodes.statfs],
  [OPCODE.MKNOD, names.mknod],
  [OPCODE.MKDIR, names.mkdir],
  [OPCODE.SYMLINK, names.symlink],
  [OPCODE.CREATE, names.create],
  [OPCODE.LINK, names.link],
  [OPCODE.UNLINK, names.unlink],
  [OPCODE.RMDIR, names.rmdir],
  [OPCODE.RENAME, names.rename],
  [OPCODE.RENAME2, names.rename2],
  [OPCODE.OPEN, files.open],
  [OPCODE.READ, files.read],
  [OPCODE.WRITE, files.write],
  [OPCODE.FLUSH, files.flush],
  [OPCODE.FSYNC, files.fsync],
  [OPCODE.RELEASE, files.release],
  [OPCODE.OPENDIR, directories.opendir],
  [OPCODE.READDIR, directories.readdir],
  [OPCODE.READDIRPLUS, directories.readdirplus],
  [OPCODE.RELEASEDIR, directories.releasedir],
  [OPCODE.FSYNCDIR, directories.fsyncdir],
  [OPCODE.SETXATTR, xattrs.setxattr],
  [OPCODE.GETXATTR, xattrs.getxattr],
  [OPCODE.LISTXATTR, xattrs.listxattr],
  [OPCODE.REMOVEXATTR, xattrs.removexattr],
  [OPCODE.INIT, init],
  [OPCODE.DESTROY, nothing],
  // by the time it is read, the request that it means has been answered
  [OPCODE.INTERRUPT, silent],
  [OPCODE.NOTIFY_REPLY, silent],
  [OPCODE.FALLOCATE, files.fallocate],
  [OPCODE.LSEEK, files.lseek],
  [OPCODE.COPY_FILE_RANGE, files.copyFileRange],
  [OPCODE.TMPFILE, names.tmpfile],
])

const table: (Handler | undefined)[] = Array.from({ length: 64 }, (_, opcode) =>
  HANDLERS.get(opcode),
)

export class Dispatch {
  readonly request: Request
  readonly reply: Reply
  /** what the request that was served last needs first, or null; it got no reply then */
  later: Later | null = null
  readonly #exchange: Exchange
  readonly #onDefect: (error: unknown) => void

  constructor(fs: Filesystem, request: Request, reply: Reply, onDefect: (error: unknown) => void) {
    this.request = request
    this.reply = reply
    this.#onDefect = onDefect
    this.#exchange = {
      fs,
      request,
      reply,
      entry: emptyEntry(),
      attributes: emptyAttributes(),
      statfs: emptyStatfs(),
      caller: { uid: 0, gid: 0, umask: 0 },
    }
  }

  /** Serves the request in `request.bytes`; the length of the reply in `reply.bytes`, or 0 for none. */
  serve(length: number): number {
    const { request, reply } = this
    this.later = null
    if (!request.begin(length)) return reply.fail(request, EIO)
    const handler = table[request.opcode]
    if (handler === undefined) return reply.fail(request, ENOSYS)
    try {
      const bodyLength = handler(this.#exchange)
      return bodyLength === NO_REPLY ? 0 : reply.finish(request, bodyLength)
    } catch (error) {
      if (error instanceof Later) {
        this.later = error
        return 0
      }
      if (isDefect(error) || request.opcode === OPCODE.INIT) this.#onDefect(error)
      return isSilent(request.opcode) ? 0 : reply.fail(request, errnoOf(error))
    }
  }
}

const isSilent = (opcode: number): boolean =>
  opcode === OPCODE.FORGET || opcode === OPCODE.BATCH_FORGET
