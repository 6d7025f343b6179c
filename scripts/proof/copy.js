// Copies known content into a file, or reads a file and says its hash: "half" half-way, and at the end
// "done", the hash, or "failed" with the error's code. copy.js in|out FILE BYTES

import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs'
import { blocks, whole } from '../../dist/test/two-machines/content.js'

const [, , direction, path, bytes] = process.argv
const size = Number(bytes)
const BLOCK = 1024 * 1024
let at = 0
const step = (count) => {
  if (at < size / 2 && at + count >= size / 2) writeSync(1, 'half\n')
  at += count
}

try {
  const fd = openSync(path, direction === 'in' ? 'w' : 'r')
  if (direction === 'in') {
    for (const block of blocks(whole(size, size))) step(writeSync(fd, block, 0, block.length, at))
    fsyncSync(fd)
    closeSync(fd)
    writeSync(1, 'done\n')
  } else {
    const hash = createHash('sha256')
    const buffer = Buffer.alloc(BLOCK)
    for (let got; (got = readSync(fd, buffer, 0, BLOCK, null)) > 0; step(got))
      hash.update(buffer.subarray(0, got))
    closeSync(fd)
    writeSync(1, `${hash.digest('hex')}\n`)
  }
} catch (error) {
  if (at < size / 2) writeSync(1, 'half\n')
  writeSync(1, `failed with ${error.code ?? error}\n`)
}
