// What the library's C struct for a request knows and its arguments do not tell: fuse_thread_locals_t of
// fuse-native.c, as compiled for 64-bit Linux. The library hands atime over twice, so mtime is read
// here; and a path that is not UTF-8 arrives with U+FFFD in it, as does one that has that letter.

import { isUtf8 } from 'node:buffer'
import { CofferError } from '../../errors.js'
import type { AttributeChanges } from '../../fs/filesystem.js'
import { textAt } from '../../native/memory.js'
import type { NativeRequest } from './library.js'

const AT = { path: 24, dest: 32, atime: 104, mtime: 112, name: 128 }
const REPLACEMENT = '\ufffd'

interface Time {
  sec: number
  nsec: number
}

/**
 * UTIME_OMIT and UTIME_NOW, when the library has divided their nanoseconds: one and the same, and that
 * second of 1970 as well.
 */
const OMIT_OR_NOW = 1073

/** Whole milliseconds, also before 1970; null for "omit" or "now". */
function time(request: NativeRequest, at: number): Time | null {
  const milliseconds = Number(request.readBigInt64LE(at))
  if (milliseconds === OMIT_OR_NOW) return null
  const sec = Math.floor(milliseconds / 1000)
  return { sec, nsec: (milliseconds - sec * 1000) * 1_000_000 }
}

/**
 * `told` is the atime that the library told. Where one time is given, the other stays as it is; where
 * none is, both are now. EIO where the struct is another than this file believes.
 */
export function timesOf(
  request: NativeRequest,
  told: number,
): Pick<AttributeChanges, 'atime' | 'mtime'> {
  if (Number(request.readBigUInt64LE(AT.atime)) !== told) {
    throw new CofferError('EIO', 'fuse-native is another than it is known to be: no time is stored')
  }
  const atime = time(request, AT.atime)
  const mtime = time(request, AT.mtime)
  if (atime === null && mtime === null) return { atime: 'now', mtime: 'now' }
  return { ...(atime === null ? {} : { atime }), ...(mtime === null ? {} : { mtime }) }
}

/** Throws EILSEQ where the kernel's bytes are not `text`: what is not UTF-8 has no place in a vault. */
export function checkText(
  request: NativeRequest,
  which: 'path' | 'dest' | 'name',
  text: string,
): void {
  if (!text.includes(REPLACEMENT)) return
  const bytes = textAt(Number(request.readBigUInt64LE(AT[which])))
  if (isUtf8(bytes) && bytes.toString() === text) return
  throw new CofferError('EILSEQ', 'a name that is not UTF-8 cannot be stored')
}
