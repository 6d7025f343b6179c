// The primitives of the format for the oracle: slow, obvious, and not those of lib/. From the
// papers alone: XAES-256-GCM (C2SP), HKDF, CMAC, AES-SIV by noble, AES-GCM and scrypt by Node.

import { createCipheriv, createDecipheriv, createHash, scryptSync } from 'node:crypto'
import { aessiv, cmac as nobleCmac } from '@noble/ciphers/aes.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'

export const cat = (...parts: Uint8Array[]): Buffer => Buffer.concat(parts)
export const text = (s: string): Buffer => Buffer.from(s, 'utf8')
export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
export const unhex = (s: string): Buffer => Buffer.from(s, 'hex')
export const u8 = (n: number): Buffer => Buffer.from([n])
export const u16 = (n: number): Buffer => unhex(n.toString(16).padStart(4, '0'))
export const u32 = (n: number): Buffer => unhex(n.toString(16).padStart(8, '0'))
export const u64 = (n: bigint | number): Buffer => unhex(BigInt(n).toString(16).padStart(16, '0'))
export const zeros = (n: number): Buffer => Buffer.alloc(n)
export const allZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0)

export const HK = (ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, n: number): Buffer =>
  Buffer.from(hkdf(nobleSha256, ikm, salt, info, n))
export const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()
export const CMAC = (key: Uint8Array, data: Uint8Array): Buffer => Buffer.from(nobleCmac(data, key))
export const scrypt = (pw: Uint8Array, salt: Uint8Array, logN: number, p: number): Buffer =>
  scryptSync(pw, salt, 64, { N: 2 ** logN, r: 8, p, maxmem: 2 ** 31 })

function gcmKey(key: Uint8Array, nonce: Uint8Array): Buffer {
  const ecb = (block: Uint8Array): Buffer =>
    createCipheriv('aes-256-ecb', key, null).setAutoPadding(false).update(block)
  const l = BigInt(`0x${hex(ecb(zeros(16)))}`)
  const doubled = ((l << 1n) & ((1n << 128n) - 1n)) ^ (l >> 127n === 1n ? 0x87n : 0n)
  const k1 = unhex(doubled.toString(16).padStart(32, '0'))
  const half = (n: number): Buffer => {
    const block = cat(Buffer.from([0, n, 0x58, 0]), nonce.subarray(0, 12))
    return ecb(block.map((byte, i) => byte ^ k1[i]!))
  }
  return cat(half(1), half(2))
}

/** ciphertext ‖ tag */
export function seal(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array, aad: Uint8Array) {
  const cipher = createCipheriv('aes-256-gcm', gcmKey(key, nonce), nonce.subarray(12, 24))
  cipher.setAAD(aad)
  return cat(cipher.update(plain), cipher.final(), cipher.getAuthTag())
}

/** null where the tag does not verify */
export function open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, aad: Uint8Array) {
  return gcmOpen(gcmKey(key, nonce), nonce.subarray(12, 24), sealed, aad)
}

export function gcmOpen(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, aad: Uint8Array) {
  if (sealed.length < 16) return null
  const cut = sealed.length - 16
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 })
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(cut))
  const plain = decipher.update(sealed.subarray(0, cut))
  try {
    decipher.final()
    return plain
  } catch {
    return null
  }
}

const siv = (key: Uint8Array, ad: Uint8Array | Uint8Array[]) =>
  aessiv(key, ...(Array.isArray(ad) ? ad : [ad]))

/** `ad`: one component, or several in their order */
export const sivSeal = (
  key: Uint8Array,
  ad: Uint8Array | Uint8Array[],
  plain: Uint8Array,
): Buffer => Buffer.from(siv(key, ad).encrypt(plain))

export function sivOpen(
  key: Uint8Array,
  ad: Uint8Array | Uint8Array[],
  sealed: Uint8Array,
): Buffer | null {
  try {
    return Buffer.from(siv(key, ad).decrypt(sealed))
  } catch {
    return null
  }
}
