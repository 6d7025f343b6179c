// A mounted drive and a plain folder on which the same is done, step by step; what they say and what
// they then show has to be the same.

import {
  fstatSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  type BigIntStats,
} from 'node:fs'
import { Buffer } from 'node:buffer'
import { getXattr, listXattr, withUmask } from '../posix/calls.js'
import { digest, holes, Side } from './side.js'
import type { SoakStep } from './steps.js'

/** A time that is this long ago has been set; both have to keep it. */
const SET_BEFORE_NS = 86_400_000_000_000n

/** What stays of a drive here: it is mounted, and may be mounted anew. */
export interface Mounted {
  readonly mountpoint: string
  mount(): void
  unmount(): void
}

/** What every script begins with, so that most of its steps find something. */
const START: SoakStep[] = [
  ['mkdir', '/d', 0o755],
  ['mkdir', '/e', 0o755],
  ['mkdir', '/d/d', 0o2755],
  ['create', '/a', 0o644],
  ['write', 0, 0, 100_000],
  ['create', '/d/a', 0o600],
  ['write', 1, 40_000, 5000],
  ['link', '/d/a', '/e/b'],
  ['create', '/d/b', 0o755],
  ['close', 2],
  ['symlink', '/d/b', '/c'],
]

export class Twins {
  readonly #drive: Mounted
  readonly #plain: Side
  readonly #own: Side
  #count = 0

  /** Empty folders of that name, in the drive and in `folder`. */
  constructor(drive: Mounted, folder: string, name: string) {
    this.#drive = drive
    this.#plain = new Side(`${folder}/${name}`)
    this.#own = new Side(`${drive.mountpoint}/${name}`)
    for (const { root } of [this.#plain, this.#own]) mkdirSync(root)
  }

  run(script: readonly SoakStep[]): void {
    withUmask(0, () => {
      for (const step of [...START, ...script]) this.step(step)
      this.#remount(false)
    })
  }

  step(step: SoakStep): void {
    this.#count++
    const expected = this.#plain.step(step, this.#count)
    const actual = this.#own.step(step, this.#count)
    equal(actual, expected, 'what the drive says')
    if (step[0] === 'remount') this.#remount(true)
    for (const word of step.slice(1))
      if (typeof word === 'string' && word.startsWith('/')) this.#looksAlike(word)
    if (typeof step[1] === 'number') this.#heldAlike(step[1])
    if (step[0] === 'copy') this.#heldAlike(step[3])
  }

  #remount(really: boolean): void {
    for (const side of [this.#plain, this.#own]) side.closeAll()
    if (really) {
      this.#drive.unmount()
      this.#drive.mount()
    }
    this.#treeAlike('')
  }

  #treeAlike(path: string): void {
    this.#looksAlike(path)
    if (this.#plain.type(path) !== 'directory') return
    for (const name of readdirSync(this.#plain.at(path))) this.#treeAlike(`${path}/${name}`)
  }

  #looksAlike(path: string): void {
    const type = this.#plain.type(path)
    equal(this.#own.type(path), type, `type of ${path}`)
    const both = [this.#own.at(path), this.#plain.at(path)] as const
    if (type === 'symlink') {
      const [own, plain] = both.map((at) => readlinkSync(at))
      equal(own, plain, `target of ${path}`)
    } else if (type === 'directory' || type === 'file') {
      const [own, plain] = both.map((at) => lstatSync(at, { bigint: true }))
      sameAttributes(path, own!, plain!)
      sameMarks(path, ...both)
      if (type === 'file') sameContent(path, ...(both.map((at) => readFileSync(at)) as Two))
      else {
        const [listed, wanted] = both.map((at) => readdirSync(at).sort().join())
        equal(listed, wanted, `listing of ${path}/`)
      }
    }
  }

  #heldAlike(index: number): void {
    const [own, plain] = [this.#own.handle(index), this.#plain.handle(index)]
    if (own === undefined || plain === undefined) return
    const [ours, theirs] = [own.fd, plain.fd].map((fd) => fstatSync(fd, { bigint: true }))
    sameAttributes('an open file', ours!, theirs!)
    const contents = [own.fd, plain.fd].map((fd) => {
      const into = Buffer.alloc(Number(theirs!.size))
      let at = 0
      for (let n = 1; n > 0 && at < into.length; at += n)
        n = readSync(fd, into, at, into.length - at, at)
      return into
    }) as Two
    sameContent('an open file', ...contents)
    for (const [start, end] of holes(own.fd)) {
      const zero = contents[0].subarray(start, end).every((byte) => byte === 0)
      equal(zero, true, `a hole from ${String(start)} to ${String(end)} is zero`)
    }
  }

  /** Whatever became of it: nothing is open and both folders are gone. */
  remove(): void {
    for (const side of [this.#plain, this.#own]) {
      side.closeAll()
      rmSync(side.root, { recursive: true, force: true })
    }
  }
}

type Two = [Buffer, Buffer]

function sameAttributes(what: string, own: BigIntStats, plain: BigIntStats): void {
  equal((own.mode & 0o7777n).toString(8), (plain.mode & 0o7777n).toString(8), `mode of ${what}`)
  equal(`${String(own.uid)}:${String(own.gid)}`, `${String(plain.uid)}:${String(plain.gid)}`, what)
  if (!plain.isFile()) return
  equal(own.size, plain.size, `size of ${what}`)
  equal(own.nlink, plain.nlink, `links of ${what}`)
  const before = BigInt(Date.now()) * 1_000_000n - SET_BEFORE_NS
  const after = before + 2n * SET_BEFORE_NS
  const isSet = ({ mtimeNs }: BigIntStats): boolean => mtimeNs < before || mtimeNs > after
  if (isSet(plain) || isSet(own)) equal(own.mtimeNs, plain.mtimeNs, `mtime of ${what}`)
}

function sameMarks(what: string, own: string, plain: string): void {
  const [ours, theirs] = [own, plain].map((path) =>
    listXattr(path)
      .map((name) => `${name}=${getXattr(path, name)}`)
      .join(),
  )
  equal(ours, theirs, `extended attributes of ${what}`)
}

function sameContent(what: string, own: Buffer, plain: Buffer): void {
  if (own.equals(plain)) return
  equal(own.length, plain.length, `length of ${what}`)
  const at = own.findIndex((byte, i) => byte !== plain[i])
  throw new Error(
    `content of ${what} differs at byte ${String(at)}: ${digest(own)} instead of ${digest(plain)}`,
  )
}

function equal(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected)
    throw new Error(`${what}: ${String(actual)} instead of ${String(expected)}`)
}
