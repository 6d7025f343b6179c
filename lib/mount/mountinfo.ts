// What is mounted where, from /proc/PID/mountinfo (proc_pid_mountinfo(5)). Reading it never touches
// a mount, so it also works where the drive is dead or does not answer.

import { readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'

export interface MountedAt {
  /** MAJOR:MINOR */
  device: string
  mountpoint: string
  /** such as "fuse.coffer" */
  type: string
  source: string
}

const MAX_LINKS = 40

/** All mounts that a process sees, later ones on top of earlier ones. Throws where it has ended. */
export function mounts(pid: number | 'self' = 'self'): MountedAt[] {
  const found: MountedAt[] = []
  for (const line of readFileSync(`/proc/${String(pid)}/mountinfo`, 'latin1').split('\n')) {
    const fields = line.split(' ')
    const separator = fields.indexOf('-', 6)
    const [, , device, , mountpoint] = fields
    const type = fields[separator + 1]
    const source = fields[separator + 2]
    if (separator < 0 || device === undefined || mountpoint === undefined) continue
    if (type === undefined || source === undefined) continue
    found.push({ device, mountpoint: unescape(mountpoint), type, source: unescape(source) })
  }
  return found
}

/** The mount whose root is `path`, the topmost if there are several; null if it is no mount point. */
export function mountedAt(path: string): MountedAt | null {
  return topmost(mounts(), mountpointPath(path))
}

/** The mount that a path lies on; null where this process does not see it. */
export function mountUnder(path: string): MountedAt | null {
  const { dev } = statSync(path)
  const major = (dev >> 8) & 0xfff
  const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00)
  const device = `${String(major)}:${String(minor)}`
  return mounts().findLast((mount) => mount.device === device) ?? null
}

/**
 * The absolute path of a mount point without symbolic links, found without touching what is mounted
 * there: its last component is looked at only after mountinfo has said that nothing is.
 */
export function mountpointPath(path: string): string {
  const all = mounts()
  let at = resolve(path)
  for (let links = 0; links < MAX_LINKS; links++) {
    at = join(realpathSync(dirname(at)), basename(at))
    if (topmost(all, at) !== null) return at
    const target = linkTarget(at)
    if (target === null) return at
    at = resolve(dirname(at), target)
  }
  return at
}

function topmost(all: MountedAt[], path: string): MountedAt | null {
  return all.findLast((mount) => mount.mountpoint === path) ?? null
}

function linkTarget(path: string): string | null {
  try {
    return readlinkSync(path)
  } catch {
    return null
  }
}

/** Blanks, tabs, newlines and backslashes are written in octal; the file is bytes, names are UTF-8. */
function unescape(field: string): string {
  const bytes = field.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(parseInt(octal, 8)),
  )
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
