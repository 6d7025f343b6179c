// The tree of inodes over the backing tree: which inode is at (parent, name), and the descriptors of
// backing directories. It reads and remembers; the files named by system calls change things.

import { constants } from 'node:fs'
import type { LRUCache } from 'lru-cache'
import { BugError, CofferError } from '../errors.js'
import {
  encodeName,
  OBJECT_EXTENSIONS,
  type EncodedName,
  type ObjectExtension,
} from '../format/name.js'
import { emptyStat, type FileStat } from '../store/backing.js'
import type { VaultFolder } from '../store/vault-folder.js'
import { directoryDescriptors, type Context } from './context.js'
import { loadDirectory, rootDirectory, type Directory, type DirectoryId } from './directory.js'
import { backingName, newInode, ROOT_NODEID, type Inode } from './inode.js'

const { S_IFDIR, S_IFMT, S_IFREG } = constants

export const isDirectory = (inode: Inode): boolean => inode.extension === '.cfd'

export class Tree {
  readonly ctx: Context
  readonly folder: VaultFolder
  readonly root: Inode
  readonly #byNodeid = new Map<number, Inode>()
  readonly #byIno = new Map<number, Inode>()
  readonly #descriptors: LRUCache<Inode, number>
  readonly #scratch = emptyStat()
  #nextNodeid = ROOT_NODEID + 1

  constructor(ctx: Context, folder: VaultFolder) {
    this.ctx = ctx
    this.folder = folder
    this.#descriptors = directoryDescriptors<Inode>(ctx.backing, ctx.descriptors)
    this.root = newInode(ROOT_NODEID, '.cfd', folder.rootIno)
    this.root.lookups = 1
    this.root.directory = rootDirectory(ctx)
    this.root.directory.noteTickets(ctx.backing.list(folder.rootFd))
    this.#byNodeid.set(ROOT_NODEID, this.root)
    this.#byIno.set(folder.rootIno, this.root)
    folder.onReplaced = () => {
      this.#descriptors.clear()
    }
  }

  inode(nodeid: number): Inode {
    const inode = this.#byNodeid.get(nodeid)
    if (inode === undefined) throw new CofferError('ESTALE', 'the inode is not known any more')
    return inode
  }

  inodes(): IterableIterator<Inode> {
    return this.#byNodeid.values()
  }

  /** A descriptor of the backing directory; good until the next call that may open another. */
  descriptor(inode: Inode): number {
    if (inode === this.root) return this.folder.rootFd
    const known = this.#descriptors.get(inode)
    if (known !== undefined) return known
    if (inode.parent === null) throw new CofferError('ENOENT', 'the directory was removed')
    const fd = this.ctx.backing.openDirectory(this.descriptor(inode.parent), backingName(inode))
    this.#descriptors.set(inode, fd)
    return fd
  }

  /** Throws ENOTDIR, DIRECTORY_META. */
  directory(inode: Inode): Directory {
    if (!isDirectory(inode)) throw new CofferError('ENOTDIR', 'not a directory')
    this.folder.assertPresent()
    return (inode.directory ??= loadDirectory(
      this.ctx,
      this.descriptor(inode),
      inode.dirId,
      inode.name,
    ))
  }

  /** The backing name that `name` has in `parent`, under one of its ids. */
  encode(id: DirectoryId, name: string): EncodedName {
    return encodeName(this.ctx.engine, id.generation.name, id.dirId, name)
  }

  /** The inode at that name, with `stat` filled from its backing file, or null. */
  locate(parent: Inode, name: string, stat: FileStat): Inode | null {
    const directory = this.directory(parent)
    const pending = directory.pending.get(name)
    if (pending !== undefined && pending.body !== null) {
      this.ctx.backing.statFd(pending.body.fd, stat)
      return pending
    }
    const dirfd = this.descriptor(parent)
    for (const id of directory.ids) {
      const { base } = this.encode(id, name)
      for (const extension of OBJECT_EXTENSIONS) {
        if (this.ctx.backing.stat(dirfd, base + extension, stat) && this.#isOurs(extension, stat)) {
          return this.adopt(parent, name, base, extension, id.dirId, stat)
        }
      }
    }
    return null
  }

  /** An object is a file or a directory, as its extension says, on the vault's own file system. */
  #isOurs(extension: ObjectExtension, stat: FileStat): boolean {
    return (
      (stat.mode & S_IFMT) === (extension === '.cfd' ? S_IFDIR : S_IFREG) &&
      stat.dev === this.folder.rootDev
    )
  }

  /**
   * The inode of a backing file that was found at a place; a known one moves there. One that is open
   * does not: what the cloud laid under another name has to show its own right to it when opened.
   */
  adopt(
    parent: Inode,
    name: string,
    base: string,
    extension: ObjectExtension,
    dirId: Uint8Array,
    stat: FileStat,
  ): Inode {
    let inode = this.#byIno.get(stat.ino)
    const stays = inode?.base === base && inode.parent?.ino === parent.ino
    if (inode?.extension !== extension || (inode.body !== null && !stays)) {
      inode = newInode(this.#nextNodeid++, extension, stat.ino)
      this.#byNodeid.set(inode.nodeid, inode)
      this.#byIno.set(stat.ino, inode)
    }
    if (inode.parent !== parent || inode.base !== base) this.place(inode, parent, name, base, dirId)
    return inode
  }

  /** A new file whose blob has no name yet. */
  addPending(parent: Inode, name: string, extension: ObjectExtension, ino: number): Inode {
    const inode = newInode(this.#nextNodeid++, extension, ino)
    this.#byNodeid.set(inode.nodeid, inode)
    this.#byIno.set(ino, inode)
    const directory = this.directory(parent)
    this.place(inode, parent, name, this.encode(directory.first, name).base, directory.first.dirId)
    inode.pending = true
    directory.pending.set(name, inode)
    return inode
  }

  /** The inode's content lies in another blob from now on. */
  moveToBlob(inode: Inode, ino: number): void {
    if (this.#byIno.get(inode.ino) === inode) this.#byIno.delete(inode.ino)
    inode.ino = ino
    this.#byIno.set(ino, inode)
  }

  place(inode: Inode, parent: Inode, name: string, base: string, dirId: Uint8Array): void {
    if (inode === this.root) throw new BugError('the root has no place')
    if (inode.parent !== parent) {
      parent.children++
      this.#leaveParent(inode)
      inode.parent = parent
    }
    inode.name = name
    inode.base = base
    inode.dirId = dirId
    // its metas must be seen to belong to the new place
    if (inode.directory !== null && inode.directory.pending.size === 0) inode.directory = null
  }

  /** The blob has lost its name; open handles go on. */
  unlinked(inode: Inode): void {
    inode.parent?.directory?.pending.delete(inode.name)
    this.#leaveParent(inode)
    inode.pending = false
    inode.directory = null
    this.#descriptors.delete(inode)
    if (this.#byIno.get(inode.ino) === inode) this.#byIno.delete(inode.ino)
    this.#drop(inode)
  }

  forget(inode: Inode, lookups: number): void {
    inode.lookups -= lookups
    this.#drop(inode)
  }

  /** Forgets an inode that neither the kernel nor a handle knows. */
  #drop(inode: Inode): void {
    if (inode.lookups > 0 || inode.opens > 0 || inode.pending || inode === this.root) return
    if (inode.children > 0) return
    this.#byNodeid.delete(inode.nodeid)
    if (this.#byIno.get(inode.ino) === inode) this.#byIno.delete(inode.ino)
    this.#descriptors.delete(inode)
    this.#leaveParent(inode)
  }

  #leaveParent(inode: Inode): void {
    const { parent } = inode
    if (parent === null) return
    inode.parent = null
    parent.children--
    this.#drop(parent)
  }

  closed(inode: Inode): void {
    this.#drop(inode)
  }

  /** Fills `stat` from the blob; false where the name does not lead to it any more. */
  stat(inode: Inode, stat: FileStat): boolean {
    if (inode.body !== null) {
      this.ctx.backing.statFd(inode.body.fd, stat)
      return true
    }
    if (inode === this.root) {
      this.folder.assertPresent()
      this.ctx.backing.statDirectory(this.folder.rootFd, stat)
      return true
    }
    if (inode.parent === null) return false
    this.folder.assertPresent()
    return (
      this.ctx.backing.stat(this.descriptor(inode.parent), backingName(inode), stat) &&
      stat.ino === inode.ino
    )
  }

  /** True where another object has the same base in that directory, so that a sidecar must stay. */
  baseInUse(dirfd: number, base: string): boolean {
    return OBJECT_EXTENSIONS.some((extension) =>
      this.ctx.backing.stat(dirfd, base + extension, this.#scratch),
    )
  }

  close(): void {
    this.#descriptors.clear()
    this.folder.close()
  }
}
