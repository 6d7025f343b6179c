// Argon2id (RFC 9106) by noble, the same for both engines. Slow next to native code; it only opens
// slots that another program made.

import { argon2id as noble } from '@noble/hashes/argon2.js'

/** The caller has checked the cost. */
export function argon2id(
  password: Uint8Array,
  salt: Uint8Array,
  memoryKiB: number,
  passes: number,
  lanes: number,
  length: number,
): Uint8Array {
  return noble(password, salt, { m: memoryKiB, t: passes, p: lanes, dkLen: length })
}
