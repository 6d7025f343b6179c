// Mounts an empty folder's place in the tree as a drive. Nothing is served yet: whoever touches the
// mount waits until some thread calls `serve` with the session.

import { statSync } from 'node:fs'
import { CofferError } from '../../errors.js'
import { mountedAt, mountpointPath } from '../mountinfo.js'
import { fuseProblem, isRoot } from './fuse-problem.js'
import { FILE_SYSTEM_TYPE, type FuseSession, type MountOptions } from './mount-options.js'
import { mountFusermount } from './mount-fusermount.js'
import { mountRoot } from './mount-root.js'

export function mountFuse(options: MountOptions): FuseSession {
  const problem = fuseProblem()
  if (problem !== null) throw problem
  const mountpoint = usable(options.mountpoint)
  const resolved = { ...options, mountpoint }
  return isRoot() ? mountRoot(resolved) : mountFusermount(resolved)
}

/** The mount point's real path; throws where it is no folder, or a drive already. */
function usable(path: string): string {
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
