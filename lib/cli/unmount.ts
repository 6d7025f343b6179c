// coffer unmount, coffer lock.

import { CofferError } from '../errors.js'
import { clearStale } from '../agent/stale.js'
import { findDrive, unmountDrive } from '../agent/running.js'
import { runningDrives } from '../store/registry.js'
import { madeThrough, tellOnce } from './not-carried.js'
import { fail, say } from './ui.js'

interface Arguments {
  target?: string | undefined
  all: boolean
  force: boolean
}

export async function unmount({ target, all, force }: Arguments): Promise<number> {
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
    const kinds = await madeThrough(drive)
    await unmountDrive(drive, force)
    tellOnce(drive, kinds)
    say(`${drive.mountpoint} is locked; everything is in ${drive.vault}.`)
    return 0
  }
  let exit = 0
  // newest first: a vault may lie in a drive that was there before
  const drives = runningDrives().reverse()
  if (drives.length === 0) say('No drive is mounted.')
  for (const drive of drives) {
    try {
      const kinds = await madeThrough(drive)
      await unmountDrive(drive, force)
      tellOnce(drive, kinds)
      say(`${drive.mountpoint} is locked; everything is in ${drive.vault}.`)
    } catch (error) {
      // the others still get their turn
      exit = fail(error, drive.log)
    }
  }
  return exit
}
