// Ciphers and keyed contexts of EVP. Whoever opens a context frees it; the collector does not.

import { BugError } from '../errors.js'
import { addressOf } from '../native/libc.js'
import type { Openssl } from '../native/openssl.js'

/** A cipher for the life of the process. */
export function fetchCipher(ssl: Openssl, name: string): number {
  const cipher = ssl.CIPHER_fetch(0, name, 0)
  if (cipher === 0) {
    ssl.ERR_clear_error()
    throw new Error(`this OpenSSL has no ${name}`)
  }
  return cipher
}

/** A context that encrypts under `key`, with a zero IV where the cipher has one. */
export function openContext(ssl: Openssl, cipher: number, key: Uint8Array): number {
  const context = ssl.CIPHER_CTX_new()
  if (context === 0) throw new BugError('EVP_CIPHER_CTX_new failed')
  if (ssl.CipherInit_ex(context, cipher, 0, addressOf(key), addressOf(ZERO_IV), 1) !== 1) {
    ssl.CIPHER_CTX_free(context)
    throw new BugError('EVP_CipherInit_ex failed')
  }
  return context
}

/** Never written to. */
export const ZERO_IV = new Uint8Array(16)
