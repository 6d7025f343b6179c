// A directory without a meta, in which nothing lies, is about to get an entry, or another name. It is as if
// it had been made here as well: two metas are as good as one. FORMAT.md §7.

import { constants } from 'node:fs'
import { emptyStat } from '../store/backing.js'
import { permissions } from './attributes.js'
import { newMeta, rememberMeta, type Directory } from './directory.js'
import type { Inode } from './inode.js'
import { replaceSmall } from './small-files.js'
import type { Tree } from './tree.js'

const { S_IFDIR } = constants
const stat = emptyStat()

/** The directory, which has a meta now. */
export function withOwnMeta(tree: Tree, inode: Inode): Directory {
  const directory = tree.directory(inode)
  if (!directory.isHusk || tree.ctx.readOnly) return directory
  const { ctx } = tree
  const fd = tree.descriptor(inode)
  ctx.backing.statDirectory(fd, stat)
  const place = { parentDirId: inode.dirId, name: inode.name }
  const { object, file } = newMeta(ctx, place, S_IFDIR | permissions(tree, inode, stat))
  try {
    replaceSmall(tree, fd, file, object.header, true)
    rememberMeta(ctx, object)
  } finally {
    object.wipe()
  }
  return tree.directory(inode)
}
