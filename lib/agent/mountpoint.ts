// The mountpoint: is it fit to be one, does the drive there answer, taking the mount away. The
// serving thread never comes here.

import { statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import { CofferError } from '../errors.js'
import { unmount } from '../mount/unmount.js'
import { usersElsewhere, usersOf, type MountUser } from '../mount/mount-users.js'
import { mountedAt, mountpointPath } from '../mount/mountinfo.js'
import { namesUnder, some } from './mountpoint-folder.js'
import { reason } from '../store/state-folder.js'

const inside = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder === sep ? sep : folder + sep)

/** The mountpoint's real path; MOUNTPOINT where it is not fit to be one. */
export function checkMountpoint(given: string, vault: string): string {
  const wrong = (message: string, hint = 'name an empty folder outside the vault'): CofferError =>
    new CofferError('MOUNTPOINT', message, { hint })
  const path = resolve(given)
  let mountpoint: string
  try {
    // by its parent, since the mountpoint itself may be a dead mount
    mountpoint = mountpointPath(path)
    const there = mountedAt(mountpoint)
    if (there !== null) {
      throw wrong(
        `something is mounted at ${path} already (${there.type})`,
        `look with: findmnt ${path}`,
      )
    }
    if (!statSync(mountpoint).isDirectory()) throw wrong(`${path} is a file, not a folder`)
  } catch (error) {
    if (error instanceof CofferError) throw error
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw wrong(`there is no folder ${path}`, `make it: mkdir ${path}`)
    throw wrong(`${path} cannot be used as a mountpoint: ${reason(error)}`)
  }
  if (inside(mountpoint, vault)) throw wrong(`${path} lies inside the vault`)
  if (inside(vault, mountpoint)) throw wrong(`the vault lies inside ${path}`)
  let names: string[]
  try {
    names = namesUnder(mountpoint)
  } catch (error) {
    throw wrong(`${path} cannot be read: ${reason(error)}`)
  }
  if (names.length > 0)
    throw wrong(
      `${path} is not empty; what lies there is not encrypted: ${some(names)}`,
      'nothing was changed; move it elsewhere, mount, then move it into the drive',
    )
  return mountpoint
}

const USABLE_TIMEOUT_MS = 15_000

/**
 * Resolves when the drive answers. The question is asked by a pool thread, so a drive that does not
 * answer stops neither this thread nor the one that serves.
 */
export async function waitUsable(mountpoint: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new CofferError('AGENT', 'the drive was mounted but does not answer'))
    }, USABLE_TIMEOUT_MS)
  })
  try {
    await Promise.race([stat(mountpoint), late])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Takes the mount out of the tree, if it is still ours. BUSY, with the programs that use it, where
 * it is in use and not `lazy`; nothing has changed then. Copies of it elsewhere stay.
 */
export function leave(mountpoint: string, device: string, lazy: boolean): void {
  const elsewhere = lazy ? [] : usersElsewhere(device, mountpoint)
  if (elsewhere.length > 0) throw busy(mountpoint, elsewhere)
  if (mountedAt(mountpoint)?.device !== device) return
  try {
    unmount(mountpoint, { lazy })
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
    if (error.code === 'NOT_MOUNTED' && mountedAt(mountpoint)?.device !== device) return
    if (error.code === 'BUSY') throw busy(mountpoint, usersOf(mountpoint), error)
    throw error
  }
}

const NAMED = 5

function busy(mountpoint: string, users: readonly MountUser[], cause?: CofferError): CofferError {
  const names = users.map(({ pid, command }) => `${command} (${String(pid)})`)
  const rest = names.length > NAMED ? ` and ${String(names.length - NAMED)} more` : ''
  const by =
    names.length === 0
      ? 'by a program of another user, or one that waits for an online-only file'
      : `by ${names.slice(0, NAMED).join(', ')}${rest}`
  return new CofferError('BUSY', `${mountpoint} is in use ${by}; nothing was changed`, {
    hint: 'close it there and try again; --force takes the drive away all the same',
    cause,
  })
}
