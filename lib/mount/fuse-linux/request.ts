// One request of the kernel, read in place. There is one buffer, kept for the life of the session:
// what an accessor of bytes returns is true until the next request.

import { Buffer, isUtf8 } from 'node:buffer'
import { CofferError } from '../../errors.js'
import { IN_HEADER, IN_HEADER_SIZE, MAX_IO, PAGE_SIZE } from './wire.js'

/** The kernel wants room for the largest WRITE and its headers. */
export const REQUEST_CAPACITY = MAX_IO + PAGE_SIZE

const TWO_32 = 2 ** 32

export class Request {
  readonly bytes: Buffer
  length = 0
  /** set by `name`: where the next one begins */
  nameEnd = 0
  readonly #view: DataView

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Takes up the request that was read into `bytes`. False if it cannot be one. */
  begin(length: number): boolean {
    this.length = length
    return length >= IN_HEADER_SIZE && this.u32(IN_HEADER.len) === length
  }

  get opcode(): number {
    return this.u32(IN_HEADER.opcode)
  }

  get nodeid(): number {
    return this.u64(IN_HEADER.nodeid)
  }

  u32(at: number): number {
    return this.#view.getUint32(at, true)
  }

  /** Exact below 2^53: our own nodeids and handles, and offsets that a caller checks. */
  u64(at: number): number {
    return this.#view.getUint32(at + 4, true) * TWO_32 + this.#view.getUint32(at, true)
  }

  /** Seconds since 1970, also before. */
  i64(at: number): number {
    return this.#view.getInt32(at + 4, true) * TWO_32 + this.#view.getUint32(at, true)
  }

  /** A name that ends with a zero byte. One that is not UTF-8 has no place in a vault: EILSEQ. */
  name(at: number): string {
    const bytes = this.bytes
    let end = at
    let seen = 0
    for (; end < this.length; end++) {
      const byte = bytes[end] ?? 0
      if (byte === 0) break
      seen |= byte
    }
    this.nameEnd = end + 1
    if (seen < 0x80) return bytes.toString('latin1', at, end)
    if (!isUtf8(bytes.subarray(at, end))) {
      throw new CofferError('EILSEQ', 'a name that is not UTF-8 cannot be stored')
    }
    return bytes.toString('utf8', at, end)
  }

  /** A copy of the bytes up to the next zero byte. */
  text(at: number): Uint8Array {
    const end = this.bytes.indexOf(0, at)
    const stop = end < 0 ? this.length : Math.min(end, this.length)
    return new Uint8Array(this.bytes.subarray(at, stop))
  }
}
