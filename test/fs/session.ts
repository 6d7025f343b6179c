// A vault in a temporary folder and drives over it, without a mount. `Session` speaks paths to a
// drive's inodes the way a kernel does: it looks names up, counts the lookups and forgets them.

import { randomBytes, randomFillSync } from 'node:crypto'
import { constants, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEngine } from '../../lib/crypto/choose-engine.js'
import { CofferError, type ErrorCode } from '../../lib/errors.js'
import type { VaultBody } from '../../lib/format/config-body.js'
import type { LogEvent } from '../../lib/fs/context.js'
import { Drive } from '../../lib/fs/drive.js'
import {
  emptyAttributes,
  emptyEntry,
  type Attributes,
  type AttributeChanges,
  type Entry,
} from '../../lib/fs/filesystem.js'
import type { Backing } from '../../lib/store/backing.js'
import {
  readConflicts,
  readTree,
  type OracleConflict,
  type OracleNode,
  type VaultKeys,
} from '../oracle/vault.js'

const { O_RDONLY, O_RDWR, S_IFMT, S_IFDIR, S_IFLNK, S_IFREG } = constants
export const CALLER = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, umask: 0 }
const { engine } = await openEngine('openssl')
const ROOT = 1

export class TestVault {
  readonly folder = mkdtempSync(join(tmpdir(), 'coffer-fs-'))
  /** what belongs to this machine and not to the vault */
  readonly state = mkdtempSync(join(tmpdir(), 'coffer-state-'))
  readonly keys: VaultKeys
  /** added to the wall clock of the drives, milliseconds */
  skew = 0
  devices: unknown[] = []
  readonly #sessions = new Set<Session>()

  constructor(chunkLog2 = 15, strictMax = 4 * 1024 * 1024) {
    mkdirSync(join(this.folder, 'data'))
    this.keys = {
      vaultId: randomBytes(16),
      rootDirId: randomBytes(16),
      rootKeyId: randomBytes(8).toString('hex'),
      seeds: new Map(),
      chunkLog2,
      strictMax,
    }
    this.keys.seeds.set(this.keys.rootKeyId, randomBytes(32))
  }

  get #body(): VaultBody {
    const { chunkLog2, rootDirId, rootKeyId, seeds, strictMax } = this.keys
    const keyId = Buffer.from(rootKeyId, 'hex')
    return {
      v: 1,
      chunkLog2,
      rootDirId,
      rootKeyId: keyId,
      current: keyId,
      // the drive clears its seeds when it closes
      seeds: new Map([...seeds].map(([id, seed]) => [id, Buffer.from(seed)])),
      suites: [1],
      policy: { strictMax, integrity: 'auto', unknown: {} },
      devices: this.devices,
      label: '',
      unknown: {},
    }
  }

  /** Each drive has a journal of its own, unless it is to find that of another. */
  open(
    options: {
      readOnly?: boolean
      parks?: boolean
      waits?: boolean
      portable?: boolean
      holdInodes?: boolean
      journalFolder?: string
      boot?: string
      backing?: Backing
      /** first byte of its id */
      device?: number
      /** added to the wall clock of this drive, milliseconds */
      ahead?: number
      /** that may wait for their chunks at most */
      pages?: number
      /** others' changes are watched for */
      watched?: boolean
    } = {},
  ): Session {
    const { readOnly = false, parks = false, waits = true, portable = false } = options
    const { holdInodes = false, backing, device = 0xe0 } = options
    const journalFolder = options.journalFolder ?? mkdtempSync(join(this.state, 'journal-'))
    const session = new Session(
      (log) =>
        new Drive({
          engine,
          vaultPath: this.folder,
          vaultId: this.keys.vaultId,
          body: this.#body,
          deviceId: Buffer.alloc(16, device),
          readOnly,
          parks,
          waits,
          portable,
          journalFolder,
          boot: options.boot ?? '',
          log,
          random: (into) => void randomFillSync(into),
          clock: () => Date.now() + this.skew + (options.ahead ?? 0),
          ...(options.watched === true ? { changed: () => undefined } : {}),
          ...(backing === undefined ? {} : { backing }),
          ...(options.pages === undefined ? {} : { pages: options.pages }),
        }),
      holdInodes,
      () => this.#sessions.delete(session),
    )
    this.#sessions.add(session)
    return session
  }

  /** What the oracle reads in the folder. */
  judge(): Map<string, OracleNode> {
    return readTree(this.folder, this.keys)
  }

  judgeConflicts(): OracleConflict[] {
    return readConflicts(this.folder, this.keys)
  }

  /** Absolute path of the blob of a plain path. */
  blob(path: string): string {
    const node = this.judge().get(path)
    if (node === undefined) throw new Error(`the oracle sees no ${path}`)
    return join(this.folder, node.blob)
  }

  /** Ends every drive and removes the folder. */
  remove(): void {
    for (const session of [...this.#sessions]) session.close()
    rmSync(this.folder, { recursive: true, force: true })
    rmSync(this.state, { recursive: true, force: true })
  }
}

/** Descriptors of this process that lead below a folder. */
export const descriptorsBelow = (folder: string, readlink: (path: string) => string): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlink(`/proc/self/fd/${fd}`).startsWith(folder)
    } catch {
      return false
    }
  }).length

export type Shown = 'directory' | 'file' | 'symlink' | 'special'

export class Session {
  readonly drive: Drive
  readonly log: LogEvent[] = []
  readonly #hold: boolean
  readonly #ended: () => void
  #closed = false

  constructor(open: (log: (event: LogEvent) => void) => Drive, hold: boolean, ended: () => void) {
    this.drive = open((event) => this.log.push(event))
    this.#hold = hold
    this.#ended = ended
  }

  /** Walks to `path` and lends its inode to `use`. Throws ENOENT as the kernel would. */
  at<T>(path: string, use: (nodeid: number, attributes: Attributes) => T): T {
    const walked: number[] = []
    try {
      let nodeid = ROOT
      const entry = emptyEntry()
      this.drive.getattr(ROOT, entry.attributes)
      for (const name of path.split('/').slice(1)) {
        if (name === '') continue
        if (!this.drive.lookup(nodeid, name, entry)) throw failed('ENOENT', path)
        walked.push((nodeid = entry.nodeid))
      }
      return use(nodeid, entry.attributes)
    } finally {
      if (!this.#hold) for (const nodeid of walked.reverse()) this.drive.forget(nodeid, 1)
    }
  }

  /** The directory of `path`, and the last name in it. */
  in<T>(path: string, use: (parent: number, name: string) => T): T {
    const cut = path.lastIndexOf('/')
    return this.at(path.slice(0, cut), (parent, { mode }) => {
      if (cut > 0 && (mode & S_IFMT) !== S_IFDIR) throw failed('ENOTDIR', path)
      return use(parent, path.slice(cut + 1))
    })
  }

  #made(make: (out: Entry) => void): void {
    const out = emptyEntry()
    make(out)
    if (!this.#hold) this.drive.forget(out.nodeid, 1)
  }

  exists(path: string): boolean {
    try {
      return this.at(path, () => true)
    } catch (error) {
      if ((error as { code: unknown }).code === 'ENOENT') return false
      throw error
    }
  }

  stat(path: string): Attributes {
    return this.at(path, (_, attributes) => ({ ...attributes }))
  }

  statNode(nodeid: number): Attributes {
    const out = emptyAttributes()
    this.drive.getattr(nodeid, out)
    return out
  }

  setattr(path: string, changes: AttributeChanges): void {
    this.at(path, (nodeid) => {
      this.drive.setattr(nodeid, changes, emptyAttributes())
    })
  }

  mkdir(path: string, mode = 0o755): void {
    this.in(path, (parent, name) => {
      this.#made((out) => {
        this.drive.mkdir(parent, name, mode, CALLER, out)
      })
    })
  }

  symlink(path: string, target: string): void {
    this.in(path, (parent, name) => {
      this.#made((out) => {
        this.drive.symlink(parent, name, Buffer.from(target), CALLER, out)
      })
    })
  }

  mknod(path: string, mode: number, rdev = 0): void {
    this.in(path, (parent, name) => {
      this.#made((out) => {
        this.drive.mknod(parent, name, mode, rdev, CALLER, out)
      })
    })
  }

  readlink(path: string): string {
    return this.at(path, (nodeid) => Buffer.from(this.drive.readlink(nodeid)).toString())
  }

  unlink(path: string): void {
    this.in(path, (parent, name) => {
      this.drive.unlink(parent, name)
    })
  }

  rmdir(path: string): void {
    this.in(path, (parent, name) => {
      this.drive.rmdir(parent, name)
    })
  }

  rename(from: string, to: string, flags = 0): void {
    this.in(from, (parent, name) => {
      this.in(to, (newParent, newName) => {
        this.drive.rename(parent, name, newParent, newName, flags)
      })
    })
  }

  link(from: string, to: string): void {
    this.at(from, (nodeid) => {
      this.in(to, (parent, name) => {
        this.#made((out) => {
          this.drive.link(nodeid, parent, name, out)
        })
      })
    })
  }

  /** A handle on a new file, with its inode, whose lookup stays until `close`. */
  create(path: string, mode = 0o644): OpenFile {
    return this.in(path, (parent, name) => {
      const out = emptyEntry()
      const { fh } = this.drive.create(parent, name, mode, O_RDWR, CALLER, out)
      return new OpenFile(this, out.nodeid, fh, !this.#hold)
    })
  }

  open(path: string, flags = O_RDWR): OpenFile {
    return this.in(path, (parent, name) => {
      const entry = emptyEntry()
      if (!this.drive.lookup(parent, name, entry)) throw failed('ENOENT', path)
      try {
        const { fh } = this.drive.open(entry.nodeid, flags)
        return new OpenFile(this, entry.nodeid, fh, !this.#hold)
      } catch (error) {
        if (!this.#hold) this.drive.forget(entry.nodeid, 1)
        throw error
      }
    })
  }

  write(path: string, content: Uint8Array | string, mode = 0o644): void {
    const file = this.create(path, mode)
    file.write(0, Buffer.from(content))
    file.close()
  }

  read(path: string): Buffer {
    const file = this.open(path, O_RDONLY)
    try {
      return file.read(0, this.statNode(file.nodeid).size)
    } finally {
      file.close()
    }
  }

  list(path: string): Map<string, number> {
    return this.at(path, (nodeid) => {
      const entries = new Map<string, number>()
      const fh = this.drive.opendir(nodeid)
      try {
        this.drive.readdir(fh, 0, (name, _ino, type) => {
          if (name !== '.' && name !== '..') entries.set(name, type)
          return true
        })
        return entries
      } finally {
        this.drive.releasedir(fh)
      }
    })
  }

  type(path: string): Shown {
    const type = this.stat(path).mode & S_IFMT
    if (type === S_IFDIR) return 'directory'
    if (type === S_IFLNK) return 'symlink'
    return type === S_IFREG ? 'file' : 'special'
  }

  /** Ends the drive; open files are sealed first, as an unmount does. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#ended()
    try {
      this.drive.sync()
    } finally {
      this.drive.close()
    }
  }
}

export class OpenFile {
  readonly nodeid: number
  readonly fh: number
  readonly #session: Session
  readonly #forget: boolean

  constructor(session: Session, nodeid: number, fh: number, forget: boolean) {
    this.#session = session
    this.nodeid = nodeid
    this.fh = fh
    this.#forget = forget
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#session.drive.write(this.fh, offset, bytes, 0, bytes.length, false)
  }

  read(offset: number, length: number): Buffer {
    const into = Buffer.alloc(length)
    return into.subarray(0, this.#session.drive.read(this.fh, offset, length, into, 0))
  }

  /** mode as in fallocate(2): 1 keeps the size, 2 makes a hole, 16 zeros */
  fallocate(mode: number, offset: number, length: number): void {
    this.#session.drive.fallocate(this.fh, mode, offset, length)
  }

  /** Ranges of data, as SEEK_DATA and SEEK_HOLE tell them. */
  data(): [number, number][] {
    const { drive } = this.#session
    const found: [number, number][] = []
    try {
      for (let at = 0; ;) {
        const start = drive.lseek(this.fh, at, 3)
        at = drive.lseek(this.fh, start, 4)
        found.push([start, at])
      }
    } catch (error) {
      if ((error as { code: unknown }).code !== 'ENXIO') throw error
    }
    return found
  }

  truncate(size: number): void {
    this.#session.drive.setattr(this.nodeid, { size, fh: this.fh }, emptyAttributes())
  }

  sync(): void {
    this.#session.drive.fsync(this.fh)
  }

  close(): void {
    const { drive } = this.#session
    try {
      drive.flush(this.fh)
    } finally {
      drive.release(this.fh)
      if (this.#forget) drive.forget(this.nodeid, 1)
    }
  }
}

const failed = (code: ErrorCode, path: string): Error => new CofferError(code, path)
