// What readdir shows: each plain name once, conflict copies under names of their own. FORMAT.md §7.

import type { ObjectExtension } from '../format/name.js'
import { TYPE_OF } from './attributes.js'
import type { Inode } from './inode.js'
import { survey, type Bearer } from './survey.js'
import type { Tree } from './tree.js'

export interface Listed {
  name: string
  /** S_IFMT bits, 0 where only the blob could say */
  type: number
  /** what bears the name; null where only a lookup can say */
  bearer: Bearer | null
}

const typeOf = (extension: ObjectExtension): number =>
  extension === '.cfs' ? 0 : TYPE_OF[extension]

/** Everything in a directory at this moment. Reads no blob, but the sidecars of long names. */
export function list(tree: Tree, inode: Inode): Listed[] {
  const bearers = survey(tree, inode, !tree.ctx.readOnly)
  const { conflicts, pending } = tree.directory(inode)
  const listed: Listed[] = []
  for (const [name, bearer] of bearers)
    if (!pending.has(name)) listed.push({ name, type: typeOf(bearer.extension), bearer })
  for (const shown of [conflicts, pending])
    for (const [name, { extension }] of shown)
      listed.push({ name, type: typeOf(extension), bearer: null })
  return listed
}
