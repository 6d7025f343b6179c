// What stands in the way of a path is told alike by every call that takes one.

import { chmodSync, symlinkSync } from 'node:fs'
import { as, AT_FDCWD, NOBODY } from '../calls.js'
import type { Folder } from '../folder.js'
import type { Row } from '../row.js'
import { addressOf, memory, openAt2, sys, timespecs } from '../system-calls.js'
import { root, table, type Line } from './line.js'

const O_PATH = 0o10000000
const O_DIRECTORY = 0o200000
const O_CREAT = 0o100
const O_EXCL = 0o200
const S_IFIFO = 0o10000
const S_IFREG = 0o100000
const NOFOLLOW = 0x100
const FOLLOW = 0x400
const REMOVEDIR = 0x200
const EACCESS = 0x200
const BASIC_STATS = 0x7ff
const OWN = -1 >>> 0

const room = memory(4096)
const at = addressOf(room)
const now = timespecs(0x3fffffff, 0x3fffffff)

type Call = readonly [call: string, flags: string, make: (path: string, f: Folder) => unknown]

/** Those that look for what is there, and those that make something new. */
const CALLS: readonly Call[] = [
  ['open', 'O_RDONLY', (p) => sys.open(p, 0, 0)],
  ['open', 'O_WRONLY', (p) => sys.open(p, 1, 0)],
  ['open', 'O_RDWR|O_CREAT', (p) => sys.open(p, 2 | O_CREAT, 0o644)],
  ['open', 'O_RDWR|O_CREAT|O_EXCL', (p) => sys.open(p, 2 | O_CREAT | O_EXCL, 0o644)],
  ['open', 'O_PATH', (p) => sys.open(p, O_PATH, 0)],
  ['open', 'O_RDONLY|O_DIRECTORY', (p) => sys.open(p, O_DIRECTORY, 0)],
  ['openat', 'O_RDONLY', (p) => sys.openat(AT_FDCWD, p, 0, 0)],
  ['openat2', 'O_RDONLY', (p) => openAt2(AT_FDCWD, p, 0, 0)],
  ['creat', '', (p) => sys.creat(p, 0o644)],
  ['statx', '', (p) => sys.statx(AT_FDCWD, p, 0, BASIC_STATS, at)],
  ['statx', 'AT_SYMLINK_NOFOLLOW', (p) => sys.statx(AT_FDCWD, p, NOFOLLOW, BASIC_STATS, at)],
  ['access', 'F_OK', (p) => sys.access(p, 0)],
  ['access', 'R_OK', (p) => sys.access(p, 4)],
  ['faccessat', 'AT_EACCESS', (p) => sys.faccessat(AT_FDCWD, p, 0, EACCESS)],
  ['chmod', '', (p) => sys.chmod(p, 0o600)],
  ['fchmodat', '', (p) => sys.fchmodat(AT_FDCWD, p, 0o600, 0)],
  ['chown', '', (p) => sys.chown(p, OWN, OWN)],
  ['lchown', '', (p) => sys.lchown(p, OWN, OWN)],
  ['fchownat', 'AT_SYMLINK_NOFOLLOW', (p) => sys.fchownat(AT_FDCWD, p, OWN, OWN, NOFOLLOW)],
  ['truncate', '', (p) => sys.truncate(p, 0)],
  ['unlink', '', (p) => sys.unlink(p)],
  ['unlinkat', '', (p) => sys.unlinkat(AT_FDCWD, p, 0)],
  ['unlinkat', 'AT_REMOVEDIR', (p) => sys.unlinkat(AT_FDCWD, p, REMOVEDIR)],
  ['rmdir', '', (p) => sys.rmdir(p)],
  ['mkdir', '', (p) => sys.mkdir(p, 0o755)],
  ['mkdirat', '', (p) => sys.mkdirat(AT_FDCWD, p, 0o755)],
  ['mknod', 'S_IFIFO', (p) => sys.mknod(p, S_IFIFO | 0o644, 0)],
  ['mknod', 'S_IFREG', (p) => sys.mknod(p, S_IFREG | 0o644, 0)],
  ['symlink', '', (p) => sys.symlink('target', p)],
  ['symlinkat', '', (p) => sys.symlinkat('target', AT_FDCWD, p)],
  ['link', 'from', (p, f) => sys.link(p, f.at('new'))],
  ['link', 'to', (p, f) => sys.link(f.at('file'), p)],
  ['linkat', 'AT_SYMLINK_FOLLOW', (p, f) => sys.linkat(AT_FDCWD, p, AT_FDCWD, f.at('n'), FOLLOW)],
  ['rename', 'from', (p, f) => sys.rename(p, f.at('new'))],
  ['rename', 'to', (p, f) => sys.rename(f.at('file'), p)],
  ['renameat', 'to', (p, f) => sys.renameat(AT_FDCWD, f.at('file'), AT_FDCWD, p)],
  ['renameat2', 'RENAME_NOREPLACE', (p, f) => sys.renameat2(AT_FDCWD, p, AT_FDCWD, f.at('n'), 1)],
  ['renameat2', 'RENAME_EXCHANGE', (p, f) => sys.renameat2(AT_FDCWD, p, AT_FDCWD, f.at('file'), 2)],
  ['readlink', '', (p) => sys.readlink(p, at, 4096)],
  ['readlinkat', '', (p) => sys.readlinkat(AT_FDCWD, p, at, 4096)],
  ['utimensat', '', (p) => sys.utimensat(AT_FDCWD, p, addressOf(now), 0)],
  ['utimensat', 'AT_SYMLINK_NOFOLLOW', (p) => sys.utimensat(AT_FDCWD, p, addressOf(now), NOFOLLOW)],
  ['setxattr', '', (p) => sys.setxattr(p, 'user.a', at, 1, 0)],
  ['setxattr', 'XATTR_CREATE', (p) => sys.setxattr(p, 'user.a', at, 1, 1)],
  ['lsetxattr', '', (p) => sys.lsetxattr(p, 'user.a', at, 1, 0)],
  ['getxattr', '', (p) => sys.getxattr(p, 'user.a', at, 4096)],
  ['lgetxattr', '', (p) => sys.lgetxattr(p, 'user.a', at, 4096)],
  ['listxattr', '', (p) => sys.listxattr(p, at, 4096)],
  ['llistxattr', '', (p) => sys.llistxattr(p, at, 4096)],
  ['removexattr', '', (p) => sys.removexattr(p, 'user.a')],
  ['lremovexattr', '', (p) => sys.lremovexattr(p, 'user.a')],
  ['statfs', '', (p) => sys.statfs(p, at)],
  ['chdir', '', (p) => sys.chdir(p)],
  ['inotify_add_watch', '', (p, f) => sys.inotify_add_watch(f.keep(sys.inotify_init1(0)), p, 2)],
]

type Obstacle = readonly [what: string, outcome: string, name: string]

const OBSTACLES: readonly Obstacle[] = [
  ['below nothing', 'ENOENT', 'none/x'],
  ['below a file', 'ENOTDIR', 'file/x'],
  ['a name of 256 bytes', 'ENAMETOOLONG', 'n'.repeat(256)],
  ['below a link to itself', 'ELOOP', 'loop/x'],
]

function furnish(f: Folder): void {
  f.put('file')
  symlinkSync('loop', f.at('loop'))
}

const lines: Line[] = []
for (const [call, flags, make] of CALLS) {
  for (const [what, outcome, name] of OBSTACLES) {
    lines.push([call, flags, what, outcome, (f) => (furnish(f), make(f.at(name), f))])
  }
  // which asks for the real user, and that is still root
  if (call === 'access') continue
  const closed = (f: Folder): unknown => {
    furnish(f)
    f.dir('closed')
    f.put('closed/x')
    chmodSync(f.at('closed'), 0o700)
    chmodSync(f.path, 0o777)
    return as(NOBODY, () => make(f.at('closed/x'), f))
  }
  lines.push([call, flags, 'in a directory that may not be searched', 'EACCES', closed, root])
}

export const rows: readonly Row[] = table(lines)
