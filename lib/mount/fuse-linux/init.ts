// FUSE_INIT: what kernel and drive agree on. Left out on purpose: POSIX_LOCKS and FLOCK_LOCKS (the
// kernel keeps both by itself, and one thread cannot sleep in SETLKW), HANDLE_KILLPRIV (a GETXATTR
// before every write), DONT_MASK (the kernel applies the umask), WRITEBACK_CACHE.

import { CofferError } from '../../errors.js'
import type { Handler } from './exchange.js'
import {
  FUSE_KERNEL_MINOR_VERSION,
  FUSE_KERNEL_VERSION,
  INIT_FLAG,
  INIT_IN,
  INIT_OUT,
  MAX_IO,
  MAX_PAGES,
  OLDEST_MINOR_VERSION,
  OUT_HEADER_SIZE,
} from './wire.js'

const MAX_BACKGROUND = 64
const WANTED = Object.values(INIT_FLAG).reduce((all, flag) => all | flag, 0)

export const init: Handler = ({ request, reply }) => {
  const major = request.u32(INIT_IN.major)
  const minor = request.u32(INIT_IN.minor)
  if (
    major < FUSE_KERNEL_VERSION ||
    (major === FUSE_KERNEL_VERSION && minor < OLDEST_MINOR_VERSION)
  ) {
    throw new CofferError(
      'NO_FUSE',
      `this kernel speaks FUSE ${String(major)}.${String(minor)}; coffer needs 7.31 (Linux 5.4) or later`,
      { hint: 'update the kernel' },
    )
  }
  reply.bytes.fill(0, OUT_HEADER_SIZE, OUT_HEADER_SIZE + INIT_OUT.size)
  reply.u32(INIT_OUT.major, FUSE_KERNEL_VERSION)
  // a newer major: the kernel begins again with ours
  const ours = major > FUSE_KERNEL_VERSION ? FUSE_KERNEL_MINOR_VERSION : minor
  reply.u32(INIT_OUT.minor, Math.min(ours, FUSE_KERNEL_MINOR_VERSION))
  // the kernel takes the smaller of this and the mount's own read-ahead
  reply.u32(INIT_OUT.max_readahead, MAX_IO)
  reply.u32(INIT_OUT.flags, request.u32(INIT_IN.flags) & WANTED)
  reply.u16(INIT_OUT.max_background, MAX_BACKGROUND)
  reply.u16(INIT_OUT.congestion_threshold, (MAX_BACKGROUND * 3) / 4)
  reply.u32(INIT_OUT.max_write, MAX_IO)
  reply.u32(INIT_OUT.time_gran, 1)
  reply.u16(INIT_OUT.max_pages, MAX_PAGES)
  return INIT_OUT.size
}
