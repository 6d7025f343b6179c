// What is left of a directory where a client has carried the removal of its files and not its own, or has
// brought back what another device had moved: backing directories in which nothing lies but others of
// that kind, litter, metas that are old ones, as this machine knows, and tickets and sidecars of files that
// are not there. Nothing in one is hidden from anybody. FORMAT.md §7.

import { CofferError } from '../errors.js'
import { isLitter } from '../format/litter.js'
import { parseBackingName } from '../format/name.js'
import type { Context } from './context.js'
import { withMeta } from './directory.js'
import { within } from './within.js'

type Part = 'directory' | 'old meta' | 'name' | 'litter'

/** null: something that counts, or may. */
function partOf(ctx: Context, dirfd: number, file: string): Part | null {
  const parsed = parseBackingName(file)
  if (parsed.what === 'object' && parsed.extension === '.cfd') return 'directory'
  if (parsed.what === 'meta') return isOld(ctx, dirfd, file) ? 'old meta' : null
  if (parsed.what === 'ticket' || parsed.what === 'sidecar') return 'name'
  return isLitter(file) ? 'litter' : null
}

function isOld(ctx: Context, dirfd: number, file: string): boolean {
  const { memory } = ctx
  try {
    return withMeta(ctx, dirfd, file, false, ({ objectId }, seal) => !memory.counts(objectId, seal))
  } catch (error) {
    if (error instanceof CofferError) return false
    throw error
  }
}

export function isHusk(ctx: Context, dirfd: number): boolean {
  return ctx.backing.list(dirfd).every((file) => {
    const part = partOf(ctx, dirfd, file)
    if (part !== 'directory') return part !== null
    return within(ctx.backing, dirfd, file, (fd) => isHusk(ctx, fd))
  })
}

/** Throws where something has arrived meanwhile, which stays. */
export function removeHusk(ctx: Context, dirfd: number, file: string): void {
  const { backing } = ctx
  within(backing, dirfd, file, (fd) => {
    for (const below of backing.list(fd)) {
      const part = partOf(ctx, fd, below)
      if (part === 'directory') removeHusk(ctx, fd, below)
      else if (part !== null) backing.unlink(fd, below)
    }
  })
  backing.rmdir(dirfd, file)
}
