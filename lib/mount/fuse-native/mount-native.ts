// A drive mounted and served by fuse-native. Its operations come to the main thread of the process, and no
// other: the library aborts in a worker. So this thread must never touch the mount, nor wait for whoever
// does; asking by way of a pool thread is fine.

import { Buffer } from 'node:buffer'
import { readdirSync, readlinkSync } from 'node:fs'
import { CofferError } from '../../errors.js'
import type { Filesystem } from '../../fs/filesystem.js'
import { close, closeOnExec, duplicate, keepOnExec } from '../../native/descriptor.js'
import { FUSE_DEVICE } from '../../native/fuse-device.js'
import { isBroken } from '../../native/poll.js'
import type { Counters } from '../counters.js'
import { watchMount } from '../death-watch.js'
import { fusermount, isRoot } from '../fuse-problem.js'
import { ownDevice, usablePlace } from '../mount-place.js'
import { FILE_SYSTEM_TYPE, plainName, SUBTYPE, type MountOptions } from '../mount-options.js'
import { mountedAt } from '../mountinfo.js'
import { unmount } from '../unmount.js'
import { heedOneTime } from './libfuse-struct.js'
import { nativeMount, type NativeMount } from './library.js'
import { nativeProblem } from './native-problem.js'
import { Service, type Hooks } from './service.js'

/** The library copies the mountpoint into so many bytes, with a zero byte. */
const MOUNTPOINT_MAX = 1023
const STANDARD_ERROR = 2
/** How often to look whether the kernel has let go: no call of the library's says so. */
const LOOK_MS = 200
const LOOK_SOON_MS = 5

export interface NativeSession {
  /** MAJOR:MINOR of the mount */
  readonly devNumber: string
  /** When the kernel has let go. */
  readonly ended: Promise<void>
  /** It was unmounted: to be looked for more often. */
  expectEnd(): void
  /** Does what applications were told is done. */
  settle(): void
  /** From now on every request is refused. */
  stop(): void
  /** Lets the process end. */
  close(): void
}

/** Resolves when the kernel has begun to ask. */
export async function mountNative(
  options: MountOptions,
  fs: Filesystem,
  counters: Counters,
  hooks: Hooks,
): Promise<NativeSession> {
  const problem = nativeProblem()
  if (problem !== null) throw problem
  const mountpoint = usablePlace(options.mountpoint)
  if (Buffer.byteLength(mountpoint) > MOUNTPOINT_MAX) {
    throw new CofferError('MOUNTPOINT', `the path of the mountpoint is too long for fuse-native`)
  }
  const service = new Service(fs, counters, hooks)
  const before = new Set(connections())
  const mount = nativeMount(mountpoint, optionList(options), service.callbacks, (request) => {
    service.request = request
  })
  // libfuse starts fusermount, whose words would be lost
  keepOnExec(STANDARD_ERROR)
  await begun(mount, { ...options, mountpoint })
  try {
    heedOneTime(mount._thread, mountpoint)
    const connection = ownConnection(before)
    const devNumber = ownDevice(mountpoint)
    const helper = fusermount() ?? fusermount('fusermount') ?? ''
    const command = isRoot() ? ['umount', '-l'] : [helper, '-uz', '--']
    // its pipe is left to the end of the process: until then the library may hold the connection
    watchMount(mountpoint, devNumber, command)
    return session(mount, service, connection, devNumber)
  } catch (error) {
    if (mountedAt(mountpoint)?.type === FILE_SYSTEM_TYPE) unmount(mountpoint, { lazy: true })
    throw error
  }
}

function session(
  mount: NativeMount,
  service: Service,
  connection: number,
  devNumber: string,
): NativeSession {
  let over = false
  let timer: NodeJS.Timeout
  let look = (): void => undefined
  const ended = new Promise<void>((resolve) => {
    look = () => {
      if (isBroken(connection)) resolve()
    }
    timer = setInterval(look, LOOK_MS)
  })
  return {
    devNumber,
    ended,
    expectEnd() {
      clearInterval(timer)
      if (!over) timer = setInterval(look, LOOK_SOON_MS)
    },
    settle() {
      service.hidden.settle()
    },
    stop() {
      service.stop()
    },
    close() {
      if (over) return
      over = true
      clearInterval(timer)
      close(connection)
      mount.unmount(() => undefined)
    },
  }
}

/**
 * use_ino and entry_timeout are also looked at by libfuse-struct.ts. use_ino: inode numbers are ours, so that hard links have one. Nothing is remembered but names, for a
 * second: to the kernel each hard link is another file, and what one of them changes shows in the other.
 */
function optionList({ fsname, readOnly, allowOther }: MountOptions): string {
  const list = [
    'big_writes',
    'use_ino',
    'default_permissions',
    'entry_timeout=1',
    'attr_timeout=0',
    `max_read=${String(128 * 1024)}`,
    `fsname=${plainName(fsname)}`,
    `subtype=${SUBTYPE}`,
  ]
  if (allowOther === true) list.push('allow_other')
  if (readOnly === true) list.push('ro')
  return list.join(',')
}

function begun(mount: NativeMount, options: MountOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    mount.mount((error) => {
      if (error === null) resolve()
      else reject(refusal(error, options))
    })
  })
}

function refusal(cause: Error, { mountpoint, allowOther }: MountOptions): CofferError {
  if (cause.message.startsWith('Mountpoint')) {
    const message = `fuse-native does not mount on ${mountpoint}: it may be the root of a volume`
    return new CofferError('MOUNTPOINT', message, { cause })
  }
  const message =
    'libfuse did not mount; it says why on standard error, in the background in the log'
  if (allowOther !== true || isRoot()) return new CofferError('NO_FUSE', message, { cause })
  const hint = 'put the line user_allow_other into /etc/fuse.conf, or mount without --allow-other'
  return new CofferError('NO_FUSE', message, { hint, cause })
}

/** Descriptors of this process that are connections to FUSE. */
function connections(): number[] {
  const found: number[] = []
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${name}`) === FUSE_DEVICE) found.push(Number(name))
    } catch {
      // that of the listing itself, by now closed
    }
  }
  return found
}

/**
 * The library does not tell its connection, and closes it when it likes. This one is ours. A program that
 * inherited either would keep a dead drive mounted.
 */
function ownConnection(before: ReadonlySet<number>): number {
  const fd = connections().find((connection) => !before.has(connection))
  if (fd === undefined) throw new CofferError('NOT_MOUNTED', 'the drive was unmounted at once')
  closeOnExec(fd)
  return duplicate(fd)
}
