// The one place that loads koffi. Functions of the C library, and of the OpenSSL inside the Node
// binary, are declared through `native`; the other files of this folder give them TypeScript faces.
//
// Memory crosses as plain numbers (`uintptr_t`): an address below 2^53 is cheap to add to and
// allocates nothing. Whoever passes `addressOf(x)` keeps `x` alive for the whole call.

import { createRequire } from 'node:module'
import { systemError } from '../errors.js'

interface Koffi {
  load(path: null): { func(prototype: string): NativeFunction }
  address(value: ArrayBuffer): bigint
  errno(): number
}

export type NativeFunction = (...args: (number | bigint | string | null)[]) => number

let koffi: Koffi | null = null
let self: ReturnType<Koffi['load']> | null = null
let whyNot = ''
try {
  koffi = createRequire(import.meta.url)('koffi') as Koffi
  self = koffi.load(null)
} catch (error) {
  whyNot = error instanceof Error ? error.message : String(error)
}

/** False where koffi has no binary for this platform or was not installed; `nativeProblem` says why. */
export const nativeAvailable = self !== null
export const nativeProblem = whyNot

/** Declares a function of this process's own libraries, by C prototype. Throws where it is missing. */
export function native(prototype: string): NativeFunction {
  if (self === null) throw new Error(`native calls are not available: ${whyNot}`)
  return self.func(prototype)
}

/**
 * Declares a function on its first call, so that importing a face costs nothing and works on
 * platforms that lack the function.
 */
export function lazy(prototype: string): NativeFunction {
  let bound: NativeFunction | null = null
  return (...args) => (bound ??= native(prototype))(...args)
}

/**
 * A table of such functions for hot paths: each is bound when it is first asked for, and called
 * directly from then on.
 */
export function calls<K extends string>(prototypes: Record<K, string>): Record<K, NativeFunction> {
  const table = {} as Record<K, NativeFunction>
  for (const name of Object.keys(prototypes) as K[]) {
    Object.defineProperty(table, name, {
      configurable: true,
      get() {
        const value = native(prototypes[name])
        Object.defineProperty(table, name, { value })
        return value
      },
    })
  }
  return table
}

const addresses = new WeakMap<ArrayBufferLike, number>()

/**
 * Address of the first byte of `bytes`. Reading `.buffer` moves a small typed array off the moving
 * heap, so the address is stable for as long as `bytes` lives.
 */
export function addressOf(bytes: Uint8Array): number {
  let base = addresses.get(bytes.buffer)
  if (base === undefined) {
    if (koffi === null) throw new Error(`native calls are not available: ${whyNot}`)
    base = Number(koffi.address(bytes.buffer as ArrayBuffer))
    addresses.set(bytes.buffer, base)
  }
  return base + bytes.byteOffset
}

/** errno of the last native call. */
export function lastErrno(): number {
  return koffi === null ? 0 : koffi.errno()
}

/** Passes a result through, or throws the system's error where it is negative. */
export function check(result: number, syscall: string): number {
  if (result < 0) throw systemError(lastErrno(), syscall)
  return result
}
