// What a disk may forget when its machine stops: of each file the pages written since its last sync,
// each for itself, and its size; of the names the last changes since a folder was last synced.
// Changes go to the disk at once, and are taken back at the stop.

import { Buffer } from 'node:buffer'
import {
  chmodSync,
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { renameAt, RENAME_EXCHANGE } from '../../lib/native/files.js'
import type { Backing } from '../../lib/store/backing.js'
import { noise } from '../posix/folder.js'
import { AT_FDCWD } from '../posix/calls.js'

const PAGE = 4096

type Change = (content: Buffer) => Buffer

interface Touched {
  fd: number
  before: Buffer
  changes: Change[]
}

const at = (fd: number, name = ''): string => {
  const folder = readlinkSync(`/proc/self/fd/${String(fd)}`)
  return name === '' ? folder : `${folder}/${name}`
}

export class Unsynced {
  readonly #real: Backing
  readonly #files = new Map<string, Touched>()
  readonly #held = new Set<number>()
  #names: (() => void)[] = []

  constructor(real: Backing) {
    this.#real = real
  }

  perform(name: string, call: (...args: unknown[]) => unknown, args: unknown[]): unknown {
    const undo = this.#before(name, args)
    const result = call(...args)
    if (undo !== null) this.#names.push(undo)
    if (name === 'createNew') {
      const path = at(args[0] as number, args[1] as string)
      this.#names.push(() => {
        unlinkSync(path)
      })
    }
    return result
  }

  /** Notes a change of content; of a change of names it gives what takes it back. */
  #before(name: string, args: unknown[]): (() => void) | null {
    const [a, b, c, d] = args as [number, never, number, string]
    switch (name) {
      case 'write': {
        const [fd, from, offset, length, position] = args as Parameters<Backing['write']>
        const bytes = Buffer.from(from.subarray(offset, offset + length))
        this.#changed(fd, (old) => over(old, position, bytes))
        return null
      }
      case 'truncate':
        this.#changed(a, (old) => sized(old, b))
        return null
      case 'punch':
        this.#changed(a, (old) => over(old, b, Buffer.alloc(c)))
        return null
      case 'datasync':
        this.#synced(a)
        return null
      case 'sync':
        if (fstatSync(a).isDirectory()) this.#names = []
        else this.#synced(a)
        return null
      case 'syncFileSystem':
        for (const [key, { fd }] of this.#files) this.#drop(key, fd)
        this.#names = []
        return null
      case 'nameUnnamed':
        return unlinking(at(b, c as unknown as string))
      case 'link':
        return unlinking(at(c, d))
      case 'mkdir': {
        const path = at(a, b)
        return () => {
          rmdirSync(path)
        }
      }
      case 'rmdir': {
        const path = at(a, b)
        return () => {
          mkdirSync(path)
        }
      }
      case 'unlink':
        return this.#restoring(at(a, b))
      case 'rename': {
        const [from, to] = [at(a, b), at(c, d)]
        const restore = existsSync(to) ? this.#restoring(to) : null
        return () => {
          renameSync(to, from)
          restore?.()
        }
      }
      case 'exchange': {
        const [from, to] = [at(a, b), at(c, d)]
        return () => {
          renameAt(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE)
        }
      }
      default:
        return null
    }
  }

  #hold(path: string): number {
    const fd = openSync(path, 'r+')
    this.#held.add(fd)
    return fd
  }

  #changed(fd: number, change: Change): void {
    const key = String(fstatSync(fd).ino)
    let file = this.#files.get(key)
    if (file === undefined) {
      const own = this.#hold(`/proc/self/fd/${String(fd)}`)
      file = { fd: own, before: readFileSync(`/proc/self/fd/${String(fd)}`), changes: [] }
      this.#files.set(key, file)
    }
    file.changes.push(change)
  }

  #synced(fd: number): void {
    const key = String(fstatSync(fd).ino)
    const file = this.#files.get(key)
    if (file !== undefined) this.#drop(key, file.fd)
  }

  #drop(key: string, fd: number): void {
    this.#files.delete(key)
    this.#held.delete(fd)
    closeSync(fd)
  }

  /** A file that is about to lose its name, to be made again as it will have been. */
  #restoring(path: string): () => void {
    if (statSync(path).isDirectory()) {
      return () => {
        mkdirSync(path)
      }
    }
    const fd = this.#hold(path)
    const others = fstatSync(fd).nlink > 1
    return () => {
      // another name of it may be there; a link to an open file without one cannot be made
      if (others) return
      writeFileSync(path, readFileSync(`/proc/self/fd/${String(fd)}`))
      chmodSync(path, fstatSync(fd).mode & 0o7777)
      const made = this.#hold(path)
      for (const name of this.#real.listXattr(fd)) {
        const value = this.#real.getXattr(fd, name)
        if (value !== null) this.#real.setXattr(made, name, value, 0)
      }
    }
  }

  /** Every page is as it was at some moment since the last sync; seeds 0 to 2 forget the most. */
  forget(seed: number): void {
    const random = noise(1 << 16, seed + 1)
    let drawn = 0
    const below = (limit: number): number => {
      drawn = (drawn + 4) % (random.length - 4)
      return random.readUInt32LE(drawn) % limit
    }
    for (const { fd, before, changes } of this.#files.values()) {
      const states = [before]
      for (const change of changes) states.push(change(states.at(-1) ?? before))
      const last = states.length - 1
      const pick = (): Buffer =>
        states[[0, below(2) * last, below(2) * last, below(states.length)][Math.min(seed, 3)] ?? 0]!
      const size = seed === 0 ? before.length : (seed === 1 ? states[last]! : pick()).length
      ftruncateSync(fd, 0)
      for (let position = 0; position < size; position += PAGE) {
        const page = pick().subarray(position, Math.min(position + PAGE, size))
        if (page.length > 0) writeSync(fd, page, 0, page.length, position)
      }
      ftruncateSync(fd, size)
    }
    const kept = seed === 1 ? this.#names.length : below(this.#names.length + 1)
    for (const undo of this.#names.slice(kept).reverse()) undo()
  }

  close(): void {
    for (const fd of this.#held) closeSync(fd)
    this.#held.clear()
  }
}

const unlinking = (path: string) => (): void => {
  unlinkSync(path)
}

const sized = (old: Buffer, size: number): Buffer =>
  size <= old.length ? old.subarray(0, size) : Buffer.concat([old, Buffer.alloc(size - old.length)])

function over(old: Buffer, position: number, bytes: Buffer): Buffer {
  const made = Buffer.alloc(Math.max(old.length, position + bytes.length))
  old.copy(made)
  bytes.copy(made, position)
  return made
}
