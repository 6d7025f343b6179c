// What the library's C struct for a request knows and its arguments do not tell: fuse_thread_locals_t of
// fuse-native.c, as compiled for 64-bit Linux. The library hands atime over twice, so mtime is read
// here; and a path that is not UTF-8 arrives with U+FFFD in it, as does one that has that letter.

import { isUtf8 } from 'node:buffer'
import { CofferError } from '../../errors.js'
import { textAt } from '../../native/text.js'
import type { NativeRequest } from './library.js'

const AT = { path: 24, dest: 32, atime: 104, mtime: 112, name: 128 }
const REPLACEMENT = '\ufffd'

export interface Time {
  sec: number
  nsec: number
}

/** Whole milliseconds, also before 1970. */
function time(request: NativeRequest, at: number): Time {
  const milliseconds = Number(request.readBigInt64LE(at))
  const sec = Math.floor(milliseconds / 1000)
  return { sec, nsec: (milliseconds - sec * 1000) * 1_000_000 }
}

/** `atime` is what the library told. EIO where the struct is another than this file believes. */
export function timesOf(request: NativeRequest, atime: number): { atime: Time; mtime: Time } {
  if (Number(request.readBigUInt64LE(AT.atime)) !== atime) {
    throw new CofferError('EIO', 'fuse-native is another than it is known to be: no time is stored')
  }
  return { atime: time(request, AT.atime), mtime: time(request, AT.mtime) }
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
