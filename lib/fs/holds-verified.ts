// Does anything lie in a directory that is sealed for it? FORMAT.md §7: only then does a meta that was
// lost come back.

import { CofferError } from '../errors.js'
import { KIND_OF } from './attributes.js'
import type { Context } from './context.js'
import type { Meta } from './directory.js'
import { decodeFile } from './entry-names.js'
import { loadDirectory } from './load-directory.js'
import { lendObject } from './sealed-object.js'
import { checkPlace } from './tickets.js'
import { within } from './within.js'

/** A file below one of its directories will do, and so will a conflict copy. */
export function holdsVerified(ctx: Context, dirfd: number, { keyId, seal }: Meta): boolean {
  const dirId = seal.acc
  const ids = [{ dirId, generation: ctx.keyring.generation(keyId) }]
  return ctx.backing.list(dirfd).some((file) => {
    try {
      const found = decodeFile(ctx, ids, dirfd, file)
      if (found === null) return false
      const { name, base, extension } = found
      if (extension === '.cfd')
        return holdsBelow(ctx, dirfd, file, dirId, name, file !== base + extension)
      // what would have to be fetched first says nothing
      if (ctx.fetches.isMarked(dirfd, file)) return false
      lendObject(ctx, dirfd, file, KIND_OF[extension], (object) =>
        checkPlace(ctx, dirfd, object, { base, dirId, name }),
      )
      return true
    } catch (error) {
      if (error instanceof CofferError) return false
      throw error
    }
  })
}

/** A directory with a meta of its own counts as it is; of one without, what lies in it. */
function holdsBelow(
  ctx: Context,
  dirfd: number,
  file: string,
  parentDirId: Uint8Array,
  name: string,
  isCopy: boolean,
): boolean {
  return within(ctx.backing, dirfd, file, (fd) => {
    const { metas } = loadDirectory(ctx, fd, parentDirId, name, isCopy)
    return metas.some((meta) => meta.kept === null || holdsVerified(ctx, fd, meta))
  })
}
