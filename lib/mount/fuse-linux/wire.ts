// The kernel's side of the FUSE protocol, 7.31 and later: opcodes, flags and the offsets of struct
// members, named as in include/uapi/linux/fuse.h. Offsets count from the start of the message; an
// `in` struct follows the 40-byte in header, an `out` struct the 16-byte out header.

export const FUSE_KERNEL_VERSION = 7
/** what the structs below are; anything newer the kernel offers by flags only */
export const FUSE_KERNEL_MINOR_VERSION = 38
/** Linux 5.4 */
export const OLDEST_MINOR_VERSION = 31
export const FUSE_ROOT_ID = 1

export const OPCODE = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  BMAP: 37,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  NOTIFY_REPLY: 41,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SETUPMAPPING: 48,
  REMOVEMAPPING: 49,
  SYNCFS: 50,
  TMPFILE: 51,
  STATX: 52,
} as const

export const IN_HEADER = { len: 0, opcode: 4, unique: 8, nodeid: 16, uid: 24, gid: 28, pid: 32 }
export const IN_HEADER_SIZE = 40
export const OUT_HEADER = { len: 0, error: 4, unique: 8 }
export const OUT_HEADER_SIZE = 16

const IN = IN_HEADER_SIZE
export const INIT_IN = { major: IN, minor: IN + 4, max_readahead: IN + 8, flags: IN + 12 }
export const FORGET_IN = { nlookup: IN }
export const BATCH_FORGET_IN = { count: IN, first: IN + 8 }
export const FORGET_ONE = { nodeid: 0, nlookup: 8, size: 16 }
export const SETATTR_IN = {
  valid: IN,
  fh: IN + 8,
  size: IN + 16,
  atime: IN + 32,
  mtime: IN + 40,
  atimensec: IN + 56,
  mtimensec: IN + 60,
  mode: IN + 68,
  uid: IN + 76,
  gid: IN + 80,
}
export const MKNOD_IN = { mode: IN, rdev: IN + 4, umask: IN + 8, name: IN + 16 }
export const MKDIR_IN = { mode: IN, umask: IN + 4, name: IN + 8 }
export const RENAME_IN = { newdir: IN, names: IN + 8 }
export const RENAME2_IN = { newdir: IN, flags: IN + 8, names: IN + 16 }
export const LINK_IN = { oldnodeid: IN, name: IN + 8 }
export const OPEN_IN = { flags: IN, open_flags: IN + 4 }
export const CREATE_IN = { flags: IN, mode: IN + 4, umask: IN + 8, name: IN + 16 }
/** also READDIR and READDIRPLUS */
export const READ_IN = { fh: IN, offset: IN + 8, size: IN + 16 }
export const WRITE_IN = { fh: IN, offset: IN + 8, size: IN + 16, write_flags: IN + 20 }
export const WRITE_DATA = IN + 40
/** also RELEASEDIR */
export const RELEASE_IN = { fh: IN }
export const FLUSH_IN = { fh: IN }
/** the eight bytes of kernels before 5.13, and of all where SETXATTR_EXT is not negotiated */
export const SETXATTR_IN = { size: IN, flags: IN + 4, name: IN + 8 }
/** also LISTXATTR, which has no name */
export const GETXATTR_IN = { size: IN, name: IN + 8 }
/** `unique` of the request that is to end */
export const INTERRUPT_IN = { unique: IN }
export const FSYNC_IN = { fh: IN, fsync_flags: IN + 8 }

export const FALLOCATE_IN = { fh: IN, offset: IN + 8, length: IN + 16, mode: IN + 24 }
export const LSEEK_IN = { fh: IN, offset: IN + 8, whence: IN + 16 }
export const COPY_FILE_RANGE_IN = {
  fh_in: IN,
  off_in: IN + 8,
  nodeid_out: IN + 16,
  fh_out: IN + 24,
  off_out: IN + 32,
  len: IN + 40,
}

const OUT = OUT_HEADER_SIZE
export const INIT_OUT = {
  major: OUT,
  minor: OUT + 4,
  max_readahead: OUT + 8,
  flags: OUT + 12,
  max_background: OUT + 16,
  congestion_threshold: OUT + 18,
  max_write: OUT + 20,
  time_gran: OUT + 24,
  max_pages: OUT + 28,
  size: 64,
}
/** relative to the struct, which READDIRPLUS repeats */
export const ENTRY_OUT = {
  nodeid: 0,
  generation: 8,
  entry_valid: 16,
  attr_valid: 24,
  entry_valid_nsec: 32,
  attr_valid_nsec: 36,
  attr: 40,
  size: 128,
}
export const ATTR_OUT = { attr_valid: OUT, attr_valid_nsec: OUT + 8, attr: OUT + 16, size: 104 }
/** relative to the struct */
export const ATTR = {
  ino: 0,
  size: 8,
  blocks: 16,
  atime: 24,
  mtime: 32,
  ctime: 40,
  atimensec: 48,
  mtimensec: 52,
  ctimensec: 56,
  mode: 60,
  nlink: 64,
  uid: 68,
  gid: 72,
  rdev: 76,
  blksize: 80,
  flags: 84,
}
export const OPEN_OUT = { fh: 0, open_flags: 8, padding: 12, size: 16 }
export const WRITE_OUT = { size_: OUT, padding: OUT + 4, size: 8 }
export const LSEEK_OUT = { offset: OUT, size: 8 }
/** also LISTXATTR */
export const GETXATTR_OUT = { size_: OUT, padding: OUT + 4, size: 8 }
export const STATFS_OUT = {
  blocks: OUT,
  bfree: OUT + 8,
  bavail: OUT + 16,
  files: OUT + 24,
  ffree: OUT + 32,
  bsize: OUT + 40,
  namelen: OUT + 44,
  frsize: OUT + 48,
  size: 80,
}
/** in place of an error, with unique 0 */
export const NOTIFY = { INVAL_INODE: 2, INVAL_ENTRY: 3 } as const
export const NOTIFY_INVAL_INODE_OUT = { ino: OUT, off: OUT + 8, len: OUT + 16, size: OUT + 24 }
/** the name ends with a NUL */
export const NOTIFY_INVAL_ENTRY_OUT = {
  parent: OUT,
  namelen: OUT + 8,
  flags: OUT + 12,
  name: OUT + 16,
}
/** relative to the struct; entries are padded to 8 bytes */
export const DIRENT = { ino: 0, off: 8, namelen: 16, type: 20, name: 24 }

export const FATTR = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  SIZE: 1 << 3,
  ATIME: 1 << 4,
  MTIME: 1 << 5,
  FH: 1 << 6,
  ATIME_NOW: 1 << 7,
  MTIME_NOW: 1 << 8,
  KILL_SUIDGID: 1 << 11,
} as const

export const FOPEN_KEEP_CACHE = 1 << 1
export const FOPEN_NOFLUSH = 1 << 5
export const FUSE_OPEN_KILL_SUIDGID = 1 << 0
export const FUSE_WRITE_KILL_SUIDGID = 1 << 2
export const FUSE_FSYNC_FDATASYNC = 1 << 0

export const INIT_FLAG = {
  ASYNC_READ: 1 << 0,
  ATOMIC_O_TRUNC: 1 << 3,
  BIG_WRITES: 1 << 5,
  DO_READDIRPLUS: 1 << 13,
  READDIRPLUS_AUTO: 1 << 14,
  ASYNC_DIO: 1 << 15,
  PARALLEL_DIROPS: 1 << 18,
  MAX_PAGES: 1 << 22,
  CACHE_SYMLINKS: 1 << 23,
  EXPLICIT_INVAL_DATA: 1 << 25,
  HANDLE_KILLPRIV_V2: 1 << 28,
} as const

export const PAGE_SIZE = 4096
export const MAX_PAGES = 256
/** the most bytes of data in one READ or WRITE */
export const MAX_IO = MAX_PAGES * PAGE_SIZE
