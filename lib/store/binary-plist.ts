// As much of Apple's binary property lists as an `.icloud` stub takes: one dictionary of strings and
// integers. Whatever else is in it is left out; what is no such list gives null.

import { Buffer } from 'node:buffer'

const MAGIC = 'bplist00'
const TRAILER_SIZE = 32
const SIZE_MAX = 65_536

export function readPlist(bytes: Uint8Array): Map<string, string | number> | null {
  const b = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (b.length > SIZE_MAX || b.length < MAGIC.length + TRAILER_SIZE) return null
  if (b.toString('latin1', 0, MAGIC.length) !== MAGIC) return null
  try {
    return new Reader(b).dictionary()
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** Reading beyond the end throws RangeError, as Buffer does. */
class Reader {
  readonly #b: Buffer
  readonly #offsetSize: number
  readonly #refSize: number
  readonly #count: number
  readonly #table: number

  constructor(b: Buffer) {
    this.#b = b
    const trailer = b.length - TRAILER_SIZE
    this.#offsetSize = b.readUInt8(trailer + 6)
    this.#refSize = b.readUInt8(trailer + 7)
    this.#count = this.#integer(trailer + 8, 8)
    this.#table = this.#integer(trailer + 24, 8)
  }

  dictionary(): Map<string, string | number> | null {
    const at = this.#offset(this.#integer(this.#b.length - TRAILER_SIZE + 16, 8))
    if (this.#b.readUInt8(at) >> 4 !== 0xd) return null
    const { count, start } = this.#length(at)
    if (count > this.#count) return null
    const found = new Map<string, string | number>()
    for (let i = 0; i < count; i++) {
      const key = this.#value(this.#integer(start + i * this.#refSize, this.#refSize))
      const value = this.#value(this.#integer(start + (count + i) * this.#refSize, this.#refSize))
      if (typeof key === 'string' && value !== null) found.set(key, value)
    }
    return found
  }

  #value(index: number): string | number | null {
    const at = this.#offset(index)
    const kind = this.#b.readUInt8(at) >> 4
    if (kind === 1) return this.#integer(at + 1, 2 ** (this.#b.readUInt8(at) & 0xf))
    if (kind !== 5 && kind !== 6) return null
    const { count, start } = this.#length(at)
    const end = start + count * (kind === 5 ? 1 : 2)
    if (end > this.#table) throw new RangeError('a string is cut short')
    if (kind === 5) return this.#b.toString('latin1', start, end)
    return Buffer.from(this.#b.subarray(start, end)).swap16().toString('utf16le')
  }

  /** Where 15 does not hold it, the length is an integer behind the first byte. */
  #length(at: number): { count: number; start: number } {
    const count = this.#b.readUInt8(at) & 0xf
    if (count < 0xf) return { count, start: at + 1 }
    const size = 2 ** (this.#b.readUInt8(at + 1) & 0xf)
    return { count: this.#integer(at + 2, size), start: at + 2 + size }
  }

  #offset(index: number): number {
    if (index >= this.#count) throw new RangeError('no such object')
    return this.#integer(this.#table + index * this.#offsetSize, this.#offsetSize)
  }

  /** Big-endian, exact below 2^53; what is negative or larger is not ours. */
  #integer(at: number, size: number): number {
    if (size < 1 || size > 8) throw new RangeError('an integer of another size')
    let value = 0
    for (let i = 0; i < size; i++) value = value * 256 + this.#b.readUInt8(at + i)
    if (!Number.isSafeInteger(value)) throw new RangeError('an integer is too large')
    return value
  }
}
