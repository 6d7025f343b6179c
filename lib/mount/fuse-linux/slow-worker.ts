// A helper thread: does one job after the other, tells its outcome in shared memory, and wakes the
// thread that serves. It may wait for as long as the vault folder lets it.

import { parentPort, workerData } from 'node:worker_threads'
import { errnoOf } from '../../errors.js'
import { wake } from '../../native/eventfd.js'
import { runJob, type SlowJob } from '../../store/slow-job.js'
import { DONE, ERRNO, FD, STATE, type HelperData } from './slow-lane.js'

const { wakeFd, shared } = workerData as HelperData
const slots = new Int32Array(shared)

parentPort?.on('message', (job: SlowJob) => {
  slots[FD] = -1
  slots[ERRNO] = 0
  try {
    slots[FD] = runJob(job)
  } catch (error) {
    slots[ERRNO] = errnoOf(error)
  }
  Atomics.store(slots, STATE, DONE)
  Atomics.notify(slots, STATE)
  wake(wakeFd)
})
