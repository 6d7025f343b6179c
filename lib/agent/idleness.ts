// How long a drive has been left alone. The worker only counts; the time is taken here.

import { performance } from 'node:perf_hooks'
import type { Counters } from '../mount/counters.js'

export class Idleness {
  readonly #counters: Counters
  #requests = 0
  #since = performance.now()

  constructor(counters: Counters) {
    this.#counters = counters
    // often enough that the age of the last request is right to a second
    setInterval(() => this.milliseconds(), 1000).unref()
  }

  milliseconds(): number {
    const { requests, busySince } = this.#counters
    const now = performance.now()
    if (requests !== this.#requests || busySince !== 0) {
      this.#requests = requests
      this.#since = now
    }
    return now - this.#since
  }
}
