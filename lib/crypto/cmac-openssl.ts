// AES-256-CMAC on a kept CBC context: MAC = last block of CBC with a zero IV, after the last block
// of the message was padded and masked with a subkey (RFC 4493). Two calls for a short message.

import { addressOf } from '../native/libc.js'
import { BugError } from '../errors.js'
import type { Openssl } from '../native/openssl.js'
import { double } from './block.js'
import { requireLength, requireRange, wiped } from './bounds.js'
import { openContext, ZERO_IV } from './context-openssl.js'
import type { Cmac } from './engine.js'

// A message or a piece of it, encrypted in place. Shared: no call outlives its use of it.
const scratch = new Uint8Array(512)

export class CmacOpenssl implements Cmac {
  readonly #ssl: Openssl
  readonly #k1: Uint8Array
  readonly #k2: Uint8Array
  readonly #scratch = addressOf(scratch)
  readonly #zeroIv = addressOf(ZERO_IV)
  #cbc: number

  constructor(ssl: Openssl, cbc: number, key: Uint8Array) {
    requireLength(key, 32, 'an AES-256-CMAC key')
    this.#ssl = ssl
    this.#cbc = openContext(ssl, cbc, key)
    scratch.fill(0, 0, 16)
    this.#encrypt(16)
    this.#k1 = scratch.slice(0, 16)
    double(this.#k1)
    this.#k2 = this.#k1.slice()
    double(this.#k2)
  }

  mac(data: Uint8Array, out: Uint8Array, outOffset: number): void {
    if (this.#cbc === 0) wiped('an AES-256-CMAC key')
    requireRange(out, outOffset, 16, 'MAC')
    this.#ssl.CipherInit_ex(this.#cbc, 0, 0, 0, this.#zeroIv, 1)
    let done = 0
    for (; data.length - done > scratch.length; done += scratch.length) {
      scratch.set(data.subarray(done, done + scratch.length))
      this.#encrypt(scratch.length)
    }
    const left = data.length - done
    const end = Math.max(16, (left + 15) & ~15)
    scratch.set(done === 0 ? data : data.subarray(done))
    if (left < end) scratch.fill(0, left, end)[left] = 0x80
    const subkey = left < end ? this.#k2 : this.#k1
    for (let i = 0; i < 16; i++) scratch[end - 16 + i]! ^= subkey[i]!
    this.#encrypt(end)
    for (let i = 0; i < 16; i++) out[outOffset + i] = scratch[end - 16 + i]!
  }

  wipe(): void {
    if (this.#cbc === 0) return
    this.#ssl.CIPHER_CTX_free(this.#cbc)
    this.#cbc = 0
    this.#k1.fill(0)
    this.#k2.fill(0)
    scratch.fill(0)
  }

  #encrypt(length: number): void {
    const at = this.#scratch
    if (this.#ssl.CipherUpdate(this.#cbc, at, this.#ssl.ignoredLength, at, length) !== 1) {
      throw new BugError('AES-256-CBC did not encrypt')
    }
  }
}
