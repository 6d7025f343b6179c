// When nothing happens to a file or folder any more. FORMAT.md §7.

import { constants } from 'node:fs'
import { emptyStat, type FileStat } from '../store/backing.js'
import type { Context } from './context.js'
import type { Clock } from './nonces.js'
import { within } from './within.js'

const { S_IFMT, S_IFDIR } = constants

/** By then a sync client has delivered, or deleted, what belongs together. */
export const STILL_MS = 10 * 60_000

const stat = emptyStat()

/** Where a clock is wrong, what lies ahead is not still. */
export function isStill(
  clock: Clock,
  { mtimeSec, ctimeSec }: FileStat,
  forMs: number = STILL_MS,
): boolean {
  return clock() - Math.max(mtimeSec, ctimeSec) * 1000 >= forMs
}

/**
 * Everything below that directory. A client may write to half of a large file for hours, and what it
 * makes far below moves nothing above either.
 */
export function isStillBelow(ctx: Context, dirfd: number): boolean {
  return ctx.backing.list(dirfd).every((file) => {
    if (!ctx.backing.stat(dirfd, file, stat) || !isStill(ctx.clock, stat)) return false
    if ((stat.mode & S_IFMT) !== S_IFDIR) return true
    return within(ctx.backing, dirfd, file, (fd) => isStillBelow(ctx, fd))
  })
}
