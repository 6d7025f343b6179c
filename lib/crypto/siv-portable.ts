// AES-256-SIV by noble. There, the arguments after the key are associated data, and a V that does
// not verify is a throw.

import { aessiv } from '@noble/ciphers/aes.js'
import { requireLength, wiped } from './bounds.js'
import type { Siv } from './engine.js'

export class SivPortable implements Siv {
  #key: Uint8Array | null

  constructor(key: Uint8Array) {
    requireLength(key, 64, 'an AES-256-SIV key')
    this.#key = Uint8Array.from(key)
  }

  seal(plain: Uint8Array, ad: readonly Uint8Array[]): Uint8Array {
    return this.#cipher(ad).encrypt(plain)
  }

  open(sealed: Uint8Array, ad: readonly Uint8Array[]): Uint8Array | null {
    const cipher = this.#cipher(ad)
    if (sealed.length < 16) return null
    try {
      return cipher.decrypt(sealed)
    } catch {
      return null
    }
  }

  wipe(): void {
    this.#key?.fill(0)
    this.#key = null
  }

  #cipher(ad: readonly Uint8Array[]): ReturnType<typeof aessiv> {
    if (this.#key === null) wiped('an AES-256-SIV key')
    return aessiv(this.#key, ...ad)
  }
}
