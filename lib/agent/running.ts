// The drives that run, as later commands see them.

import { resolve } from 'node:path'
import { CofferError } from '../errors.js'
import { runningDrives, type RunningDrive } from '../store/registry.js'
import { realPath } from '../store/state-folder.js'
import { askControl } from './control.js'
import { leave } from './mountpoint.js'
import { cutFiles, type CutFile } from './cut-files.js'
import { writersOf } from '../mount/mount-users.js'
import { isAlive } from './process.js'
import { fromWire, type ConflictReport, type ControlReply, type DriveStatus } from './protocol.js'
import { clear } from './stale.js'

const STATUS_TIMEOUT_MS = 3000
const EXIT_TIMEOUT_MS = 10_000
/** more than an agent allows itself to take a drive away by force */
const FORCE_TIMEOUT_MS = 30_000

/** By mountpoint or vault folder. Never touches the drive itself: it might hang. */
export function findDrive(target: string): RunningDrive {
  const drives = runningDrives()
  const plain = resolve(target)
  const exact = drives.find(({ mountpoint, vault }) => mountpoint === plain || vault === plain)
  if (exact !== undefined) return exact
  const real = realPath(target)
  const found = drives.find(({ mountpoint, vault }) => mountpoint === real || vault === real)
  if (found !== undefined) return found
  throw new CofferError(
    'NOT_MOUNTED',
    `no drive of yours is mounted at ${plain}, and no vault there is open`,
    {
      hint: 'coffer status lists the drives',
    },
  )
}

/** What a drive does not tell that an older coffer has mounted. */
const UNTOLD: Pick<DriveStatus, 'writers' | 'notCarried'> = {
  writers: { own: null, others: [] },
  notCarried: [],
}

export async function askStatus(
  drive: RunningDrive,
  timeoutMs = STATUS_TIMEOUT_MS,
): Promise<DriveStatus> {
  const reply = await askControl(drive.socket, { op: 'status' }, timeoutMs)
  if (!reply.ok) throw fromWire(reply.error)
  if (reply.status === undefined) throw new CofferError('AGENT', 'the drive gave no status')
  return Object.assign({}, UNTOLD, reply.status)
}

/** A whole tree is walked for it, so it may take long. */
export async function askConflicts(drive: RunningDrive): Promise<ConflictReport> {
  // one whose process was stopped would never answer
  await askStatus(drive)
  const reply = await askControl(drive.socket, { op: 'conflicts' }, 0)
  if (!reply.ok) throw fromWire(reply.error)
  if (reply.conflicts === undefined) throw new CofferError('AGENT', 'the drive gave no answer')
  return reply.conflicts
}

/** The main thread of an agent answers this at once, whatever holds its worker up. */
const answers = (drive: RunningDrive): Promise<boolean> =>
  askControl(drive.socket, { op: 'status' }, STATUS_TIMEOUT_MS).then(
    () => true,
    () => false,
  )

/** What went out since the mount, what was cut off by force, and what could not be stored. */
export interface Done {
  filesStored: number
  bytesStored: number
  cut: CutFile[]
  error: CofferError | null
}

/**
 * Resolves when every byte is in the vault folder and the process has gone. Storing may take long, so
 * only a process that does not even answer is given up; by force it then ends, and the drive with it.
 * Null where it ended by itself meanwhile.
 */
export async function unmountDrive(drive: RunningDrive, force: boolean): Promise<Done | null> {
  // whoever asks from inside the drive would keep it busy just by asking
  process.chdir('/')
  if (!(await answers(drive)) && isAlive(drive)) {
    if (!force) throw silent(drive)
    // one that was stopped goes on, and can store what it has
    signal(drive, 'SIGCONT')
    if (!(await answers(drive)) && isAlive(drive)) return end(drive)
  }
  const writers = force ? writersOf(drive.mountpoint) : []
  const timeout = force ? FORCE_TIMEOUT_MS : 0
  let reply: ControlReply
  try {
    reply = await askControl(drive.socket, { op: 'unmount', force }, timeout)
  } catch (error) {
    if (force && isAlive(drive)) return end(drive)
    // it may have ended by itself between our look and our question
    if (isAlive(drive)) throw error
    return null
  }
  // one that could not store everything ends all the same, where it was told to by force
  const ended = (reply.ok || force) && (await ends(drive))
  if (!reply.ok && !force) throw fromWire(reply.error)
  const { filesStored = 0, bytesStored = 0, cut: known = [] } = reply.unmounted ?? {}
  const cut = cutFiles(drive.mountpoint, writers, known)
  const done = { filesStored, bytesStored, cut }
  if (!reply.ok) return { ...done, error: fromWire(reply.error) }
  if (ended) return { ...done, error: null }
  throw new CofferError(
    'AGENT',
    `the drive is stored and unmounted, but its process ${String(drive.pid)} does not end`,
  )
}

const silent = ({ mountpoint, pid }: RunningDrive): CofferError =>
  new CofferError(
    'AGENT',
    `the process ${String(pid)} of the drive ${mountpoint} does not answer`,
    {
      hint: `if it was stopped: kill -CONT ${String(pid)}; --force takes the drive away all the same`,
    },
  )

/** To that very process: its number may be another's by now. */
function signal(drive: RunningDrive, name: NodeJS.Signals): void {
  try {
    if (isAlive(drive)) process.kill(drive.pid, name)
  } catch {
    // it has just ended
  }
}

async function ends(drive: RunningDrive): Promise<boolean> {
  const deadline = Date.now() + EXIT_TIMEOUT_MS
  while (isAlive(drive)) {
    if (Date.now() > deadline) return false
    await new Promise((done) => setTimeout(done, 3))
  }
  return true
}

/** The process first: whoever waits for the drive, the unmount too, is let go by its end. */
async function end(drive: RunningDrive): Promise<never> {
  const { pid, mountpoint, device } = drive
  signal(drive, 'SIGKILL')
  if (await ends(drive)) {
    clear(drive)
    throw new CofferError(
      'AGENT',
      `the process ${String(pid)} of the drive ${mountpoint} did not answer and was ended; what it had not stored is lost`,
    )
  }
  leave(mountpoint, device, true)
  throw new CofferError(
    'AGENT',
    `the drive ${mountpoint} was taken away, but its process ${String(pid)} does not end`,
  )
}
