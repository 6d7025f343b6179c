// One error class and one table. Every layer throws `CofferError` with a code from the table; only
// `mount` turns a code into an errno, only `cli` turns it into an exit code and a sentence.
// Codes that begin with E are the system's own names (errno(3)).

import { constants } from 'node:os'

interface Row {
  /** errno name that a mounted drive answers with */
  errno: keyof typeof constants.errno
  /** exit code of the command line, docs/CLI.md */
  exit: number
  /** what the user can do about it; empty where the message says it all */
  hint: string
}

const row = (errno: Row['errno'], exit: number, hint = ''): Row => ({ errno, exit, hint })
const posix = (errno: Row['errno']): Row => row(errno, 1)

const TABLE = {
  // command line
  USAGE: row('EINVAL', 2, 'run coffer --help'),
  INTERNAL: row('EIO', 1, 'this is a defect in coffer; the log has the details'),
  MOUNTPOINT: row('EIO', 10),
  WRONG_PASSWORD: row('EACCES', 12, 'try again; nothing was changed'),
  NOT_A_VAULT: row('EIO', 13),
  CONFIG_DAMAGED: row('EIO', 13),
  NEWER_VERSION: row('EIO', 14, 'install a newer coffer'),
  NO_FUSE: row('EIO', 15, 'run coffer doctor to see what is missing'),
  BUSY: row('EBUSY', 16),
  NOT_MOUNTED: row('EIO', 17),
  ALREADY_MOUNTED: row('EBUSY', 18),
  VAULT_NOT_EMPTY: row('ENOTEMPTY', 19),
  VAULT_READ_ONLY: row('EROFS', 20),
  AGENT: row('EIO', 21),
  EMPTY_PASSWORD: row('EINVAL', 22),
  NO_PASSWORD: row('EINVAL', 23),
  NO_SUCH_PATH: row('ENOENT', 24),
  DAMAGED: row('EIO', 26),
  DESTINATION: row('EEXIST', 27),
  STATE: row('EIO', 28, 'COFFER_STATE_DIR and COFFER_RUNTIME_DIR name other folders'),
  VAULT_PLACE: row('EIO', 29),
  INTERRUPTED: row('EINTR', 30),
  SELF_TEST: row(
    'EIO',
    31,
    'the vault was not touched; coffer ls and coffer get read it without FUSE',
  ),
  // objects of the vault, docs/FORMAT.md "Checks on read"
  OBJECT_TRUNCATED: row(
    'EIO',
    26,
    'the rest of it may still be on the way; it is damaged if that does not come',
  ),
  OBJECT_DAMAGED: row('EIO', 26),
  OBJECT_UNSEALED: row('EIO', 26),
  OBJECT_FOREIGN: row('EIO', 26),
  OBJECT_MISPLACED: row(
    'EIO',
    26,
    'its ticket (.cfr) may still be on the way; it is damaged if that does not come',
  ),
  CHUNK_DAMAGED: row('EIO', 26),
  XATTR_DAMAGED: row('EIO', 26),
  DIRECTORY_META: row('EIO', 26),
  OBJECT_SUPERSEDED: row('EIO', 26, 'open the file again to get its new version'),
  ONLINE_ONLY: row('EIO', 1, 'let the sync program download it, or try again later'),
  WAITS_FOR_ENGINE: row('EIO', 1, 'try again when the engine goes on'),
  VAULT_GONE: row(
    'EIO',
    25,
    'bring the vault folder back; the drive then goes on (coffer unmount --force gives it up)',
  ),
  // the system's own
  EPERM: posix('EPERM'),
  ENOENT: posix('ENOENT'),
  EIO: posix('EIO'),
  EBADF: posix('EBADF'),
  ENOMEM: posix('ENOMEM'),
  EACCES: posix('EACCES'),
  EBUSY: posix('EBUSY'),
  EEXIST: posix('EEXIST'),
  EXDEV: posix('EXDEV'),
  ENODEV: posix('ENODEV'),
  ENOTDIR: posix('ENOTDIR'),
  EISDIR: posix('EISDIR'),
  EINVAL: posix('EINVAL'),
  EMFILE: posix('EMFILE'),
  ENFILE: posix('ENFILE'),
  EFBIG: posix('EFBIG'),
  ENOSPC: posix('ENOSPC'),
  EROFS: posix('EROFS'),
  EMLINK: posix('EMLINK'),
  ERANGE: posix('ERANGE'),
  ENAMETOOLONG: posix('ENAMETOOLONG'),
  ENOSYS: posix('ENOSYS'),
  ENOTEMPTY: posix('ENOTEMPTY'),
  ELOOP: posix('ELOOP'),
  EOVERFLOW: posix('EOVERFLOW'),
  EILSEQ: posix('EILSEQ'),
  EOPNOTSUPP: posix('EOPNOTSUPP'),
  EDQUOT: posix('EDQUOT'),
  ESTALE: posix('ESTALE'),
  ETXTBSY: posix('ETXTBSY'),
  EAGAIN: posix('EAGAIN'),
  EINTR: posix('EINTR'),
  ENXIO: posix('ENXIO'),
  ENODATA: posix('ENODATA'),
  E2BIG: posix('E2BIG'),
} as const satisfies Record<string, Row>

export type ErrorCode = keyof typeof TABLE

export class CofferError extends Error {
  readonly code: ErrorCode
  /** What to do about it, where the table's general advice can be made concrete. */
  readonly hint: string

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'CofferError'
    this.code = code
    this.hint = options.hint ?? TABLE[code].hint
  }

  /** Positive errno of this platform. */
  get errno(): number {
    return constants.errno[TABLE[this.code].errno]
  }

  get exitCode(): number {
    return TABLE[this.code].exit
  }
}

/** The table's general advice, empty where there is none. */
export const hintOf = (code: ErrorCode): string => TABLE[code].hint

/** What happened and what to do about it, on one line. */
export const withHint = ({ message, hint }: Pick<CofferError, 'message' | 'hint'>): string =>
  hint === '' ? message : `${message}; ${hint}`

const CODE_OF_ERRNO = new Map<number, ErrorCode>()
for (const [code, { errno }] of Object.entries(TABLE)) {
  if (code === errno) CODE_OF_ERRNO.set(constants.errno[errno], code as ErrorCode)
}

/** The error of a failed system call. An errno without a row of its own becomes EIO. */
export function systemError(errno: number, syscall: string): CofferError {
  const code = CODE_OF_ERRNO.get(errno) ?? 'EIO'
  return new CofferError(code, `${syscall}: ${code} (errno ${String(errno)})`)
}

/** Positive errno for whatever was thrown: ours, Node's, or a defect (EIO). */
export function errnoOf(error: unknown): number {
  if (error instanceof CofferError) return error.errno
  const errno = (error as NodeJS.ErrnoException | undefined)?.errno
  return typeof errno === 'number' && errno !== 0 ? Math.abs(errno) : constants.errno.EIO
}

/** An invariant of the program itself was broken. */
export class BugError extends Error {
  constructor(message: string) {
    super(`BUG: ${message}`)
    this.name = 'BugError'
  }
}
