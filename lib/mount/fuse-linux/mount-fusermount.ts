// Mounting as anybody but root: fusermount3, which is set-uid root, mounts, hands the connection over
// through a socket and is done.

import { spawnSync } from 'node:child_process'
import { CofferError } from '../../errors.js'
import { receiveDescriptor, socketpair } from '../../native/descriptor-passing.js'
import { close, makeOwn } from '../../native/descriptor.js'
import { plainName, SUBTYPE, type MountOptions } from '../mount-options.js'
import { MAX_IO } from './wire.js'

const COMM_FD = 3

/** The descriptor of the connection. */
export function mountFusermount(program: string, options: MountOptions): number {
  const [ours, theirs] = socketpair()
  let complaint: string
  try {
    const helper = spawnSync(program, ['-o', optionList(options), '--', options.mountpoint], {
      cwd: '/',
      env: { ...process.env, LC_ALL: 'C', _FUSE_COMMFD: String(COMM_FD) },
      stdio: ['ignore', 'ignore', 'pipe', theirs],
      encoding: 'utf8',
    })
    complaint = helper.error?.message ?? helper.stderr
  } finally {
    close(theirs)
  }
  try {
    const deviceFd = receiveDescriptor(ours)
    if (deviceFd === null) throw refusal(complaint)
    makeOwn(deviceFd)
    return deviceFd
  } finally {
    close(ours)
  }
}

function optionList({ fsname, readOnly, allowOther }: MountOptions): string {
  const list = [
    'default_permissions',
    'nosuid',
    'nodev',
    `fsname=${plainName(fsname)}`,
    `subtype=${SUBTYPE}`,
    `max_read=${String(MAX_IO)}`,
  ]
  if (allowOther === true) list.push('allow_other')
  if (readOnly === true) list.push('ro')
  return list.join(',')
}

function refusal(complaint: string): CofferError {
  const words = complaint
    .trim()
    .replace(/^(\S*\/)?fusermount3: /gm, '')
    .replace(/\s*\n\s*/g, '; ')
  const message = `fusermount3 did not mount: ${words || 'it gave no reason'}`
  if (/mount ?point|No such file/.test(words)) return new CofferError('MOUNTPOINT', message)
  if (words.includes('user_allow_other')) {
    return new CofferError('NO_FUSE', message, {
      hint: 'put the line user_allow_other into /etc/fuse.conf, or mount without allow-other',
    })
  }
  return new CofferError('NO_FUSE', message)
}
