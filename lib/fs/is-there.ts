// Is a directory still where it was reached? A descriptor of one that was moved away, or of one above it,
// goes on leading to it, so every name on the way is looked at.

import { emptyStat } from '../store/backing.js'
import type { Inode } from './inode.js'
import type { Tree } from './tree.js'

const stat = emptyStat()

/** Throws VAULT_GONE. */
export function isThere(tree: Tree, inode: Inode): boolean {
  for (let at = inode; at !== tree.root; at = at.parent)
    if (at.parent === null || !tree.stat(at, stat)) return false
  return true
}
