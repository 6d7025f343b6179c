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

/** Creates and fills a new file; `durable`: its content is on the disk afterwards. */
export function writeSmall(
  tree: Tree,
  dirfd: number,
  name: string,
  content: Uint8Array,
  durable = false,
): void {
  const { backing } = tree.ctx
  const fd = backing.createNew(dirfd, name, 0o600)
  try {
    backing.write(fd, content, 0, content.length, 0)
    if (durable) backing.datasync(fd)
  } finally {
    backing.close(fd)
  }
}

/** Fills a file that may be there already: nobody sees half of it. */
export function replaceSmall(
  tree: Tree,
  dirfd: number,
  name: string,
  content: Uint8Array,
  durable: boolean,
): void {
  const { backing } = tree.ctx
  const temporary = temporaryName(tree)
  try {
    writeSmall(tree, dirfd, temporary, content, durable)
    backing.rename(dirfd, temporary, dirfd, name)
  } catch (error) {
    if (backing.stat(dirfd, temporary, stat)) backing.unlink(dirfd, temporary)
    throw error
  }
}

/** The content of a file that is there, onto the disk. */
export function syncSmall(tree: Tree, dirfd: number, name: string): void {
  const { backing } = tree.ctx
  const fd = tree.ctx.fetches.open(dirfd, name, false)
  try {
    backing.sync(fd)
  } finally {
    backing.close(fd)
  }
}

/** A long name's sidecar is written first, and on the disk before the name can be. */
export function writeSidecar(tree: Tree, dirfd: number, { base, sidecar }: EncodedName): void {
  if (sidecar === null) return
  const file = `${base}.cfn`
  if (!hasContent(tree, dirfd, file, sidecar)) replaceSmall(tree, dirfd, file, sidecar, true)
}

function hasContent(tree: Tree, dirfd: number, name: string, content: Uint8Array): boolean {
  const { backing } = tree.ctx
  if (!backing.stat(dirfd, name, stat) || stat.size !== content.length) return false
  const fd = tree.ctx.fetches.open(dirfd, name, false)
  try {
    const there = Buffer.alloc(content.length)
    return backing.read(fd, there, 0, there.length, 0) === there.length && there.equals(content)
  } finally {
    backing.close(fd)
  }
}
