// XAES-256-GCM by node:crypto: a kept ECB cipher turns the nonce into a GCM key.

import { createCipheriv, type Cipher } from 'node:crypto'
import { derivationBlocks, derivationMask } from './block.js'
import { requireLength, requireRange, wiped } from './bounds.js'
import type { Xaes } from './engine.js'
import { gcmOpen, gcmSealInto } from './gcm-portable.js'

export class XaesPortable implements Xaes {
  readonly #mask: Uint8Array
  readonly #blocks = new Uint8Array(32)
  #ecb: Cipher | null

  constructor(key: Uint8Array) {
    requireLength(key, 32, 'an XAES-256-GCM key')
    this.#ecb = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false)
    const l = this.#ecb.update(new Uint8Array(16))
    this.#mask = derivationMask(l)
    l.fill(0)
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
    const key = this.#derive(record, recordOffset)
    const nonce = record.subarray(recordOffset + 12, recordOffset + 24)
    const from = plain.subarray(plainOffset, plainOffset + length)
    gcmSealInto(key, nonce, from, aad, record, recordOffset + 24)
    key.fill(0)
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
    const key = this.#derive(record, recordOffset)
    const nonce = record.subarray(recordOffset + 12, recordOffset + 24)
    const sealed = record.subarray(recordOffset + 24, recordOffset + 40 + length)
    const opened = gcmOpen(key, nonce, sealed, aad)
    key.fill(0)
    if (opened === null) plain.fill(0, plainOffset, plainOffset + length)
    else plain.set(opened, plainOffset)
    return opened !== null
  }

  wipe(): void {
    // `final` makes Node free the cipher, and OpenSSL clear the key schedule
    this.#ecb?.final()
    this.#ecb = null
    this.#mask.fill(0)
  }

  #derive(record: Uint8Array, offset: number): Uint8Array {
    if (this.#ecb === null) wiped('an XAES-256-GCM key')
    derivationBlocks(this.#mask, record, offset, this.#blocks)
    return this.#ecb.update(this.#blocks)
  }
}
