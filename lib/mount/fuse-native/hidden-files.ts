// Files that lost their name while they were open. libfuse 2.9 never removes those: it renames them to
// ".fuse_hidden…", and removes that at the last close. Here such a rename is what the application
// asked for: the name goes, and the hidden path leads to the open file for as long as it is open, so
// that nothing of the kind is ever in the vault.
//
// libfuse hides a file for two reasons: its name is removed, or another file is renamed over it. Which
// one only its next call tells, and that must replace the name in one step. So the name is removed a moment
// later, before whatever else is asked for.

import { constants } from 'node:os'
import { CofferError } from '../../errors.js'
import type { InodeReferences } from './inode-references.js'
import type { NativeRequest } from './library.js'
import type { Place } from './paths.js'

const HIDDEN = /\/\.fuse_hidden[0-9a-f]{8}([0-9a-f]{8})$/
/** how many numbers libfuse may have skipped, so that a user's own name is not taken for one of its */
const SKIPPED_MAX = 32
const SETTLE_MS = 20

interface Undecided {
  path: string
  place: Place
  /** the thread of libfuse that hid it, which is also the one to rename over it */
  thread: NativeRequest
}

export class HiddenFiles {
  readonly #references: InodeReferences
  readonly #remove: (place: Place) => void
  /** by the last name of its hidden path, since the directory may move */
  readonly #files = new Map<string, number>()
  #undecided: Undecided | null = null
  #timer: NodeJS.Timeout | undefined
  #count = 0

  /** `remove` unlinks a name. What it throws is told by `onDefect`: nobody waits for it any more. */
  constructor(
    references: InodeReferences,
    remove: (place: Place) => void,
    onDefect: (error: unknown) => void,
  ) {
    this.#references = references
    this.#remove = (place) => {
      try {
        remove(place)
      } catch (error) {
        const gone = error instanceof CofferError && error.errno === constants.errno.ENOENT
        if (!gone) onDefect(error)
      }
    }
  }

  nodeid(path: string): number | null {
    if (this.#files.size === 0) return null
    return this.#files.get(path.slice(path.lastIndexOf('/') + 1)) ?? null
  }

  /** Whether libfuse hides the open file at `path` by renaming it so. */
  isHiding(path: string, hidden: string): boolean {
    const [end = '', digits = ''] = HIDDEN.exec(hidden) ?? []
    if (end === '' || hidden.slice(0, -end.length) !== path.slice(0, path.lastIndexOf('/')))
      return false
    const number = parseInt(digits, 16)
    return number > this.#count && number <= this.#count + SKIPPED_MAX
  }

  /** Takes the file at `path` for hidden. Its name goes when it is settled why. */
  hide(path: string, hidden: string, nodeid: number, place: Place, thread: NativeRequest): void {
    const [end = '', digits = ''] = HIDDEN.exec(hidden) ?? []
    this.#count = parseInt(digits, 16)
    this.#references.pin(nodeid)
    this.#references.pin(place.parent)
    this.#files.set(end.slice(1), nodeid)
    this.#undecided = { path, place, thread }
    this.#timer = setTimeout(() => {
      this.settle()
    }, SETTLE_MS)
  }

  /** True where this rename is why the file at `path` was hidden: it replaces the name. */
  isReplacing(path: string, thread: NativeRequest): boolean {
    const undecided = this.#undecided
    if (undecided?.path !== path || undecided.thread !== thread) return false
    this.#decided(undecided)
    return true
  }

  /** To be called before anything else is asked of the file system. */
  settle(): void {
    const undecided = this.#undecided
    if (undecided === null) return
    this.#decided(undecided)
    this.#remove(undecided.place)
  }

  #decided({ place }: Undecided): void {
    clearTimeout(this.#timer)
    this.#undecided = null
    this.#references.unpin(place.parent)
  }

  /** The file is open no longer. False where no file is hidden under that path. */
  drop(path: string): boolean {
    const name = path.slice(path.lastIndexOf('/') + 1)
    const nodeid = this.#files.get(name)
    if (nodeid === undefined) return false
    this.#files.delete(name)
    this.#references.unpin(nodeid)
    return true
  }

  isHidden(nodeid: number): boolean {
    return [...this.#files.values()].includes(nodeid)
  }

  /** The last handle is closed. libfuse says so itself, unless the directory has gone as well. */
  closed(nodeid: number): void {
    for (const [name, hidden] of this.#files) {
      if (hidden === nodeid) this.drop(`/${name}`)
    }
  }
}
