// The folder under a mount. While the drive is there and after it is locked, nobody can put anything into
// that folder by mistake, in plain: it has mode 0000, and where it belongs to root, whom modes do not stop,
// the immutable flag. `mount` gives it back first, since fusermount3 and whoever looks into it need
// that. It is closed again as soon as the mount covers it, by a descriptor from before: so neither an
// unmount nor a kill leaves a moment in which it is open.
//
// Its mode before is remembered in the state folder. Where that is lost, or the user has made it 0000
// himself, the owner's folder gets 0700 for the mount, so a mount works in any case.

import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  openSync,
  readdirSync,
  statSync,
} from 'node:fs'
import { mountedAt } from '../mount/mountinfo.js'
import { isImmutable, setImmutable } from '../native/file-flags.js'
import { forgetFolder, rememberedFolder, rememberFolder } from '../store/closed-folders.js'
import { reason } from '../store/state-folder.js'

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants
const MODE = 0o7777
const ROOT = 0
const UNKNOWN_MODE = 0o700

const isRoot = (): boolean => process.geteuid?.() === ROOT
const isOwn = (uid: number): boolean => isRoot() || uid === process.geteuid?.()

const open = (path: string): number => openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)

export class MountpointFolder {
  readonly #path: string
  /** -1: there is nothing to close */
  #fd = -1
  #shut = false
  readonly #found: { closed: boolean; immutable: boolean; known: boolean }

  /** Gives the folder back, if it was closed. `path` has no links, and nothing is mounted there. */
  constructor(path: string) {
    this.#path = path
    const { mode, uid, ino } = statSync(path)
    const closed = (mode & MODE) === 0
    const known = rememberedFolder(path, ino)
    const immutable = isRoot() && thaw(path, closed)
    this.#found = { closed, immutable, known: known !== null }
    if (closed && isOwn(uid)) chmodSync(path, known?.mode ?? UNKNOWN_MODE)
    try {
      this.#fd = open(path)
    } catch {
      // somebody else's: it stays as it is
      return
    }
    // a drive that came in between is not to be touched
    if (mountedAt(path) !== null) this.#letGo()
  }

  /** The mount covers it. Why it could not be closed, or null. */
  close(keep: boolean): string | null {
    if (this.#fd < 0) return null
    try {
      if (keep) this.#keep()
      else this.#close()
      return null
    } catch (error) {
      return reason(error)
    } finally {
      this.#letGo()
    }
  }

  /** The mount has gone again before it was of use: the folder is as it was found. */
  putBack(): void {
    const { closed, immutable } = this.#found
    if (this.#shut && !closed && mountedAt(this.#path) === null)
      new MountpointFolder(this.#path).close(true)
    if (this.#fd < 0) return
    try {
      if (closed) fchmodSync(this.#fd, 0)
      if (immutable) setImmutable(this.#fd, true)
    } catch {
      // it is as the last mount had it
    } finally {
      this.#letGo()
    }
  }

  #close(): void {
    const { mode, ino, uid } = fstatSync(this.#fd)
    // somebody has locked it better than we could
    if (hasFlag(this.#fd)) return
    rememberFolder({ path: this.#path, ino, mode: mode & MODE })
    fchmodSync(this.#fd, 0)
    this.#shut = true
    // an owner who is not root could not take the flag away again
    if (isRoot() && uid === ROOT) tryFlag(this.#fd)
  }

  #keep(): void {
    const { closed, known } = this.#found
    if (closed && !known) fchmodSync(this.#fd, 0)
    forgetFolder(this.#path)
  }

  #letGo(): void {
    if (this.#fd >= 0) closeSync(this.#fd)
    this.#fd = -1
  }
}

/** Takes the flag from a folder that was closed with it. */
function thaw(path: string, closed: boolean): boolean {
  if (!closed) return false
  const fd = open(path)
  try {
    if (!hasFlag(fd)) return false
    setImmutable(fd, false)
    return true
  } catch {
    return false
  } finally {
    closeSync(fd)
  }
}

function hasFlag(fd: number): boolean {
  try {
    return isImmutable(fd)
  } catch {
    return false
  }
}

function tryFlag(fd: number): void {
  try {
    setImmutable(fd, true)
  } catch {
    // not every file system has it, and not every container may
  }
}

/** What lies in the folder, which may be closed. */
export function namesUnder(path: string): string[] {
  try {
    return readdirSync(path)
  } catch (error) {
    const { mode, uid } = statSync(path)
    if ((mode & MODE) !== 0 || !isOwn(uid)) throw error
    chmodSync(path, UNKNOWN_MODE)
    try {
      return readdirSync(path)
    } finally {
      chmodSync(path, 0)
    }
  }
}

const NAMED = 5

/** "a, b and 3 more" */
export function some(names: readonly string[]): string {
  const rest = names.length - NAMED
  const shown = names.slice(0, NAMED).join(', ')
  return rest > 0 ? `${shown} and ${String(rest)} more` : shown
}
