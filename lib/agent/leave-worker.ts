// A thread that takes a mount out of the tree and ends, for a process whose main thread serves it: the
// kernel may wait for answers meanwhile.

import { parentPort, workerData } from 'node:worker_threads'
import { leave } from './mountpoint.js'
import { toWire, type Leaving, type LeaveAnswer } from './protocol.js'

const { mountpoint, device, lazy } = workerData as Leaving
let answer: LeaveAnswer = {}
try {
  leave(mountpoint, device, lazy)
} catch (error) {
  answer = { error: toWire(error) }
}
parentPort?.postMessage(answer)
