// The thread that tells the kernel what is not true any more, seen from the main thread. It begins
// with the first thing there is to tell. It may wait for locks that pending requests hold, so it ends
// before the thread that serves them does, and before the connection's descriptor is closed.

import { Worker } from 'node:worker_threads'
import type { Outdated } from '../fs/watch.js'
import { abortConnection } from '../mount/fuse-linux/abort.js'
import type { FuseSession } from '../mount/mount-options.js'

const END_TIMEOUT_MS = 2000

export class NotifierThread {
  #session: FuseSession | null = null
  #worker: Worker | null = null
  #exited: Promise<void> = Promise.resolve()
  #ending: Promise<void> | null = null

  /** Before that the kernel knows nothing. */
  begin(session: FuseSession): void {
    this.#session = session
  }

  tell(outdated: Outdated[]): void {
    if (this.#session === null || this.#ending !== null) return
    if (this.#worker === null) {
      const worker = new Worker(new URL('./notify-worker.js', import.meta.url), {
        workerData: this.#session.deviceFd,
      })
      // without it everything is asked for again after its time
      worker.on('error', () => undefined)
      this.#exited = new Promise((resolve) => {
        worker.on('exit', () => {
          resolve()
        })
      })
      this.#worker = worker
    }
    this.#worker.postMessage(outdated)
  }

  /** Resolves when nothing is written to the kernel any more. One that waits for ever is cut off. */
  end(): Promise<void> {
    return (this.#ending ??= this.#end())
  }

  async #end(): Promise<void> {
    if (this.#worker === null) return
    this.#worker.postMessage(null)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        if (this.#session !== null) abortConnection(this.#session.devNumber)
        resolve()
      }, END_TIMEOUT_MS)
    })
    await Promise.race([this.#exited, late])
    clearTimeout(timer)
  }
}
