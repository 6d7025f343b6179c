// Helper threads that do what the serving thread must not wait for. The serving thread runs no event
// loop, so it hears of an outcome by the eventfd that wakes it, and finds it in shared memory.

import { Worker } from 'node:worker_threads'
import { systemError } from '../../errors.js'
import type { Later } from '../../fs/later.js'

// words of the memory shared with a helper
export const STATE = 0
export const FD = 1
export const ERRNO = 2
const WORDS = 3
const IDLE = 0
const BUSY = 1
export const DONE = 2

/** Files that are fetched at one time; a copy has a helper beyond them. */
const FETCHES_MAX = 4

export interface HelperData {
  wakeFd: number
  shared: SharedArrayBuffer
}

interface Helper {
  worker: Worker
  slots: Int32Array
  /** what it works on */
  later: Later | null
}

export class SlowLane {
  readonly #wakeFd: number
  readonly #helpers: Helper[] = []
  readonly #queue: Later[] = []

  constructor(wakeFd: number) {
    this.#wakeFd = wakeFd
  }

  /** Has the job done, if nobody does it yet. */
  start(later: Later): void {
    if (later.outcome !== null || later.job === null || later.wait !== null) return
    if (this.#queue.includes(later)) return
    this.#queue.push(later)
    this.#hand()
  }

  /** Settles what has been done. */
  collect(): void {
    for (const helper of this.#helpers) this.#settle(helper)
    this.#hand()
  }

  #settle({ slots, later }: Helper): void {
    if (later === null || Atomics.load(slots, STATE) !== DONE) return
    const errno = slots[ERRNO] ?? 0
    later.settle(
      errno === 0 ? { fd: slots[FD] ?? -1 } : { error: systemError(errno, 'a slow job') },
    )
    this.#free(later)
  }

  #free(later: Later): void {
    for (const helper of this.#helpers) {
      if (helper.later !== later) continue
      helper.later = null
      later.wait = null
      Atomics.store(helper.slots, STATE, IDLE)
    }
  }

  /** Gives jobs that wait to helpers that have none. */
  #hand(): void {
    for (const [i, later] of this.#queue.entries()) {
      const copies = later.job?.what === 'copy'
      const same = this.#helpers.filter(
        (helper) => helper.later !== null && (helper.later.job?.what === 'copy') === copies,
      )
      if (same.length >= (copies ? 1 : FETCHES_MAX)) continue
      this.#queue.splice(i, 1)
      // somebody did it on the spot meanwhile
      if (later.outcome === null) this.#give(this.#idle(), later)
      this.#hand()
      return
    }
  }

  #idle(): Helper {
    const idle = this.#helpers.find(({ later }) => later === null)
    if (idle !== undefined) return idle
    const shared = new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT)
    const workerData: HelperData = { wakeFd: this.#wakeFd, shared }
    const worker = new Worker(new URL('./slow-worker.js', import.meta.url), { workerData })
    worker.unref()
    const helper = { worker, slots: new Int32Array(shared), later: null }
    this.#helpers.push(helper)
    return helper
  }

  #give(helper: Helper, later: Later): void {
    helper.later = later
    later.wait = () => {
      Atomics.wait(helper.slots, STATE, BUSY)
      this.#settle(helper)
    }
    Atomics.store(helper.slots, STATE, BUSY)
    helper.worker.postMessage(later.job)
  }

  /**
   * Ends the helpers. False where one is at work yet: it may wait for the vault folder in a system call, and
   * no thread can be ended then.
   */
  end(): boolean {
    this.#queue.length = 0
    this.collect()
    const busy = this.#helpers.some(({ later }) => later !== null)
    for (const { worker, later } of this.#helpers) if (later === null) void worker.terminate()
    return !busy
  }
}
