// Which programs keep a mount busy: those with a working directory, a root, an open or mapped file
// or their own program in it. Only links of /proc are read, never what they point to, so a drive that
// does not answer cannot stop this. Programs of other users are seen by root only.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { mountpointPath } from './mountinfo.js'

export interface MountUser {
  pid: number
  /** short name of the program */
  command: string
}

export function usersOf(mountpoint: string): MountUser[] {
  const root = mountpointPath(mountpoint)
  const users: MountUser[] = []
  for (const entry of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(entry)) continue
    const process = join('/proc', entry)
    if (uses(process, root)) users.push({ pid: Number(entry), command: commandOf(process) })
  }
  return users
}

function uses(process: string, root: string): boolean {
  for (const name of ['cwd', 'root', 'exe']) {
    if (isInside(linkOf(join(process, name)), root)) return true
  }
  const descriptors = join(process, 'fd')
  for (const fd of list(descriptors)) {
    if (isInside(linkOf(join(descriptors, fd)), root)) return true
  }
  return mapsFile(process, root)
}

/** A line of maps is "addresses permissions offset device inode path". */
function mapsFile(process: string, root: string): boolean {
  for (const line of read(join(process, 'maps')).split('\n')) {
    const slash = line.indexOf('/')
    if (slash > 0 && isInside(line.slice(slash), root)) return true
  }
  return false
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
