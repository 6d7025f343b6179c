// A drive that the agent's main thread serves, since fuse-native aborts in any other. Between two requests
// this thread is as free as with the other driver; during one it does nothing else, which `status` and
// signals have to wait for. It must never touch the mount, nor wait for the kernel to take it away.

import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { BugError, CofferError } from '../errors.js'
import type { VaultBody } from '../format/config-body.js'
import type { Counters } from '../mount/counters.js'
import type { NativeSession } from '../mount/fuse-native/mount-native.js'
import type { MountOptions } from '../mount/mount-options.js'
import type { DriveThread } from './drive-thread.js'
import {
  fromWire,
  type DriveReport,
  type HiddenFiles,
  type LeaveAnswer,
  type Leaving,
  type Order,
  type WalkPart,
} from './protocol.js'
import { chooseEngine } from './engine.js'
import type { ServedDrive } from './served-drive.js'

export class MainThread implements DriveThread {
  readonly ended: Promise<CofferError | null>
  /** Loaded here, since with the other driver the main thread has no use for it. */
  readonly #loading = {
    served: import('./served-drive.js'),
    mount: import('../mount/fuse-native/mount-native.js'),
  }
  readonly #chosen = chooseEngine()
  readonly #log: (line: string) => void
  #resolve: (error: CofferError | null) => void = () => undefined
  #served: ServedDrive | null = null
  #counters: Counters | null = null
  #session: NativeSession | null = null
  #mountpoint = ''
  #over = false

  constructor(log: (line: string) => void) {
    this.#log = log
    this.ended = new Promise((resolve) => (this.#resolve = resolve))
  }

  async open(
    order: Order,
    body: VaultBody,
    counters: Counters,
    hidden: HiddenFiles | null,
  ): Promise<void> {
    this.#counters = counters
    try {
      const [{ ServedDrive }, chosen] = await Promise.all([this.#loading.served, this.#chosen])
      if (this.#over) throw ended()
      // the keys of whoever opens are wiped as soon as this returns
      const copy = structuredClone(body)
      this.#served = new ServedDrive(chosen, order, copy, counters, this.#log)
      this.#served.beginTest(hidden)
    } catch (error) {
      this.stop()
      throw error
    }
  }

  async mount(options: MountOptions): Promise<string> {
    const { mountNative } = await this.#loading.mount
    const served = this.#drive
    if (this.#counters === null) throw new BugError('nothing to mount')
    const session = await mountNative(options, served.underTest ?? served.drive, this.#counters, {
      onDefect(error) {
        served.onDefect(error)
      },
    })
    this.#session = session
    this.#mountpoint = options.mountpoint
    void session.ended.then(() => {
      this.stop()
    })
    return session.devNumber
  }

  /** The files are gone for whoever asks from now on. The test is in nobody's statistics. */
  tested(): Promise<number> {
    const served = this.#drive.endTest()
    this.#counters?.clear()
    return Promise.resolve(served)
  }

  async leave(lazy: boolean): Promise<void> {
    if (this.#session === null || this.#over) return
    const { devNumber } = this.#session
    await leaveAside({ mountpoint: this.#mountpoint, device: devNumber, lazy })
    this.#session.expectEnd()
  }

  report(): Promise<DriveReport | null> {
    return Promise.resolve(this.#drive.report())
  }

  async conflicts(walk: number): Promise<WalkPart> {
    // the drive is served between two parts
    await setImmediate()
    return this.#drive.conflicts(walk)
  }

  async sync(): Promise<void> {
    this.#session?.settle()
    this.#drive.drive.sync()
    return Promise.resolve()
  }

  get #drive(): ServedDrive {
    if (this.#served === null || this.#over) throw ended()
    return this.#served
  }

  stop(): void {
    if (this.#over) return
    this.#session?.settle()
    this.#session?.stop()
    this.#over = true
    const { error } = this.#served?.end() ?? {}
    this.#resolve(error === undefined ? null : fromWire(error))
  }

  close(): void {
    this.#session?.close()
  }

  cancel(): void {
    // nothing was started
  }
}

const ended = (): CofferError => new CofferError('NOT_MOUNTED', 'the drive has ended')

/** `leave` of mountpoint.ts by a thread of its own. */
function leaveAside(leaving: Leaving): Promise<void> {
  const worker = new Worker(new URL('./leave-worker.js', import.meta.url), { workerData: leaving })
  return new Promise((resolve, reject) => {
    worker.once('message', ({ error }: LeaveAnswer) => {
      if (error === undefined) resolve()
      else reject(fromWire(error))
    })
    worker.once('error', reject)
  })
}
