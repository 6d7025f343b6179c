// What a file holds, known without reading it: bytes from a seed, cut to a length, with pieces from
// other seeds laid over them. Everybody who has the description can make the bytes and their hash.

import { Buffer } from 'node:buffer'
import { createCipheriv, createHash } from 'node:crypto'

/** offset, seed, length */
export type Patch = readonly [offset: number, seed: number, length: number]

export interface Content {
  readonly seed: number
  readonly length: number
  readonly patches: readonly Patch[]
}

const BLOCK = 1024 * 1024
const AES_BLOCK = 16

export const whole = (seed: number, length: number): Content => ({ seed, length, patches: [] })

export function patched(content: Content, ...patches: Patch[]): Content {
  const ends = patches.map(([offset, , length]) => offset + length)
  const length = Math.max(content.length, ...ends)
  return { seed: content.seed, length, patches: [...content.patches, ...patches] }
}

/** Cut down; what was laid over it beyond goes, too. */
export function cut({ seed, patches }: Content, length: number): Content {
  const left = patches
    .filter(([offset]) => offset < length)
    .map(([offset, seed, size]): Patch => [offset, seed, Math.min(size, length - offset)])
  return { seed, length, patches: left }
}

/** `length` bytes of a seed from `offset`, a multiple of 16. */
export function stream(seed: number, offset: number, length: number): Buffer {
  const key = createHash('sha256').update(`content ${seed}`).digest().subarray(0, 16)
  const iv = Buffer.alloc(AES_BLOCK)
  iv.writeBigUInt64BE(BigInt(offset / AES_BLOCK), 8)
  return createCipheriv('aes-128-ctr', key, iv).update(Buffer.alloc(length))
}

/** The bytes, a MiB at a time. Only appended patches may reach beyond what the seed gives. */
export function* blocks({ seed, length, patches }: Content): Generator<Buffer> {
  for (let at = 0; at < length; at += BLOCK) {
    const size = Math.min(BLOCK, length - at)
    const block = stream(seed, at, size)
    for (const [offset, from, bytes] of patches) {
      const start = Math.max(offset, at)
      const end = Math.min(offset + bytes, at + size)
      if (start >= end) continue
      stream(from, 0, bytes).copy(block, start - at, start - offset, end - offset)
    }
    yield block
  }
}

export function hashOf(content: Content): string {
  const hash = createHash('sha256')
  for (const block of blocks(content)) hash.update(block)
  return hash.digest('hex')
}
