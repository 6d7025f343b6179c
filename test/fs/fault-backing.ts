// A way to the disk on which the n-th change goes wrong: it fails, or the machine stops in the midst
// of it, and what was not synced by then may be lost in part. Reading never fails before a stop.

import { CofferError, systemError } from '../../lib/errors.js'
import { openBacking, type Backing } from '../../lib/store/backing.js'
import { constants } from 'node:os'
import { Unsynced } from './unsynced.js'

export type Fault =
  | { kind: 'fails'; code: 'EIO' | 'ENOSPC' }
  /** half of a write is done, and then it fails */
  | { kind: 'short'; code: 'EIO' | 'ENOSPC' }
  /** the machine stops when that many blocks of 512 bytes are written, or half of the write */
  | { kind: 'stops'; blocks: number | 'half' }
  /** the machine stops, and forgets some of what was not synced */
  | { kind: 'forgets'; seed: number }

/** The calls that change something. */
const CHANGES: ReadonlySet<string> = new Set<keyof Backing>([
  'createNew',
  'createUnnamed',
  'nameUnnamed',
  'write',
  'copyRange',
  'truncate',
  'punch',
  'reserve',
  'datasync',
  'sync',
  'syncFileSystem',
  'mkdir',
  'rmdir',
  'unlink',
  'rename',
  'exchange',
  'link',
  'chmod',
  'chmodFd',
  'chown',
  'chownFd',
  'utimes',
  'utimesFd',
  'setXattr',
  'removeXattr',
])
const SYNCS: ReadonlySet<string> = new Set<keyof Backing>(['datasync', 'sync', 'syncFileSystem'])
/** Those that need no room. */
const ROOMLESS: ReadonlySet<string> = new Set<string>([
  ...SYNCS,
  'rmdir',
  'unlink',
  'chmod',
  'chmodFd',
  'chown',
  'chownFd',
  'utimes',
  'utimesFd',
  'removeXattr',
])
const BLOCK = 512

/** What every change meets after the stop. */
export class Stopped extends Error {}

type Call = (...args: unknown[]) => unknown
type Write = Parameters<Backing['write']>

export class FaultBacking {
  readonly backing: Backing
  readonly #fault: Fault
  #at: number
  readonly #unsynced: Unsynced | null
  #calls = 0
  /** the call that went wrong */
  hit: string | null = null
  stopped = false

  constructor(fault: Fault, at: number) {
    this.#fault = fault
    this.#at = at
    const real = openBacking()
    this.#unsynced = fault.kind === 'forgets' ? new Unsynced(real) : null
    const wrapped: Record<string, unknown> = { writable: true }
    for (const [name, call] of Object.entries(real)) {
      if (typeof call === 'function')
        wrapped[name] = (...args: unknown[]) => this.#call(name, call as Call, args)
    }
    this.backing = wrapped as unknown as Backing
  }

  #call(name: string, call: Call, args: unknown[]): unknown {
    if (!CHANGES.has(name)) return call(...args)
    if (this.stopped) throw new Stopped(name)
    if (++this.#calls === this.#at && this.#applies(name)) {
      this.hit = name
      return this.#goWrong(name, call, args)
    }
    return this.#do(name, call, args)
  }

  #do(name: string, call: Call, args: unknown[]): unknown {
    // this machine does not really stop: its disk need not be waited for
    const act = SYNCS.has(name) ? (): undefined => undefined : call
    return this.#unsynced === null ? act(...args) : this.#unsynced.perform(name, act, args)
  }

  /** Where a fault cannot be, the call after it is no other run than without a fault. */
  #applies(name: string): boolean {
    if (this.#fault.kind === 'short') return name === 'write'
    if (this.#fault.kind === 'fails' && this.#fault.code === 'ENOSPC') return !ROOMLESS.has(name)
    return true
  }

  /** The n-th change from now on. */
  next(at: number): void {
    this.#calls = 0
    this.#at = at
  }

  /** Has the n-th change come, whether it could go wrong or not? */
  get reached(): boolean {
    return this.#calls >= this.#at
  }

  #goWrong(name: string, call: Call, args: unknown[]): never {
    const fault = this.#fault
    const blocks = fault.kind === 'short' ? 'half' : fault.kind === 'stops' ? fault.blocks : 0
    if (name === 'write') {
      const [fd, from, offset, length, position] = args as Write
      const done = Math.min(length, blocks === 'half' ? length >> 1 : blocks * BLOCK)
      if (done > 0) this.#do(name, call, [fd, from, offset, done, position])
    }
    if (fault.kind === 'fails' || fault.kind === 'short')
      throw systemError(constants.errno[fault.code], name)
    this.stopped = true
    if (fault.kind === 'forgets') this.#unsynced?.forget(fault.seed)
    throw new Stopped(name)
  }

  close(): void {
    this.#unsynced?.close()
  }
}

/** A disk on which nothing goes wrong, and nobody waits for it. */
export const soundBacking = (): Backing =>
  new FaultBacking({ kind: 'fails', code: 'EIO' }, Infinity).backing

export const codeOf = (error: unknown): string =>
  error instanceof CofferError ? error.code : String(error)
