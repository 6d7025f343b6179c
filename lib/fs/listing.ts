// What readdir shows: backing names decoded, each plain name once. FORMAT.md §7.

import { OBJECT_EXTENSIONS, parseBackingName } from '../format/name.js'
import { TYPE_OF } from './attributes.js'
import { decodeEntry } from './entry-names.js'
import { blobPath, type Inode } from './inode.js'
import type { Tree } from './tree.js'

export interface Listed {
  name: string
  /** S_IFMT bits, 0 where only the blob could say */
  type: number
}

/** Everything in a directory at this moment. Reads no blob, but the sidecars of long names. */
export function list(tree: Tree, inode: Inode): Listed[] {
  const { ctx } = tree
  const directory = tree.directory(inode)
  const dirfd = tree.descriptor(inode)
  const found = new Map<string, { rank: number; type: number }>()
  let foreign = 0
  const files = ctx.readOnly ? ctx.backing.list(dirfd) : ctx.backing.listAsUser(dirfd)
  directory.noteTickets(files)
  for (const file of files) {
    const parsed = parseBackingName(file)
    if (parsed.what === 'foreign') foreign++
    if (parsed.what !== 'object') continue
    const decoded = decodeEntry(ctx, directory.ids, dirfd, parsed.base, parsed.extension)
    if (decoded === null) {
      foreign++
      continue
    }
    // under several ids, or with several extensions: the first wins
    const rank =
      decoded.rank * OBJECT_EXTENSIONS.length + OBJECT_EXTENSIONS.indexOf(parsed.extension)
    const known = found.get(decoded.name)
    if (known === undefined || rank < known.rank) {
      found.set(decoded.name, {
        rank,
        type: parsed.extension === '.cfs' ? 0 : TYPE_OF[parsed.extension],
      })
    }
  }
  if (foreign > 0 && foreign !== directory.foreign) {
    const message = `${String(foreign)} entries of the vault folder are not coffer's, or do not belong here; they are not shown`
    ctx.log({ level: 'warn', event: 'foreign-file', message, blob: blobPath(inode) })
  }
  directory.foreign = foreign
  for (const [name, { extension }] of directory.pending)
    found.set(name, { rank: 0, type: TYPE_OF[extension] })
  return [...found].map(([name, { type }]) => ({ name, type }))
}
