// A program that mounts a `MemoryFilesystem` and serves it from a worker thread, as the agent does
// with a vault. `node memory-drive.js <mountpoint> <JSON of DriveSetup>`. It writes one line of JSON
// for each event, takes the lines "wake", "stop" and "defect" on its input, and tells what it has
// seen when the mount is gone.

import { constants } from 'node:fs'
import { createInterface } from 'node:readline'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { isThreadOf } from '../../lib/agent/process.js'
import { emptyEntry, type Filesystem, type Opened } from '../../lib/fs/filesystem.js'
import { HiddenNames } from '../../lib/fs/hidden-names.js'
import { Counters } from '../../lib/mount/counters.js'
import { mountFuse } from '../../lib/mount/fuse-linux/mount-fuse.js'
import { serve } from '../../lib/mount/fuse-linux/session.js'
import { openWake, wake } from '../../lib/native/eventfd.js'
import { MemoryFilesystem, type Seen } from './memory-filesystem.js'

export interface DriveSetup {
  discard?: boolean
  readOnly?: boolean
  allowOther?: boolean
  fsname?: string
  /** names that only these processes see; the files are made empty */
  hidden?: { names: string[]; pids: number[]; keepCache?: boolean }
  /** rmdir is never answered, and a notification waits in the kernel for the directory it locks */
  stuck?: boolean
}

export type DriveEvent =
  | { event: 'mounted'; devNumber: string; mountpoint: string }
  | { event: 'failed'; code: string; message: string; hint: string }
  | { event: 'stuck' }
  | { event: 'woken'; hiddenBytesRead: number }
  | { event: 'defect'; message: string }
  | {
      event: 'ended'
      unmounted: boolean
      seen: Seen
      bytesRead: number
      bytesWritten: number
      requests: number
    }

interface Job {
  deviceFd: number
  wakeFd: number
  counters: SharedArrayBuffer
  orders: Int32Array
  setup: DriveSetup
}

const STOP = 1
const DEFECT = 2

const say = (event: DriveEvent): void => {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}

function main(mountpoint: string, setup: DriveSetup): void {
  let session
  try {
    session = mountFuse({
      mountpoint,
      fsname: setup.fsname ?? 'coffer:memory',
      readOnly: setup.readOnly ?? false,
      allowOther: setup.allowOther ?? false,
    })
  } catch (error) {
    const { code, message, hint } = error as { code: string; message: string; hint: string }
    say({ event: 'failed', code, message, hint })
    return
  }
  const counters = new Counters()
  const wakeFd = openWake()
  const orders = new Int32Array(new SharedArrayBuffer(4))
  const job: Job = {
    deviceFd: session.deviceFd,
    wakeFd,
    counters: counters.shared,
    orders,
    setup,
  }
  const worker = new Worker(new URL(import.meta.url), { workerData: job })
  const input = createInterface(process.stdin)
  input.on('line', (line) => {
    if (line === 'stop') Atomics.store(orders, 0, STOP)
    if (line === 'defect') Atomics.store(orders, 0, DEFECT)
    wake(wakeFd)
  })
  worker.on('message', (event: DriveEvent) => {
    if (event.event === 'ended') {
      const { bytesRead, bytesWritten, requests } = counters
      say({ ...event, bytesRead, bytesWritten, requests })
    } else say(event)
    if (event.event === 'stuck') notify(session.deviceFd)
  })
  worker.on('exit', () => {
    session.close()
    input.close()
    process.stdin.destroy()
  })
  say({ event: 'mounted', devNumber: session.devNumber, mountpoint: session.mountpoint })
}

/** In a thread of its own, which stays in the kernel. */
function notify(deviceFd: number): void {
  const url = new URL('../../lib/agent/notify-worker.js', import.meta.url)
  const notifier = new Worker(url, { workerData: deviceFd })
  notifier.postMessage([{ what: 'entry', parent: 1, name: 'any' }])
}

class Stuck extends MemoryFilesystem {
  override rmdir(): void {
    parentPort?.postMessage({ event: 'stuck' })
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  }
}

/** Lets the kernel read its own memory. */
class Remembering extends HiddenNames {
  override open(nodeid: number, flags: number): Opened {
    return { ...super.open(nodeid, flags), keepCache: true }
  }
}

function hide(
  fs: Filesystem,
  { names, pids, keepCache }: NonNullable<DriveSetup['hidden']>,
): HiddenNames {
  const drive = new MemoryFilesystem()
  const caller = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, umask: 0 }
  for (const name of names) drive.mknod(1, name, constants.S_IFREG | 0o600, 0, caller, emptyEntry())
  return new (keepCache === true ? Remembering : HiddenNames)(fs, {
    drive,
    names: new Set(names),
    sees: (tid = 0) => pids.some((pid) => isThreadOf(tid, pid)),
  })
}

function work(job: Job): void {
  const { discard, hidden, stuck } = job.setup
  const fs = new (stuck === true ? Stuck : MemoryFilesystem)(
    discard,
    process.getuid?.(),
    process.getgid?.(),
  )
  const shown = hidden === undefined ? null : hide(fs, hidden)
  const tell = (event: DriveEvent): void => parentPort?.postMessage(event)
  const unmounted = serve(
    job.deviceFd,
    shown ?? fs,
    {
      wakeFd: job.wakeFd,
      onWake() {
        tell({ event: 'woken', hiddenBytesRead: shown?.bytesRead ?? 0 })
        const order = Atomics.exchange(job.orders, 0, 0)
        if (order === DEFECT) fs.trap = new TypeError('a trap')
        return order !== STOP
      },
      onDefect(error) {
        tell({ event: 'defect', message: String(error) })
      },
    },
    {
      counters: new Counters(job.counters),
      ...(shown === null ? {} : { believedMs: 0 }),
    },
  )
  const none = { bytesRead: 0, bytesWritten: 0, requests: 0 }
  tell({ event: 'ended', unmounted, seen: fs.seen, ...none })
}

if (parentPort === null) {
  main(process.argv[2] ?? '', JSON.parse(process.argv[3] ?? '{}') as DriveSetup)
} else work(workerData as Job)
