// Real files of the machine, chosen the same way each time: in the order of their names.

import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Walks `root` on its own file system, folders first, in byte order of names.
 * @param {string} root
 * @returns {Generator<{ path: string, stats: import('node:fs').Stats }>}
 */
export function* walk(root) {
  const { dev } = lstatSync(root)
  const stack = [root]
  while (stack.length > 0) {
    const path = stack.pop()
    const stats = lstatSync(path, { throwIfNoEntry: false })
    if (stats === undefined || stats.dev !== dev) continue
    yield { path, stats }
    if (!stats.isDirectory()) continue
    const names = readdirSync(path).sort().reverse()
    for (const name of names) stack.push(join(path, name))
  }
}
