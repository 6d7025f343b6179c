// coffer unmount, coffer lock.

import { CofferError } from '../errors.js'
import { clearStale } from '../agent/stale.js'
import { findDrive, type Done } from '../agent/running.js'
import { runningDrives, type RunningDrive } from '../store/registry.js'
import { unmountPatiently, waitSeconds } from './busy-wait.js'
import { madeThrough, tellOnce } from './not-carried.js'
import { amount, clockTime, count, fail, say } from './ui.js'

interface Arguments {
  target?: string | undefined
  all: boolean
  force: boolean
  wait?: string | undefined
}

export async function unmount({ target, all, force, wait }: Arguments): Promise<number> {
  const seconds = waitSeconds(wait, force)
  if (all === (target !== undefined)) {
    throw new CofferError(
      'USAGE',
      all ? 'name a drive or say --all, not both' : 'name the mountpoint or the vault',
      {
        hint: 'coffer status lists the drives',
      },
    )
  }
  for (const line of clearStale()) say(line)
  if (target !== undefined) {
    const drive = findDrive(target)
    await unmountAndTell(drive, seconds, force)
    return 0
  }
  let exit = 0
  // newest first: a vault may lie in a drive that was there before
  const drives = runningDrives().reverse()
  if (drives.length === 0) say('No drive is mounted.')
  for (const drive of drives) {
    try {
      await unmountAndTell(drive, seconds, force)
    } catch (error) {
      // the others still get their turn
      exit = fail(error, drive.log)
    }
  }
  return exit
}

async function unmountAndTell(drive: RunningDrive, seconds: number, force: boolean): Promise<void> {
  const kinds = await madeThrough(drive)
  const done = await unmountPatiently(drive, seconds, force)
  tellOnce(drive, kinds)
  tell(drive, done)
}

/** Throws what could not be stored. */
function tell({ mountpoint, vault, since }: RunningDrive, done: Done | null): void {
  const { filesStored = 0, bytesStored = 0, cut = [], error = null } = done ?? {}
  if (error === null) {
    const out = `${count(filesStored, 'file')}, ${amount(bytesStored)} encrypted`
    if (filesStored > 0) say(`${out} since ${clockTime(since)}.`)
    say(`${mountpoint} is locked; everything is in ${vault}.`)
  }
  if (cut.length > 0) say(`What these programs had not written yet is not in the vault:`)
  for (const { path, program } of cut) {
    const by = program === null ? 'another program' : `${program.command} (${String(program.pid)})`
    say(`  ${path}, open in ${by}`)
  }
  if (error !== null) throw error
}
