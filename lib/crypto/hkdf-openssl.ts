// HKDF-SHA256 (RFC 5869) in one call of EVP_KDF-HKDF(7) on a kept context. node:crypto's makes a key
// object for each call, which takes several times as long as the derivation.

import { Buffer } from 'node:buffer'
import { BugError } from '../errors.js'
import { addressOf } from '../native/libc.js'
import type { Openssl } from '../native/openssl.js'
import type { Engine } from './engine.js'

/** OSSL_PARAM(3): address of the name, type, address and size of the value, and one field more. */
const PARAM_SIZE = 40
const [TYPE, VALUE, VALUE_SIZE] = [8, 16, 24]
const UTF8_STRING = 4
const OCTET_STRING = 5
// An address does not keep its memory alive, so what OpenSSL is pointed to lives as long as the process.
const DIGEST = Buffer.from('SHA256\0')
const NAMES = ['digest', 'key', 'salt', 'info'].map((name) => Buffer.from(`${name}\0`))

/** Throws where OpenSSL has no HKDF. */
export function hkdfOpenssl(ssl: Openssl): Engine['hkdf'] {
  const kdf = ssl.KDF_fetch(0, 'HKDF', 0)
  if (kdf === 0) {
    ssl.ERR_clear_error()
    throw new Error('this OpenSSL has no HKDF')
  }
  const context = ssl.KDF_CTX_new(kdf)
  if (context === 0) throw new BugError('EVP_KDF_CTX_new failed')
  // one more, all zero, is their end
  const params = new DataView(new ArrayBuffer(PARAM_SIZE * (NAMES.length + 1)))
  const put = (at: number, number: number): void => {
    params.setUint32(at, number % 2 ** 32, true)
    params.setUint32(at + 4, Math.floor(number / 2 ** 32), true)
  }
  const give = (index: number, bytes: Uint8Array, length = bytes.length): void => {
    // an empty one has no address, and must have one
    put(index * PARAM_SIZE + VALUE, addressOf(length === 0 ? DIGEST : bytes))
    put(index * PARAM_SIZE + VALUE_SIZE, length)
  }
  for (const [i, name] of NAMES.entries()) {
    put(i * PARAM_SIZE, addressOf(name))
    put(i * PARAM_SIZE + TYPE, i === 0 ? UTF8_STRING : OCTET_STRING)
  }
  give(0, DIGEST, DIGEST.length - 1)
  const at = addressOf(new Uint8Array(params.buffer))

  return (ikm, salt, info, length) => {
    give(1, ikm)
    give(2, salt)
    give(3, info)
    const out = new Uint8Array(length)
    const done = ssl.KDF_derive(context, addressOf(out), length, at)
    ssl.KDF_CTX_reset(context)
    if (done === 1) return out
    ssl.ERR_clear_error()
    throw new BugError('EVP_KDF_derive failed')
  }
}
