// Where a rename leads: the new name, and the right of an object to bear it. FORMAT.md §7.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import { encodeName, type EncodedName } from '../format/name.js'
import type { DirectoryId } from './directory.js'
import { isPrecious } from './durability.js'
import type { Inode, Name } from './inode.js'
import { Later } from './later.js'
import { withOwnMeta } from './own-meta.js'
import { withObject } from './reseal.js'
import { writeSidecar } from './small-files.js'
import { writeTicket } from './ticket-files.js'
import { isDirectory, type Tree } from './tree.js'

/**
 * Above the seal by so much, a ticket counts also where the machine stops and the next mount has to cut
 * the file back: it seals it once more, under the name of the last seal.
 */
const BEYOND_CUT_BACK = 2

export interface Target {
  parent: Inode
  name: string
  id: DirectoryId
  encoded: EncodedName
  /** highest sealSeq that bore this name, which the newcomer must exceed */
  floor: number
}

/** The new name keeps the backing name of what it replaces, so that the cloud sees one file's history. */
export function targetOf(tree: Tree, parent: Inode, name: string, replaced: Inode | null): Target {
  const { ids, first } = withOwnMeta(tree, parent)
  const id =
    ids.find(({ dirId }) => replaced !== null && Buffer.compare(dirId, replaced.dirId) === 0) ??
    first
  const encoded = encodeName(tree.ctx.engine, id.generation.name, id.dirId, name)
  return {
    parent,
    name,
    id,
    encoded,
    floor: replaced === null || replaced.pending ? 0 : sealSeqOf(tree, replaced),
  }
}

export const nameAt = ({ parent, name, id, encoded }: Target): Name => ({
  parent,
  name,
  base: encoded.base,
  dirId: id.dirId,
  copy: null,
})

/** Highest sealSeq of an object, its tickets included; 0 where it cannot say (it is damaged, or a directory). */
export function sealSeqOf(tree: Tree, inode: Inode): number {
  try {
    if (isDirectory(inode)) return tree.directory(inode).metas[0]?.seal.sealSeq ?? 0
    let highest = 0
    withObject(tree, inode, (_object, above) => (highest = above))
    return highest
  } catch (error) {
    if (error instanceof Later) throw error
    return 0
  }
}

/** A ticket under the new name, so that no provider uploads the file for a rename; its file. */
export function grantTicket(
  tree: Tree,
  inode: Inode,
  target: Target,
  kind: 'rename' | 'link',
): string {
  let file = ''
  const durable = isPrecious(tree, inode)
  withObject(tree, inode, (object, above) => {
    const sealSeq = Math.max(above, target.floor) + BEYOND_CUT_BACK
    writeSidecar(tree, tree.descriptor(target.parent), target.encoded)
    file = writeTicket(tree, nameAt(target), object, sealSeq, kind, durable)
    return sealSeq
  })
  return file
}

/** A damaged blob can still be moved; it stays as unreadable as it was, and keeps its tickets. */
export function isDamage(error: unknown): boolean {
  return error instanceof CofferError && /^(OBJECT|CHUNK)_/.test(error.code)
}
