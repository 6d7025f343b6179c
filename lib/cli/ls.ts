// coffer ls.

import { CofferError } from '../errors.js'
import type { Drive } from '../agent/open-drive.js'
import { withDrive } from './open-drive.js'
import type { PasswordSource } from './read-password.js'
import { out, shown, told, warn } from './ui.js'
import {
  components,
  forget,
  lookup,
  names,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  walk,
  type Node,
} from './vault-path.js'

interface Arguments extends PasswordSource {
  vault: string
  path: string
  long: boolean
  json: boolean
}

const TYPES = new Map([
  [S_IFREG, ['file', '-']],
  [S_IFDIR, ['directory', 'd']],
  [S_IFLNK, ['symlink', 'l']],
  [0o010000, ['fifo', 'p']],
  [0o140000, ['socket', 's']],
  [0o020000, ['character device', 'c']],
  [0o060000, ['block device', 'b']],
])

const typeOf = (mode: number): [string, string] =>
  (TYPES.get(mode & S_IFMT) ?? ['unknown', '?']) as [string, string]

function permissions(mode: number): string {
  const bits = 'rwxrwxrwx'.split('').map((letter, i) => ((mode >> (8 - i)) & 1 ? letter : '-'))
  if (mode & 0o4000) bits[2] = bits[2] === 'x' ? 's' : 'S'
  if (mode & 0o2000) bits[5] = bits[5] === 'x' ? 's' : 'S'
  if (mode & 0o1000) bits[8] = bits[8] === 'x' ? 't' : 'T'
  return typeOf(mode)[1] + bits.join('')
}

export function ls(args: Arguments): Promise<number> {
  return withDrive(args, (drive) => {
    const node = walk(drive, args.path)
    if ((node.attributes.mode & S_IFMT) !== S_IFDIR) {
      out(line(drive, components(args.path).at(-1) ?? '', node, args))
      return 0
    }
    let exit = 0
    for (const name of names(drive, node.nodeid)) {
      let text: string
      try {
        const child = lookup(drive, node.nodeid, name)
        if (child === null) continue
        text = line(drive, name, child, args)
        forget(drive, child)
      } catch (error) {
        // the others are still worth a line
        warn(`${name}: ${told(error)}`)
        const refused = !(error instanceof CofferError) || error.exitCode === 1
        exit = refused ? Math.max(exit, 1) : 26
        continue
      }
      out(text)
    }
    return exit
  })
}

function line(
  drive: Drive,
  name: string,
  { nodeid, attributes }: Node,
  { long, json }: Arguments,
): string {
  const { mode, size, mtimeSec, mtimeNsec } = attributes
  const type = typeOf(mode)[0]
  const target =
    type === 'symlink' && (long || json) ? Buffer.from(drive.readlink(nodeid)).toString() : null
  const time = new Date(mtimeSec * 1000 + Math.floor(mtimeNsec / 1e6)).toISOString()
  if (json) {
    const mtime = time.replace(/\.\d{3}Z$/, `.${String(mtimeNsec).padStart(9, '0')}Z`)
    return JSON.stringify({
      name,
      type,
      size,
      mode: (mode & 0o7777).toString(8).padStart(4, '0'),
      mtime,
      ...(target !== null && { target }),
    })
  }
  const text = shown(name) + (type === 'directory' ? '/' : '')
  if (!long) return text
  const when = time.slice(0, 19).replace('T', ' ')
  const to = target === null ? '' : ` -> ${shown(target)}`
  return `${permissions(mode)} ${String(size).padStart(14)} ${when} ${text}${to}`
}
