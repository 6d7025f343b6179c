// The vault folder on disk while a drive uses it: its data directory, and whether it is still there.
// The folder may vanish (a disk unplugged, a client that moves things) and come back. A data directory
// with nothing in it may never come: many clients, and engines without folders, do not carry empty ones.

import { constants, statfsSync, type StatsFs } from 'node:fs'
import { join } from 'node:path'
import { CofferError, withHint } from '../errors.js'
import { CLOSED, emptyStat, type Backing } from './backing.js'

export const DATA_DIRECTORY = 'data'
const CHECK_EVERY_MS = 20
const { S_IFDIR, S_IFMT } = constants

const gone = (path: string): CofferError =>
  new CofferError('VAULT_GONE', `the vault folder is not there: ${path}`)

const emptied = (path: string): CofferError =>
  new CofferError(
    'VAULT_GONE',
    `the folder ${DATA_DIRECTORY} is missing in ${path}, and this device has seen files in it`,
    {
      hint: `bring it back, or wait until it has arrived; if the vault is to be empty, make an empty folder ${DATA_DIRECTORY} there`,
    },
  )

export class VaultFolder {
  readonly path: string
  rootFd: number
  rootDev: number
  rootIno: number
  /** called when the data directory is another one than before */
  onReplaced: () => void = () => undefined
  readonly #backing: Backing
  readonly #clock: () => number
  readonly #stat = emptyStat()
  #checkedAt = 0
  #standsIn = false

  /** `hadContent`: this device has seen something in the data directory. Asked only where that is missing. */
  constructor(
    backing: Backing,
    path: string,
    clock: () => number,
    { readOnly, hadContent }: { readOnly: boolean; hadContent: () => boolean },
  ) {
    this.#backing = backing
    this.#clock = clock
    this.path = path
    if (!this.#isThere()) {
      if (!this.#isMissing()) throw gone(path)
      if (hadContent()) throw emptied(path)
      if (readOnly) this.#standsIn = true
      else this.#make()
    }
    this.rootFd = backing.openRoot(this.#standsIn ? path : this.#data)
    backing.statDirectory(this.rootFd, this.#stat)
    this.rootDev = this.#stat.dev
    this.rootIno = this.#stat.ino
  }

  /** One drive a vault on this machine, whoever mounted it and wherever it keeps its state. */
  lock(): void {
    if (this.#backing.lock(this.rootFd)) return
    throw new CofferError('ALREADY_MOUNTED', 'a drive on this machine has this vault open', {
      hint: 'another user may have mounted it; unmount it there first',
    })
  }

  get #data(): string {
    return join(this.path, DATA_DIRECTORY)
  }

  /** A link in place of the data directory leads somewhere else. Fills `#stat`. */
  #isThere(): boolean {
    try {
      const there = this.#backing.statPath(this.#data, this.#stat)
      return there && (this.#stat.mode & S_IFMT) === S_IFDIR
    } catch {
      return false
    }
  }

  /** The vault folder itself, in which there is no data directory, and so nothing of a drive's. */
  #isMissing(): boolean {
    try {
      const folder = this.#backing.statPath(this.path, this.#stat)
      if (!folder || (this.#stat.mode & S_IFMT) !== S_IFDIR) return false
      return !this.#backing.statPath(this.#data, this.#stat)
    } catch {
      return false
    }
  }

  #make(): void {
    const backing = this.#backing
    const fd = backing.openRoot(this.path)
    try {
      backing.mkdir(fd, DATA_DIRECTORY, 0o777)
    } catch (error) {
      // a client has brought it just now
      if (!(error instanceof CofferError) || error.code !== 'EEXIST') throw error
    } finally {
      backing.closeDirectory(fd)
    }
    if (!this.#isThere()) throw gone(this.path)
  }

  /**
   * There is no data directory, and nothing may be made: the vault folder stands for it, in which no
   * name is one of ours, until it comes.
   */
  get standsIn(): boolean {
    return this.#standsIn
  }

  /** Throws VAULT_GONE where the path does not lead to the data directory. Looks at most every 20 ms. */
  assertPresent(): void {
    const now = this.#clock()
    if (now - this.#checkedAt < CHECK_EVERY_MS && now >= this.#checkedAt) return
    if (!this.#isThere()) {
      const isMissing = this.#isMissing()
      if (!this.#standsIn || !isMissing) throw gone(isMissing ? this.#data : this.path)
      this.#checkedAt = now
      return
    }
    if (this.#stat.ino !== this.rootIno || this.#stat.dev !== this.rootDev) this.#replace()
    this.#checkedAt = now
  }

  /** Why it cannot be used now, and what to do; empty where it can. */
  get problem(): string {
    try {
      this.assertPresent()
      return ''
    } catch (error) {
      if (error instanceof CofferError) return withHint(error)
      throw error
    }
  }

  /** Room on the file system that the vault lies on. */
  statfs(): StatsFs {
    this.assertPresent()
    return statfsSync(this.path)
  }

  #replace(): void {
    this.#standsIn = false
    const fd = this.#backing.openRoot(this.#data)
    this.#backing.closeDirectory(this.rootFd)
    this.rootFd = fd
    this.#backing.statDirectory(fd, this.#stat)
    this.rootDev = this.#stat.dev
    this.rootIno = this.#stat.ino
    this.onReplaced()
  }

  close(): void {
    this.#backing.closeDirectory(this.rootFd)
    this.rootFd = CLOSED
  }
}
