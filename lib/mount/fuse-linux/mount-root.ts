// Mounting as root: mount(2) by ourselves, no helper program.

import { CofferError } from '../../errors.js'
import { close } from '../../native/descriptor.js'
import { openFuseDevice } from '../../native/fuse-device.js'
import { mount, MS_NODEV, MS_NOSUID, MS_RDONLY } from '../../native/mount.js'
import { FILE_SYSTEM_TYPE, plainName, type MountOptions } from '../mount-options.js'
import { MAX_IO } from './wire.js'

/** The descriptor of the connection. */
export function mountRoot({ mountpoint, fsname, readOnly, allowOther }: MountOptions): number {
  const deviceFd = openFuseDevice()
  try {
    mount(
      plainName(fsname),
      mountpoint,
      FILE_SYSTEM_TYPE,
      MS_NOSUID | MS_NODEV | (readOnly === true ? MS_RDONLY : 0),
      `fd=${String(deviceFd)},rootmode=40000,user_id=0,group_id=0,default_permissions` +
        `,max_read=${String(MAX_IO)}${allowOther === true ? ',allow_other' : ''}`,
    )
    return deviceFd
  } catch (error) {
    close(deviceFd)
    throw explained(error, mountpoint)
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
