// The engine that works wherever Node does: node:crypto, and noble for what it lacks.

import { requireLength } from './bounds.js'
import { CmacPortable } from './cmac-portable.js'
import { hkdf, scrypt, sha256 } from './digests.js'
import type { Engine } from './engine.js'
import { gcmOpen, gcmSealInto } from './gcm-portable.js'
import { SivPortable } from './siv-portable.js'
import { XaesPortable } from './xaes-portable.js'

export const portableEngine: Engine = {
  name: 'portable',
  xaes: (key) => new XaesPortable(key),
  cmac: (key) => new CmacPortable(key),
  siv: (key) => new SivPortable(key),
  hkdf,
  sha256,
  scrypt,
  gcmSeal(key, nonce, plain, aad) {
    requireLength(key, 32, 'an AES-256-GCM key')
    requireLength(nonce, 12, 'an AES-256-GCM nonce')
    const sealed = new Uint8Array(plain.length + 16)
    gcmSealInto(key, nonce, plain, aad, sealed, 0)
    return sealed
  },
  gcmOpen(key, nonce, sealed, aad) {
    requireLength(key, 32, 'an AES-256-GCM key')
    requireLength(nonce, 12, 'an AES-256-GCM nonce')
    return gcmOpen(key, nonce, sealed, aad)
  },
}
