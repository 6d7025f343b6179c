// The main thread's end of the link to the drive worker. The worker runs one synchronous loop, so
// it takes messages only between requests, when an eventfd wakes it; its answers come as events. This
// thread makes the mount and takes it away, since the one that serves must not.

import { MessageChannel, Worker } from 'node:worker_threads'
import { CofferError } from '../errors.js'
import type { VaultBody } from '../format/config-body.js'
import type { Counters } from '../mount/counters.js'
import { mountFuse } from '../mount/fuse-linux/mount-fuse.js'
import type { FuseSession, MountOptions } from '../mount/mount-options.js'
import { exitAtOnce } from '../native/exit.js'
import { closeWake, openWake, wake } from '../native/eventfd.js'
import type { DriveThread } from './drive-thread.js'
import { leave } from './mountpoint.js'
import { NotifierThread } from './notifier-thread.js'
import {
  fromWire,
  type Answer,
  type DriveReport,
  type HiddenFiles,
  type Order,
  type WalkPart,
  type WorkerEvent,
  type WorkerRequest,
  type WorkerServe,
  type WorkerStart,
} from './protocol.js'

interface Waiting {
  resolve(answer: Answer | undefined): void
  reject(error: Error): void
}

export class WorkerLink implements DriveThread {
  readonly ended: Promise<CofferError | null>
  readonly #worker = new Worker(new URL('./drive-worker.js', import.meta.url))
  readonly #requests = new MessageChannel()
  readonly #wakeFd = openWake()
  readonly #waiting = new Map<number, Waiting>()
  /** the question that `open` waits on */
  readonly #OPEN = 0
  #nextId = 1
  #session: FuseSession | null = null
  /** tells the kernel what the worker must not; there is none before there is something to tell */
  readonly #notifier = new NotifierThread()
  #over = false

  constructor(log: (line: string) => void) {
    const worker = this.#worker
    this.ended = new Promise((resolve) => {
      let result: CofferError | null | undefined
      worker.on('message', (event: WorkerEvent) => {
        if (event.event === 'log') log(event.line)
        else if (event.event === 'outdated') this.#notifier.tell(event.outdated)
        else if (event.event === 'answer') this.#answer(event)
        else {
          result = event.error === undefined ? null : fromWire(event.error)
          if (event.stuck) end(true)
        }
      })
      worker.on('error', (error) => {
        log(`error: the drive's thread failed: ${error.stack ?? error.message}`)
        result = new CofferError('AGENT', `the drive's thread failed: ${error.message}`)
      })
      const end = (stuck: boolean): void => {
        if (this.#over) return
        const silent = new CofferError('AGENT', "the drive's thread ended without a word")
        const error = result === undefined ? silent : result
        this.#lost(error ?? new CofferError('NOT_MOUNTED', 'the drive has ended'), stuck)
        void this.#notifier.end().then(() => {
          resolve(error)
        })
        if (!stuck) return
        worker.unref()
        process.once('exit', exitAtOnce)
      }
      worker.on('exit', () => {
        end(false)
      })
    })
  }

  async open(
    order: Order,
    body: VaultBody,
    { shared: counters }: Counters,
    hidden: HiddenFiles | null,
  ): Promise<void> {
    const { port2: requests } = this.#requests
    const wakeFd = this.#wakeFd
    const start: WorkerStart = { order, body, counters, hidden, requests, wakeFd }
    await new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(this.#OPEN, { resolve, reject })
      this.#worker.postMessage(start, [requests])
    })
  }

  async mount(options: MountOptions): Promise<string> {
    this.#session = mountFuse(options)
    this.#notifier.begin(this.#session)
    // the worker owns the connection from now on, except for closing it
    this.#serve(this.#session.deviceFd)
    return Promise.resolve(this.#session.devNumber)
  }

  #serve(deviceFd: number): void {
    const serve: WorkerServe = { deviceFd }
    this.#worker.postMessage(serve)
  }

  async leave(lazy: boolean): Promise<void> {
    if (this.#session !== null) leave(this.#session.mountpoint, this.#session.devNumber, lazy)
    return Promise.resolve()
  }

  async report(timeoutMs: number): Promise<DriveReport | null> {
    return (await this.#ask('report', timeoutMs))?.report ?? null
  }

  async conflicts(walk: number): Promise<WalkPart> {
    return (await this.#ask('conflicts', 0, walk))?.part ?? { copies: [], unread: [], done: true }
  }

  async sync(): Promise<void> {
    await this.#ask('sync', 0)
  }

  async tested(): Promise<number> {
    return (await this.#ask('tested', 0))?.served ?? 0
  }

  stop(): void {
    if (this.#over) return
    if (this.#session === null) this.#serve(-1)
    // while requests are still served: a notification waits for locks that they hold
    else
      void this.#notifier.end().then(() => {
        if (!this.#over) this.#post({ id: -1, op: 'stop' })
      })
  }

  close(): void {
    this.#session?.close()
  }

  cancel(): void {
    void this.#worker.terminate()
  }

  #post(request: WorkerRequest): void {
    this.#requests.port1.postMessage(request)
    wake(this.#wakeFd)
  }

  #ask(
    op: 'report' | 'sync' | 'tested' | 'conflicts',
    timeoutMs: number,
    walk = 0,
  ): Promise<Answer | undefined> {
    if (this.#over) return Promise.reject(new CofferError('NOT_MOUNTED', 'the drive has ended'))
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.#waiting.delete(id)
        resolve(undefined)
      }
      const timer = timeoutMs === 0 ? undefined : setTimeout(giveUp, timeoutMs)
      this.#waiting.set(id, {
        resolve(answer) {
          clearTimeout(timer)
          resolve(answer)
        },
        reject(error) {
          clearTimeout(timer)
          reject(error)
        },
      })
      this.#post({ id, op, walk })
    })
  }

  #answer(answer: Answer): void {
    const { id, error } = answer
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error !== undefined) waiting?.reject(fromWire(error))
    else waiting?.resolve(answer)
  }

  /** `stuck`: a thread may still signal the eventfd. */
  #lost(error: CofferError, stuck: boolean): void {
    this.#over = true
    for (const waiting of this.#waiting.values()) waiting.reject(error)
    this.#waiting.clear()
    this.#requests.port1.close()
    if (!stuck) closeWake(this.#wakeFd)
  }
}
