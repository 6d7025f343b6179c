// What agents that were killed left behind. Every coffer command clears it first: the registry entry,
// its socket, and the dead mount if it is still there. A mount counts as ours only by the place and
// the device number that the entry names.

import { runningDrives, unregister, type RunningDrive } from '../store/registry.js'
import { mountedAt } from '../mount/mountinfo.js'
import { leave } from './mountpoint.js'
import { namesUnder, some } from './mountpoint-folder.js'
import { isAlive } from './process.js'

/** Sentences about what was cleared. */
export function clearStale(): string[] {
  const said: string[] = []
  for (const drive of runningDrives()) {
    if (isAlive(drive)) continue
    try {
      clear(drive)
    } catch (error) {
      // the entry stays, so that the next command tries again
      said.push(`The dead drive at ${drive.mountpoint} cannot be taken away: ${String(error)}`)
      continue
    }
    said.push(
      `The drive at ${drive.mountpoint} had ended without being unmounted; what it left was cleared.`,
      ...leftUnder(drive.mountpoint),
    )
  }
  return said
}

/** Programs that went on may have put something where the drive had been. */
function leftUnder(mountpoint: string): string[] {
  try {
    if (mountedAt(mountpoint) !== null) return []
    const names = namesUnder(mountpoint)
    if (names.length === 0) return []
    return [
      `What lies in ${mountpoint} now is not encrypted: ${some(names)}. Move it elsewhere, mount, then move it into the drive.`,
    ]
  } catch {
    // it has gone, or is somebody else's
    return []
  }
}

/** Takes away what is left of a drive whose process has ended. */
export function clear(drive: RunningDrive): void {
  if (isStillMounted(drive)) leave(drive.mountpoint, drive.device, true)
  unregister(drive)
}

function isStillMounted({ mountpoint, device }: RunningDrive): boolean {
  if (device === '' || process.platform !== 'linux') return false
  try {
    return mountedAt(mountpoint)?.device === device
  } catch {
    // even the folder around it has gone
    return false
  }
}
