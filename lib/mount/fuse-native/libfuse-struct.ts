// The one switch of libfuse 2.9 that the library leaves off: utime_omit_ok of struct fuse. Without it
// libfuse forgets a change of one time alone and reports success, and tar restores no mtime. The struct
// is private, so everything around the switch must be as it is known to be in the libfuse.so that the
// package brings, before it is touched.

import { Buffer } from 'node:buffer'
import { CofferError } from '../../errors.js'
import { bytesAt, writeAt } from '../../native/memory.js'

const POINTER = 8
const PAGE_SIZE = 4096
const FUSE = {
  lruNext: 72,
  lruPrevious: 80,
  entryTimeout: 160,
  useIno: 212,
  fileSystem: 272,
  nullpathOk: 280,
  utimeOmitOk: 284,
  lockQueue: 288,
  pageSize: 296,
  fullSlabs: 320,
  size: 336,
}

/**
 * `thread` is the library's fuse_thread_t, in which the struct's address stands two words before the
 * mountpoint. The mount was made with use_ino and an entry_timeout of one second.
 */
export function heedOneTime(thread: Buffer, mountpoint: string): void {
  const at = thread.indexOf(`${mountpoint}\0`) - 2 * POINTER
  if (at < 0 || at % POINTER !== 0) throw unknown()
  const fuse = Number(thread.readBigUInt64LE(at))
  if (fuse === 0) throw unknown()
  const struct = bytesAt(fuse, FUSE.size)
  const address = (offset: number): number => Number(struct.readBigUInt64LE(offset))
  const asKnown =
    address(FUSE.lruNext) === fuse + FUSE.lruNext &&
    address(FUSE.lruPrevious) === fuse + FUSE.lruNext &&
    struct.readDoubleLE(FUSE.entryTimeout) === 1 &&
    struct.readInt32LE(FUSE.useIno) === 1 &&
    address(FUSE.fileSystem) !== 0 &&
    address(FUSE.nullpathOk) === 0 &&
    address(FUSE.lockQueue) === 0 &&
    address(FUSE.pageSize) === PAGE_SIZE &&
    address(FUSE.fullSlabs) === fuse + FUSE.fullSlabs
  if (!asKnown) throw unknown()
  const on = Buffer.from(new ArrayBuffer(4))
  on.writeInt32LE(1)
  writeAt(fuse + FUSE.utimeOmitOk, on)
}

const unknown = (): CofferError =>
  new CofferError('NO_FUSE', 'the libfuse of fuse-native is another than it is known to be', {
    hint: 'run npm ci again, or mount without --driver',
  })
