// The tree of inodes over the backing tree: the names of each, the directories as they were read, and the
// descriptors of backing directories. It reads and remembers; `locate` finds what is at a name, and the
// files named by system calls change things.

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
import { KIND_OF } from './attributes.js'
import { directoryDescriptors, type Context } from './context.js'
import { MOMENT_MS } from './filesystem.js'
import { rootDirectory, sameIds, type Directory, type DirectoryId } from './directory.js'
import { LateDirectories } from './late-directories.js'
import { loadDirectory } from './load-directory.js'
import {
  backingName,
  isVersion,
  newInode,
  ROOT_NODEID,
  type Copy,
  type Inode,
  type Name,
} from './inode.js'
import { lendObject, type SealedObject } from './sealed-object.js'
import { isUnchanged, stampOf } from './stamp.js'
import { checkPlace } from './tickets.js'

/** A directory that took long to read may stay unseen for so many times as long. */
const RELOAD_SHARE = 20

export const isDirectory = (inode: Inode): boolean => inode.extension === '.cfd'

/** The backing name of an inode under one of its names. */
export const fileOf = ({ extension }: Inode, { base, copy }: Pick<Name, 'base' | 'copy'>): string =>
  copy?.file ?? base + extension

const isSamePlace = (
  inode: Inode,
  a: Pick<Inode, 'parent' | 'base' | 'copy'>,
  b: Pick<Inode, 'parent' | 'base' | 'copy'>,
): boolean => a.parent === b.parent && fileOf(inode, a) === fileOf(inode, b)

export class Tree {
  readonly ctx: Context
  readonly folder: VaultFolder
  readonly late = new LateDirectories(this)
  readonly root: Inode
  readonly #byNodeid = new Map<number, Inode>()
  readonly #byIno = new Map<number, Inode>()
  readonly #descriptors: LRUCache<Inode, number>
  readonly #scratch = emptyStat()
  /** the name that was encoded last, since it is asked for again at once */
  #encoded: { id: DirectoryId; name: string; as: EncodedName } | null = null
  // of the vault folder's watch, where there is one
  /** begins and ends to watch a directory; returns its watch, -1 where there is none */
  watch: (inode: Inode, dirfd: number) => number = () => -1
  unwatch: (inode: Inode) => void = () => undefined
  /** takes in what others have done so far where a directory is watched */
  catchUp: () => void = () => undefined
  /** for how long what is said of the names in a directory may be believed */
  validMs: (directory: Inode) => number = () => MOMENT_MS
  /** told that a blob which nobody has open gets another time here: inotify says that it was written to */
  touched: (inode: Inode) => void = () => undefined
  /** tells adapters that a name leads elsewhere, without their doing */
  outdated: (parent: Inode, name: string) => void = () => undefined
  /** paths of conflict copies that the log knows of */
  readonly seenConflicts = new Set<string>()
  #nextNodeid = ROOT_NODEID + 1

  constructor(ctx: Context, folder: VaultFolder) {
    this.ctx = ctx
    this.folder = folder
    this.#descriptors = directoryDescriptors<Inode>(ctx.backing, ctx.descriptors)
    this.root = newInode(ROOT_NODEID, '.cfd', folder.rootIno)
    this.root.lookups = 1
    this.#byNodeid.set(ROOT_NODEID, this.root)
    this.#byIno.set(folder.rootIno, this.root)
    folder.onReplaced = () => {
      this.#descriptors.clear()
      for (const inode of this.#byNodeid.values()) if (inode.watch >= 0) this.unwatch(inode)
      this.distrust()
    }
  }

  /** Anything may have changed: every directory is read again before it is used. */
  distrust(): void {
    for (const { directory } of this.#byNodeid.values())
      if (directory !== null) directory.stale = true
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

  /** As it is now: read again where others have changed it. Throws ENOTDIR, DIRECTORY_META. */
  directory(inode: Inode): Directory {
    if (!isDirectory(inode)) throw new CofferError('ENOTDIR', 'not a directory')
    this.folder.assertPresent()
    const { directory } = inode
    if (directory !== null && this.#isCurrent(inode, directory)) return directory
    return this.#load(inode)
  }

  #isCurrent(inode: Inode, directory: Directory): boolean {
    if (directory.stale) return false
    if (inode.watch >= 0) return true
    const now = this.ctx.clock()
    if (now < directory.lookAt && now >= directory.loadedAt) return true
    this.ctx.backing.statDirectory(this.descriptor(inode), this.#scratch)
    if (!isUnchanged(directory.loaded, this.#scratch)) return false
    directory.lookAt = now + MOMENT_MS
    return true
  }

  #load(inode: Inode): Directory {
    const { ctx } = this
    const before = inode.directory
    const dirfd = this.descriptor(inode)
    // from here on nothing that others do is missed
    if (inode.watch < 0) inode.watch = this.watch(inode, dirfd)
    const loadedAt = ctx.clock()
    ctx.backing.statDirectory(dirfd, this.#scratch)
    const loaded = stampOf(this.#scratch)
    let directory: Directory
    try {
      directory =
        inode === this.root
          ? rootDirectory(ctx, dirfd)
          : loadDirectory(ctx, dirfd, inode.dirId, inode.name, isVersion(inode))
    } catch (error) {
      if (!isVersion(inode)) this.late.failed(inode, error)
      throw error
    }
    directory.loaded = loaded
    directory.loadedAt = loadedAt
    // a large one is not read again at every turn while files are made in it
    directory.lookAt = loadedAt + Math.max(MOMENT_MS, RELOAD_SHARE * (ctx.clock() - loadedAt))
    inode.directory = directory
    if (before !== null) {
      directory.pending = before.pending
      directory.foreign = before.foreign
      if (sameIds(before.ids, directory.ids)) directory.conflicts = before.conflicts
    }
    if (!isVersion(inode)) this.late.loaded(inode, directory)
    return directory
  }

  /** Who lies in a directory under a backing name, as far as anybody has asked. */
  entry(parent: Inode, file: string): Inode | undefined {
    return parent.entries?.get(file)
  }

  #note(at: Pick<Name, 'parent' | 'base' | 'copy'>, inode: Inode): void {
    at.parent.directory?.objects.add(at.base, inode.extension)
    ;(at.parent.entries ??= new Map()).set(fileOf(inode, at), inode)
  }

  #unnote(inode: Inode, at: Pick<Inode, 'parent' | 'base' | 'copy'>): void {
    const { parent } = at
    const file = fileOf(inode, at)
    if (parent?.entries?.get(file) === inode) parent.entries.delete(file)
  }

  /** The backing name that `name` has in `parent`, under one of its ids. */
  encode(id: DirectoryId, name: string): EncodedName {
    const last = this.#encoded
    if (last?.id === id && last.name === name) return last.as
    const as = encodeName(this.ctx.engine, id.generation.name, id.dirId, name)
    this.#encoded = { id, name, as }
    return as
  }

  /** False where nobody has to look for a ticket beside a base of that directory. */
  mayHaveTicket(parent: Inode, base: string): boolean {
    return !this.knows(parent) || this.directory(parent).tickets.has(base)
  }

  /** Is what is known of the names in a directory true at this moment? */
  knows(parent: Inode): boolean {
    if (parent.watch < 0 || this.ctx.fetches.placeholders.hasStubs) return false
    this.catchUp()
    return parent.watch >= 0 && parent.directory?.stale === false
  }

  /**
   * The inode of a backing file that was found at a place. A known one moves there, or where it has
   * hard links takes it as one more of its names; but never one that the blob has no right to: that
   * is an inode of its own, to be refused when it is opened.
   */
  adopt(
    parent: Inode,
    name: string,
    base: string,
    extension: ObjectExtension,
    dirId: Uint8Array,
    stat: FileStat,
    copy: Copy | null = null,
  ): Inode {
    const found: Name = { parent, name, base, dirId, copy }
    const known = this.#byIno.get(stat.ino)
    if (known === undefined) return this.#newcomer(found, extension, stat.ino, true)
    if (known.extension !== extension) {
      // two kinds in one blob: whoever has it open is right
      return this.#newcomer(found, extension, stat.ino, known.body === null)
    }
    if (this.#reach(known, found)) return known
    if (known.body === null && (stat.nlink === 1 || !this.settle(known))) {
      this.#take(known, found)
      this.#loseOthers(known)
      return known
    }
    const right = this.#rightOf(known, found)
    if (right !== 'both') return this.#newcomer(found, extension, stat.ino, right === 'alone')
    this.join(known, found)
    return known
  }

  /** `found`: further names of the blob will lead to this inode. */
  #newcomer(at: Name, extension: ObjectExtension, ino: number, found: boolean): Inode {
    const inode = newInode(this.#nextNodeid++, extension, ino)
    this.#byNodeid.set(inode.nodeid, inode)
    if (found) this.#byIno.set(ino, inode)
    this.#take(inode, at)
    return inode
  }

  /** Makes `at` the name by which the inode is reached, if it is one of its names. */
  #reach(inode: Inode, at: Name): boolean {
    const file = fileOf(inode, at)
    const same = (name: Pick<Inode, 'base' | 'parent' | 'copy'>): boolean =>
      name.parent?.ino === at.parent.ino && fileOf(inode, name) === file
    if (same(inode)) {
      // the parent may have been forgotten meanwhile, or what bore the name in a copy's place has gone
      if (inode.parent !== at.parent || inode.copy !== at.copy) this.#take(inode, at)
      return true
    }
    const index = inode.others.findIndex(same)
    if (index < 0) return false
    const before = inode.others.splice(index, 1)
    this.join(inode, at)
    for (const { parent } of before) this.#unpin(parent)
    return true
  }

  /** Check 4 of FORMAT.md §5 for a further name, and for those that a closed inode has already. */
  #rightOf(inode: Inode, found: Name): 'both' | 'alone' | 'none' {
    const { ctx } = this
    const bears = (object: SealedObject, at: Name): boolean => {
      try {
        checkPlace(ctx, this.descriptor(at.parent), object, at)
        return true
      } catch {
        return false
      }
    }
    // it has shown its right to its own name when it was opened
    if (inode.body !== null) return bears(inode.body.object, found) ? 'both' : 'none'
    // it is not fetched for a look; until it is there each name is a file of its own
    const dirfd = this.descriptor(found.parent)
    const file = fileOf(inode, found)
    if (ctx.fetches.isMarked(dirfd, file)) return 'none'
    try {
      return lendObject(ctx, dirfd, file, KIND_OF[inode.extension], (object) => {
        if (!bears(object, found)) return 'none'
        return this.names(inode).every((at) => bears(object, at)) ? 'both' : 'alone'
      })
    } catch {
      return 'none'
    }
  }

  /** Every name that is known, that by which it was reached first. */
  names(inode: Inode): Name[] {
    const { parent, name, base, dirId, copy, others } = inode
    return parent === null ? others : [{ parent, name, base, dirId, copy }, ...others]
  }

  /** A further name, by which the inode is reached from now on. */
  join(inode: Inode, at: Name): void {
    if (inode.parent !== null) inode.parent.children++
    inode.others = this.names(inode)
    this.#take(inode, at)
  }

  #take(inode: Inode, { parent, name, base, dirId, copy }: Name): void {
    this.place(inode, parent, name, base, dirId, copy)
  }

  /** Goes over to another name where the last one does not lead to the blob any more. */
  settle(inode: Inode): boolean {
    this.folder.assertPresent()
    for (;;) {
      const { parent, base, copy } = inode
      if (parent !== null && this.#leads(inode, { parent, base, copy })) return true
      const next = inode.others.pop()
      if (next === undefined) return false
      this.#goTo(inode, next)
    }
  }

  /** The names that lead to the blob at this moment. */
  liveNames(inode: Inode): Name[] {
    return this.names(inode).filter((at) => this.#leads(inode, at))
  }

  #leads(inode: Inode, at: Pick<Name, 'parent' | 'base' | 'copy'>): boolean {
    try {
      const dirfd = this.descriptor(at.parent)
      const file = inode.stub ?? fileOf(inode, at)
      const there = this.ctx.backing.stat(dirfd, file, this.#scratch)
      return there && this.#scratch.ino === inode.ino
    } catch (error) {
      if (error instanceof CofferError && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
        return false
      throw error
    }
  }

  /** A new file whose blob has no name, and may never get one. */
  addNameless(extension: ObjectExtension, ino: number): Inode {
    const inode = newInode(this.#nextNodeid++, extension, ino)
    this.#byNodeid.set(inode.nodeid, inode)
    inode.nameless = true
    return inode
  }

  /** A new file whose blob has no name yet. */
  addPending(parent: Inode, name: string, extension: ObjectExtension, ino: number): Inode {
    const inode = this.addNameless(extension, ino)
    this.promiseName(inode, parent, name)
    return inode
  }

  /** The blob will bear that name from its next seal on. */
  promiseName(inode: Inode, parent: Inode, name: string): void {
    this.#byIno.set(inode.ino, inode)
    inode.nameless = false
    const directory = this.directory(parent)
    this.place(inode, parent, name, this.encode(directory.first, name).base, directory.first.dirId)
    inode.pending = true
    directory.pending.set(name, inode)
  }

  /**
   * The blob was written over by somebody else while it was open. Who has it open keeps this inode,
   * which is good for nothing any more; the name leads to a new one.
   */
  supersede(inode: Inode): void {
    if (inode.body !== null) inode.body.superseded = true
    if (this.#byIno.get(inode.ino) === inode) this.#byIno.delete(inode.ino)
    for (const name of this.names(inode)) this.#unnote(inode, name)
  }

  /** The inode's content lies in another blob from now on. */
  moveToBlob(inode: Inode, ino: number): void {
    if (this.#byIno.get(inode.ino) === inode) this.#byIno.delete(inode.ino)
    inode.ino = ino
    this.#byIno.set(ino, inode)
  }

  place(
    inode: Inode,
    parent: Inode,
    name: string,
    base: string,
    dirId: Uint8Array,
    copy: Copy | null = null,
  ): void {
    if (inode === this.root) throw new BugError('the root has no place')
    if (parent === this.root) this.ctx.memory.noteContent(true)
    if (!inode.others.some((other) => isSamePlace(inode, other, inode))) this.#unnote(inode, inode)
    if (inode.parent !== parent) {
      parent.children++
      this.#leaveParent(inode)
      inode.parent = parent
    }
    inode.name = name
    inode.base = base
    inode.dirId = dirId
    inode.copy = copy
    inode.left = ''
    this.#note({ parent, base, copy }, inode)
    // its metas must be seen to belong to the new place
    if (inode.directory !== null && inode.directory.pending.size === 0) inode.directory = null
  }

  /**
   * The blob has lost the name by which it was reached; open handles go on. `left` is the number of
   * those that remain in the vault folder, whether we have seen them or not.
   */
  unlinked(inode: Inode, left = 0): void {
    inode.parent?.directory?.pending.delete(inode.name)
    this.#leaveParent(inode)
    inode.pending = false
    inode.directory = null
    this.late.forget(inode)
    this.#descriptors.delete(inode)
    if (left > 0) {
      const next = inode.others.pop()
      if (next !== undefined) this.#goTo(inode, next)
    } else {
      this.#loseOthers(inode)
      if (this.#byIno.get(inode.ino) === inode) this.#byIno.delete(inode.ino)
      this.ctx.journal?.forget(inode.ino)
      inode.body?.content.unprotect()
    }
    this.#drop(inode)
  }

  forget(inode: Inode, lookups: number): void {
    inode.lookups -= lookups
    this.#drop(inode)
  }

  /** Forgets an inode that neither the kernel nor a handle knows. */
  #drop(inode: Inode): void {
    if (inode.lookups > 0 || inode.opens > 0 || inode.pending || inode === this.root) return
    if (inode.children > 0 || this.late.has(inode)) return
    this.#byNodeid.delete(inode.nodeid)
    this.late.forget(inode)
    if (this.#byIno.get(inode.ino) === inode) this.#byIno.delete(inode.ino)
    this.#descriptors.delete(inode)
    if (inode.watch >= 0) this.unwatch(inode)
    this.#leaveParent(inode)
    this.#loseOthers(inode)
  }

  /** To a name that was one of the others until now. */
  #goTo(inode: Inode, next: Name): void {
    this.#take(inode, next)
    this.#unpin(next.parent)
  }

  #loseOthers(inode: Inode): void {
    const { others } = inode
    inode.others = []
    for (const other of others) {
      if (!isSamePlace(inode, other, inode)) this.#unnote(inode, other)
      this.#unpin(other.parent)
    }
  }

  #leaveParent(inode: Inode): void {
    const { parent } = inode
    if (parent === null) return
    if (!inode.others.some((other) => isSamePlace(inode, other, inode))) this.#unnote(inode, inode)
    inode.parent = null
    this.#unpin(parent)
  }

  /** One name less that lies in that directory. */
  #unpin(parent: Inode): void {
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
    if (inode.others.length > 0) this.settle(inode)
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
