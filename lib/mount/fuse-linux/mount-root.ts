// Mounting as root: mount(2) by ourselves, no helper program. If this process dies, a watcher unmounts.

import { writeFileSync } from 'node:fs'
import { CofferError } from '../../errors.js'
import { close } from '../../native/descriptor.js'
import { openFuseDevice } from '../../native/fuse-device.js'
import { MNT_DETACH, mount, MS_NODEV, MS_NOSUID, MS_RDONLY, umount } from '../../native/mount.js'
import { watchMount } from './death-watch.js'
import {
  FILE_SYSTEM_TYPE,
  ownMount,
  plainName,
  type FuseSession,
  type MountOptions,
} from './mount-options.js'
import { MAX_IO } from './wire.js'

export function mountRoot(options: MountOptions): FuseSession {
  const { mountpoint } = options
  const deviceFd = openFuseDevice()
  try {
    mount(
      plainName(options.fsname),
      mountpoint,
      FILE_SYSTEM_TYPE,
      MS_NOSUID | MS_NODEV | (options.readOnly === true ? MS_RDONLY : 0),
      `fd=${String(deviceFd)},rootmode=40000,user_id=0,group_id=0,default_permissions` +
        `,max_read=${String(MAX_IO)}${options.allowOther === true ? ',allow_other' : ''}`,
    )
  } catch (error) {
    close(deviceFd)
    throw explained(error, mountpoint)
  }
  let letGo: () => void
  let devNumber: string
  try {
    devNumber = ownMount(mountpoint).device
    readAhead(devNumber)
    letGo = watchMount(mountpoint, devNumber)
  } catch (error) {
    umount(mountpoint, MNT_DETACH)
    close(deviceFd)
    throw error
  }
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
}

/** Before INIT is answered, since the kernel then settles on the smaller of this and our answer. */
function readAhead(devNumber: string): void {
  try {
    writeFileSync(`/sys/class/bdi/${devNumber}/read_ahead_kb`, String(MAX_IO / 1024))
  } catch {
    // a container shows /sys read-only; reads are then smaller, that is all
  }
}

function explained(error: unknown, mountpoint: string): unknown {
  if (!(error instanceof CofferError)) return error
  if (error.code === 'EPERM' || error.code === 'EACCES') {
    return new CofferError('NO_FUSE', 'the kernel does not let this process mount', {
      hint: 'start a container with --device /dev/fuse --cap-add SYS_ADMIN',
      cause: error,
    })
  }
  if (error.code === 'ENODEV') {
    return new CofferError('NO_FUSE', 'this kernel has no FUSE', {
      hint: 'load the module: modprobe fuse',
      cause: error,
    })
  }
  return new CofferError('MOUNTPOINT', `cannot mount on ${mountpoint}: ${error.code}`, {
    cause: error,
  })
}
