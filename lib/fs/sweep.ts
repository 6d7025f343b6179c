// What a drive that did not come to its end has left under temporary names: small files, directories
// that were being made or removed. Nothing leads to them. FORMAT.md §1.

import { constants } from 'node:fs'
import { CofferError } from '../errors.js'
import { parseBackingName } from '../format/name.js'
import { emptyStat } from '../store/backing.js'
import type { Tree } from './tree.js'
import { within } from './within.js'

const { S_IFDIR, S_IFMT, S_IFREG } = constants
const stat = emptyStat()

/** Removes them everywhere in the vault folder. What cannot be removed stays. */
export function sweep(tree: Tree): void {
  sweepDirectory(tree, tree.folder.rootFd)
}

function sweepDirectory(tree: Tree, dirfd: number): void {
  const { backing } = tree.ctx
  for (const name of backing.list(dirfd)) {
    const isTemporary = parseBackingName(name).what === 'temporary'
    if (!isTemporary && !name.includes('.cfd')) continue
    try {
      if (isTemporary) remove(tree, dirfd, name)
      else
        within(backing, dirfd, name, (fd) => {
          sweepDirectory(tree, fd)
        })
    } catch (error) {
      if (!(error instanceof CofferError)) throw error
    }
  }
}

function remove(tree: Tree, dirfd: number, name: string): void {
  const { backing } = tree.ctx
  if (!backing.stat(dirfd, name, stat)) return
  const type = stat.mode & S_IFMT
  if (type === S_IFREG) backing.unlink(dirfd, name)
  if (type !== S_IFDIR) return
  within(backing, dirfd, name, (fd) => {
    const names = backing.list(fd)
    // where an object has arrived in it meanwhile, it is not ours to remove
    const isOurs = (file: string): boolean =>
      !['object', 'copy', 'foreign'].includes(parseBackingName(file).what)
    if (!names.every(isOurs)) return
    for (const file of names) backing.unlink(fd, file)
    backing.rmdir(dirfd, name)
  })
}
