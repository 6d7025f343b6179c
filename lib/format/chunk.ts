// Chunks of kinds 1 and 2. FORMAT.md §4. Pure.
//
// record = nonce24 ‖ ciphertext ‖ tag16, AAD = u64 index ‖ u32 length. The accumulator of a seal is
// the XOR of the terms of all present chunks, term = CMAC(K_acc, u64 index ‖ nonce ‖ tag).

import type { Cmac, Xaes } from '../crypto/engine.js'
import type { ObjectKeys } from './keys.js'
import { NONCE_SIZE, RECORD_OVERHEAD, TAG_SIZE } from './constants.js'

const aad = new Uint8Array(12)
const aadView = new DataView(aad.buffer)
const pair = new Uint8Array(8 + NONCE_SIZE + TAG_SIZE)
const pairView = new DataView(pair.buffer)
const term = new Uint8Array(16)

function setIndex(view: DataView, index: number): void {
  view.setUint32(0, Math.floor(index / 2 ** 32))
  view.setUint32(4, index >>> 0)
}

/** XOR into a 16-byte accumulator. */
export type Accumulator = Uint8Array

export class ChunkCipher {
  readonly #content: Xaes
  readonly #acc: Cmac

  constructor(keys: ObjectKeys) {
    this.#content = keys.content
    this.#acc = keys.acc
  }

  /** The nonce is already in the record. */
  seal(
    index: number,
    record: Uint8Array,
    recordOffset: number,
    plain: Uint8Array,
    plainOffset: number,
    length: number,
  ): void {
    setIndex(aadView, index)
    aadView.setUint32(8, length)
    this.#content.seal(record, recordOffset, plain, plainOffset, length, aad)
  }

  /** False where the tag does not verify; then no plaintext is left in `plain`. */
  open(
    index: number,
    record: Uint8Array,
    recordOffset: number,
    plain: Uint8Array,
    plainOffset: number,
    length: number,
  ): boolean {
    setIndex(aadView, index)
    aadView.setUint32(8, length)
    return this.#content.open(record, recordOffset, plain, plainOffset, length, aad)
  }

  /** acc ^= term of the record with this nonce and tag: adds a chunk, or takes it out again. */
  toggle(
    acc: Accumulator,
    index: number,
    nonce: Uint8Array,
    nonceOffset: number,
    tag: Uint8Array,
    tagOffset: number,
  ): void {
    setIndex(pairView, index)
    for (let i = 0; i < NONCE_SIZE; i++) pair[8 + i] = nonce[nonceOffset + i] ?? 0
    for (let i = 0; i < TAG_SIZE; i++) pair[8 + NONCE_SIZE + i] = tag[tagOffset + i] ?? 0
    this.#acc.mac(pair, term, 0)
    for (let i = 0; i < 16; i++) acc[i] = (acc[i] ?? 0) ^ (term[i] ?? 0)
  }

  /** `toggle` for a record of plaintext length `length` that lies in memory whole. */
  toggleRecord(
    acc: Accumulator,
    index: number,
    record: Uint8Array,
    recordOffset: number,
    length: number,
  ): void {
    this.toggle(acc, index, record, recordOffset, record, recordOffset + NONCE_SIZE + length)
  }
}

/** True where `bytes[offset … offset + length)` are all zero. */
export function isZero(bytes: Uint8Array, offset: number, length: number): boolean {
  for (let i = offset; i < offset + length; i++) if (bytes[i] !== 0) return false
  return true
}

/** Is the record with this plaintext length absent? 'damaged': zero nonce and tag over other data. */
export function absence(
  record: Uint8Array,
  recordOffset: number,
  length: number,
): 'present' | 'absent' | 'damaged' {
  if (!isZero(record, recordOffset, NONCE_SIZE)) return 'present'
  if (!isZero(record, recordOffset + NONCE_SIZE + length, TAG_SIZE)) return 'present'
  return isZero(record, recordOffset, length + RECORD_OVERHEAD) ? 'absent' : 'damaged'
}
