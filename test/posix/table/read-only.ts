// EROFS: the directory is seen through a mount of itself that is read-only.

import { AT_FDCWD } from '../calls.js'
import type { Folder } from '../folder.js'
import type { Row } from '../row.js'
import { addressOf, memory, sys, timespecs, withBind } from '../system-calls.js'
import { mounts, table, type Line } from './line.js'

const value = memory(1)
const times = timespecs(1, 1)

const CALLS: readonly (readonly [call: string, flags: string, make: (f: Folder) => unknown])[] = [
  ['open', 'O_WRONLY', (f) => sys.open(f.at('x'), 1, 0)],
  ['open', 'O_RDWR', (f) => sys.open(f.at('x'), 2, 0)],
  ['open', 'O_RDONLY|O_TRUNC', (f) => sys.open(f.at('x'), 0o1000, 0)],
  ['open', 'O_RDONLY|O_CREAT', (f) => sys.open(f.at('new'), 0o100, 0o644)],
  ['creat', '', (f) => sys.creat(f.at('new'), 0o644)],
  ['access', 'W_OK', (f) => sys.access(f.at('x'), 2)],
  ['truncate', '', (f) => sys.truncate(f.at('x'), 0)],
  ['chmod', '', (f) => sys.chmod(f.at('x'), 0o600)],
  ['fchmod', '', (f) => sys.fchmod(f.open('x', 'r'), 0o600)],
  ['chown', '', (f) => sys.chown(f.at('x'), 1, 1)],
  ['lchown', '', (f) => sys.lchown(f.at('l'), 1, 1)],
  ['utimensat', '', (f) => sys.utimensat(AT_FDCWD, f.at('x'), addressOf(times), 0)],
  ['futimens', '', (f) => sys.futimens(f.open('x', 'r'), addressOf(times))],
  ['unlink', '', (f) => sys.unlink(f.at('x'))],
  ['unlinkat', 'AT_REMOVEDIR', (f) => sys.unlinkat(AT_FDCWD, f.at('d'), 0x200)],
  ['rmdir', '', (f) => sys.rmdir(f.at('d'))],
  ['mkdir', '', (f) => sys.mkdir(f.at('new'), 0o755)],
  ['mknod', 'S_IFIFO', (f) => sys.mknod(f.at('new'), 0o10644, 0)],
  ['symlink', '', (f) => sys.symlink('x', f.at('new'))],
  ['link', '', (f) => sys.link(f.at('x'), f.at('new'))],
  ['rename', '', (f) => sys.rename(f.at('x'), f.at('new'))],
  [
    'renameat2',
    'RENAME_EXCHANGE',
    (f) => sys.renameat2(AT_FDCWD, f.at('x'), AT_FDCWD, f.at('d'), 2),
  ],
  ['setxattr', '', (f) => sys.setxattr(f.at('x'), 'user.a', addressOf(value), 1, 0)],
  ['fsetxattr', '', (f) => sys.fsetxattr(f.open('x', 'r'), 'user.a', addressOf(value), 1, 0)],
  ['removexattr', '', (f) => sys.removexattr(f.at('x'), 'user.a')],
]

export const rows: readonly Row[] = table(
  CALLS.map(([call, flags, make]): Line => {
    const act = (f: Folder): unknown => {
      f.put('x')
      f.dir('d')
      sys.symlink('x', f.at('l'))
      return withBind(f.path, true, () => {
        try {
          return make(f)
        } finally {
          f.closeAll()
        }
      })
    }
    return [call, flags, 'where nothing may be written', 'EROFS', act, mounts]
  }),
)
