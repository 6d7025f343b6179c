// AES-256-GCM with 12-byte nonces by node:crypto. Two traps: without `authTagLength` a tag cut to
// four bytes is accepted, and `update` hands out plaintext that nothing has verified yet.

import { createCipheriv, createDecipheriv } from 'node:crypto'
import { unbuffered } from './digests.js'

const OPTIONS = { authTagLength: 16 }

/** Ciphertext ‖ tag into `out[outOffset…]`. */
export function gcmSealInto(
  key: Uint8Array,
  nonce: Uint8Array,
  plain: Uint8Array,
  aad: Uint8Array,
  out: Uint8Array,
  outOffset: number,
): void {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, OPTIONS)
  cipher.setAAD(aad)
  out.set(cipher.update(plain), outOffset)
  cipher.final()
  out.set(cipher.getAuthTag(), outOffset + plain.length)
}

/** null where the tag does not verify: no byte of the plaintext leaves this function then. */
export function gcmOpen(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  aad: Uint8Array,
): Uint8Array | null {
  const length = sealed.length - 16
  if (length < 0) return null
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, OPTIONS)
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(length))
  const plain = decipher.update(sealed.subarray(0, length))
  try {
    decipher.final()
    return unbuffered(plain)
  } catch {
    plain.fill(0)
    return null
  }
}
