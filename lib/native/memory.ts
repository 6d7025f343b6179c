// Memory at an address that some library of this process has told, and other libraries for it.

import { Buffer } from 'node:buffer'
import { addressOf, lazy } from './libc.js'

const strlen = lazy('size_t strlen(uintptr_t text)')
const memcpy = lazy('uintptr_t memcpy(uintptr_t to, uintptr_t from, size_t length)')
const dlopen = lazy('uintptr_t dlopen(const char *path, int how)')

const RTLD_NOW = 2

/** A copy of what is there. */
export function bytesAt(address: number, length: number): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(length))
  if (length > 0) memcpy(addressOf(bytes), address, length)
  return bytes
}

/** A copy of a C string, without its zero byte. */
export const textAt = (address: number): Buffer => bytesAt(address, strlen(address))

export function writeAt(address: number, bytes: Uint8Array): void {
  memcpy(address, addressOf(bytes), bytes.length)
}

/** Loads a library, which other libraries then find by its own name. False where it cannot be loaded. */
export const loadLibrary = (path: string): boolean => dlopen(path, RTLD_NOW) !== 0
