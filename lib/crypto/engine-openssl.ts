// The fast engine: EVP calls on the OpenSSL inside the Node binary. The ciphers are fetched once
// and kept for the life of the process; one GCM context serves all keys.

import { addressOf } from '../native/libc.js'
import { bindOpenssl } from '../native/openssl.js'
import { requireLength } from './bounds.js'
import { CmacOpenssl } from './cmac-openssl.js'
import { fetchCipher } from './context-openssl.js'
import { scrypt, sha256 } from './digests.js'
import type { Engine } from './engine.js'
import { Gcm } from './gcm-openssl.js'
import { hkdfOpenssl } from './hkdf-openssl.js'
import { SivOpenssl } from './siv-openssl.js'
import { XaesOpenssl } from './xaes-openssl.js'

/** Throws where the functions or the ciphers are missing. */
export function opensslEngine(): Engine {
  const ssl = bindOpenssl()
  const ecb = fetchCipher(ssl, 'AES-256-ECB')
  const cbc = fetchCipher(ssl, 'AES-256-CBC')
  const ctr = fetchCipher(ssl, 'AES-256-CTR')
  const gcm = new Gcm(ssl, fetchCipher(ssl, 'AES-256-GCM'))

  return {
    name: 'openssl',
    xaes: (key) => new XaesOpenssl(ssl, ecb, gcm, key),
    cmac: (key) => new CmacOpenssl(ssl, cbc, key),
    siv: (key) => new SivOpenssl(ssl, cbc, ctr, key),
    hkdf: hkdfOpenssl(ssl),
    sha256,
    scrypt,
    gcmSeal(key, nonce, plain, aad) {
      requireLength(key, 32, 'an AES-256-GCM key')
      requireLength(nonce, 12, 'an AES-256-GCM nonce')
      const sealed = new Uint8Array(plain.length + 16)
      const [k, n, from, to] = [
        addressOf(key),
        addressOf(nonce),
        addressOf(plain),
        addressOf(sealed),
      ]
      gcm.seal(k, n, from, plain.length, addressOf(aad), aad.length, to)
      gcm.forget()
      return sealed
    },
    gcmOpen(key, nonce, sealed, aad) {
      requireLength(key, 32, 'an AES-256-GCM key')
      requireLength(nonce, 12, 'an AES-256-GCM nonce')
      if (sealed.length < 16) return null
      const plain = new Uint8Array(sealed.length - 16)
      const [k, n, from, to] = [
        addressOf(key),
        addressOf(nonce),
        addressOf(sealed),
        addressOf(plain),
      ]
      const ok = gcm.open(k, n, from, plain.length, addressOf(aad), aad.length, to)
      gcm.forget()
      if (ok) return plain
      plain.fill(0)
      return null
    },
  }
}
