// The thread that owns a drive: opens it, serves the kernel's requests in one synchronous loop until
// the mount is gone, stores everything, wipes the keys. It never touches its own mountpoint.

import { Buffer } from 'node:buffer'
import { parentPort, receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import { BugError } from '../errors.js'
import type { LogEvent } from '../fs/context.js'
import { Counters } from '../mount/fuse-linux/counters.js'
import { NOTHING_REMEMBERED } from '../mount/fuse-linux/reply.js'
import { serve } from '../mount/fuse-linux/session.js'
import { clearScratch } from '../store/scratch-folder.js'
import {
  toWire,
  type DriveReport,
  type Order,
  type WorkerEvent,
  type WorkerRequest,
  type WorkerServe,
  type WorkerStart,
} from './protocol.js'
import { openDrive, type Drive } from './open-drive.js'
import { ScratchDrive } from './scratch-drive.js'
import { chooseEngine } from './vault.js'

if (parentPort === null) throw new BugError('the drive worker is not a worker')
const main: MessagePort = parentPort
const tell = (event: WorkerEvent): void => {
  main.postMessage(event)
}
const chosen = chooseEngine()

main.once('message', (start: WorkerStart) => {
  let drive: Drive
  try {
    drive = open(start)
  } catch (error) {
    tell({ event: 'answer', id: 0, error: toWire(error) })
    tell({ event: 'ended', error: toWire(error) })
    return
  }
  tell({ event: 'answer', id: 0 })
  // while the main thread mounts
  const scratch = openScratch(drive, start)
  // whether there will be a mount is for the main thread to say
  main.once('message', ({ deviceFd }: WorkerServe) => {
    if (scratch instanceof Error) {
      tell({ event: 'ended', ...close(drive, start), error: toWire(scratch) })
      return
    }
    if (deviceFd >= 0) run(drive, scratch, start, deviceFd)
    else if (scratch !== null) discard(scratch)
    tell({ event: 'ended', ...close(drive, start) })
  })
})

const logTo =
  ({ logNames }: Order) =>
  ({ level, event, code, message, blob, path }: LogEvent): void => {
    const where = logNames && path !== undefined ? ` path=${path}` : ''
    const what = `${level} ${event}${code === undefined ? '' : ` ${code}`}: ${message}`
    tell({ event: 'log', line: `${what}${blob === undefined ? '' : ` blob=${blob}`}${where}` })
  }

function open({ order, body }: WorkerStart): Drive {
  return openDrive({
    engine: chosen.engine,
    vaultPath: order.vault,
    vaultId: Buffer.from(order.vaultId, 'hex'),
    body,
    deviceId: Buffer.from(order.deviceId, 'hex'),
    readOnly: order.readOnly,
    lock: true,
    log: logTo(order),
  })
}

/** null: there is no self-test. */
function openScratch(
  drive: Drive,
  { order, body, hidden }: WorkerStart,
): ScratchDrive | null | Error {
  if (hidden === null) {
    discard({
      close() {
        clearScratch(order.vaultId)
      },
    })
    return null
  }
  try {
    return new ScratchDrive(drive, hidden, {
      engine: chosen.engine,
      vaultId: order.vaultId,
      chunkLog2: body.chunkLog2,
      deviceId: Buffer.from(order.deviceId, 'hex'),
      log: logTo(order),
    })
  } catch (error) {
    return error instanceof Error ? error : new BugError(String(error))
  }
}

/** What cannot be removed now, the next mount removes. */
function discard(scratch: Pick<ScratchDrive, 'close'>): void {
  try {
    scratch.close()
  } catch (error) {
    tell({ event: 'log', line: `warn scratch: ${toWire(error).message}` })
  }
}

/** Serves until the kernel or the main thread ends it; first with the files of the self-test. */
function run(
  drive: Drive,
  scratch: ScratchDrive | null,
  start: WorkerStart,
  deviceFd: number,
): void {
  const { requests, wakeFd } = start
  const told = { stop: false, tested: null as number | null }
  const hooks = {
    wakeFd,
    onWake(): boolean {
      const { tested } = told
      for (let message; (message = receiveMessageOnPort(requests)) !== undefined;) {
        const { id, op } = message.message as WorkerRequest
        if (op === 'stop') told.stop = true
        else if (op === 'tested') told.tested = id
        else tell({ event: 'answer', id, ...answer(drive, op) })
      }
      return !told.stop && told.tested === tested
    },
    onDefect(error: unknown): void {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      tell({ event: 'log', line: `error defect: ${text.replaceAll('\n', ' | ')}` })
    },
  }
  /** False where the drive has ended, too. The test is in nobody's statistics. */
  const test = (hidden: ScratchDrive): boolean => {
    try {
      const unmounted = serve(deviceFd, hidden.shown, hooks, { validity: NOTHING_REMEMBERED })
      const served = hidden.shown.bytesRead
      if (told.tested !== null) tell({ event: 'answer', id: told.tested, served })
      return !unmounted && !told.stop
    } finally {
      discard(hidden)
    }
  }
  try {
    if (scratch === null || test(scratch))
      serve(deviceFd, drive, hooks, { counters: new Counters(start.counters) })
  } catch (error) {
    hooks.onDefect(error)
  }
}

function answer(
  drive: Drive,
  op: 'report' | 'sync',
): { report?: DriveReport; error?: ReturnType<typeof toWire> } {
  try {
    if (op === 'report') return { report: report(drive) }
    drive.sync()
    return {}
  } catch (error) {
    return { error: toWire(error) }
  }
}

function report(drive: Drive): DriveReport {
  const { openFiles, foreignFiles, damaged } = drive.counters
  const { engine, problem } = chosen
  return { engine: engine.name, engineProblem: problem, openFiles, foreignFiles, damaged }
}

function close(drive: Drive, start: WorkerStart): { error?: ReturnType<typeof toWire> } {
  try {
    drive.sync()
    return {}
  } catch (error) {
    return { error: toWire(error) }
  } finally {
    drive.close()
    for (const seed of start.body.seeds.values()) seed.fill(0)
  }
}
