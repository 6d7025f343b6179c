// Operations on open files.

import type { Buffer } from 'node:buffer'
import { emptyEntry } from '../../fs/filesystem.js'
import { ourselves } from './name-operations.js'
import { exact, type Answer, type Parts } from './parts.js'

const O_RDWR = 2

export function fileOperations({ fs, paths, references, handles, hidden }: Parts) {
  const entry = emptyEntry()
  const caller = ourselves()

  /** A handle on the inode of `nodeid`, which stays until it is closed. */
  const opened = (nodeid: number, fh: number): Answer => {
    references.pin(nodeid)
    return [handles.add({ fh, nodeid })]
  }

  return {
    open(path: string, flags: number): Answer {
      const nodeid = paths.nodeid(path)
      return opened(nodeid, fs.open(nodeid, flags).fh)
    },

    create(path: string, mode: number): Answer {
      const { parent, name } = paths.place(path)
      // the library does not say for what it is opened
      const { fh } = fs.create(parent, name, mode & 0o7777, O_RDWR, caller, entry)
      references.note(entry.nodeid)
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
        if (hidden.isHidden(nodeid) && !handles.isOpen(nodeid)) hidden.closed(nodeid)
      }
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
