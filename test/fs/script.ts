// Random operations, one line each, on a drive and on the model: what both say and what both then
// hold must be the same. A failing script is printed as these lines.

import { constants } from 'node:fs'
import fc from 'fast-check'
import { CofferError } from '../../lib/errors.js'
import type { Attributes } from '../../lib/fs/filesystem.js'
import { Errno, Model, punch, truncate, write, type ModelFile, type ModelNode } from './model.js'
import type { OpenFile, Session, TestVault } from './session.js'

export type Step =
  | ['create', string, number]
  | ['open', string, 'r' | 'rw' | 'trunc']
  | ['write', number, number, number]
  | ['append', number, number]
  | ['read', number, number, number]
  | ['ftruncate', number, number]
  | ['fallocate', number, 0 | 1 | 3 | 16 | 17, number, number]
  | ['copy', number, number, number, number, number]
  | ['truncate', string, number]
  | ['fsync', number]
  | ['close', number]
  | ['mkdir', string, number]
  | ['rmdir', string]
  | ['unlink', string]
  | ['symlink', string, string]
  | ['rename', string, string]
  | ['resave', string, 'over' | 'aside']
  | ['chmod', string, number]
  | ['utimens', string, number, number]
  | ['wait', number]
  | ['remount']

const LONG = 'ü'.repeat(80)
const NEAR_PATHS = ['/a', '/b', '/d/a', '/d/b', `/${LONG}`]
const NAMES = ['a', 'b', 'c', LONG]
const PATHS = ['', '/d', '/e', '/d/d', `/${LONG}d`].flatMap((parent) =>
  [...NAMES, 'd'].map((name) => `${parent}/${name}`),
)
const DIRECTORIES = ['/d', '/e', '/d/d', `/${LONG}d`, '/e/d']

const PAGE = 4096

/** Places at and around the ends of chunks, at those of pages, and of the size up to which a file is checked whole. */
export const sizes = (C: number): fc.Arbitrary<number> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.nat(3 * C) },
    {
      weight: 5,
      arbitrary: fc
        .tuple(fc.constantFrom(0, 1, 2, 3, 34, 70), fc.integer({ min: -1, max: 1 }))
        .map(([chunks, by]) => Math.max(0, chunks * C + by)),
    },
    { weight: 3, arbitrary: fc.nat((4 * C) / PAGE).map((pages) => pages * PAGE) },
    {
      weight: 1,
      arbitrary: fc.integer({ min: -1, max: 1 }).map((by) => 4 * 1024 * 1024 + by),
    },
  )

export const paths: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...NEAR_PATHS) },
  { weight: 1, arbitrary: fc.constantFrom(...PATHS) },
)

/** One operation, where nobody waits and the drive stays. */
export function operation(C: number): fc.Arbitrary<Step> {
  const path = paths
  const directory = fc.constantFrom(...DIRECTORIES)
  const handle = fc.nat(3)
  const size = sizes(C)
  const mode = fc.constantFrom(0o644, 0o600, 0o755, 0, 0o400, 0o4711, 0o2750, 0o1777, 0o7777, 0o77)
  return fc.oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constant('create' as const), path, mode) },
    {
      weight: 5,
      arbitrary: fc.tuple(
        fc.constant('open' as const),
        path,
        fc.constantFrom('r' as const, 'rw' as const, 'rw' as const, 'trunc' as const),
      ),
    },
    { weight: 9, arbitrary: fc.tuple(fc.constant('write' as const), handle, size, size) },
    { weight: 4, arbitrary: fc.tuple(fc.constant('append' as const), handle, size) },
    { weight: 3, arbitrary: fc.tuple(fc.constant('read' as const), handle, size, size) },
    { weight: 4, arbitrary: fc.tuple(fc.constant('ftruncate' as const), handle, size) },
    {
      weight: 6,
      arbitrary: fc.tuple(
        fc.constant('fallocate' as const),
        handle,
        fc.constantFrom(0 as const, 1 as const, 3 as const, 3 as const, 16 as const, 17 as const),
        size,
        size,
      ),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(fc.constant('copy' as const), handle, size, handle, size, size),
    },
    { weight: 2, arbitrary: fc.tuple(fc.constant('truncate' as const), path, size) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('fsync' as const), handle) },
    { weight: 5, arbitrary: fc.tuple(fc.constant('close' as const), handle) },
    { weight: 4, arbitrary: fc.tuple(fc.constant('mkdir' as const), directory, mode) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('rmdir' as const), directory) },
    { weight: 3, arbitrary: fc.tuple(fc.constant('unlink' as const), path) },
    { weight: 2, arbitrary: fc.tuple(fc.constant('symlink' as const), path, path) },
    { weight: 6, arbitrary: fc.tuple(fc.constant('rename' as const), path, path) },
    { weight: 2, arbitrary: fc.tuple(fc.constant('rename' as const), directory, directory) },
    {
      weight: 3,
      arbitrary: fc.tuple(
        fc.constant('resave' as const),
        path,
        fc.constantFrom('over' as const, 'aside' as const),
      ),
    },
    { weight: 3, arbitrary: fc.tuple(fc.constant('chmod' as const), path, mode) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('chmod' as const), directory, mode) },
    {
      weight: 3,
      arbitrary: fc.tuple(
        fc.constant('utimens' as const),
        path,
        fc.integer({ min: -10, max: 2 ** 33 }),
        fc.integer({ min: 0, max: 999_999_999 }),
      ),
    },
  )
}

export function steps(C: number): fc.Arbitrary<Step[]> {
  const wait = fc.tuple(fc.constant('wait' as const), fc.constantFrom(30, 3000, 6000))
  const one = fc.oneof(
    { weight: 72, arbitrary: operation(C) },
    { weight: 3, arbitrary: wait },
    { weight: 2, arbitrary: fc.tuple(fc.constant('remount' as const)) },
  )
  return fc.array(one, { minLength: 1, maxLength: 60, size: 'max' })
}

interface Held {
  file: ModelFile
  handle: OpenFile
  writable: boolean
}

export class Script {
  readonly model = new Model()
  readonly #vault: TestVault
  readonly #options: { holdInodes: boolean; pages?: number }
  readonly #held: Held[] = []
  #session: Session
  #count = 0

  constructor(vault: TestVault, options: { holdInodes: boolean; pages?: number }) {
    this.#vault = vault
    this.#options = options
    this.#session = vault.open(options)
  }

  run(script: readonly Step[]): void {
    for (const step of script) this.step(step)
    this.remount()
    this.#agreesWithOracle()
    this.#session.close()
  }

  /** Both do it; both must say the same; what it touched must look the same. */
  step(step: Step): void {
    this.#count++
    const [expected, actual] = [this.#outcome(step, 'model'), this.#outcome(step, 'drive')]
    equal(actual, expected, 'what the drive says')
    for (const word of step.slice(1))
      if (typeof word === 'string' && word.startsWith('/')) this.#looksAlike(word)
    if (typeof step[1] === 'number' && step[0] !== 'wait') this.#heldAlike(step[1])
  }

  #outcome(step: Step, side: 'model' | 'drive'): string {
    try {
      return side === 'model' ? this.#onModel(step) : this.#onDrive(step)
    } catch (error) {
      if (error instanceof Errno || error instanceof CofferError) return error.code
      throw error
    }
  }

  #at(index: number): Held | undefined {
    return this.#held[index % Math.max(1, this.#held.length)]
  }

  #bytes(length: number): Buffer {
    return Buffer.alloc(length, `step ${String(this.#count)} `)
  }

  /** The handles are the model's, too: a step that opens is finished by the drive. */
  #onModel(step: Step): string {
    const { model } = this
    switch (step[0]) {
      case 'create':
        model.create(step[1], step[2])
        return 'ok'
      case 'open': {
        const node = model.get(step[1])
        if (node.type === 'directory') return 'EISDIR'
        // a kernel follows links by itself
        if (node.type === 'symlink') return 'skip'
        if (step[2] === 'trunc') truncate(node, 0)
        return 'ok'
      }
      case 'truncate':
        truncate(model.file(step[1]), step[2])
        return 'ok'
      case 'mkdir':
        model.mkdir(step[1], step[2])
        return 'ok'
      case 'rmdir':
        model.rmdir(step[1])
        return 'ok'
      case 'unlink':
        model.unlink(step[1])
        return 'ok'
      case 'symlink':
        model.symlink(step[1], step[2])
        return 'ok'
      case 'rename':
        // a kernel refuses this before it asks
        if (step[2].startsWith(`${step[1]}/`)) return 'skip'
        model.rename(step[1], step[2])
        return 'ok'
      case 'resave': {
        const old = model.file(step[1])
        const beside = `${step[1]}.new`
        model.create(beside, old.mode)
        if (old.content.length > 0) write(model.file(beside), 0, old.content)
        model.rename(beside, step[1])
        return 'ok'
      }
      case 'chmod': {
        const node = model.get(step[1])
        if (node.type !== 'symlink') node.mode = step[2]
        return 'ok'
      }
      case 'utimens': {
        const node = model.get(step[1])
        if (node.type === 'file') node.mtime = BigInt(step[2]) * 1_000_000_000n + BigInt(step[3])
        return 'ok'
      }
      case 'wait':
      case 'remount':
        return 'ok'
    }
    const held = this.#at(step[1])
    if (held === undefined) return 'skip'
    const { file, writable } = held
    switch (step[0]) {
      case 'write':
        if (writable && step[3] > 0) write(file, step[2], this.#bytes(step[3]))
        return 'ok'
      case 'append':
        if (writable && step[2] > 0) write(file, file.content.length, this.#bytes(step[2]))
        return 'ok'
      case 'ftruncate':
        if (writable) truncate(file, step[2])
        return 'ok'
      case 'fallocate': {
        const [, , mode, offset, length] = step
        if (!writable || length === 0) return 'ok'
        if (mode > 1) punch(file, offset, length)
        if ((mode & 1) === 0 && offset + length > file.content.length)
          truncate(file, offset + length)
        // a time that was set may stay or not
        file.mtime = null
        return 'ok'
      }
      case 'copy': {
        const [, , offset, to, toOffset, length] = step
        const other = this.#at(to)
        const overlap = file === other?.file && Math.abs(offset - toOffset) < length
        if (other?.writable !== true || overlap) return 'skip'
        const copied = Buffer.from(
          file.content.subarray(offset, offset + Math.min(length, 4 * 1024 * 1024)),
        )
        if (copied.length > 0) write(other.file, toOffset, copied)
        return 'ok'
      }
      case 'read':
        return digest(file.content.subarray(step[2], step[2] + step[3]))
      default:
        return 'ok'
    }
  }

  #onDrive(step: Step): string {
    const session = this.#session
    switch (step[0]) {
      case 'create': {
        const handle = session.create(step[1], step[2])
        this.#held.push({ file: this.model.file(step[1]), handle, writable: true })
        return 'ok'
      }
      case 'open': {
        if (session.exists(step[1]) && session.type(step[1]) === 'symlink') return 'skip'
        const { O_RDONLY, O_RDWR, O_TRUNC } = constants
        const flags = { r: O_RDONLY, rw: O_RDWR, trunc: O_RDWR | O_TRUNC }[step[2]]
        const handle = session.open(step[1], flags)
        this.#held.push({ file: this.model.file(step[1]), handle, writable: step[2] !== 'r' })
        return 'ok'
      }
      case 'truncate':
        session.setattr(step[1], { size: step[2] })
        return 'ok'
      case 'mkdir':
        session.mkdir(step[1], step[2])
        return 'ok'
      case 'rmdir':
        session.rmdir(step[1])
        return 'ok'
      case 'unlink':
        session.unlink(step[1])
        return 'ok'
      case 'symlink':
        session.symlink(step[1], step[2])
        return 'ok'
      case 'rename':
        if (step[2].startsWith(`${step[1]}/`)) return 'skip'
        session.rename(step[1], step[2])
        return 'ok'
      case 'resave': {
        const { mode, content } = this.model.file(step[1])
        const beside = `${step[1]}.new`
        if (step[2] === 'aside') session.rename(step[1], beside)
        session.write(step[2] === 'aside' ? step[1] : beside, content, mode)
        if (step[2] === 'aside') session.unlink(beside)
        else session.rename(beside, step[1])
        return 'ok'
      }
      case 'chmod':
        session.setattr(step[1], { mode: step[2] })
        return 'ok'
      case 'utimens':
        session.setattr(step[1], { mtime: { sec: step[2], nsec: step[3] } })
        return 'ok'
      case 'wait':
        this.#vault.skew += step[1]
        session.drive.tend()
        return 'ok'
      case 'remount':
        this.remount()
        return 'ok'
    }
    const held = this.#at(step[1])
    if (held === undefined) return 'skip'
    const { file, handle, writable } = held
    switch (step[0]) {
      case 'write':
        if (writable) handle.write(step[2], this.#bytes(step[3]))
        return 'ok'
      case 'append': {
        // the model has appended already
        const size = file.content.length - step[2]
        if (writable) handle.write(size, this.#bytes(step[2]))
        return 'ok'
      }
      case 'ftruncate':
        if (writable) handle.truncate(step[2])
        return 'ok'
      case 'fallocate':
        if (writable && step[4] > 0) handle.fallocate(step[2], step[3], step[4])
        return 'ok'
      case 'copy': {
        const [, , offset, to, toOffset, length] = step
        const other = this.#at(to)
        const overlap = file === other?.file && Math.abs(offset - toOffset) < length
        if (other?.writable !== true || overlap) return 'skip'
        session.drive.copyFileRange(handle.fh, offset, other.handle.fh, toOffset, length)
        return 'ok'
      }
      case 'read':
        return digest(handle.read(step[2], step[3]))
      case 'fsync':
        handle.sync()
        return 'ok'
      case 'close':
        this.#held.splice(this.#held.indexOf(held), 1)
        handle.close()
        return 'ok'
    }
  }

  remount(): void {
    for (const { handle } of this.#held.splice(0)) handle.close()
    this.#session.close()
    this.#session = this.#vault.open(this.#options)
    for (const path of this.model.paths().keys()) this.#looksAlike(path)
    this.#lists('', this.model.root.entries)
  }

  #looksAlike(path: string): void {
    let node: ModelNode | null = null
    try {
      node = this.model.get(path)
    } catch {
      // not there
    }
    let attributes: Attributes | null = null
    try {
      attributes = this.#session.stat(path)
    } catch (error) {
      const { code } = error as { code: unknown }
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error
    }
    if (node === null || attributes === null) {
      equal(attributes === null, node === null, `${path} is not there`)
      return
    }
    equal(this.#session.type(path), node.type, `type of ${path}`)
    if (node.type === 'symlink') {
      equal(this.#session.readlink(path), node.target, `target of ${path}`)
      return
    }
    equal((attributes.mode & 0o7777).toString(8), node.mode.toString(8), `mode of ${path}`)
    if (node.type === 'directory') {
      this.#lists(path, node.entries)
      return
    }
    sameAttributes(path, attributes, node)
    sameContent(path, this.#session.read(path), node.content)
  }

  #heldAlike(index: number): void {
    const held = this.#at(index)
    if (held === undefined) return
    const { file, handle } = held
    sameAttributes('an open file', this.#session.statNode(handle.nodeid), file)
    sameContent('an open file', handle.read(0, file.content.length + 1), file.content)
    const data = handle.data()
    let end = 0
    for (const [start, next] of [...data, [file.content.length, Infinity] as const]) {
      equal(
        file.content.subarray(end, start).every((byte) => byte === 0),
        true,
        'a hole is zero',
      )
      if (end > start) throw new Error('data and holes are not in order')
      end = next
    }
  }

  #lists(path: string, entries: ReadonlyMap<string, ModelNode>): void {
    const listed = [...this.#session.list(path).keys()].sort().join()
    equal(listed, [...entries.keys()].sort().join(), `listing of ${path}/`)
  }

  #agreesWithOracle(): void {
    const tree = this.#vault.judge()
    const paths = this.model.paths()
    equal([...tree.keys()].sort().join(), [...paths.keys()].sort().join(), 'paths by the oracle')
    for (const [path, node] of paths) {
      const seen = tree.get(path)!
      equal(seen.problem, null, `${path} by the oracle`)
      equal(seen.type, node.type, `type of ${path} by the oracle`)
      if (node.type === 'symlink') equal(seen.content.toString(), node.target, `${path}, oracle`)
      else equal(seen.mode.toString(8), node.mode.toString(8), `mode of ${path} by the oracle`)
      if (node.type !== 'file') continue
      sameContent(`${path} by the oracle`, seen.content, node.content)
      if (node.mtime !== null) equal(seen.mtime, node.mtime, `mtime of ${path} by the oracle`)
    }
  }
}

function sameAttributes(what: string, attributes: Attributes, file: ModelFile): void {
  equal(attributes.size, file.content.length, `size of ${what}`)
  equal(attributes.nlink, file.linked ? 1 : 0, `links of ${what}`)
  equal((attributes.mode & 0o7777).toString(8), file.mode.toString(8), `mode of ${what}`)
  const mtime = BigInt(attributes.mtimeSec) * 1_000_000_000n + BigInt(attributes.mtimeNsec)
  if (file.mtime !== null) equal(mtime, file.mtime, `mtime of ${what}`)
}

function sameContent(what: string, actual: Buffer, expected: Buffer): void {
  if (actual.equals(expected)) return
  equal(actual.length, expected.length, `length of ${what}`)
  const at = actual.findIndex((byte, i) => byte !== expected[i])
  throw new Error(`content of ${what} differs at byte ${String(at)}`)
}

const digest = (bytes: Buffer): string =>
  `${String(bytes.length)} bytes, ${bytes.subarray(0, 12).toString('latin1')}…${bytes.subarray(-12).toString('latin1')}`

function equal(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected)
    throw new Error(`${what}: ${String(actual)} instead of ${String(expected)}`)
}
