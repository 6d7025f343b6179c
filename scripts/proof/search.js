// Searches files, at every offset, for blocks and names of plaintext: contents by threads, a piece
// each at a time, and the names of the files themselves.

import { readdirSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, relative } from 'node:path'
import { Worker } from 'node:worker_threads'
import { NAME } from './plaintext.js'

const PIECE = 1 << 26
// The longest name, and more than a block.
const REACH = 256

/** All regular files below a folder. */
export function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

/**
 * @param {ReturnType<import('./plaintext.js').indexPlaintext>} index
 * @param {string[]} paths
 * @param {string} [root] what stands before the names that are searched
 * @returns {Promise<{ path: string, offset: number, block?: string, name?: string }[]>}
 */
export async function search(index, paths, root = '/') {
  // A chance find of an 8-byte name in random bytes is likely only after exabytes.
  const pieces = []
  for (const path of paths) {
    const { size } = statSync(path)
    for (let position = 0; position < size; position += PIECE) {
      pieces.push({ path, position, starts: Math.min(PIECE, size - position) })
    }
  }
  const text = Buffer.from(paths.map((path) => relative(root, path)).join('\n'))
  if (text.length >= NAME) {
    pieces.push({ path: 'the names of the files', position: 0, starts: text.length, text })
  }
  const found = []
  const threads = Math.min(pieces.length, availableParallelism())
  await Promise.all(
    Array.from(
      { length: threads },
      () =>
        new Promise((done, fail) => {
          const worker = new Worker(new URL('./search-worker.js', import.meta.url), {
            workerData: { index, reach: REACH },
          })
          const next = () => {
            const piece = pieces.shift()
            if (piece === undefined) void worker.terminate().then(done)
            else worker.postMessage(piece)
          }
          worker.on('message', (hits) => {
            found.push(...hits)
            next()
          })
          worker.on('error', fail)
          next()
        }),
    ),
  )
  return found
}
