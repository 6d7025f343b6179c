// Names in the root of a drive that only some callers see; their files lie in another drive and are
// there already. It stands before the drive for as long as a self-test takes, and may stay there when
// that has ended. Everybody else is answered by the drive alone: the names are not listed, not found,
// and free to be used. An adapter that knows who asks must let the kernel remember no entry meanwhile,
// since those are remembered for everybody.

import { CofferError } from '../errors.js'
import type {
  AttributeChanges,
  Attributes,
  Caller,
  EmitEntry,
  Entry,
  Filesystem,
  Opened,
  Statfs,
} from './filesystem.js'
import { ROOT_NODEID } from './inode.js'

/** Where the other drive's nodeids and handles begin. The kernel's are exact below 2^53. */
const APART = 2 ** 52

export interface HiddenFiles {
  drive: Filesystem
  /** of files in that drive's root */
  names: ReadonlySet<string>
  /** may this thread see them? */
  sees: (tid: number | undefined) => boolean
}

export class HiddenNames implements Filesystem {
  /** bytes of hidden files that reads were answered with */
  bytesRead = 0
  readonly #drive: Filesystem
  /** null: there are none any more */
  #hidden: HiddenFiles | null

  constructor(drive: Filesystem, hidden: HiddenFiles) {
    this.#drive = drive
    this.#hidden = hidden
  }

  /** The drive that a nodeid or handle is of. */
  #of(id: number): Filesystem {
    if (id < APART) return this.#drive
    if (this.#hidden !== null) return this.#hidden.drive
    throw new CofferError('ESTALE', 'the files of the self-test are gone')
  }

  /** Nobody sees them from now on, whatever of them is still open. Their drive may be closed. */
  end(): void {
    this.#hidden = null
  }

  lookup(parent: number, name: string, out: Entry, tid?: number): boolean {
    const hidden = this.#hidden
    if (hidden === null || parent !== ROOT_NODEID || !hidden.names.has(name) || !hidden.sees(tid))
      return this.#drive.lookup(parent, name, out)
    if (!hidden.drive.lookup(ROOT_NODEID, name, out)) return false
    out.nodeid += APART
    return true
  }

  /** The kernel drops the pages of a hidden file, so that reads come here. */
  open(nodeid: number, flags: number): Opened {
    if (nodeid < APART) return this.#drive.open(nodeid, flags)
    return { fh: this.#of(nodeid).open(nodeid - APART, flags).fh + APART, keepCache: false }
  }

  read(fh: number, offset: number, length: number, into: Uint8Array, intoOffset: number): number {
    const read = this.#of(fh).read(fh % APART, offset, length, into, intoOffset)
    if (fh >= APART) this.bytesRead += read
    return read
  }

  forget(nodeid: number, lookups: number): void {
    if (nodeid >= APART && this.#hidden === null) return
    this.#of(nodeid).forget(nodeid % APART, lookups)
  }

  getattr(nodeid: number, out: Attributes): void {
    this.#of(nodeid).getattr(nodeid % APART, out)
  }

  setattr(nodeid: number, changes: AttributeChanges, out: Attributes): void {
    const { fh } = changes
    const own = fh === undefined ? changes : { ...changes, fh: fh % APART }
    this.#of(nodeid).setattr(nodeid % APART, own, out)
  }

  write(
    fh: number,
    offset: number,
    from: Uint8Array,
    fromOffset: number,
    length: number,
    killPriv: boolean,
  ): number {
    return this.#of(fh).write(fh % APART, offset, from, fromOffset, length, killPriv)
  }

  fallocate(fh: number, mode: number, offset: number, length: number): void {
    this.#of(fh).fallocate(fh % APART, mode, offset, length)
  }

  lseek(fh: number, offset: number, whence: number): number {
    return this.#of(fh).lseek(fh % APART, offset, whence)
  }

  flush(fh: number): void {
    this.#of(fh).flush(fh % APART)
  }

  fsync(fh: number, dataOnly: boolean): void {
    this.#of(fh).fsync(fh % APART, dataOnly)
  }

  release(fh: number): void {
    this.#of(fh).release(fh % APART)
  }

  getxattr(nodeid: number, name: string): Uint8Array {
    return this.#of(nodeid).getxattr(nodeid % APART, name)
  }

  setxattr(nodeid: number, name: string, value: Uint8Array, flags: number): void {
    this.#of(nodeid).setxattr(nodeid % APART, name, value, flags)
  }

  listxattr(nodeid: number): string[] {
    return this.#of(nodeid).listxattr(nodeid % APART)
  }

  removexattr(nodeid: number, name: string): void {
    this.#of(nodeid).removexattr(nodeid % APART, name)
  }

  // what follows is the drive's alone; it knows no hidden nodeid or handle

  readlink(nodeid: number): Uint8Array {
    return this.#drive.readlink(nodeid)
  }

  create(
    parent: number,
    name: string,
    mode: number,
    flags: number,
    caller: Caller,
    out: Entry,
  ): Opened {
    return this.#drive.create(parent, name, mode, flags, caller, out)
  }

  tmpfile(parent: number, mode: number, caller: Caller, out: Entry): Opened {
    return this.#drive.tmpfile(parent, mode, caller, out)
  }

  symlink(parent: number, name: string, target: Uint8Array, caller: Caller, out: Entry): void {
    this.#drive.symlink(parent, name, target, caller, out)
  }

  mknod(
    parent: number,
    name: string,
    mode: number,
    rdev: number,
    caller: Caller,
    out: Entry,
  ): void {
    this.#drive.mknod(parent, name, mode, rdev, caller, out)
  }

  mkdir(parent: number, name: string, mode: number, caller: Caller, out: Entry): void {
    this.#drive.mkdir(parent, name, mode, caller, out)
  }

  unlink(parent: number, name: string): void {
    this.#drive.unlink(parent, name)
  }

  rmdir(parent: number, name: string): void {
    this.#drive.rmdir(parent, name)
  }

  rename(parent: number, name: string, newParent: number, newName: string, flags: number): void {
    this.#drive.rename(parent, name, newParent, newName, flags)
  }

  link(nodeid: number, newParent: number, newName: string, out: Entry): void {
    this.#drive.link(nodeid, newParent, newName, out)
  }

  copyFileRange(
    from: number,
    offset: number,
    to: number,
    toOffset: number,
    length: number,
  ): number {
    return this.#drive.copyFileRange(from, offset, to, toOffset, length)
  }

  opendir(nodeid: number): number {
    return this.#drive.opendir(nodeid)
  }

  readdir(fh: number, cookie: number, emit: EmitEntry): void {
    this.#drive.readdir(fh, cookie, emit)
  }

  releasedir(fh: number): void {
    this.#drive.releasedir(fh)
  }

  fsyncdir(nodeid: number): void {
    this.#drive.fsyncdir(nodeid)
  }

  statfs(out: Statfs): void {
    this.#drive.statfs(out)
  }

  get tendFd(): number {
    return this.#drive.tendFd ?? -1
  }

  tend(): number {
    return Math.min(this.#drive.tend(), this.#hidden?.drive.tend() ?? Infinity)
  }

  /** What is hidden is not worth a sync. */
  sync(): void {
    this.#drive.sync()
  }
}
