// The place in the tree that becomes a drive, before and after.

import { statSync } from 'node:fs'
import { CofferError } from '../errors.js'
import { mountedAt, mountpointPath } from './mountinfo.js'
import { FILE_SYSTEM_TYPE } from './mount-options.js'

/** The mount point's real path; throws where it is no folder, or a drive already. */
export function usablePlace(path: string): string {
  try {
    const mountpoint = mountpointPath(path)
    if (mountedAt(mountpoint)?.type === FILE_SYSTEM_TYPE) {
      throw new CofferError('ALREADY_MOUNTED', `a coffer drive is mounted on ${path}`, {
        hint: `run coffer unmount ${path}`,
      })
    }
    if (!statSync(mountpoint).isDirectory()) {
      throw new CofferError('MOUNTPOINT', `${path} is not a folder`, {
        hint: 'name an empty folder',
      })
    }
    return mountpoint
  } catch (error) {
    if (error instanceof CofferError) throw error
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') {
      throw new CofferError('MOUNTPOINT', `${path} does not exist`, { hint: `mkdir -p ${path}` })
    }
    if (code === 'ENOTCONN') {
      throw new CofferError('MOUNTPOINT', `what was mounted on ${path} is dead`, {
        hint: `fusermount3 -uz ${path}`,
      })
    }
    throw new CofferError('MOUNTPOINT', `${path} cannot be used: ${code ?? String(error)}`)
  }
}

/** The device number of the drive that has just been mounted there. */
export function ownDevice(mountpoint: string): string {
  const mount = mountedAt(mountpoint)
  if (mount?.type === FILE_SYSTEM_TYPE) return mount.device
  throw new CofferError('NOT_MOUNTED', `${mountpoint} was unmounted by somebody else at once`)
}
