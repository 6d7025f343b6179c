// What a test may need from the machine beyond Node. A test that lacks something is skipped with the
// reason, so that `npm test` can name it; where COFFER_REQUIRE_ALL=1 is set, it fails instead.
//
//   t.test('rsync in and out', async (t) => {
//     if (!needs(t, 'root', 'fuse', 'rsync')) return

import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Test } from 'tap'

const CAP_SYS_ADMIN = 1n << 21n

function hasDevice(): boolean {
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}

function hasProgram(name: string): boolean {
  // Debian keeps mkfs and its like out of an unprivileged user's PATH.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

const NO_LOOP = 'there are no loop devices'

/** A container may keep its root from mounting. */
function mayMount(): boolean {
  const effective = /^CapEff:\t([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return (BigInt(`0x${effective?.[1] ?? '0'}`) & CAP_SYS_ADMIN) !== 0n
}

const isRoot = process.getuid?.() === 0

/** Why the machine cannot give a thing, or null. */
const CONDITIONS = {
  linux: () => (process.platform === 'linux' ? null : 'this is not Linux'),
  root: () => (isRoot ? null : 'not run as root'),
  mount: () => (isRoot && mayMount() ? null : 'may not mount'),
  /** A drive can be mounted: by root itself, by anybody else through fusermount3. */
  fuse: () => {
    if (!hasDevice()) return '/dev/fuse is missing or not accessible'
    return isRoot || hasProgram('fusermount3') ? null : 'fusermount3 is missing (Debian: fuse3)'
  },
  fusermount3: () => lacksProgram('fusermount3', 'fuse3'),
  gocryptfs: () => lacksProgram('gocryptfs'),
  rsync: () => lacksProgram('rsync'),
  fio: () => lacksProgram('fio'),
  sqlite3: () => lacksProgram('sqlite3'),
  tmux: () => lacksProgram('tmux'),
  git: () => lacksProgram('git'),
  gcc: () => lacksProgram('gcc'),
  make: () => lacksProgram('make'),
  inotifywait: () => lacksProgram('inotifywait', 'inotify-tools'),
  setfattr: () => lacksProgram('setfattr', 'attr'),
  'mkfs.ext4': () => lacksProgram('mkfs.ext4', 'e2fsprogs'),
  loop: () => (existsSync('/dev/loop-control') ? lacksProgram('losetup', 'mount') : NO_LOOP),
  dbusmock: () => {
    const found = spawnSync('/usr/bin/python3', ['-c', 'import dbusmock']).status === 0
    return found
      ? lacksProgram('dbus-daemon', 'dbus')
      : 'dbusmock is missing (Debian: python3-dbusmock)'
  },
  gdbus: () => lacksProgram('gdbus', 'libglib2.0-bin'),
  busctl: () => lacksProgram('busctl', 'systemd'),
  'dbus-monitor': () => lacksProgram('dbus-monitor', 'dbus'),
  chattr: () => lacksProgram('chattr', 'e2fsprogs'),
  syncthing: () => lacksProgram('syncthing'),
  rclone: () => lacksProgram('rclone'),
  ip: () => lacksProgram('ip', 'iproute2'),
  nsenter: () => lacksProgram('nsenter', 'util-linux'),
  faketime: () => lacksProgram('faketime'),
  setpriv: () => lacksProgram('setpriv', 'util-linux'),
} as const satisfies Record<string, () => string | null>

function lacksProgram(name: string, debianPackage = name): string | null {
  return hasProgram(name) ? null : `${name} is missing (Debian: ${debianPackage})`
}

export type Need = keyof typeof CONDITIONS

/**
 * True where the machine has everything; otherwise `t` is left out and the caller returns. Call it
 * first in a subtest, before any assertion.
 */
export function needs(t: Test, ...things: Need[]): boolean {
  const reasons = things.map((thing) => CONDITIONS[thing]()).filter((reason) => reason !== null)
  if (reasons.length === 0) return true
  if (process.env.COFFER_REQUIRE_ALL === '1') t.fail(`left out: ${reasons.join(', ')}`)
  else t.plan(0, reasons.join(', '))
  return false
}
