// A program that serves a copy of a folder by a `StubFilesystem`, and what a test needs to start it.
// `node stub-drive.js <mountpoint> <folder>`; each line of its input is a `StubOrder`, answered by a line.

import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import {
  MessageChannel,
  parentPort,
  receiveMessageOnPort,
  Worker,
  workerData,
  type MessagePort,
} from 'node:worker_threads'
import type { Test } from 'tap'
import { mountFuse } from '../../lib/mount/fuse-linux/mount-fuse.js'
import { serve } from '../../lib/mount/fuse-linux/session.js'
import { openWake, wake } from '../../lib/native/eventfd.js'
import { StubFilesystem, type StubOrder, type StubReport } from './stub-filesystem.js'

const PROGRAM = fileURLToPath(import.meta.url)
const PATIENCE_MS = 20_000

interface Job {
  deviceFd: number
  wakeFd: number
  folder: string
  orders: MessagePort
}

function main(mountpoint: string, folder: string): void {
  const session = mountFuse({
    mountpoint,
    fsname: 'coffer:stubs',
    readOnly: false,
    allowOther: false,
  })
  const wakeFd = openWake()
  const { port1, port2 } = new MessageChannel()
  const job: Job = { deviceFd: session.deviceFd, wakeFd, folder, orders: port2 }
  const worker = new Worker(PROGRAM, { workerData: job, transferList: [port2] })
  const input = createInterface(process.stdin)
  input.on('line', (line) => {
    port1.postMessage(JSON.parse(line))
    wake(wakeFd)
  })
  worker.on('message', (report) => process.stdout.write(`${JSON.stringify(report)}\n`))
  worker.on('exit', () => {
    session.close()
    process.exit()
  })
}

function work({ deviceFd, wakeFd, folder, orders }: Job): void {
  const fs = new StubFilesystem(folder)
  const hooks = {
    wakeFd,
    onWake() {
      for (let order; (order = receiveMessageOnPort(orders)) !== undefined;)
        parentPort?.postMessage(fs.obey(order.message as StubOrder))
      return true
    },
    onDefect(error: unknown) {
      console.error(error)
    },
  }
  serve(deviceFd, fs, hooks, { believedMs: 0 })
}

if (parentPort !== null) work(workerData as Job)
else if (process.argv[1] === PROGRAM) main(process.argv[2] ?? '', process.argv[3] ?? '')

export interface StubDrive {
  obey(order: StubOrder): Promise<StubReport>
}

/** Serves a copy of `folder` at `mountpoint` until the test ends. */
export async function startStubs(t: Test, mountpoint: string, folder: string): Promise<StubDrive> {
  const child = spawn(process.execPath, [PROGRAM, mountpoint, folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
    cwd: '/',
  })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
    spawnSync('umount', ['-l', mountpoint], { stdio: 'ignore' })
  })
  const asked: ((report: StubReport) => void)[] = []
  createInterface(child.stdout).on('line', (line) =>
    asked.shift()?.(JSON.parse(line) as StubReport),
  )
  const obey = (order: StubOrder): Promise<StubReport> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error('the folder of stubs does not answer'))
      }, PATIENCE_MS)
      asked.push((report) => {
        clearTimeout(timer)
        resolve(report)
      })
      child.stdin.write(`${JSON.stringify(order)}\n`)
    })
  await obey({})
  return { obey }
}
