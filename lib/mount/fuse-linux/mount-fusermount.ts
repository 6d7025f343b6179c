// Mounting as anybody else: fusermount3, which is set-uid root, mounts and hands the connection over
// through a socket. It stays until our end of that socket closes, and then unmounts what is dead.

import { spawn } from 'node:child_process'
import { readSync } from 'node:fs'
import { CofferError } from '../../errors.js'
import { receiveDescriptor, socketpair } from '../../native/descriptor-passing.js'
import { close, makeOwn, pipe } from '../../native/descriptor.js'
import { fusermount } from './fuse-problem.js'
import {
  ownMount,
  plainName,
  SUBTYPE,
  type FuseSession,
  type MountOptions,
} from './mount-options.js'
import { MAX_IO } from './wire.js'

export function mountFusermount(options: MountOptions): FuseSession {
  const { mountpoint } = options
  const { deviceFd, socket } = ask(mountpoint, optionList(options))
  let closed = false
  const session = {
    deviceFd,
    devNumber: '',
    mountpoint,
    close() {
      if (closed) return
      closed = true
      close(deviceFd)
      close(socket)
    },
  }
  try {
    makeOwn(deviceFd)
    session.devNumber = ownMount(mountpoint).device
    return session
  } catch (error) {
    session.close()
    throw error
  }
}

function optionList({ fsname, readOnly, allowOther }: MountOptions): string {
  const list = [
    'default_permissions',
    'nosuid',
    'nodev',
    'auto_unmount',
    `fsname=${plainName(fsname)}`,
    `subtype=${SUBTYPE}`,
    `max_read=${String(MAX_IO)}`,
  ]
  if (allowOther === true) list.push('allow_other')
  if (readOnly === true) list.push('ro')
  return list.join(',')
}

function ask(mountpoint: string, optionList: string): { deviceFd: number; socket: number } {
  const program = fusermount()
  if (program === null) throw new CofferError('NO_FUSE', 'fusermount3 is not installed')
  const [ours, theirs] = socketpair()
  const complaints = pipe()
  let deviceFd: number | null = null
  try {
    const helper = spawn(program, ['-o', optionList, '--', mountpoint], {
      cwd: '/',
      env: { ...process.env, LC_ALL: 'C', _FUSE_COMMFD: '3' },
      stdio: ['ignore', 'ignore', complaints.writing, theirs],
      detached: true,
    })
    helper.on('error', () => undefined)
    helper.unref()
    close(theirs)
    close(complaints.writing)
    if (helper.pid !== undefined) deviceFd = receiveDescriptor(ours)
    if (deviceFd === null) throw refusal(readAll(complaints.reading))
    return { deviceFd, socket: ours }
  } catch (error) {
    close(ours)
    throw error
  } finally {
    close(complaints.reading)
  }
}

/** Up to the end, which comes when the helper has gone. */
function readAll(fd: number): string {
  const buffer = Buffer.alloc(4096)
  let text = ''
  for (let n; (n = readSync(fd, buffer)) > 0;) text += buffer.toString('utf8', 0, n)
  return text.trim()
}

function refusal(complaint: string): CofferError {
  const words = complaint.replace(/^(\S*\/)?fusermount3: /gm, '').replace(/\s*\n\s*/g, '; ')
  const message = `fusermount3 did not mount: ${words || 'it gave no reason'}`
  if (/mount ?point|No such file/.test(words)) return new CofferError('MOUNTPOINT', message)
  if (words.includes('user_allow_other')) {
    return new CofferError('NO_FUSE', message, {
      hint: 'put the line user_allow_other into /etc/fuse.conf, or mount without allow-other',
    })
  }
  return new CofferError('NO_FUSE', message)
}
