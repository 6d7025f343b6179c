// A user at one machine: a process under that user's id that does to its drive what it is told, and
// answers with what came of it. Started by `machine.ts`.

import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { blocks, stream, type Content, type Patch } from './content.js'

export interface Found {
  path: string
  type: 'directory' | 'file' | 'other'
  size: number
  /** SHA-256 of a file, where it was asked for */
  hash?: string
  /** code of the error that it is read with */
  error?: string
}

/** A path that could not be read for a while. */
export interface Span {
  path: string
  code: string
  from: number
  to: number
}

const BLOCK = 1024 * 1024
const GLANCE = 16
const [, , root = '/nowhere'] = process.argv
const at = (path: string): string => join(root, path)
const held = new Map<number, number>()
let nextHandle = 1
const buffer = Buffer.alloc(BLOCK)

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error)

function hashFd(fd: number): string {
  const hash = createHash('sha256')
  for (let position = 0; ;) {
    const got = readSync(fd, buffer, 0, BLOCK, position)
    if (got === 0) return hash.digest('hex')
    hash.update(buffer.subarray(0, got))
    position += got
  }
}

function using<T>(path: string, flags: string, act: (fd: number) => T): T {
  const fd = openSync(at(path), flags)
  let result
  try {
    result = act(fd)
  } catch (error) {
    closeSync(fd)
    throw error
  }
  // its error is the flush's, and counts
  closeSync(fd)
  return result
}

function put(fd: number, content: Content): void {
  let position = 0
  for (const block of blocks(content)) position += writeSync(fd, block, 0, block.length, position)
}

function lay(fd: number, patches: readonly Patch[]): void {
  for (const [offset, seed, length] of patches)
    writeSync(fd, stream(seed, 0, length), 0, length, offset)
}

/** Sorted, a directory before what is in it. */
function tree(path: string, hashes: boolean, found: Found[] = []): Found[] {
  let entries
  try {
    entries = readdirSync(at(path), { withFileTypes: true })
  } catch (error) {
    found.push({ path, type: 'directory', size: 0, error: codeOf(error) })
    return found
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const name = join(path, entry.name)
    if (entry.isDirectory()) {
      found.push({ path: name, type: 'directory', size: 0 })
      tree(name, hashes, found)
      continue
    }
    const one: Found = { path: name, type: entry.isFile() ? 'file' : 'other', size: 0 }
    found.push(one)
    try {
      one.size = lstatSync(at(name)).size
      if (hashes && one.type === 'file') one.hash = using(name, 'r', hashFd)
    } catch (error) {
      one.error = codeOf(error)
    }
  }
  return found
}

let glancing: { stop: boolean; ended: Promise<Span[]> } | null = null

/** Opens everything that is listed, again and again, and keeps what fails and how long. */
async function glance(interval: number, state: { stop: boolean }): Promise<Span[]> {
  const open = new Map<string, Span>()
  const spans: Span[] = []
  while (!state.stop) {
    const now = Date.now()
    const failing = new Map<string, string>()
    for (const { path, type, error } of tree('', false)) {
      if (error !== undefined) failing.set(path, error)
      else if (type === 'file') {
        try {
          using(path, 'r', (fd) => readSync(fd, buffer, 0, GLANCE, 0))
        } catch (error) {
          failing.set(path, codeOf(error))
        }
      }
    }
    for (const [path, span] of open) {
      if (failing.has(path)) continue
      open.delete(path)
      spans.push({ ...span, to: now })
    }
    for (const [path, code] of failing)
      if (!open.has(path)) open.set(path, { path, code, from: now, to: 0 })
    await sleep(interval)
  }
  return [...spans, ...[...open.values()].map((span) => ({ ...span, to: Date.now() }))]
}

const take = (handle: number): number => {
  const fd = held.get(handle)
  if (fd === undefined) throw new Error(`no handle ${handle}`)
  return fd
}

const calls = {
  tree: () => tree('', false),
  look: (path: string) => tree(path, true),
  hash: (path: string) => using(path, 'r', hashFd),
  write: (path: string, content: Content) => {
    using(path, 'w', (fd) => {
      put(fd, content)
    })
  },
  patch: (path: string, patches: Patch[], sync: boolean) => {
    using(path, 'r+', (fd) => {
      lay(fd, patches)
      if (sync) fsyncSync(fd)
    })
  },
  truncate: (path: string, length: number) => {
    using(path, 'r+', (fd) => {
      ftruncateSync(fd, length)
    })
  },
  /** As editors save: a new file beside it, then its name. */
  replace: (path: string, temporary: string, content: Content) => {
    using(temporary, 'wx', (fd) => {
      put(fd, content)
      fsyncSync(fd)
    })
    renameSync(at(temporary), at(path))
  },
  rename: (from: string, to: string) => {
    renameSync(at(from), at(to))
  },
  unlink: (path: string) => {
    unlinkSync(at(path))
  },
  rmdir: (path: string) => {
    rmdirSync(at(path))
  },
  rmtree: (path: string) => {
    rmSync(at(path), { recursive: true })
  },
  mkdir: (path: string) => mkdirSync(at(path), { recursive: true }) ?? null,
  touch: (path: string, seconds: number) => {
    utimesSync(at(path), seconds, seconds)
  },
  open: (path: string, flags: string) => {
    held.set(nextHandle, openSync(at(path), flags))
    return nextHandle++
  },
  hashHeld: (handle: number) => hashFd(take(handle)),
  patchHeld: (handle: number, patches: Patch[]) => {
    lay(take(handle), patches)
  },
  sizeHeld: (handle: number) => fstatSync(take(handle)).size,
  close: (handle: number) => {
    const fd = take(handle)
    held.delete(handle)
    closeSync(fd)
  },
  startGlancing: (interval: number) => {
    const state = { stop: false, ended: Promise.resolve<Span[]>([]) }
    state.ended = glance(interval, state)
    glancing = state
  },
  stopGlancing: async () => {
    if (glancing === null) return []
    glancing.stop = true
    const spans = await glancing.ended
    glancing = null
    return spans
  },
}

export type Calls = typeof calls
export type Request = [id: number, call: keyof Calls, args: unknown[]]
export type Answer = { id: number } & ({ value: unknown } | { code: string })

process.on('message', ([id, call, args]: Request) => {
  const answer = (came: { value: unknown } | { code: string }): void => {
    process.send?.({ id, ...came } satisfies Answer)
  }
  void (async () => {
    try {
      const act = calls[call] as (...args: unknown[]) => unknown
      answer({ value: (await act(...args)) ?? null })
    } catch (error) {
      answer({ code: codeOf(error) })
    }
  })()
})
process.on('disconnect', () => process.exit())
