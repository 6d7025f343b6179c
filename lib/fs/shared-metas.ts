// A conflict copy of a directory may have the very metas of the first, and with them its ids. For whoever
// remembers a meta, two directories with it are one, and a newer seal of it makes the other an old one.
// So does what is left at the old name of a directory that was renamed on another machine.

import { Buffer } from 'node:buffer'
import { CofferError, type ErrorCode } from '../errors.js'
import { emptyStat } from '../store/backing.js'
import type { Id } from '../format/memory.js'
import type { Meta } from './directory.js'
import type { Inode } from './inode.js'
import { locate } from './locate.js'
import type { Memory } from './memory.js'
import { isDirectory, type Tree } from './tree.js'

const stat = emptyStat()

/** Is it only remembered here, and its directory known to have another name since? */
export const isElsewhere = (memory: Memory, place: Id, { objectId, seal, kept }: Meta): boolean =>
  kept !== null &&
  memory.keptElsewhere(objectId, place).some(({ sealSeq }) => sealSeq > seal.sealSeq)

/**
 * Throws `code` where metas must not be sealed anew, since they are another directory's, too. EXDEV lets
 * `mv` copy what is in it.
 */
export function assertOwnMetas(tree: Tree, inode: Inode, code: ErrorCode): void {
  const { memory } = tree.ctx
  const { metas } = tree.directory(inode)
  const place = memory.place(inode.dirId, inode.name)
  if (inode.copy === null && metas.some((meta) => isElsewhere(memory, place, meta)))
    throw new CofferError(
      code,
      'the folder has another name by now, and what is left here goes there',
    )
  if (isShared(tree, inode, metas, place))
    throw new CofferError(
      code,
      'the folder is a copy that has its meta files in common with another',
    )
}

function isShared(tree: Tree, inode: Inode, metas: readonly Meta[], place: Id): boolean {
  const { copy, parent } = inode
  if (copy === null || parent === null) return false
  const beside = [copy.name]
  for (const other of tree.directory(parent).conflicts.values())
    if (other.name === copy.name && other.file !== copy.file) beside.push(other.shown)
  return (
    metas.some(({ objectId }) => tree.ctx.memory.keptElsewhere(objectId, place).length > 0) ||
    beside.some((name) => {
      const other = locate(tree, parent, name, stat)
      return other !== null && other !== inode && has(tree, other, metas)
    })
  )
}

/** What cannot be read may have them. */
function has(tree: Tree, inode: Inode, metas: readonly { objectId: Uint8Array }[]): boolean {
  if (!isDirectory(inode)) return false
  try {
    return tree
      .directory(inode)
      .metas.some((one) => metas.some((of) => Buffer.compare(one.objectId, of.objectId) === 0))
  } catch (error) {
    if (error instanceof CofferError) return true
    throw error
  }
}
