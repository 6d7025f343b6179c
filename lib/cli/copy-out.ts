// Copies a node of a drive, with everything below it, to the plain disk. What cannot be read is named
// and left out; the rest comes all the same.

import { Buffer } from 'node:buffer'
import { join } from 'node:path'
import type { Drive } from '../agent/open-drive.js'
import { CofferError, withHint } from '../errors.js'
import type { Progress } from './progress.js'
import { makeFolder, makeLink, restoreAttributes, RestoredFile } from './restored-file.js'
import { json as printJson, say, told } from './ui.js'
import {
  forget,
  lookup,
  names,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type Node,
} from './vault-path.js'

const PIECE = 1024 * 1024
/** after that signals get a chance; the core itself is synchronous, and what it reads may come from afar */
const BREATHE_MS = 50

export class Copy {
  failures = 0
  /** of those, the ones that are not just refused by the system */
  damaged = 0
  skipped = 0
  /** made, but the file system there did not take mode or times */
  unmarked = 0
  stopped = false
  readonly #drive: Drive
  readonly #progress: Progress
  readonly #json: boolean
  readonly #piece = Buffer.alloc(PIECE)
  #breathed = performance.now()

  constructor(drive: Drive, progress: Progress, json: boolean) {
    this.#drive = drive
    this.#progress = progress
    this.#json = json
  }

  async node(node: Node, path: string, dest: string): Promise<void> {
    try {
      if (!(await this.#make(node, path, dest))) return
      // last, since a mode may forbid writing and every entry moves its folder's time
      if (!restoreAttributes(dest, node.attributes)) this.unmarked += 1
    } catch (error) {
      if (isFatal(error)) throw error
      this.#failed(path, error)
    }
  }

  /** False where nothing was made. */
  async #make(node: Node, path: string, dest: string): Promise<boolean> {
    switch (node.attributes.mode & S_IFMT) {
      case S_IFDIR:
        makeFolder(dest)
        await this.#entries(node, path, dest)
        return true
      case S_IFREG:
        return this.#file(node, dest)
      case S_IFLNK:
        makeLink(dest, this.#drive.readlink(node.nodeid))
        return true
      default:
        this.skipped += 1
        return false
    }
  }

  async #entries(node: Node, path: string, dest: string): Promise<void> {
    for (const name of names(this.#drive, node.nodeid)) {
      await this.#breathe()
      if (this.stopped) return
      const below = join(path, name)
      let child: Node | null
      try {
        child = lookup(this.#drive, node.nodeid, name)
      } catch (error) {
        this.#failed(below, error)
        continue
      }
      if (child === null) continue
      await this.node(child, below, join(dest, name))
      forget(this.#drive, child)
    }
  }

  /** False where it was stopped; nothing of the file stays then. */
  async #file({ nodeid }: Node, dest: string): Promise<boolean> {
    const drive = this.#drive
    const { fh } = drive.open(nodeid, 0)
    try {
      const file = new RestoredFile(dest)
      try {
        for (let offset = 0; !this.stopped;) {
          const count = drive.read(fh, offset, PIECE, this.#piece, 0)
          if (count === 0) {
            file.finish()
            this.#progress.file()
            return true
          }
          file.write(this.#piece, count, offset)
          offset += count
          this.#progress.add(count)
          await this.#breathe()
        }
      } finally {
        file.discardUnfinished()
      }
    } finally {
      drive.release(fh)
    }
    return false
  }

  async #breathe(): Promise<void> {
    if (performance.now() - this.#breathed < BREATHE_MS) return
    await new Promise((resolve) => setImmediate(resolve))
    this.#breathed = performance.now()
  }

  #failed(path: string, error: unknown): void {
    this.failures += 1
    if (error instanceof CofferError && error.exitCode !== 1) this.damaged += 1
    const hint = error instanceof CofferError ? error.hint : ''
    const message = withHint({ message: told(error), hint })
    if (this.#json) printJson({ event: 'error', path, message })
    else {
      this.#progress.end()
      say(`not copied: ${path}: ${message}`)
    }
  }
}

/** Nothing that follows could be copied either. */
function isFatal(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  return ['ENOSPC', 'EDQUOT', 'EROFS', 'VAULT_GONE'].includes(code)
}
