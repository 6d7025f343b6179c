// The thread that owns a drive: opens it, serves the kernel's requests in one synchronous loop until
// the mount is gone, stores everything, wipes the keys. It never touches its own mountpoint.

import { parentPort, receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import { BugError } from '../errors.js'
import type { HiddenNames } from '../fs/hidden-names.js'
import { Counters } from '../mount/counters.js'
import { SlowLane } from '../mount/fuse-linux/slow-lane.js'
import { serve } from '../mount/fuse-linux/session.js'
import { chooseEngine } from './engine.js'
import {
  toWire,
  type DriveReport,
  type WalkPart,
  type WireError,
  type WorkerEvent,
  type WorkerRequest,
  type WorkerServe,
  type WorkerStart,
} from './protocol.js'
import { ServedDrive } from './served-drive.js'

if (parentPort === null) throw new BugError('the drive worker is not a worker')
const main: MessagePort = parentPort
const tell = (event: WorkerEvent): void => {
  main.postMessage(event)
}
const chosen = await chooseEngine()

main.once('message', (start: WorkerStart) => {
  const counters = new Counters(start.counters)
  let served: ServedDrive
  try {
    served = new ServedDrive(
      chosen,
      start.order,
      start.body,
      counters,
      (line) => {
        tell({ event: 'log', line })
      },
      (outdated) => {
        tell({ event: 'outdated', outdated })
      },
    )
  } catch (error) {
    tell({ event: 'answer', id: 0, error: toWire(error) })
    tell({ event: 'ended', error: toWire(error), stuck: false })
    return
  }
  tell({ event: 'answer', id: 0 })
  let problem: { error?: WireError } = {}
  try {
    // while the main thread mounts
    served.beginTest(start.hidden)
  } catch (error) {
    problem = { error: toWire(error) }
  }
  // whether there will be a mount is for the main thread to say
  main.once('message', ({ deviceFd }: WorkerServe) => {
    const lane = new SlowLane(start.wakeFd)
    if (deviceFd >= 0 && problem.error === undefined) run(served, start, counters, deviceFd, lane)
    const end = { ...served.end(), ...problem }
    tell({ event: 'ended', ...end, stuck: !lane.end() })
  })
})

/** Serves until the kernel or the main thread ends it; first with the files of the self-test. */
function run(
  served: ServedDrive,
  start: WorkerStart,
  counters: Counters,
  deviceFd: number,
  lane: SlowLane,
): void {
  const { requests, wakeFd } = start
  const slow = { lane, slowLimitMs: start.order.slowSeconds * 1000 }
  const told = { stop: false, tested: null as number | null }
  const hooks = {
    wakeFd,
    onWake(): boolean {
      const { tested } = told
      for (let message; (message = receiveMessageOnPort(requests)) !== undefined;) {
        const { id, op, walk = 0 } = message.message as WorkerRequest
        if (op === 'stop') told.stop = true
        else if (op === 'tested') told.tested = id
        else tell({ event: 'answer', id, ...answer(served, op, walk) })
      }
      return !told.stop && told.tested === tested
    },
    onDefect(error: unknown): void {
      served.onDefect(error)
    },
  }
  /** False where the drive has ended, too. The test is in nobody's statistics. */
  const test = (shown: HiddenNames): boolean => {
    const unmounted = serve(deviceFd, shown, hooks, { believedMs: 0, ...slow })
    const bytes = served.endTest()
    if (told.tested !== null) tell({ event: 'answer', id: told.tested, served: bytes })
    return !unmounted && !told.stop
  }
  try {
    const { underTest } = served
    if (underTest === null || test(underTest))
      serve(deviceFd, served.drive, hooks, { counters, ...slow })
  } catch (error) {
    served.onDefect(error)
  }
}

function answer(
  served: ServedDrive,
  op: 'report' | 'sync' | 'conflicts',
  walk: number,
): { report?: DriveReport; part?: WalkPart; error?: WireError } {
  try {
    if (op === 'conflicts') return { part: served.conflicts(walk) }
    if (op === 'report') return { report: served.report() }
    served.drive.sync()
    return {}
  } catch (error) {
    return { error: toWire(error) }
  }
}
