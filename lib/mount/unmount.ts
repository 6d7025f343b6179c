// Taking a drive out of the tree. Not to be called by the thread that serves it: the kernel may wait
// for answers meanwhile.

import { spawnSync } from 'node:child_process'
import { CofferError } from '../errors.js'
import { MNT_DETACH, umount, UMOUNT_NOFOLLOW } from '../native/mount.js'
import { mountedAt } from './mountinfo.js'
import { fusermount, isRoot } from './fuse-problem.js'

export interface UnmountOptions {
  /** also while programs use it; they keep what they have open until they close it */
  lazy?: boolean
}

/** BUSY where programs use it: nothing has changed then. `usersOf` says which. */
export function unmount(path: string, options: UnmountOptions = {}): void {
  const lazy = options.lazy === true
  const mount = mountedAt(path)
  if (mount === null) throw new CofferError('NOT_MOUNTED', `nothing is mounted on ${path}`)
  if (isRoot()) unmountRoot(mount.mountpoint, lazy)
  else unmountFusermount(mount.mountpoint, lazy)
}

function unmountRoot(mountpoint: string, lazy: boolean): void {
  try {
    umount(mountpoint, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0))
  } catch (error) {
    if (error instanceof CofferError && error.code === 'EBUSY') throw busy(mountpoint)
    if (error instanceof CofferError && error.code === 'EINVAL') throw gone(mountpoint)
    throw error
  }
}

function unmountFusermount(mountpoint: string, lazy: boolean): void {
  const program = fusermount() ?? fusermount('fusermount')
  if (program === null) throw new CofferError('NO_FUSE', 'fusermount3 is not installed')
  const result = spawnSync(program, [lazy ? '-uz' : '-u', '--', mountpoint], {
    cwd: '/',
    env: { ...process.env, LC_ALL: 'C' },
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  if (result.status === 0) return
  const complaint = result.stderr.trim()
  if (/busy/i.test(complaint)) throw busy(mountpoint)
  if (/not found in|not mounted|Invalid argument/i.test(complaint)) throw gone(mountpoint)
  throw new CofferError('NOT_MOUNTED', `fusermount3 did not unmount ${mountpoint}: ${complaint}`)
}

const busy = (mountpoint: string): CofferError =>
  new CofferError('BUSY', `${mountpoint} is in use`, { hint: 'close what uses it and try again' })

const gone = (mountpoint: string): CofferError =>
  new CofferError('NOT_MOUNTED', `${mountpoint} is not mounted any more`)
