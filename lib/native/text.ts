// A C string at an address that some library of this process has told.

import { Buffer } from 'node:buffer'
import { addressOf, lazy } from './libc.js'

const strlen = lazy('size_t strlen(uintptr_t text)')
const memcpy = lazy('uintptr_t memcpy(uintptr_t to, uintptr_t from, size_t length)')

/** A copy of its bytes, without the zero byte. */
export function textAt(address: number): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(strlen(address)))
  if (bytes.length > 0) memcpy(addressOf(bytes), address, bytes.length)
  return bytes
}
