// The primitives that node:crypto offers in the right shape: both engines use them as they are.

import { hash, hkdfSync, scryptSync } from 'node:crypto'

export function sha256(data: Uint8Array): Uint8Array {
  return unbuffered(hash('sha256', data, 'buffer'))
}

export function hkdf(
  ikm: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', ikm, salt, info, length))
}

export function scrypt(
  password: Uint8Array,
  salt: Uint8Array,
  logN: number,
  r: number,
  p: number,
  length: number,
): Uint8Array {
  const N = 2 ** logN
  // what the algorithm needs is 128·r·(N + p) and a little; Node refuses at 32 MiB unless told
  const maxmem = 256 * r * (N + p)
  return unbuffered(scryptSync(password, salt, length, { N, r, p, maxmem }))
}

/** A Buffer's `slice` shares memory where a Uint8Array's copies: callers get only the latter. */
export function unbuffered({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length)
}
