// The small files of ours beside the blobs: sidecars of long names, tickets, metas. FORMAT.md §1.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import type { EncodedName } from '../format/name.js'
import { emptyStat } from '../store/backing.js'
import type { Context } from './context.js'

const stat = emptyStat()

/** A tree, as far as it is needed here. */
interface Within {
  ctx: Context
}

/** A temporary name of ours: "~$" and 22 random characters. */
export function temporaryName({ ctx }: Within): string {
  const random = new Uint8Array(16)
  ctx.nonces.random(random)
  return `~$${Buffer.from(random).toString('base64url')}.tmp`
}

/** An open file without a name, filled; -1 where the file system has none. `durable`: on the disk. */
export function openUnnamed(
  { ctx }: Within,
  dirfd: number,
  content: Uint8Array,
  durable: boolean,
): number {
  const fd = ctx.backing.createUnnamed(dirfd, 0o600)
  if (fd >= 0) fill(ctx, fd, content, durable)
  return fd
}

function fill({ backing }: Context, fd: number, content: Uint8Array, durable: boolean): void {
  try {
    backing.write(fd, content, 0, content.length, 0)
    if (durable) backing.datasync(fd)
  } catch (error) {
    backing.close(fd)
    throw error
  }
}

/** Creates and fills a new file; `durable`: its content is on the disk afterwards. */
export function writeSmall(
  { ctx }: Within,
  dirfd: number,
  name: string,
  content: Uint8Array,
  durable = false,
): void {
  const { backing } = ctx
  const fd = backing.createNew(dirfd, name, 0o600)
  fill(ctx, fd, content, durable)
  backing.close(fd)
}

/** Fills a file that may be there already: nobody sees half of it, nor, where it is new, another name. */
export function replaceSmall(
  { ctx }: Within,
  dirfd: number,
  name: string,
  content: Uint8Array,
  durable: boolean,
): void {
  const { backing } = ctx
  if (appears({ ctx }, dirfd, name, content, durable)) return
  if (backing.inPlace && !backing.stat(dirfd, name, stat)) {
    writeSmall({ ctx }, dirfd, name, content, durable)
    return
  }
  const temporary = temporaryName({ ctx })
  try {
    writeSmall({ ctx }, dirfd, temporary, content, durable)
    backing.rename(dirfd, temporary, dirfd, name)
  } catch (error) {
    if (backing.stat(dirfd, temporary, stat)) backing.unlink(dirfd, temporary)
    throw error
  }
}

/** False where the name is taken, or the file system has no files without one. */
function appears(
  { ctx }: Within,
  dirfd: number,
  name: string,
  content: Uint8Array,
  durable: boolean,
): boolean {
  const { backing } = ctx
  if (backing.stat(dirfd, name, stat)) return false
  const fd = openUnnamed({ ctx }, dirfd, content, durable)
  if (fd < 0) return false
  try {
    backing.nameUnnamed(fd, dirfd, name)
    return true
  } catch (error) {
    if (error instanceof CofferError && error.code === 'EEXIST') return false
    throw error
  } finally {
    backing.close(fd)
  }
}

/** The content of a file that is there, onto the disk. */
export function syncSmall({ ctx }: Within, dirfd: number, name: string): void {
  const { backing, fetches } = ctx
  const fd = fetches.open(dirfd, name, false)
  try {
    backing.sync(fd)
  } finally {
    backing.close(fd)
  }
}

/** A long name's sidecar is written first, and on the disk before the name can be. */
export function writeSidecar({ ctx }: Within, dirfd: number, { base, sidecar }: EncodedName): void {
  if (sidecar === null) return
  const file = `${base}.cfn`
  if (!hasContent({ ctx }, dirfd, file, sidecar)) replaceSmall({ ctx }, dirfd, file, sidecar, true)
}

function hasContent({ ctx }: Within, dirfd: number, name: string, content: Uint8Array): boolean {
  const { backing, fetches } = ctx
  if (!backing.stat(dirfd, name, stat) || stat.size !== content.length) return false
  const fd = fetches.open(dirfd, name, false)
  try {
    const there = Buffer.alloc(content.length)
    return backing.read(fd, there, 0, there.length, 0) === there.length && there.equals(content)
  } finally {
    backing.close(fd)
  }
}
