// What was made through this drive and stays on this machine: sync clients carry content, and with it all
// that lies in the seal of a file, but no owners, no modes of folders, no extended attributes, and no second
// name of one file.

import { emptyStat } from '../store/backing.js'
import type { Tree } from './tree.js'

export type NotCarriedKind = 'owners' | 'folder modes' | 'extended attributes' | 'hard links'

/** as the system says "leave it" */
export const KEEP_ID = 0xffffffff
/** Beyond this it is not looked at whether they are unlinked again. */
const LINKED_MAX = 4096
const stat = emptyStat()

export class NotCarried {
  #owners = false
  #folderModes = false
  #attributes = false
  #manyLinks = false
  /** backing inodes; git and others link for a moment only */
  readonly #linked = new Set<number>()

  get kinds(): NotCarriedKind[] {
    const kinds: NotCarriedKind[] = []
    if (this.#owners) kinds.push('owners')
    if (this.#folderModes) kinds.push('folder modes')
    if (this.#attributes) kinds.push('extended attributes')
    if (this.#manyLinks || this.#linked.size > 0) kinds.push('hard links')
    return kinds
  }

  /** Elsewhere a file belongs to whoever runs the client there, as the vault folder does. */
  owner(tree: Tree, uid: number, gid: number): void {
    if (this.#owners) return
    tree.ctx.backing.statDirectory(tree.folder.rootFd, stat)
    const same = (id: number, own: number): boolean => id === KEEP_ID || id === own
    this.#owners = !same(uid, stat.uid) || !same(gid, stat.gid)
  }

  /** It was changed after the folder was made; its meta is not sealed anew for that. */
  folderMode(): void {
    this.#folderModes = true
  }

  attribute(): void {
    this.#attributes = true
  }

  linked(ino: number): void {
    if (this.#linked.size === LINKED_MAX) this.#manyLinks = true
    else this.#linked.add(ino)
  }

  /** It has one name at most. */
  unlinked(ino: number): void {
    this.#linked.delete(ino)
  }
}
