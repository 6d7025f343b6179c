// The drives that run, as later commands see them.

import { resolve } from 'node:path'
import { CofferError } from '../errors.js'
import { runningDrives, type RunningDrive } from '../store/registry.js'
import { realPath } from '../store/state-folder.js'
import { askControl } from './control.js'
import { isAlive } from './process.js'
import { fromWire, type DriveStatus } from './protocol.js'

const STATUS_TIMEOUT_MS = 3000
const EXIT_TIMEOUT_MS = 10_000

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

export async function askStatus(drive: RunningDrive): Promise<DriveStatus> {
  const reply = await askControl(drive.socket, { op: 'status' }, STATUS_TIMEOUT_MS)
  if (!reply.ok) throw fromWire(reply.error)
  if (reply.status === undefined) throw new CofferError('AGENT', 'the drive gave no status')
  return reply.status
}

/** Resolves when every byte is in the vault folder and the process has gone. */
export async function unmountDrive(drive: RunningDrive, force: boolean): Promise<void> {
  // whoever asks from inside the drive would keep it busy just by asking
  process.chdir('/')
  const reply = await askControl(drive.socket, { op: 'unmount', force }, 0).catch(
    (error: unknown) => {
      // it may have ended by itself between our look and our question
      if (!isAlive(drive)) return { ok: true } as const
      throw error
    },
  )
  if (!reply.ok) throw fromWire(reply.error)
  const deadline = Date.now() + EXIT_TIMEOUT_MS
  while (isAlive(drive)) {
    if (Date.now() > deadline) {
      throw new CofferError(
        'AGENT',
        `the drive is stored and unmounted, but its process ${String(drive.pid)} does not end`,
      )
    }
    await new Promise((done) => setTimeout(done, 3))
  }
}
