// Loaded before the program (NODE_OPTIONS=--import), in all its threads: makes the way between the
// kernel and the files of the self-test lossy, as FUSE back-ends were seen to be. PLANTED says how.

import { HiddenNames } from '../../lib/fs/hidden-names.js'

const { prototype } = HiddenNames
/* eslint-disable @typescript-eslint/unbound-method -- each is called with the `this` that it gets */
const { write, read, flush } = prototype
/* eslint-enable */

const DEFECTS: Record<string, () => void> = {
  /** stores zeros for writes of up to 14 bytes */
  zeros() {
    prototype.write = function (fh, offset, from, fromOffset, length, killPriv) {
      if (length > 14) return write.call(this, fh, offset, from, fromOffset, length, killPriv)
      return write.call(this, fh, offset, new Uint8Array(length), 0, length, killPriv)
    }
  },
  /** loses the byte after a full page, and says it did not */
  tail() {
    prototype.write = function (fh, offset, from, fromOffset, length, killPriv) {
      const stored = length === 4097 ? 4096 : length
      write.call(this, fh, offset, from, fromOffset, stored, killPriv)
      return length
    }
  },
  /** gives one other byte */
  other() {
    prototype.read = function (fh, offset, length, into, intoOffset) {
      const bytes = read.call(this, fh, offset, length, into, intoOffset)
      if (bytes === 15) into[intoOffset + 7] = (into[intoOffset + 7] ?? 0) ^ 1
      return bytes
    }
  },
  /** only in what is longer than one request */
  late() {
    prototype.read = function (fh, offset, length, into, intoOffset) {
      const bytes = read.call(this, fh, offset, length, into, intoOffset)
      if (offset > 4 * 1024 * 1024) into.fill(0, intoOffset, intoOffset + 1)
      return bytes
    }
  },
  /** answers without having been asked, as a kernel that remembers would */
  silent() {
    prototype.read = function (fh, offset, length, into, intoOffset) {
      const { bytesRead } = this
      const bytes = read.call(this, fh, offset, length, into, intoOffset)
      this.bytesRead = bytesRead
      return bytes
    }
  },
  /** cannot store */
  full() {
    prototype.flush = function (fh) {
      flush.call(this, fh)
      throw Object.assign(new Error('EIO: i/o error, flush'), { code: 'EIO', errno: -5 })
    }
  },
  /** ends in the midst of it */
  killed() {
    prototype.read = () => {
      process.kill(process.pid, 'SIGKILL')
      return 0
    }
  },
}

DEFECTS[process.env.PLANTED ?? '']?.()
