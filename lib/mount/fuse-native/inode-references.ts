// The lookup counts of a driver that speaks in paths: one for each inode that was looked up lately, so
// that the next walk does not make it anew, and one for each that must stay, such as that of an open file.

import type { Filesystem } from '../../fs/filesystem.js'

const ROOT_NODEID = 1
const RECENT_MAX = 512

export class InodeReferences {
  readonly #fs: Filesystem
  /** the least recent first */
  readonly #recent = new Set<number>()
  /** how many need it */
  readonly #pinned = new Map<number, number>()

  constructor(fs: Filesystem) {
    this.#fs = fs
  }

  /** One lookup of it was counted; it is ours from now on. The nodeid is good for this request. */
  note(nodeid: number): void {
    if (nodeid === ROOT_NODEID) return
    const known = this.#recent.delete(nodeid)
    if (known || this.#pinned.has(nodeid)) this.#fs.forget(nodeid, 1)
    if (this.#pinned.has(nodeid)) return
    this.#recent.add(nodeid)
    if (this.#recent.size <= RECENT_MAX) return
    const [oldest] = this.#recent
    if (oldest !== undefined) this.#drop(oldest)
  }

  /** For an inode that was noted for this request: it stays until `unpin`. */
  pin(nodeid: number): void {
    if (nodeid === ROOT_NODEID) return
    this.#recent.delete(nodeid)
    this.#pinned.set(nodeid, (this.#pinned.get(nodeid) ?? 0) + 1)
  }

  unpin(nodeid: number): void {
    if (nodeid === ROOT_NODEID) return
    const pins = (this.#pinned.get(nodeid) ?? 0) - 1
    if (pins > 0) this.#pinned.set(nodeid, pins)
    else if (this.#pinned.delete(nodeid)) this.#fs.forget(nodeid, 1)
  }

  #drop(nodeid: number): void {
    this.#recent.delete(nodeid)
    this.#fs.forget(nodeid, 1)
  }
}
