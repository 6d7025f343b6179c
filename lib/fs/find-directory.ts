// Where a directory lies that this machine remembers, by what the seals of its meta and of those above
// it say.

import { CofferError } from '../errors.js'
import { emptyStat } from '../store/backing.js'
import { sameBytes, type Directory } from './directory.js'
import type { Inode } from './inode.js'
import { locate } from './locate.js'
import type { Kept } from './memory.js'
import { placeOf } from './remembered-places.js'
import type { Tree } from './tree.js'

const stat = emptyStat()
/** No path is deeper than that many names. */
const DEPTH_MAX = 2048

/** What lies at the place of a remembered meta, if something does. */
function inodeAt(tree: Tree, kept: Kept, depth: number): Inode | null {
  const place = placeOf(tree.ctx, kept)
  const parent = place === null ? null : directoryOf(tree, place.parentDirId, depth - 1)
  return place === null || parent === null ? null : locate(tree, parent, place.name, stat)
}

/** The directory that has this id, where it can be read; null where none is known. */
export function directoryOf(tree: Tree, dirId: Uint8Array, depth = DEPTH_MAX): Inode | null {
  const { root, ctx } = tree
  const has = (inode: Inode): boolean =>
    tree.directory(inode).ids.some((id) => sameBytes(id.dirId, dirId))
  if (has(root)) return root
  if (depth === 0) return null
  for (const kept of ctx.memory.keptOf(dirId)) {
    try {
      const inode = inodeAt(tree, kept, depth)
      if (inode !== null && has(inode)) return inode
    } catch (error) {
      if (!(error instanceof CofferError)) throw error
    }
  }
  return null
}

/**
 * A directory is found where it was not before. Where it was, it must not come back by an old meta;
 * unless it is still there: two machines have given it two names, or its removal is on its way.
 */
export function forgetElsewhere(tree: Tree, inode: Inode, { metas }: Directory): void {
  const { memory } = tree.ctx
  for (const { objectId, seal } of metas) {
    const place = memory.place(seal.parentDirId, seal.name)
    for (const kept of memory.keptElsewhere(objectId, place)) {
      let there: Inode | null = null
      try {
        there = inodeAt(tree, kept, DEPTH_MAX)
      } catch (error) {
        if (!(error instanceof CofferError)) throw error
      }
      if (there === null || there === inode) memory.left(objectId, kept.place)
    }
  }
}
