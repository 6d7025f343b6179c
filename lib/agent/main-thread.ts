// A drive that the agent's main thread serves, since fuse-native aborts in any other. Between two requests
// this thread is as free as with the other driver; during one it does nothing else, which `status` and
// signals have to wait for. It must never touch the mount, nor wait for the kernel to take it away.

import { Worker } from 'node:worker_threads'
import { BugError, CofferError } from '../errors.js'
import type { VaultBody } from '../format/config-body.js'
import type { Counters } from '../mount/counters.js'
import { mountNative, type NativeSession } from '../mount/fuse-native/mount-native.js'
import type { MountOptions } from '../mount/mount-options.js'
import type { DriveThread } from './drive-thread.js'
import {
  fromWire,
  type DriveReport,
  type HiddenFiles,
  type LeaveAnswer,
  type Leaving,
  type Order,
} from './protocol.js'
import type { ScratchDrive } from './scratch-drive.js'
import { ServedDrive } from './served-drive.js'
import { chooseEngine } from './vault.js'

export class MainThread implements DriveThread {
  readonly ended: Promise<CofferError | null>
  readonly #chosen = chooseEngine()
  readonly #log: (line: string) => void
  #resolve: (error: CofferError | null) => void = () => undefined
  #served: ServedDrive | null = null
  #counters: Counters | null = null
  #session: NativeSession | null = null
  /** while the self-test runs */
  #scratch: ScratchDrive | null = null
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
      // the keys of whoever opens are wiped as soon as this returns
      this.#served = new ServedDrive(this.#chosen, order, structuredClone(body), this.#log)
      // libfuse does not say which thread asks
      this.#scratch = this.#served.openScratch(hidden === null ? null : { ...hidden, pids: null })
    } catch (error) {
      this.stop()
      throw error
    }
    return Promise.resolve()
  }

  async mount(options: MountOptions): Promise<string> {
    const served = this.#served
    if (served === null || this.#counters === null) throw new BugError('nothing to mount')
    const shown = this.#scratch?.shown ?? served.drive
    const session = await mountNative(options, shown, this.#counters, {
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

  async leave(lazy: boolean): Promise<void> {
    if (this.#session === null || this.#over) return
    const { devNumber } = this.#session
    await leaveAside({ mountpoint: this.#mountpoint, device: devNumber, lazy })
    this.#session.expectEnd()
  }

  report(): Promise<DriveReport | null> {
    return Promise.resolve(this.#drive.report())
  }

  tested(): Promise<number> {
    const bytes = this.#scratch?.shown.bytesRead ?? 0
    this.#discard()
    return Promise.resolve(bytes)
  }

  #discard(): void {
    if (this.#scratch === null) return
    this.#scratch.shown.conceal()
    this.#served?.discard(this.#scratch)
    this.#scratch = null
  }

  async sync(): Promise<void> {
    this.#session?.settle()
    this.#drive.drive.sync()
    return Promise.resolve()
  }

  get #drive(): ServedDrive {
    if (this.#served === null || this.#over)
      throw new CofferError('NOT_MOUNTED', 'the drive has ended')
    return this.#served
  }

  stop(): void {
    if (this.#over) return
    this.#session?.settle()
    this.#session?.stop()
    this.#over = true
    this.#discard()
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
