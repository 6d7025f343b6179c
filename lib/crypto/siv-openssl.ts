// AES-256-SIV (RFC 5297) from a kept CMAC and a kept CTR context. EVP has the mode itself, but
// takes a new key schedule for every message, twice the cost of the rest, and its version
// 3.0 computes no V for an empty plaintext.

import { Buffer } from 'node:buffer'
import { BugError } from '../errors.js'
import { addressOf } from '../native/libc.js'
import type { Openssl } from '../native/openssl.js'
import { double } from './block.js'
import { requireLength, wiped } from './bounds.js'
import { CmacOpenssl } from './cmac-openssl.js'
import { openContext } from './context-openssl.js'
import type { Siv } from './engine.js'
import { equal } from './equal.js'

// Shared: no call outlives its use of them. `text` grows to the longest message seen.
const v = new Uint8Array(16)
const term = new Uint8Array(16)
let text = new Uint8Array(512)

export class SivOpenssl implements Siv {
  readonly #ssl: Openssl
  readonly #cmac: CmacOpenssl
  /** CMAC of the zero block, where S2V begins */
  readonly #start = new Uint8Array(16)
  /** the last piece of associated data, and its CMAC: names of one directory come in a row */
  #last: Uint8Array | null = null
  readonly #lastMac = new Uint8Array(16)
  #ctr: number

  constructor(ssl: Openssl, cbc: number, ctr: number, key: Uint8Array) {
    requireLength(key, 64, 'an AES-256-SIV key')
    this.#ssl = ssl
    this.#cmac = new CmacOpenssl(ssl, cbc, key.subarray(0, 32))
    this.#ctr = openContext(ssl, ctr, key.subarray(32))
    this.#cmac.mac(this.#start, this.#start, 0)
  }

  seal(plain: Uint8Array, ad: readonly Uint8Array[]): Uint8Array {
    if (this.#ctr === 0) wiped('an AES-256-SIV key')
    this.#s2v(plain, ad)
    const sealed = new Uint8Array(16 + plain.length)
    sealed.set(v)
    this.#crypt(plain, sealed, 16)
    return sealed
  }

  open(sealed: Uint8Array, ad: readonly Uint8Array[]): Uint8Array | null {
    if (this.#ctr === 0) wiped('an AES-256-SIV key')
    if (sealed.length < 16) return null
    const plain = new Uint8Array(sealed.length - 16)
    v.set(sealed.subarray(0, 16))
    this.#crypt(sealed.subarray(16), plain, 0)
    this.#s2v(plain, ad)
    if (equal(v, sealed.subarray(0, 16))) return plain
    plain.fill(0)
    return null
  }

  wipe(): void {
    if (this.#ctr === 0) return
    this.#cmac.wipe()
    this.#ssl.CIPHER_CTX_free(this.#ctr)
    this.#ctr = 0
    this.#start.fill(0)
    this.#lastMac.fill(0)
    this.#last = null
  }

  /** S2V over the associated data and the plaintext, into `v`. */
  #s2v(plain: Uint8Array, ad: readonly Uint8Array[]): void {
    v.set(this.#start)
    for (const piece of ad) {
      double(v)
      this.#remember(piece)
      for (let i = 0; i < 16; i++) v[i]! ^= this.#lastMac[i]!
    }
    const { length } = plain
    if (length < 16) {
      double(v)
      for (let i = 0; i < length; i++) v[i]! ^= plain[i]!
      v[length]! ^= 0x80
      this.#cmac.mac(v, v, 0)
      return
    }
    reserve(length)
    text.set(plain)
    for (let i = 0; i < 16; i++) text[length - 16 + i]! ^= v[i]!
    this.#cmac.mac(text.subarray(0, length), v, 0)
    text.fill(0, 0, length)
  }

  #remember(piece: Uint8Array): void {
    if (this.#last !== null && Buffer.compare(this.#last, piece) === 0) return
    this.#last = piece.slice()
    this.#cmac.mac(piece, this.#lastMac, 0)
  }

  /** CTR from `v` with two bits cleared, into `out[outOffset…]`. */
  #crypt(input: Uint8Array, out: Uint8Array, outOffset: number): void {
    const { length } = input
    if (length === 0) return
    reserve(length)
    text.set(input)
    term.set(v)
    term[8]! &= 0x7f
    term[12]! &= 0x7f
    const ssl = this.#ssl
    const at = addressOf(text)
    let ok = ssl.CipherInit_ex(this.#ctr, 0, 0, 0, addressOf(term), 1)
    ok &= ssl.CipherUpdate(this.#ctr, at, ssl.ignoredLength, at, length)
    if (ok !== 1) throw new BugError('AES-256-CTR did not run')
    out.set(text.subarray(0, length), outOffset)
    text.fill(0, 0, length)
  }
}

function reserve(length: number): void {
  if (text.length < length) text = new Uint8Array(length)
}
