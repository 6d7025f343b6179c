// Comparison of secrets in constant time.

import { timingSafeEqual } from 'node:crypto'

/** Lengths are no secret. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
