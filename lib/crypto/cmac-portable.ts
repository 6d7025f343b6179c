// AES-256-CMAC by noble.

import { cmac } from '@noble/ciphers/aes.js'
import { requireLength, requireRange, wiped } from './bounds.js'
import type { Cmac } from './engine.js'

export class CmacPortable implements Cmac {
  #key: Uint8Array | null

  constructor(key: Uint8Array) {
    requireLength(key, 32, 'an AES-256-CMAC key')
    this.#key = Uint8Array.from(key)
  }

  mac(data: Uint8Array, out: Uint8Array, outOffset: number): void {
    if (this.#key === null) wiped('an AES-256-CMAC key')
    requireRange(out, outOffset, 16, 'MAC')
    out.set(cmac(data, this.#key), outOffset)
  }

  wipe(): void {
    this.#key?.fill(0)
    this.#key = null
  }
}
