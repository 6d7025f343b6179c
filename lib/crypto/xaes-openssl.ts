// XAES-256-GCM on EVP: one kept ECB context per key turns a nonce into a GCM key in one call, the
// engine's GCM context does the rest. Nothing is allocated per record.

import { addressOf } from '../native/libc.js'
import type { Openssl } from '../native/openssl.js'
import { derivationBlocks, derivationMask } from './block.js'
import { requireLength, requireRange, wiped } from './bounds.js'
import { openContext } from './context-openssl.js'
import type { Xaes } from './engine.js'
import type { Gcm } from './gcm-openssl.js'

// The two blocks, then the derived key. Shared by all keys: no call outlives its use of it.
const blocks = new Uint8Array(32)
const derived = new Uint8Array(32)

export class XaesOpenssl implements Xaes {
  readonly #ssl: Openssl
  readonly #gcm: Gcm
  readonly #mask: Uint8Array
  readonly #blocks = addressOf(blocks)
  readonly #derived = addressOf(derived)
  #ecb: number

  constructor(ssl: Openssl, ecb: number, gcm: Gcm, key: Uint8Array) {
    requireLength(key, 32, 'an XAES-256-GCM key')
    this.#ssl = ssl
    this.#gcm = gcm
    this.#ecb = openContext(ssl, ecb, key)
    blocks.fill(0, 0, 16)
    ssl.CipherUpdate(this.#ecb, this.#blocks, ssl.ignoredLength, this.#blocks, 16)
    this.#mask = derivationMask(blocks.subarray(0, 16))
    blocks.fill(0, 0, 16)
  }

  seal(
    record: Uint8Array,
    recordOffset: number,
    plain: Uint8Array,
    plainOffset: number,
    length: number,
    aad: Uint8Array,
  ): void {
    requireRange(plain, plainOffset, length, 'plaintext')
    requireRange(record, recordOffset, length + 40, 'record')
    this.#derive(record, recordOffset)
    const at = addressOf(record) + recordOffset
    const from = addressOf(plain) + plainOffset
    this.#gcm.seal(this.#derived, at + 12, from, length, addressOf(aad), aad.length, at + 24)
    derived.fill(0)
  }

  open(
    record: Uint8Array,
    recordOffset: number,
    plain: Uint8Array,
    plainOffset: number,
    length: number,
    aad: Uint8Array,
  ): boolean {
    requireRange(plain, plainOffset, length, 'plaintext')
    requireRange(record, recordOffset, length + 40, 'record')
    this.#derive(record, recordOffset)
    const at = addressOf(record) + recordOffset
    const to = addressOf(plain) + plainOffset
    const ok = this.#gcm.open(
      this.#derived,
      at + 12,
      at + 24,
      length,
      addressOf(aad),
      aad.length,
      to,
    )
    derived.fill(0)
    if (!ok) plain.fill(0, plainOffset, plainOffset + length)
    return ok
  }

  wipe(): void {
    if (this.#ecb === 0) return
    this.#ssl.CIPHER_CTX_free(this.#ecb)
    this.#ecb = 0
    this.#mask.fill(0)
    this.#gcm.forget()
  }

  #derive(record: Uint8Array, offset: number): void {
    if (this.#ecb === 0) wiped('an XAES-256-GCM key')
    derivationBlocks(this.#mask, record, offset, blocks)
    this.#ssl.CipherUpdate(this.#ecb, this.#derived, this.#ssl.ignoredLength, this.#blocks, 32)
  }
}
