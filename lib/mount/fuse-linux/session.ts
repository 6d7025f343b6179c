// The loop that serves a mounted drive: read a request, serve it, write the reply, until the kernel
// says that the mount is gone. Synchronous; it owns its thread, which must never touch its own mount.
//
// After a request it spins for a moment, since the next one usually follows; then it sleeps until a
// request comes, another thread wakes it, or the file system has something due.

import { constants } from 'node:os'
import { performance } from 'node:perf_hooks'
import { systemError } from '../../errors.js'
import type { Filesystem } from '../../fs/filesystem.js'
import { Later } from '../../fs/later.js'
import { takeWake } from '../../native/eventfd.js'
import { deviceBuffer, FuseDevice } from '../../native/fuse-device.js'
import { addressOf } from '../../native/libc.js'
import { Poll } from '../../native/poll.js'
import { Counters } from '../counters.js'
import { Dispatch } from './dispatch.js'
import { Parked } from './parked.js'
import { Reply, REPLY_CAPACITY } from './reply.js'
import { Request, REQUEST_CAPACITY } from './request.js'
import { SlowLane } from './slow-lane.js'
import { OPCODE, OUT_HEADER_SIZE, WRITE_DATA, WRITE_IN } from './wire.js'

const { EAGAIN, EINTR, ENOENT, ENODEV, ECONNABORTED } = constants.errno

const SPIN_MS = 0.05
/** how long requests in a row may keep due work and messages waiting */
const PATIENCE_MS = 10
const RETRY_MS = 1000
const SLOW_LIMIT_MS = 300_000
/** places in the poll set; the device is the first */
const WAKE = 1
const TEND = 2

export interface Hooks {
  /** an eventfd (native/eventfd.ts) that other threads signal */
  wakeFd: number
  /** It was signalled. False ends the loop; the kernel then waits until the device is closed. */
  onWake(): boolean
  /** An error that no application asked for: a defect, or due work that failed. */
  onDefect(error: unknown): void
}

export interface ServeOptions {
  /** the kernel asks again after so long at the latest, milliseconds */
  believedMs?: number
  counters?: Counters
  /** how long a request may wait for something slow */
  slowLimitMs?: number
  /** does what is slow; whoever lends it ends it */
  lane?: SlowLane
}

/** Serves `deviceFd` until it is unmounted (true) or `onWake` ends it (false). */
export function serve(
  deviceFd: number,
  fs: Filesystem,
  hooks: Hooks,
  options: ServeOptions = {},
): boolean {
  return new Session(deviceFd, fs, hooks, options).run()
}

class Session {
  readonly #device: FuseDevice
  readonly #sleep: Poll
  readonly #dispatch: Dispatch
  readonly #counters: Counters
  readonly #fs: Filesystem
  readonly #hooks: Hooks
  readonly #requestAddress: number
  readonly #replyAddress: number
  readonly #lane: SlowLane
  readonly #ownLane: boolean
  readonly #parked: Parked
  #due = 0
  #lastTend = 0

  constructor(deviceFd: number, fs: Filesystem, hooks: Hooks, options: ServeOptions) {
    const request = deviceBuffer(REQUEST_CAPACITY, WRITE_DATA)
    const reply = deviceBuffer(REPLY_CAPACITY, OUT_HEADER_SIZE)
    this.#requestAddress = addressOf(request)
    this.#replyAddress = addressOf(reply)
    this.#device = new FuseDevice(deviceFd)
    this.#sleep = new Poll([deviceFd, hooks.wakeFd, fs.tendFd ?? -1])
    this.#counters = options.counters ?? new Counters()
    this.#fs = fs
    this.#hooks = hooks
    this.#dispatch = new Dispatch(
      fs,
      new Request(request),
      new Reply(reply, options.believedMs ?? Infinity),
      (error) => {
        hooks.onDefect(error)
      },
    )
    this.#lane = options.lane ?? new SlowLane(hooks.wakeFd)
    this.#ownLane = options.lane === undefined
    const limit = options.slowLimitMs ?? SLOW_LIMIT_MS
    this.#parked = new Parked(this.#dispatch.request, this.#lane, limit, {
      serve: (length) => {
        this.#answer(length)
      },
      fail: (errno) => {
        const { request, reply } = this.#dispatch
        this.#device.write(this.#replyAddress, reply.fail(request, errno))
      },
    })
  }

  run(): boolean {
    try {
      return this.#loop()
    } finally {
      this.#parked.end()
      if (this.#ownLane) this.#lane.end()
    }
  }

  #loop(): boolean {
    let idleSince = 0
    let lastChores = 0
    for (;;) {
      const length = this.#device.read(this.#requestAddress, REQUEST_CAPACITY)
      const now = performance.now()
      let woken = true
      if (length > 0) {
        if (this.#parked.count === 0 || !this.#parked.takes(length, now)) this.#answer(length)
        idleSince = 0
        if (now - lastChores < PATIENCE_MS) continue
        this.#untilDue(now)
      } else if (length === -EAGAIN) {
        if (idleSince === 0) idleSince = now
        if (now - idleSince < SPIN_MS) continue
        this.#sleep.wait(this.#untilDue(now))
        woken = this.#sleep.readable(WAKE)
        if (this.#sleep.readable(TEND)) this.#tendSoon()
      } else if (length === -ENODEV || length === -ECONNABORTED) {
        return true
      } else if (length === -EINTR || length === -ENOENT) {
        // ENOENT: the request was aborted before it could be read
        continue
      } else {
        throw systemError(-length, 'read /dev/fuse')
      }
      lastChores = now
      if (woken && takeWake(this.#hooks.wakeFd) && !this.#hooks.onWake()) return false
    }
  }

  #answer(length: number): void {
    const dispatch = this.#dispatch
    const counters = this.#counters
    counters.begin()
    const replyLength = dispatch.serve(length)
    if (dispatch.later !== null) {
      this.#parked.park(dispatch.later, performance.now())
      counters.end(0, 0)
      return
    }
    if (replyLength > 0) {
      // fails only where nobody waits any more: the mount was aborted, which the next read tells
      this.#device.write(this.#replyAddress, replyLength)
    }
    const { request } = dispatch
    const read = request.opcode === OPCODE.READ ? Math.max(0, replyLength - OUT_HEADER_SIZE) : 0
    const written = request.opcode === OPCODE.WRITE ? request.u32(WRITE_IN.size) : 0
    counters.end(read, written)
  }

  /** Does what is due, but asks for it no more than once in PATIENCE_MS. Milliseconds to sleep, or -1. */
  #untilDue(now: number): number {
    const wait = Math.min(this.#parked.look(now), this.#untilTend(now))
    return wait === Infinity ? -1 : Math.min(Math.ceil(wait), 2 ** 31 - 1)
  }

  /** There is something to tend, which may be what our own doing has led to. */
  #tendSoon(): void {
    this.#due = Math.min(this.#due, this.#lastTend + PATIENCE_MS)
    this.#sleep.ignore(TEND, true)
  }

  #untilTend(now: number): number {
    const since = now - this.#lastTend
    if (since < PATIENCE_MS && now < this.#due) {
      return Math.min(PATIENCE_MS - since, this.#due - now)
    }
    this.#lastTend = now
    this.#sleep.ignore(TEND, false)
    let wait: number
    try {
      wait = this.#fs.tend()
    } catch (error) {
      if (error instanceof Later) this.#lane.start(error)
      else this.#hooks.onDefect(error)
      wait = RETRY_MS
    }
    this.#due = now + wait
    return wait
  }
}
