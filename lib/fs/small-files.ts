// The small files of ours beside the blobs: sidecars of long names, tickets, metas. FORMAT.md §1.

import { Buffer } from 'node:buffer'
import type { EncodedName } from '../format/name.js'
import { emptyStat } from '../store/backing.js'
import type { Tree } from './tree.js'

const stat = emptyStat()

/** A temporary name of ours: "~$" and 22 random characters. */
export function temporaryName(tree: Tree): string {
  const random = new Uint8Array(16)
  tree.ctx.random(random)
  return `~$${Buffer.from(random).toString('base64url')}.tmp`
}

/** Creates and fills a new file. */
export function writeSmall(tree: Tree, dirfd: number, name: string, content: Uint8Array): void {
  const { backing } = tree.ctx
  const fd = backing.createNew(dirfd, name, 0o600)
  try {
    backing.write(fd, content, 0, content.length, 0)
  } finally {
    backing.close(fd)
  }
}

/** Fills a file that may be there already: nobody sees half of it. */
export function replaceSmall(tree: Tree, dirfd: number, name: string, content: Uint8Array): void {
  const { backing } = tree.ctx
  const temporary = temporaryName(tree)
  try {
    writeSmall(tree, dirfd, temporary, content)
    backing.rename(dirfd, temporary, dirfd, name)
  } catch (error) {
    if (backing.stat(dirfd, temporary, stat)) backing.unlink(dirfd, temporary)
    throw error
  }
}

/** A long name's sidecar is written first. */
export function writeSidecar(tree: Tree, dirfd: number, { base, sidecar }: EncodedName): void {
  if (sidecar === null || tree.ctx.backing.stat(dirfd, `${base}.cfn`, stat)) return
  writeSmall(tree, dirfd, `${base}.cfn`, sidecar)
}
