// What others do in the vault folder while the drive is open: which caches of ours and of the kernel
// are not true any more. Every event is only a reason to look; what is there decides, so our own doing
// goes by without a word.

import { CofferError } from '../errors.js'
import { OBJECT_EXTENSIONS, parseBackingName, type ObjectExtension } from '../format/name.js'
import { emptyStat, type FileStat } from '../store/backing.js'
import { FolderWatch, watchProblem, type FolderEvent } from '../store/folder-watch.js'
import { Arrivals } from './arrivals.js'
import { sameBytes, sameIds, type Directory, type DirectoryId } from './directory.js'
import { decodeFile } from './entry-names.js'
import { MOMENT_MS } from './filesystem.js'
import { backingName, isRecent, shownName, type Inode } from './inode.js'
import { Later } from './later.js'
import { isUnchanged } from './stamp.js'
import { fileOf, isDirectory, type Tree } from './tree.js'

/** What an adapter is to forget. Nodeids as it knows them. */
export type Outdated =
  /** that name, whether it led to something or to nothing, and the attributes of the directory */
  | { what: 'entry'; parent: number; name: string }
  /** attributes, and the content where `content` */
  | { what: 'inode'; nodeid: number; content: boolean }

/** An adapter may believe for so long what somebody would tell us of, milliseconds. */
const WATCHED_MS = 3_600_000
/** After too much has happened at once, nothing is believed for longer than a moment. */
const RECOVERY_MS = 60_000

const stat = emptyStat()

export class Watch {
  /** why the vault folder, or a part of it, is not watched; empty where it is */
  problem: string
  /** files that others have put there */
  readonly arrivals: Arrivals
  readonly #tree: Tree
  readonly #tell: (outdated: Outdated[]) => void
  readonly #folder: FolderWatch<Inode> | null
  #outdated: Outdated[] = []
  /** by ourselves, since events were last taken */
  readonly #touched = new Set<Inode>()
  /** nodeids whose attributes have been said to be others */
  readonly #moved = new Set<number>()
  /** wall clock of the last overflow, milliseconds */
  #lostAt = -Infinity

  constructor(tree: Tree, tell: (outdated: Outdated[]) => void) {
    this.#tree = tree
    this.arrivals = new Arrivals(tree)
    this.#tell = tell
    this.problem = watchProblem(tree.folder.path)
    this.#folder = this.problem === '' ? new FolderWatch<Inode>() : null
    tree.watch = (inode, dirfd) => this.#begin(inode, dirfd)
    tree.unwatch = (inode) => {
      this.#folder?.remove(inode.watch)
      inode.watch = -1
    }
    tree.catchUp = () => {
      this.#gather()
    }
    tree.validMs = (directory) => this.#validMs(directory)
    if (this.#folder !== null) tree.touched = (inode) => this.#touched.add(inode)
    tree.outdated = (parent, name) => {
      this.#entry(parent, name)
    }
  }

  /** To be polled; -1 where nothing is watched. */
  get fd(): number {
    return this.#folder?.fd ?? -1
  }

  #validMs(directory: Inode): number {
    return directory.watch >= 0 && this.#settled ? WATCHED_MS : MOMENT_MS
  }

  get #settled(): boolean {
    const now = this.#tree.ctx.clock()
    // a clock that was set back must not make it last
    if (now < this.#lostAt) this.#lostAt = now
    return now - this.#lostAt > RECOVERY_MS
  }

  #begin(inode: Inode, dirfd: number): number {
    const folder = this.#folder
    if (folder === null) return -1
    const watch = folder.add(dirfd, inode)
    if (watch < 0) this.problem = folder.problem
    return watch
  }

  /**
   * Looks at what has happened since the last call. The kernel is told of it by `take`, between requests:
   * who tells it waits for locks that a pending request may hold.
   */
  #gather(): void {
    this.#folder?.take(
      (directory, name, event) => {
        try {
          this.#happened(directory, name, event)
        } catch (error) {
          // it went away while we looked: another event says so
          if (!(error instanceof CofferError || error instanceof Later)) throw error
        }
      },
      (directory) => {
        directory.watch = -1
        if (directory.directory !== null) directory.directory.stale = true
      },
      () => {
        this.#lost()
      },
    )
    this.#touched.clear()
  }

  /** Looks at it, and tells. */
  take(): void {
    this.#gather()
    this.#moved.clear()
    if (this.#outdated.length === 0) return
    this.#tell(this.#outdated)
    this.#outdated = []
  }

  #happened(parent: Inode, changed: string, event: FolderEvent): void {
    const { directory } = parent
    const { fetches } = this.#tree.ctx
    const [file = ''] = changed === '' ? [] : fetches.standing([changed])
    if (file === '' || directory === null) {
      this.#attributes(parent)
      return
    }
    // the directory's own times have moved
    if (event.entry) this.#attributes(parent)
    const parsed = parseBackingName(file)
    if (parsed.what === 'object') directory.objects.add(parsed.base, parsed.extension)
    if (parsed.what === 'meta') this.#identity(parent, directory)
    else if (parsed.what === 'ticket') this.#ticket(parent, directory, parsed.base, file)
    else if (parsed.what === 'sidecar') this.#named(parent, directory, parsed.base)
    else if (parsed.what === 'object') this.#object(parent, directory, file, event, parsed)
    else if (parsed.what === 'copy') this.#object(parent, directory, file, event, null)
  }

  /** `parsed` null: what may be a conflict copy. Nobody believes for long what is said of its name. */
  #object(
    parent: Inode,
    directory: Directory,
    file: string,
    event: FolderEvent,
    parsed: { base: string; extension: ObjectExtension } | null,
  ): void {
    const tree = this.#tree
    const dirfd = tree.descriptor(parent)
    const known = tree.entry(parent, file)
    // its name comes with its seal, which will see what has arrived there
    if (known?.pending === true) return
    const { backing, fetches } = tree.ctx
    const there =
      backing.stat(dirfd, file, stat) || fetches.placeholders.find(dirfd, file, stat) !== null
    if (there && (event.entry || event.written)) tree.late.wanted(parent)
    if (parsed === null) {
      if (there) directory.copies.add(file)
      else directory.copies.delete(file)
    }
    // known under an id that the directory has no more, it is as one that nobody knows
    const isStranger =
      known === undefined || !directory.ids.some(({ dirId }) => sameBytes(dirId, known.dirId))
    const name = there && isStranger ? this.#nameOf(parent, directory, file) : undefined
    if (known === undefined) {
      if (there && (event.entry || event.written)) this.arrivals.add(parent, file)
      if (name !== undefined && parsed !== null) this.#entry(parent, name)
    } else if (!there || stat.ino !== known.ino) {
      this.#entry(parent, nameAt(tree, known, parent, file))
      this.#attributes(known)
      if (there) this.arrivals.add(parent, file)
    } else if (event.content) this.#content(parent, known, file, stat, event.written)
  }

  /** Has it, or had another in its place, an id that was not needed when it was read? */
  #isRememberedAs({ dirId, name, parent }: Inode, { metas }: Directory): boolean {
    if (parent === null) return false
    const { memory } = this.#tree.ctx
    const place = memory.place(dirId, name)
    return memory.keptAt(place).length + memory.goneFrom(place).length > metas.length
  }

  /** The same blob was written to, or its attributes were. */
  #content(parent: Inode, known: Inode, file: string, found: FileStat, written: boolean): void {
    const { body, cached } = known
    if (body === null) {
      // as our own last close left it
      if (isUnchanged(cached, found)) return
      this.#outdated.push({ what: 'inode', nodeid: known.nodeid, content: true })
      // what was closed here just now may have got another time since
      if (written && !this.#touched.has(known) && !isRecent(known, this.#tree.ctx.clock()))
        this.arrivals.add(parent, file)
      return
    }
    // what is being written here is compared at its seal
    if (body.dirty || body.isOurs()) return
    this.superseded(parent, known, file)
  }

  /** Somebody has written over the blob of an open file. */
  superseded(parent: Inode, inode: Inode, file: string): void {
    this.#entry(parent, nameAt(this.#tree, inode, parent, file))
    this.#outdated.push({ what: 'inode', nodeid: inode.nodeid, content: true })
    this.arrivals.add(parent, file)
    this.#tree.supersede(inode)
  }

  #ticket(parent: Inode, directory: Directory, base: string, file: string): void {
    const { backing } = this.#tree.ctx
    if (backing.stat(this.#tree.descriptor(parent), file, stat)) directory.noteTicket(base, file)
    else directory.dropTicket(base, file)
    if (base.startsWith('l')) this.#named(parent, directory, base)
  }

  /** What tells the name of a base has come, or gone; its object may have been there before. */
  #named(parent: Inode, directory: Directory, base: string): void {
    const { ctx } = this.#tree
    const dirfd = this.#tree.descriptor(parent)
    for (const extension of OBJECT_EXTENSIONS) {
      if (!ctx.backing.stat(dirfd, base + extension, stat)) continue
      const name = this.#nameOf(parent, directory, base + extension)
      if (name !== undefined) this.#entry(parent, name)
    }
  }

  /** Of an object that has come: under an id that was not needed before, too. */
  #nameOf(parent: Inode, directory: Directory, file: string): string | undefined {
    const { ctx } = this.#tree
    const nameUnder = ({ ids }: Directory): string | undefined =>
      decodeFile(ctx, ids, this.#tree.descriptor(parent), file)?.name
    const name = nameUnder(directory)
    if (name !== undefined || !this.#isRememberedAs(parent, directory)) return name
    this.#identity(parent, directory)
    return nameUnder(parent.directory ?? directory)
  }

  /** The ids of a directory may be others now, and with them every name in it. */
  #identity(parent: Inode, directory: Directory): void {
    directory.stale = true
    let ids: readonly DirectoryId[] = []
    try {
      ids = this.#tree.directory(parent).ids
    } catch {
      // without an id it cannot be read until one arrives
    }
    if (!sameIds(ids, directory.ids)) this.#everything(parent)
  }

  #everything(parent: Inode): void {
    this.#attributes(parent)
    for (const [file, inode] of parent.entries ?? [])
      this.#entry(parent, nameAt(this.#tree, inode, parent, file))
  }

  #entry(parent: Inode, name: string): void {
    this.#outdated.push({ what: 'entry', parent: parent.nodeid, name })
  }

  /** Said once of what happened together: each file that is made moves its directory's times. */
  #attributes({ nodeid }: Inode): void {
    if (this.#moved.has(nodeid)) return
    this.#moved.add(nodeid)
    this.#outdated.push({ what: 'inode', nodeid, content: false })
  }

  /** More has happened than the kernel has told. */
  #lost(): void {
    const { ctx } = this.#tree
    this.#lostAt = ctx.clock()
    const message = 'more changes in the vault folder than could be followed; all is looked at anew'
    ctx.log({ level: 'warn', event: 'watch', message })
    this.#tree.distrust()
    for (const inode of this.#tree.inodes()) {
      if (isDirectory(inode)) this.#everything(inode)
      else if (inode.body === null)
        this.#outdated.push({ what: 'inode', nodeid: inode.nodeid, content: true })
      else if (!inode.body.dirty && !inode.body.isOurs() && inode.parent !== null)
        this.superseded(inode.parent, inode, backingName(inode))
    }
  }

  /** Directories that are watched, and what there is to say about it. */
  report(): { directories: number; problem: string } {
    const problem =
      this.problem === '' && !this.#settled
        ? 'more happened there at once than could be followed'
        : this.problem
    return { directories: this.#folder?.size ?? 0, problem }
  }

  close(): void {
    this.#folder?.close()
  }
}

/** The plain name by which the inode lies at that place. */
function nameAt(tree: Tree, inode: Inode, parent: Inode, file: string): string {
  const at = tree
    .names(inode)
    .find((name) => name.parent === parent && fileOf(inode, name) === file)
  return shownName(at ?? inode)
}
