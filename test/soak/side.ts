// One of two folders that must stay alike: does a step there and says what came of it.

import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  futimesSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readSync,
  readFileSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { renameAt, RENAME_EXCHANGE } from '../../lib/native/files.js'
import {
  AT_FDCWD,
  copyRange,
  fallocate,
  map,
  removeXattr,
  SEEK_DATA,
  SEEK_HOLE,
  seek,
  setXattr,
} from '../posix/calls.js'
import type { SoakStep } from './steps.js'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_TRUNC } = constants
const FLAGS = { r: O_RDONLY, rw: O_RDWR, trunc: O_RDWR | O_TRUNC }
/** A time long ago, for what a file system may or may not touch. */
const LONG_AGO = 1_000_000_000

export interface Held {
  fd: number
  writable: boolean
}

export class Side {
  readonly root: string
  readonly held: Held[] = []

  constructor(root: string) {
    this.root = root
  }

  at(path: string): string {
    return this.root + path
  }

  handle(index: number): Held | undefined {
    return this.held[index % Math.max(1, this.held.length)]
  }

  closeAll(): void {
    for (const { fd } of this.held.splice(0)) closeSync(fd)
  }

  /** What came of it, or the code of the error; `count` tells the bytes of one step from another's. */
  step(step: SoakStep, count: number): string {
    try {
      return this.#named(step, count)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === undefined || !/^E[A-Z0-9]+$/.test(code)) throw error
      return code
    }
  }

  #named(step: SoakStep, count: number): string {
    switch (step[0]) {
      case 'create': {
        const fd = openSync(this.at(step[1]), O_RDWR | O_CREAT | O_EXCL, step[2])
        this.held.push({ fd, writable: true })
        break
      }
      case 'open': {
        const fd = openSync(this.at(step[1]), FLAGS[step[2]] | O_NOFOLLOW)
        if (fstatSync(fd).isFile()) this.held.push({ fd, writable: step[2] !== 'r' })
        else closeSync(fd)
        break
      }
      case 'truncate':
        truncateSync(this.at(step[1]), step[2])
        break
      case 'mkdir':
        mkdirSync(this.at(step[1]), step[2])
        break
      case 'rmdir':
        rmdirSync(this.at(step[1]))
        break
      case 'unlink':
        unlinkSync(this.at(step[1]))
        break
      case 'symlink':
        // never out of the folder
        symlinkSync(`.${step[1]}`, this.at(step[2]))
        break
      case 'rename':
        renameSync(this.at(step[1]), this.at(step[2]))
        break
      case 'resave':
        return resave(this.at(step[1]), step[2])
      case 'exchange':
        renameAt(AT_FDCWD, this.at(step[1]), AT_FDCWD, this.at(step[2]), RENAME_EXCHANGE)
        break
      case 'link':
        linkSync(this.at(step[1]), this.at(step[2]))
        break
      case 'chmod':
        chmodSync(this.at(step[1]), step[2])
        break
      case 'utimens':
        lutimesSync(this.at(step[1]), LONG_AGO, step[2] + step[3] / 1e9)
        break
      case 'setxattr':
        setXattr(this.at(step[1]), step[2], 'v'.repeat(step[3]), step[4])
        break
      case 'removexattr':
        removeXattr(this.at(step[1]), step[2])
        break
      case 'remount':
        break
      default:
        return this.#open(step, count)
    }
    return 'ok'
  }

  #open(step: SoakStep & [string, number, ...unknown[]], count: number): string {
    const held = this.handle(step[1])
    if (held === undefined) return 'skip'
    const { fd, writable } = held
    switch (step[0]) {
      case 'write':
        return String(writeSync(fd, filled(step[3], count), 0, step[3], step[2]))
      case 'append':
        return String(writeSync(fd, filled(step[2], count), 0, step[2], fstatSync(fd).size))
      case 'ftruncate':
        ftruncateSync(fd, step[2])
        break
      case 'fallocate':
        fallocate(fd, step[2], step[3], step[4])
        // a time that was set may stay or not
        futimesSync(fd, LONG_AGO, LONG_AGO + count)
        break
      case 'copy': {
        const [, , offset, to, toOffset, length] = step
        const other = this.handle(to)
        if (other === undefined) return 'skip'
        return String(copied(fd, offset, other.fd, toOffset, length))
      }
      case 'read': {
        const into = Buffer.alloc(step[3])
        return digest(into.subarray(0, readSync(fd, into, 0, step[3], step[2])))
      }
      case 'map': {
        const { size } = fstatSync(fd)
        const length = Math.min(step[3], size - step[2])
        if (!writable || length <= 0) return 'skip'
        const mapping = map(fd, size, 'shared')
        mapping.write(step[2], filled(length, count).toString('latin1'))
        if (count % 2 === 0) mapping.sync()
        mapping.unmap()
        break
      }
      case 'fsync':
        fsyncSync(fd)
        break
      case 'close':
        this.held.splice(this.held.indexOf(held), 1)
        closeSync(fd)
        break
      default:
        throw new Error(`no such step: ${step[0]}`)
    }
    return 'ok'
  }

  /** The kernel follows links in the middle of a path, too: what the last name is, or the error. */
  type(path: string): string {
    try {
      const stat = lstatSync(this.at(path))
      if (stat.isSymbolicLink()) return 'symlink'
      return stat.isDirectory() ? 'directory' : 'file'
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? String(error)
    }
  }
}

/** Saves what is there already, by a new file. */
function resave(path: string, way: 'over' | 'aside'): string {
  const stat = lstatSync(path)
  if (!stat.isFile()) return 'skip'
  const content = readFileSync(path)
  const beside = `${path}.new`
  if (way === 'aside') renameSync(path, beside)
  const saved = way === 'aside' ? path : beside
  writeFileSync(saved, content, { flag: 'wx', mode: stat.mode & 0o7777 })
  if (way === 'aside') unlinkSync(beside)
  else renameSync(saved, path)
  return 'ok'
}

const filled = (length: number, count: number): Buffer =>
  Buffer.alloc(length, `step ${String(count)} `)

/** copy_file_range(2) until it is done: how much one call does is each file system's own affair. */
function copied(
  from: number,
  offset: number,
  to: number,
  toOffset: number,
  length: number,
): number {
  let done = 0
  while (done < length) {
    const n = copyRange(from, offset + done, to, toOffset + done, length - done)
    if (n === 0) break
    done += n
  }
  return done
}

export const digest = (bytes: Buffer): string =>
  `${String(bytes.length)} bytes ${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`

/** Ranges that SEEK_DATA and SEEK_HOLE call holes. */
export function holes(fd: number): [number, number][] {
  const { size } = fstatSync(fd)
  const found: [number, number][] = []
  for (let at = 0; at < size;) {
    const start = seek(fd, SEEK_HOLE, at)
    if (start >= size) break
    let end = size
    try {
      end = seek(fd, SEEK_DATA, start)
    } catch {
      // a hole to the end
    }
    found.push([start, end])
    at = end
  }
  return found
}
