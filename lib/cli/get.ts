// coffer get: copies a file or a tree out of a vault, without a mount. Every byte has been verified
// before it is written. What is there already is never overwritten; what cannot be read is left out
// and named, and the rest comes all the same.

import { Buffer } from 'node:buffer'
import { dirname, join, resolve } from 'node:path'
import { CofferError } from '../errors.js'
import type { Drive } from '../agent/open-drive.js'
import { reason } from '../store/state-folder.js'
import { withDrive } from './open-drive.js'
import { Progress } from './progress.js'
import type { PasswordSource } from './read-password.js'
import {
  isThere,
  makeFolder,
  RestoredFile,
  restoreLink,
  setMode,
  setTimes,
} from './restored-file.js'
import { amount, duration, json as printJson, say, shown } from './ui.js'
import {
  forget,
  lookup,
  names,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  walk,
  type Node,
} from './vault-path.js'

interface Arguments extends PasswordSource {
  vault: string
  path: string
  dest: string
  json: boolean
}

const PIECE = 1024 * 1024
/** bytes after which signals get a chance; the core itself is synchronous */
const BREATHE = 8 * PIECE

export async function get(args: Arguments): Promise<number> {
  const dest = resolve(args.dest)
  checkDestination(dest)
  return withDrive(args, async (drive) => {
    const node = walk(drive, args.path)
    const progress = new Progress(total(drive, node), args.json)
    const copy = new Copy(drive, progress, args.json)
    const stop = (): void => {
      copy.stopped = true
    }
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
    try {
      await copy.node(node, args.path, dest)
    } finally {
      process.off('SIGINT', stop)
      process.off('SIGTERM', stop)
      progress.end()
    }
    return told(copy, progress, dest, args.json)
  })
}

function checkDestination(dest: string): void {
  if (isThere(dest)) {
    throw new CofferError('DESTINATION', `${dest} exists already; nothing was copied`, {
      hint: 'name a file or folder that does not exist yet',
    })
  }
  if (!isThere(dirname(dest))) {
    throw new CofferError('DESTINATION', `there is no folder ${dirname(dest)} to copy into`)
  }
}

function told(copy: Copy, progress: Progress, dest: string, json: boolean): number {
  const { failures, skipped, stopped } = copy
  const { files, bytes, seconds } = progress
  if (json) printJson({ event: 'end', files, bytes, seconds, failures, skipped, stopped })
  else {
    const rate = amount(bytes / Math.max(seconds, 0.001))
    say(
      `${String(files)} files, ${amount(bytes)} in ${duration(seconds)} (${rate}/s) are in ${dest}.`,
    )
    if (skipped > 0) say(`${String(skipped)} devices, pipes or sockets were left out.`)
  }
  if (stopped) throw new CofferError('INTERRUPTED', `stopped; only a part was copied to ${dest}`)
  if (failures > 0) {
    const what = failures === 1 ? 'one entry' : `${String(failures)} entries`
    throw new CofferError('DAMAGED', `${what} could not be copied; everything else was`)
  }
  return 0
}

/** Plaintext bytes below a node. Listing opens no file, so this is quick. */
function total(drive: Drive, node: Node): number {
  const type = node.attributes.mode & S_IFMT
  if (type !== S_IFDIR) return type === S_IFREG ? node.attributes.size : 0
  let sum = 0
  try {
    for (const name of names(drive, node.nodeid)) {
      const child = lookup(drive, node.nodeid, name)
      if (child === null) continue
      sum += total(drive, child)
      forget(drive, child)
    }
  } catch {
    // the copy itself will say so
  }
  return sum
}

class Copy {
  failures = 0
  skipped = 0
  stopped = false
  readonly #drive: Drive
  readonly #progress: Progress
  readonly #json: boolean
  readonly #piece = Buffer.alloc(PIECE)
  #sinceBreath = 0

  constructor(drive: Drive, progress: Progress, json: boolean) {
    this.#drive = drive
    this.#progress = progress
    this.#json = json
  }

  async node(node: Node, path: string, dest: string): Promise<void> {
    const type = node.attributes.mode & S_IFMT
    try {
      if (type === S_IFDIR) await this.#directory(node, path, dest)
      else if (type === S_IFREG) await this.#file(node, dest)
      else if (type === S_IFLNK)
        restoreLink(dest, this.#drive.readlink(node.nodeid), node.attributes)
      else this.skipped += 1
    } catch (error) {
      if (isFatal(error)) throw error
      this.#failed(path, error)
    }
  }

  async #directory(node: Node, path: string, dest: string): Promise<void> {
    makeFolder(dest)
    try {
      for (const name of names(this.#drive, node.nodeid)) {
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
    } finally {
      // last, since a mode may forbid writing and every entry moves the time
      setMode(dest, node.attributes)
      setTimes(dest, node.attributes)
    }
  }

  async #file({ nodeid, attributes }: Node, dest: string): Promise<void> {
    const drive = this.#drive
    const { fh } = drive.open(nodeid, 0)
    try {
      const file = new RestoredFile(dest)
      try {
        for (let offset = 0; ;) {
          const count = drive.read(fh, offset, PIECE, this.#piece, 0)
          if (count === 0) break
          file.write(this.#piece, count, offset)
          offset += count
          this.#progress.add(count)
          await this.#breathe(count)
          if (this.stopped) {
            file.discard()
            return
          }
        }
      } catch (error) {
        file.discard()
        throw error
      }
      file.finish(attributes)
      this.#progress.file()
      await this.#breathe(PIECE / 64)
    } finally {
      drive.release(fh)
    }
  }

  async #breathe(bytes: number): Promise<void> {
    this.#sinceBreath += bytes
    if (this.#sinceBreath < BREATHE) return
    this.#sinceBreath = 0
    await new Promise((resolve) => setImmediate(resolve))
  }

  #failed(path: string, error: unknown): void {
    this.failures += 1
    const message = error instanceof CofferError ? error.message : reason(error)
    if (this.#json) printJson({ event: 'error', path, message })
    else {
      this.#progress.end()
      say(`not copied: ${shown(path)}: ${message}`)
    }
  }
}

/** Nothing that follows could be copied either. */
function isFatal(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  return ['ENOSPC', 'EDQUOT', 'EROFS', 'VAULT_GONE'].includes(code)
}
