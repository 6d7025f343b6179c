// Is what bears the name of an object one? It is a file or a directory, as its extension says, on the
// vault's own file system. Everything else is foreign, whatever it is called.

import { constants } from 'node:fs'
import type { ObjectExtension } from '../format/name.js'
import { emptyStat, type FileStat, type Types } from '../store/backing.js'
import type { Tree } from './tree.js'

const { S_IFDIR, S_IFMT, S_IFREG } = constants
const scratch = emptyStat()

export function isOurs(tree: Tree, extension: ObjectExtension, stat: FileStat): boolean {
  return (
    (stat.mode & S_IFMT) === (extension === '.cfd' ? S_IFDIR : S_IFREG) &&
    stat.dev === tree.folder.rootDev
  )
}

/** Only what a listing says to be of another type is looked at, since some file systems are not exact in that. */
export function isMisfit(
  tree: Tree,
  dirfd: number,
  file: string,
  extension: ObjectExtension,
  types: Types,
): boolean {
  const type = types.get(file) ?? 'file'
  if (type === 'not said' || type === (extension === '.cfd' ? 'directory' : 'file')) return false
  return !tree.ctx.backing.stat(dirfd, file, scratch) || !isOurs(tree, extension, scratch)
}
