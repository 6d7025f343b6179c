// Paths inside a vault as people type them, and walking there without a mount.

import { CofferError } from '../errors.js'
import { emptyAttributes, emptyEntry, type Attributes, type Filesystem } from '../fs/filesystem.js'

export const ROOT = 1
export const S_IFMT = 0o170000
export const S_IFDIR = 0o040000
export const S_IFREG = 0o100000
export const S_IFLNK = 0o120000

export interface Node {
  nodeid: number
  attributes: Attributes
}

/** "a//b/./c/" → a, b, c. There is no "..": links are not followed, so it would have no meaning. */
export function components(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) {
    throw new CofferError('NO_SUCH_PATH', `".." has no meaning in the path ${path}`)
  }
  return parts
}

/** null where there is no such entry. The caller forgets the node. */
export function lookup(fs: Filesystem, parent: number, name: string): Node | null {
  const out = emptyEntry()
  if (!fs.lookup(parent, name, out)) return null
  return { nodeid: out.nodeid, attributes: out.attributes }
}

/** What a path leads to. Names as given, or composed, since keyboards and systems differ in that. */
export function walk(fs: Filesystem, path: string): Node {
  const attributes = emptyAttributes()
  fs.getattr(ROOT, attributes)
  let node: Node = { nodeid: ROOT, attributes }
  for (const name of components(path)) {
    const isDirectory = (node.attributes.mode & S_IFMT) === S_IFDIR
    const next = isDirectory
      ? (lookup(fs, node.nodeid, name) ?? lookup(fs, node.nodeid, name.normalize('NFC')))
      : null
    if (node.nodeid !== ROOT) fs.forget(node.nodeid, 1)
    if (next === null) throw new CofferError('NO_SUCH_PATH', `there is no ${path} in the vault`)
    node = next
  }
  return node
}

/** Names in a directory, without "." and "..", in code point order. */
export function names(fs: Filesystem, nodeid: number): string[] {
  const found: string[] = []
  const fh = fs.opendir(nodeid)
  try {
    let cookie = 0
    for (let more = true; more;) {
      more = false
      fs.readdir(fh, cookie, (name, _ino, _type, next) => {
        if (name !== '.' && name !== '..') found.push(name)
        cookie = next
        more = true
        return true
      })
    }
  } finally {
    fs.releasedir(fh)
  }
  return found.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
}

export function forget(fs: Filesystem, { nodeid }: Node): void {
  if (nodeid !== ROOT) fs.forget(nodeid, 1)
}
