// A blob that has no name yet, in which an open file goes on: one without a name where the file system
// has such, elsewhere one under a temporary name in the root, which whoever drops the file takes away.
// What a drive that was killed leaves there, the next one sweeps.

import { CofferError } from '../errors.js'
import { emptyStat } from '../store/backing.js'
import type { FileBody } from './file-body.js'
import type { Inode } from './inode.js'
import { temporaryName } from './small-files.js'
import type { Tree } from './tree.js'

const stat = emptyStat()

export interface Nameless {
  readonly fd: number
  /** null: it has no name at all */
  readonly temporary: Temporary | null
}

/** The name that a nameless blob bears in the root's backing directory. */
export interface Temporary {
  readonly name: string
  remove(): void
}

export function openNameless(tree: Tree, parent: Inode, mode: number): Nameless {
  const { backing } = tree.ctx
  const fd = backing.createUnnamed(tree.descriptor(parent), mode)
  if (fd >= 0) return { fd, temporary: null }
  const name = temporaryName(tree)
  const remove = (): void => {
    try {
      backing.unlink(tree.folder.rootFd, name)
    } catch (error) {
      // the vault folder has gone, or somebody was faster
      if (!(error instanceof CofferError)) throw error
    }
  }
  return {
    fd: backing.createNew(tree.folder.rootFd, name, mode),
    temporary: { name, remove },
  }
}

/** Closed, and nothing of it is left. */
export function dropNameless({ ctx }: Tree, { fd, temporary }: Nameless): void {
  ctx.backing.close(fd)
  temporary?.remove()
}

/** Gives the blob of an open file its name. Throws EEXIST where that is taken. */
export function nameBlob(tree: Tree, body: FileBody, dirfd: number, file: string): void {
  const { backing } = tree.ctx
  const { temporary } = body
  if (temporary === null) {
    backing.nameUnnamed(body.fd, dirfd, file)
    return
  }
  if (backing.stat(dirfd, file, stat)) throw new CofferError('EEXIST', 'the name is taken')
  backing.rename(tree.folder.rootFd, temporary.name, dirfd, file)
  body.temporary = null
}
