// A thread of search.js: looks at every offset of the pieces it is sent for blocks and names of the
// plaintext.

import { closeSync, openSync, readSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import {
  BLOCK,
  LEAVING,
  MULTIPLIER,
  NAME,
  NAME_BITS,
  mix,
  nameHash,
  rollingHash,
  secondBit,
  secondHash,
  secondNameHash,
} from './plaintext.js'

const { index, reach } = workerData
const { filter, hashes, numbers, files, nameFilter, secondNameFilter } = index
const NAME_SHIFT = 32 - NAME_BITS

/** @type {Map<string, string[]>} names by their first 8 bytes */
const namesByStart = new Map()
for (const name of index.names) {
  const start = name.slice(0, NAME)
  namesByStart.set(start, [...(namesByStart.get(start) ?? []), name])
}

function plainBlock(number) {
  let low = 0
  let high = files.length - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (files[middle].first <= number) low = middle
    else high = middle - 1
  }
  const { path, first } = files[low]
  const offset = (number - first) * BLOCK
  const block = Buffer.alloc(BLOCK)
  const fd = openSync(path, 'r')
  readSync(fd, block, 0, BLOCK, offset)
  closeSync(fd)
  return { block, where: `${path} at ${offset}` }
}

/** What block of the plaintext lies at `at`, or null. Where two hashes agree, the bytes decide. */
function blockAt(bytes, at, mixed) {
  const second = secondHash(bytes, at)
  const mask = hashes.length - 1
  for (let slot = (mixed ^ second) & mask; hashes[slot] !== 0; slot = (slot + 1) & mask) {
    if (hashes[slot] !== second) continue
    const { block, where } = plainBlock(numbers[slot])
    return block.equals(bytes.subarray(at, at + BLOCK)) ? where : null
  }
  return null
}

function namesAt(bytes, at) {
  const start = bytes.latin1Slice(at, at + NAME)
  const names = namesByStart.get(start) ?? []
  return names.filter((name) => bytes.latin1Slice(at, at + name.length) === name)
}

// The filter is larger than the processor's caches, so offsets wait in queues, one for each part of
// the filter, and a whole queue is looked up at once.
const QUEUES = 64
const QUEUE = 2 ** 18
const hashQueues = new Int32Array(QUEUES * QUEUE)
const offsetQueues = new Uint32Array(QUEUES * QUEUE)
const queued = new Uint32Array(QUEUES)

function emptyQueue(number, bytes, lastBlock, found) {
  const filterMask = filter.length - 1
  const end = number * QUEUE + queued[number]
  for (let i = number * QUEUE; i < end; i++) {
    const hash = hashQueues[i]
    const mixed = mix(hash)
    const word = filter[mixed & filterMask]
    if ((word >>> (mixed >>> 27)) & (word >>> secondBit(hash)) & 1) {
      const at = offsetQueues[i]
      const where = at <= lastBlock ? blockAt(bytes, at, mixed) : null
      if (where !== null) found({ offset: at, block: where })
    }
  }
  queued[number] = 0
}

/**
 * @param {Buffer} bytes followed by `reach` zero bytes of padding, so that windows may run over
 * @param {number} starts how many offsets to look at
 * @param {number} length how many bytes are real
 */
function search(bytes, starts, length, found) {
  const filterMask = filter.length - 1
  const queueShift = Math.log2(filter.length / QUEUES)
  const lastBlock = length - BLOCK
  let hash = rollingHash(bytes, 0)
  let low = bytes.readInt32LE(0)
  let high = bytes.readInt32LE(4)
  for (let at = 0; at < starts; at++) {
    const number = (mix(hash) & filterMask) >>> queueShift
    const place = number * QUEUE + queued[number]++
    hashQueues[place] = hash
    offsetQueues[place] = at
    if (queued[number] === QUEUE) emptyQueue(number, bytes, lastBlock, found)
    const bit = nameHash(low, high) >>> NAME_SHIFT
    if ((nameFilter[bit >>> 5] >>> (bit & 31)) & 1) {
      const other = secondNameHash(low, high) >>> NAME_SHIFT
      if ((secondNameFilter[other >>> 5] >>> (other & 31)) & 1) {
        for (const name of namesAt(bytes, at)) found({ offset: at, name })
      }
    }
    hash = (Math.imul(hash, MULTIPLIER) + bytes[at + BLOCK] - LEAVING[bytes[at]]) | 0
    low = (low >>> 8) | (high << 24)
    high = (high >>> 8) | (bytes[at + NAME] << 24)
  }
  for (let number = 0; number < QUEUES; number++) emptyQueue(number, bytes, lastBlock, found)
}

let buffer = Buffer.alloc(0)
parentPort.on('message', ({ path, position, starts, text }) => {
  const found = []
  let length = 0
  if (text !== undefined) {
    length = text.length
    buffer = Buffer.concat([text, Buffer.alloc(reach)])
  } else {
    if (buffer.length < starts + 2 * reach) buffer = Buffer.alloc(starts + 2 * reach)
    const fd = openSync(path, 'r')
    while (length < starts + reach) {
      const got = readSync(fd, buffer, length, starts + reach - length, position + length)
      if (got === 0) break
      length += got
    }
    closeSync(fd)
    buffer.fill(0, length, length + reach)
  }
  search(buffer, Math.min(starts, length), length, (hit) => {
    found.push({ path, ...hit, offset: position + hit.offset })
  })
  parentPort.postMessage(found)
})
