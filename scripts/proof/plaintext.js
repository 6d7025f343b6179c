// An index of plaintext that a vault must not show: every 64-byte block at a multiple of 64 of the
// given files, except blocks of one repeated byte, and every name of 8 bytes or more. It lies in
// shared memory, so that several threads can search with one copy of it.
//
// A block goes through three sieves: a filter of two bits in one 32-bit word by a hash that rolls, a
// table by a second hash, and the bytes themselves.

import { closeSync, openSync, readSync, statSync } from 'node:fs'

export const BLOCK = 64
export const NAME = 8
const READ = 1 << 22

export const MULTIPLIER = 0x2c1b3c6d | 0
/** What the byte that leaves the window still weighs: byte · MULTIPLIER^64. */
export const LEAVING = (() => {
  let power = 1
  for (let i = 0; i < BLOCK; i++) power = Math.imul(power, MULTIPLIER)
  return Int32Array.from({ length: 256 }, (_, byte) => Math.imul(byte, power))
})()

/** The hash that rolls, of the block at `at`. */
export function rollingHash(bytes, at) {
  let hash = 0
  for (let i = at; i < at + BLOCK; i++) hash = (Math.imul(hash, MULTIPLIER) + bytes[i]) | 0
  return hash
}

export const mix = (hash) => Math.imul(hash ^ (hash >>> 15), 0x297a2d39)
export const secondBit = (hash) => Math.imul(hash, 0x1b873593) >>> 27

/** Another hash of the block at `at`; never 0, which marks an empty place. */
export function secondHash(bytes, at) {
  let hash = 0x811c9dc5 | 0
  for (let i = at; i < at + BLOCK; i += 4) {
    const word = bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24)
    hash = Math.imul(hash ^ word, 0x5bd1e995)
    hash ^= hash >>> 15
  }
  return hash === 0 ? 1 : hash
}

/** Hash of 8 bytes given as two words. */
export const nameHash = (low, high) => {
  const hash = Math.imul(low, 0x2c1b3c6d) + Math.imul(high, 0x297a2d39)
  return hash ^ (hash >>> 15)
}
export const secondNameHash = (low, high) => Math.imul(low ^ 0x3f84d5b5, high | 1)
export const NAME_BITS = 22

const shared = (Type, length) => new Type(new SharedArrayBuffer(length * Type.BYTES_PER_ELEMENT))
const powerOfTwo = (least) => 2 ** Math.ceil(Math.log2(Math.max(least, 1024)))

function repeatsOneByte(bytes, at) {
  for (let i = at + 1; i < at + BLOCK; i++) if (bytes[i] !== bytes[at]) return false
  return true
}

/**
 * @param {string[]} paths files of plaintext
 * @param {Iterable<Buffer>} names plain names; shorter ones are left out
 */
export function indexPlaintext(paths, names) {
  const files = []
  let blocks = 0
  for (const path of paths) {
    files.push({ path, first: blocks })
    blocks += Math.floor(statSync(path).size / BLOCK)
  }
  if (blocks >= 2 ** 32) throw new Error('too much plaintext for one index')
  const slots = powerOfTwo(blocks * 2)
  const index = {
    files,
    blocks,
    leftOut: 0,
    distinct: 0,
    filter: shared(Int32Array, powerOfTwo(blocks / 2)),
    hashes: shared(Int32Array, slots),
    numbers: shared(Uint32Array, slots),
    ...indexNames(names),
  }
  const buffer = Buffer.allocUnsafe(READ)
  for (const { path, first } of files) {
    const fd = openSync(path, 'r')
    let number = first
    for (let position = 0; ;) {
      const got = readFully(fd, buffer, position)
      for (let at = 0; at + BLOCK <= got; at += BLOCK) addBlock(index, buffer, at, number++)
      if (got < READ) break
      position += got
    }
    closeSync(fd)
  }
  return index
}

function readFully(fd, buffer, position) {
  let got = 0
  while (got < buffer.length) {
    const n = readSync(fd, buffer, got, buffer.length - got, position + got)
    if (n === 0) break
    got += n
  }
  return got
}

function addBlock(index, bytes, at, number) {
  if (repeatsOneByte(bytes, at)) {
    index.leftOut++
    return
  }
  const { filter, hashes, numbers } = index
  const hash = rollingHash(bytes, at)
  const mixed = mix(hash)
  filter[mixed & (filter.length - 1)] |= (1 << (mixed >>> 27)) | (1 << secondBit(hash))
  const second = secondHash(bytes, at)
  const mask = hashes.length - 1
  let slot = (mixed ^ second) & mask
  while (hashes[slot] !== 0) {
    if (hashes[slot] === second) return // seen before
    slot = (slot + 1) & mask
  }
  hashes[slot] = second
  numbers[slot] = number
  index.distinct++
}

function indexNames(names) {
  const list = []
  const seen = new Set()
  const filter = shared(Int32Array, 2 ** (NAME_BITS - 5))
  const secondFilter = shared(Int32Array, 2 ** (NAME_BITS - 5))
  for (const name of names) {
    const key = name.toString('latin1')
    if (name.length < NAME || seen.has(key)) continue
    seen.add(key)
    list.push(key)
    const low = name.readInt32LE(0)
    const high = name.readInt32LE(4)
    const bit = nameHash(low, high) >>> (32 - NAME_BITS)
    const secondBitOfName = secondNameHash(low, high) >>> (32 - NAME_BITS)
    filter[bit >>> 5] |= 1 << (bit & 31)
    secondFilter[secondBitOfName >>> 5] |= 1 << (secondBitOfName & 31)
  }
  return { names: list, nameFilter: filter, secondNameFilter: secondFilter }
}
