// Lengths and ranges, checked before memory is handed to native code, which checks nothing.

import { BugError } from '../errors.js'

export function requireLength(bytes: Uint8Array, length: number, what: string): void {
  if (bytes.length !== length) {
    throw new RangeError(`${what} must be ${length} bytes long, not ${bytes.length}`)
  }
}

/** `bytes` holds `length` bytes from `offset` on. */
export function requireRange(
  bytes: Uint8Array,
  offset: number,
  length: number,
  what: string,
): void {
  // `| 0` also refuses fractions, NaN and what an int of C cannot hold
  if ((offset | 0) !== offset || (length | 0) !== length || offset < 0 || length < 0) {
    throw new RangeError(`${what}: offset ${offset}, length ${length} is no range`)
  }
  if (offset + length > bytes.length) {
    throw new RangeError(
      `${what}: ${length} bytes from ${offset} on do not fit into ${bytes.length}`,
    )
  }
}

export function wiped(what: string): never {
  throw new BugError(`${what} used after wipe`)
}
