// Which programs keep a mount busy: those with a working directory, a root, an open or mapped file
// or their own program in it. Only links of /proc are read, never what they point to, so a drive that
// does not answer cannot stop this. Programs of other users are seen by root only.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { mountpointPath, mounts } from './mountinfo.js'

export interface MountUser {
  pid: number
  /** short name of the program */
  command: string
}

/** A file that a program has open or mapped for writing. */
export interface Writer extends MountUser {
  path: string
}

export function writersOf(mountpoint: string): Writer[] {
  const root = mountpointPath(mountpoint)
  const writers: Writer[] = []
  for (const [pid, process] of processes()) {
    const paths = new Set([...openToWrite(process, root), ...mapped(process, root, / .w.s /)])
    for (const path of paths) writers.push({ pid, command: commandOf(process), path })
  }
  return writers
}

const O_ACCMODE = 3

function* openToWrite(process: string, root: string): Generator<string> {
  for (const fd of list(join(process, 'fd'))) {
    const path = linkOf(join(process, 'fd', fd))
    if (path === root || !isInside(path, root)) continue
    const flags = /^flags:\s+([0-7]+)$/m.exec(read(join(process, 'fdinfo', fd)))?.[1] ?? '0'
    if ((parseInt(flags, 8) & O_ACCMODE) !== 0) yield path
  }
}

export function usersOf(mountpoint: string): MountUser[] {
  const root = mountpointPath(mountpoint)
  const users: MountUser[] = []
  for (const [pid, process] of processes())
    if (uses(process, root)) users.push({ pid, command: commandOf(process) })
  return users
}

/**
 * Programs that use a mount where unmounting it at `mountpoint` does not reach: in another namespace, which
 * has a copy of it since it was made, or bound to another place. `device` is MAJOR:MINOR.
 */
export function usersElsewhere(device: string, mountpoint: string): MountUser[] {
  const here = linkOf('/proc/self/ns/mnt')
  const known = new Map<string, string[]>()
  const users: MountUser[] = []
  for (const [pid, process] of processes()) {
    const namespace = linkOf(join(process, 'ns', 'mnt'))
    // links of /proc are told as from there, mounts as from the root of the process
    const root = linkOf(join(process, 'root'))
    const view = `${namespace} ${root}`
    const copies = known.get(view) ?? mountpointsOf(device, pid).map((path) => join(root, path))
    known.set(view, copies)
    const used = copies.some(
      (copy) => (namespace !== here || copy !== mountpoint) && uses(process, copy),
    )
    if (used) users.push({ pid, command: commandOf(process) })
  }
  return users
}

function mountpointsOf(device: string, pid: number): string[] {
  try {
    const own = mounts(pid).filter((mount) => mount.device === device)
    return own.map((mount) => mount.mountpoint)
  } catch {
    return []
  }
}

/** By number and folder, as far as they are there. */
function* processes(): Generator<[number, string]> {
  for (const entry of readdirSync('/proc'))
    if (/^[0-9]+$/.test(entry)) yield [Number(entry), join('/proc', entry)]
}

function uses(process: string, root: string): boolean {
  for (const name of ['cwd', 'root', 'exe']) {
    if (isInside(linkOf(join(process, name)), root)) return true
  }
  const descriptors = join(process, 'fd')
  for (const fd of list(descriptors)) {
    if (isInside(linkOf(join(descriptors, fd)), root)) return true
  }
  return mapped(process, root, /^/).next().done !== true
}

/** Files in it that are mapped. A line of maps is "addresses permissions offset device inode path". */
function* mapped(process: string, root: string, how: RegExp): Generator<string> {
  for (const line of read(join(process, 'maps')).split('\n')) {
    const slash = line.indexOf('/')
    if (slash > 0 && how.test(line) && isInside(line.slice(slash), root)) yield line.slice(slash)
  }
}

const isInside = (path: string, root: string): boolean =>
  path === root || path.startsWith(root === '/' ? root : `${root}/`)

const commandOf = (process: string): string => read(join(process, 'comm')).trim() || '?'

// a process may end while it is looked at, or belong to somebody else

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
