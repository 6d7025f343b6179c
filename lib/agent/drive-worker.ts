// The thread that owns a drive: opens it, serves the kernel's requests in one synchronous loop until
// the mount is gone, stores everything, wipes the keys. It never touches its own mountpoint.

import { parentPort, receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import { BugError } from '../errors.js'
import { Counters } from '../mount/counters.js'
import { serve } from '../mount/fuse-linux/session.js'
import {
  toWire,
  type DriveReport,
  type WireError,
  type WorkerEvent,
  type WorkerRequest,
  type WorkerServe,
  type WorkerStart,
} from './protocol.js'
import { ServedDrive } from './served-drive.js'
import { chooseEngine } from './vault.js'

if (parentPort === null) throw new BugError('the drive worker is not a worker')
const main: MessagePort = parentPort
const tell = (event: WorkerEvent): void => {
  main.postMessage(event)
}
const chosen = chooseEngine()

main.once('message', (start: WorkerStart) => {
  let served: ServedDrive
  try {
    served = new ServedDrive(chosen, start.order, start.body, (line) => {
      tell({ event: 'log', line })
    })
  } catch (error) {
    tell({ event: 'answer', id: 0, error: toWire(error) })
    tell({ event: 'ended', error: toWire(error) })
    return
  }
  // whether there will be a mount is for the main thread to say
  main.once('message', ({ deviceFd }: WorkerServe) => {
    if (deviceFd >= 0) run(served, start, deviceFd)
    tell({ event: 'ended', ...served.end() })
  })
  tell({ event: 'answer', id: 0 })
})

function run(served: ServedDrive, start: WorkerStart, deviceFd: number): void {
  const { requests, wakeFd } = start
  const hooks = {
    wakeFd,
    onWake(): boolean {
      for (let message; (message = receiveMessageOnPort(requests)) !== undefined;) {
        const { id, op } = message.message as WorkerRequest
        if (op === 'stop') return false
        tell({ event: 'answer', id, ...answer(served, op) })
      }
      return true
    },
    onDefect(error: unknown): void {
      served.onDefect(error)
    },
  }
  try {
    serve(deviceFd, served.drive, hooks, { counters: new Counters(start.counters) })
  } catch (error) {
    served.onDefect(error)
  }
}

function answer(
  served: ServedDrive,
  op: 'report' | 'sync',
): { report?: DriveReport; error?: WireError } {
  try {
    if (op === 'report') return { report: served.report() }
    served.drive.sync()
    return {}
  } catch (error) {
    return { error: toWire(error) }
  }
}
