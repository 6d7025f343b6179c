// Locking when the machine or its user asks for it. Programs get a time to close their files, except where
// the machine is about to sleep; then the drive is taken away from them. What cannot be stored is
// never given up for it: then the drive stays.

import { CofferError } from '../errors.js'
import type { LockEvent } from './lock-events.js'

const RETRY_MS = 500

export interface Lockable {
  /** Rejects with BUSY where programs use the drive and not `force`; nothing has changed then. */
  unmount(force: boolean): Promise<void>
  log(line: string): void
}

export class Locking {
  readonly #drive: Lockable
  readonly #graceMs: number
  /** until when programs may go on; Infinity where nothing is due */
  #deadline = Infinity
  #running = false

  constructor(drive: Lockable, graceMs: number) {
    this.#drive = drive
    this.#graceMs = graceMs
  }

  due(event: LockEvent): void {
    const grace = event === 'suspend' ? 0 : this.#graceMs
    this.#deadline = Math.min(this.#deadline, Date.now() + grace)
    this.#drive.log(`info lock: ${event}`)
    if (this.#running) return
    this.#running = true
    void this.#run().finally(() => {
      this.#running = false
      this.#deadline = Infinity
    })
  }

  /** The screen is open again before the time is over: the drive stays. */
  unlocked(): void {
    this.#deadline = Infinity
  }

  async #run(): Promise<void> {
    while (this.#deadline < Infinity) {
      const busy = await this.#try(false)
      if (!busy) return
      if (Date.now() >= this.#deadline) {
        await this.#try(true)
        return
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
    this.#drive.log('info lock: unlocked again in time; the drive stays')
  }

  /** True where programs use the drive. */
  async #try(force: boolean): Promise<boolean> {
    try {
      await this.#drive.unmount(force)
      return false
    } catch (error) {
      if (error instanceof CofferError && error.code === 'BUSY') return true
      this.#drive.log(`warn lock: ${error instanceof Error ? error.message : String(error)}`)
      return false
    }
  }
}
