// AES-256-GCM with 12-byte nonces on one kept EVP context, by address. The context serves all keys
// of an engine, one record at a time; a new key costs one key schedule and no allocation.

import { BugError } from '../errors.js'
import { addressOf } from '../native/libc.js'
import { EVP_CTRL_AEAD_GET_TAG, EVP_CTRL_AEAD_SET_TAG, type Openssl } from '../native/openssl.js'
import { openContext } from './context-openssl.js'

export class Gcm {
  readonly #ssl: Openssl
  readonly #context: number
  readonly #zeros = new Uint8Array(32)

  constructor(ssl: Openssl, cipher: number) {
    this.#ssl = ssl
    this.#context = openContext(ssl, cipher, this.#zeros)
  }

  /** Ciphertext and tag, contiguous, to `out`. */
  seal(
    key: number,
    nonce: number,
    plain: number,
    length: number,
    aad: number,
    aadLength: number,
    out: number,
  ): void {
    const ssl = this.#ssl
    const context = this.#context
    let ok = ssl.CipherInit_ex(context, 0, 0, key, nonce, 1)
    if (aadLength > 0) ok &= ssl.CipherUpdate(context, 0, ssl.ignoredLength, aad, aadLength)
    if (length > 0) ok &= ssl.CipherUpdate(context, out, ssl.ignoredLength, plain, length)
    ok &= ssl.CipherFinal_ex(context, out, ssl.ignoredLength)
    ok &= ssl.CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, out + length)
    if (ok !== 1) throw new BugError('AES-256-GCM did not encrypt')
  }

  /** False where the tag does not verify; what is in `plain` is then for the caller to clear. */
  open(
    key: number,
    nonce: number,
    sealed: number,
    length: number,
    aad: number,
    aadLength: number,
    plain: number,
  ): boolean {
    const ssl = this.#ssl
    const context = this.#context
    let ok = ssl.CipherInit_ex(context, 0, 0, key, nonce, 0)
    if (aadLength > 0) ok &= ssl.CipherUpdate(context, 0, ssl.ignoredLength, aad, aadLength)
    if (length > 0) ok &= ssl.CipherUpdate(context, plain, ssl.ignoredLength, sealed, length)
    ok &= ssl.CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, sealed + length)
    if (ok !== 1) throw new BugError('AES-256-GCM did not decrypt')
    if (ssl.CipherFinal_ex(context, plain, ssl.ignoredLength) === 1) return true
    ssl.ERR_clear_error()
    return false
  }

  /** Replaces the last key's schedule. */
  forget(): void {
    const zeros = addressOf(this.#zeros)
    this.#ssl.CipherInit_ex(this.#context, 0, 0, zeros, zeros, 1)
  }
}
