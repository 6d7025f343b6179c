// The operations of libfuse by paths, over a file system by inodes. Each is synchronous; what it returns is
// the answer, what it throws becomes the errno. Nothing keeps a buffer of the library's: that is gone with
// the answer.

import { Buffer } from 'node:buffer'
import { CofferError } from '../../errors.js'
import {
  emptyAttributes,
  emptyEntry,
  type AttributeChanges,
  type Caller,
  type Filesystem,
  type Statfs,
} from '../../fs/filesystem.js'
import { ownXattrName, xattrList } from '../xattr-names.js'
import type { Handles } from './handles.js'
import type { HiddenFiles } from './hidden-files.js'
import type { InodeReferences } from './inode-references.js'
import type { NativeRequest } from './library.js'
import type { Paths } from './paths.js'
import { checkText, timesOf } from './request-struct.js'
import { InodeNumbers, nativeStat, nativeStatfs, type NativeStat } from './stat.js'

const O_RDWR = 2
const UNCHANGED = 2 ** 32 - 1

/** What an operation answers: a length, or nothing but success, or the words behind that. */
export type Answer = number | readonly unknown[] | undefined
export type Reply = (result: number, ...words: unknown[]) => void

/** The parts that operations work with. */
export interface Parts {
  fs: Filesystem
  paths: Paths
  references: InodeReferences
  handles: Handles
  hidden: HiddenFiles
  /** the request that is being served */
  request: () => NativeRequest
}

export type Operations = ReturnType<typeof operations>

export function operations(parts: Parts) {
  const { fs, paths, references, handles, hidden, request } = parts
  const numbers = new InodeNumbers()
  const entry = emptyEntry()
  const attributes = emptyAttributes()
  const statfs: Statfs = {
    blockSize: 0,
    blocks: 0,
    blocksFree: 0,
    blocksAvailable: 0,
    files: 0,
    filesFree: 0,
    nameMax: 0,
  }
  // the library does not say who calls
  const caller: Caller = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, umask: 0 }

  const set = (nodeid: number, changes: AttributeChanges): void => {
    fs.setattr(nodeid, changes, attributes)
  }

  /** Of a path that libfuse makes something at: the entry is noted. */
  const made = (path: string, make: (parent: number, name: string) => void): void => {
    const { parent, name } = paths.place(path)
    make(parent, name)
    references.note(entry.nodeid)
  }

  /** A handle on the inode of `nodeid`, which stays until it is closed. */
  const opened = (nodeid: number, fh: number): Answer => {
    references.pin(nodeid)
    return [handles.add({ fh, nodeid })]
  }

  return {
    getattr(path: string): Answer {
      return [nativeStat(paths.find(path).attributes, numbers)]
    },

    statfs(): Answer {
      fs.statfs(statfs)
      return [nativeStatfs(statfs)]
    },

    readdir(path: string): Answer {
      const fh = fs.opendir(paths.nodeid(path))
      const names: string[] = []
      const stats: Pick<NativeStat, 'ino' | 'mode'>[] = []
      try {
        fs.readdir(fh, 0, (name, ino, mode) => {
          names.push(name)
          stats.push({ ino: numbers.show(ino), mode })
          return true
        })
      } finally {
        fs.releasedir(fh)
      }
      return [names, stats]
    },

    fsyncdir(path: string): Answer {
      fs.fsyncdir(paths.nodeid(path))
      return undefined
    },

    readlink(path: string): Answer {
      const target = Buffer.from(fs.readlink(paths.nodeid(path)))
      const text = target.toString()
      if (Buffer.from(text).equals(target)) return [text]
      throw new CofferError('EILSEQ', 'the library cannot tell a target that is not UTF-8')
    },

    chmod(path: string, mode: number): Answer {
      set(paths.nodeid(path), { mode: mode & 0o7777 })
      return undefined
    },

    chown(path: string, uid: number, gid: number): Answer {
      const changes: AttributeChanges = {}
      if (uid !== UNCHANGED) changes.uid = uid
      if (gid !== UNCHANGED) changes.gid = gid
      set(paths.nodeid(path), changes)
      return undefined
    },

    /** The library's two times are both atime. */
    utimens(path: string, atime: number): Answer {
      set(paths.nodeid(path), timesOf(request(), atime))
      return undefined
    },

    truncate(path: string, size: number): Answer {
      set(paths.nodeid(path), { size: exact(size) })
      return undefined
    },

    ftruncate(_path: string, handle: number, size: number): Answer {
      const { fh, nodeid } = handles.get(handle)
      set(nodeid, { size: exact(size), fh })
      return undefined
    },

    mknod(path: string, mode: number, rdev: number): Answer {
      made(path, (parent, name) => {
        fs.mknod(parent, name, mode, rdev, caller, entry)
      })
      return undefined
    },

    mkdir(path: string, mode: number): Answer {
      made(path, (parent, name) => {
        fs.mkdir(parent, name, mode & 0o7777, caller, entry)
      })
      return undefined
    },

    symlink(target: string, path: string): Answer {
      checkText(request(), 'dest', path)
      made(path, (parent, name) => {
        fs.symlink(parent, name, Buffer.from(target), caller, entry)
      })
      return undefined
    },

    link(path: string, dest: string): Answer {
      checkText(request(), 'dest', dest)
      const nodeid = paths.nodeid(path)
      references.pin(nodeid)
      try {
        made(dest, (parent, name) => {
          fs.link(nodeid, parent, name, entry)
        })
      } finally {
        references.unpin(nodeid)
      }
      return undefined
    },

    unlink(path: string): Answer {
      if (hidden.drop(path)) return undefined
      const { parent, name } = paths.place(path)
      fs.unlink(parent, name)
      return undefined
    },

    rmdir(path: string): Answer {
      const { parent, name } = paths.place(path)
      fs.rmdir(parent, name)
      return undefined
    },

    rename(path: string, dest: string): Answer {
      if (!hidden.isReplacing(dest, request())) hidden.settle()
      checkText(request(), 'dest', dest)
      const from = paths.place(path)
      references.pin(from.parent)
      try {
        if (hidden.isHiding(path, dest)) {
          const { nodeid } = paths.find(path)
          if (handles.isOpen(nodeid)) {
            hidden.hide(path, dest, nodeid, from, request())
            return undefined
          }
        }
        const to = paths.place(dest)
        fs.rename(from.parent, from.name, to.parent, to.name, 0)
      } finally {
        references.unpin(from.parent)
      }
      return undefined
    },

    open(path: string, flags: number): Answer {
      const nodeid = paths.nodeid(path)
      return opened(nodeid, fs.open(nodeid, flags).fh)
    },

    create(path: string, mode: number): Answer {
      let fh = 0
      made(path, (parent, name) => {
        // the library does not say for what it is opened
        fh = fs.create(parent, name, mode & 0o7777, O_RDWR, caller, entry).fh
      })
      return opened(entry.nodeid, fh)
    },

    /** By way of memory of our own, which stays whatever becomes of the request. */
    read(_path: string, handle: number, room: Buffer, length: number, offset: number): Answer {
      const { fh } = handles.get(handle)
      if (!Number.isSafeInteger(offset + length)) return 0
      const io = memory(length)
      const n = fs.read(fh, offset, length, io, 0)
      room.set(io.subarray(0, n))
      return n
    },

    write(_path: string, handle: number, data: Buffer, length: number, offset: number): Answer {
      const { fh } = handles.get(handle)
      exact(offset + length)
      const io = memory(length)
      io.set(data)
      return fs.write(fh, offset, io, 0, length, false)
    },

    flush(_path: string, handle: number): Answer {
      fs.flush(handles.get(handle).fh)
      return undefined
    },

    fsync(_path: string, dataOnly: number, handle: number): Answer {
      fs.fsync(handles.get(handle).fh, dataOnly !== 0)
      return undefined
    },

    release(_path: string, handle: number): Answer {
      const { fh, nodeid } = handles.get(handle)
      try {
        fs.release(fh)
      } finally {
        handles.remove(handle)
        references.unpin(nodeid)
        if (!handles.isOpen(nodeid)) hidden.closed(nodeid)
      }
      return undefined
    },

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

/** Kept from request to request. */
let io = new Uint8Array(new ArrayBuffer(128 * 1024))

function memory(length: number): Uint8Array {
  if (io.length < length) io = new Uint8Array(new ArrayBuffer(length))
  return io
}

/** Room of 0 asks how much there is. libfuse would send what lies behind a buffer that is too small. */
function put(bytes: Uint8Array, room: Buffer): number {
  if (room.length === 0) return bytes.length
  if (bytes.length > room.length) throw new CofferError('ERANGE', 'the buffer is too small')
  room.set(bytes)
  return bytes.length
}

/** Offsets that a number cannot hold are beyond every file. */
function exact(end: number): number {
  if (!Number.isSafeInteger(end)) throw new CofferError('EFBIG', 'a file cannot be that large')
  return end
}
