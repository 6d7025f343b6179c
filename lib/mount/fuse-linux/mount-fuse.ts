// Makes a drive of a folder's place in the tree. Nothing is served yet: whoever touches the mount waits
// until some thread calls `serve` with the session's descriptor.

import { writeFileSync } from 'node:fs'
import { close } from '../../native/descriptor.js'
import { mountedAt } from '../mountinfo.js'
import { ownDevice, usablePlace } from '../mount-place.js'
import { watchMount } from '../death-watch.js'
import { fusermount, fuseProblem, isRoot } from '../fuse-problem.js'
import { FILE_SYSTEM_TYPE, type FuseSession, type MountOptions } from '../mount-options.js'
import { mountFusermount } from './mount-fusermount.js'
import { mountRoot } from './mount-root.js'
import { unmount } from '../unmount.js'
import { MAX_IO } from './wire.js'

export function mountFuse(options: MountOptions): FuseSession {
  const problem = fuseProblem()
  if (problem !== null) throw problem
  const mountpoint = usablePlace(options.mountpoint)
  const resolved = { ...options, mountpoint }
  const helper = isRoot() ? null : fusermount()
  const deviceFd = helper === null ? mountRoot(resolved) : mountFusermount(helper, resolved)
  try {
    const devNumber = ownDevice(mountpoint)
    if (helper === null) readAhead(devNumber)
    const command = helper === null ? ['umount', '-l'] : [helper, '-uz', '--']
    const letGo = watchMount(mountpoint, devNumber, command)
    let closed = false
    return {
      deviceFd,
      devNumber,
      mountpoint,
      close() {
        if (closed) return
        closed = true
        close(deviceFd)
        letGo()
      },
    }
  } catch (error) {
    close(deviceFd)
    if (mountedAt(mountpoint)?.type === FILE_SYSTEM_TYPE) unmount(mountpoint, { lazy: true })
    throw error
  }
}

/** Before INIT is answered, since the kernel then settles on the smaller of this and our answer. */
function readAhead(devNumber: string): void {
  try {
    writeFileSync(`/sys/class/bdi/${devNumber}/read_ahead_kb`, String(MAX_IO / 1024))
  } catch {
    // a container shows /sys read-only; reads are then smaller, that is all
  }
}
