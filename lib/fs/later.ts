// An operation that needs something slow first: a blob that has to be fetched, a large copy. It is
// thrown before anything has been changed. An adapter that can park a request does the job elsewhere,
// serves others, and serves the request again from the start when the job has ended; there the
// operation finds the same `Later`, and takes what came of it. All who need one job get one `Later`.

import { CofferError } from '../errors.js'
import type { Backing } from '../store/backing.js'
import { runJob, type SlowJob } from '../store/slow-job.js'

export type { SlowJob }

/** A descriptor or -1, or why there is none. */
export type Outcome = { fd: number } | { error: unknown }

export class Later extends Error {
  /** null: nobody has to do anything but wait until `settle` is called */
  readonly job: SlowJob | null
  outcome: Outcome | null = null
  /** set by whoever does the job elsewhere: waits until it has called `settle` */
  wait: (() => void) | null = null
  /** what a request is told that has waited too long, null where it waits as long as it takes */
  readonly late: (() => CofferError) | null
  readonly #backing: Backing | undefined

  constructor(job: SlowJob | null, late: (() => CofferError) | null = null, backing?: Backing) {
    super('needs something slow first')
    this.job = job
    this.late = late
    this.#backing = backing
  }

  /** The job has ended. */
  settle(outcome: Outcome): void {
    this.outcome = outcome
  }

  /** Does it in this thread, where nobody can be let wait elsewhere. */
  now(): void {
    if (this.outcome !== null) return
    if (this.wait !== null) this.wait()
    else if (this.job !== null) this.settle(attempt(this.job, this.#backing))
  }

  /** Throws itself, or does the job here where `parks` is false. Afterwards there is an outcome. */
  await(parks: boolean): Outcome {
    if (this.outcome === null) {
      if (parks) throw this
      this.now()
    }
    return this.outcome ?? { error: new CofferError('EIO', 'a slow job has no end') }
  }
}

function attempt(job: SlowJob, backing?: Backing): Outcome {
  try {
    return { fd: runJob(job, backing) }
  } catch (error) {
    return { error }
  }
}
