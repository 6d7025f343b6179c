// The thread that owns a drive: opens it, serves the kernel's requests in one synchronous loop until
// the mount is gone, stores everything, wipes the keys. It never touches its own mountpoint.

import { Buffer } from 'node:buffer'
import { parentPort, receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import { BugError } from '../errors.js'
import type { LogEvent } from '../fs/context.js'
import { Counters } from '../mount/counters.js'
import { serve } from '../mount/fuse-linux/session.js'
import {
  toWire,
  type DriveReport,
  type WorkerEvent,
  type WorkerRequest,
  type WorkerServe,
  type WorkerStart,
} from './protocol.js'
import { openDrive, type Drive } from './open-drive.js'
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
  // whether there will be a mount is for the main thread to say
  main.once('message', ({ deviceFd }: WorkerServe) => {
    tell({ event: 'ended', ...(deviceFd < 0 ? close(drive, start) : run(drive, start, deviceFd)) })
  })
  tell({ event: 'answer', id: 0 })
})

function open({ order, body }: WorkerStart): Drive {
  return openDrive({
    engine: chosen.engine,
    vaultPath: order.vault,
    vaultId: Buffer.from(order.vaultId, 'hex'),
    body,
    deviceId: Buffer.from(order.deviceId, 'hex'),
    readOnly: order.readOnly,
    lock: true,
    log: ({ level, event, code, message, blob, path }: LogEvent) => {
      const where = order.logNames && path !== undefined ? ` path=${path}` : ''
      const what = `${level} ${event}${code === undefined ? '' : ` ${code}`}: ${message}`
      tell({ event: 'log', line: `${what}${blob === undefined ? '' : ` blob=${blob}`}${where}` })
    },
  })
}

function run(
  drive: Drive,
  start: WorkerStart,
  deviceFd: number,
): { error?: ReturnType<typeof toWire> } {
  const { requests, wakeFd } = start
  const hooks = {
    wakeFd,
    onWake(): boolean {
      for (let message; (message = receiveMessageOnPort(requests)) !== undefined;) {
        const { id, op } = message.message as WorkerRequest
        if (op === 'stop') return false
        tell({ event: 'answer', id, ...answer(drive, op) })
      }
      return true
    },
    onDefect(error: unknown): void {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      tell({ event: 'log', line: `error defect: ${text.replaceAll('\n', ' | ')}` })
    },
  }
  try {
    serve(deviceFd, drive, hooks, { counters: new Counters(start.counters) })
  } catch (error) {
    hooks.onDefect(error)
  }
  return close(drive, start)
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
