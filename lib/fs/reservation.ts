// Blocks of one blob that are taken before anything is written, so that ENOSPC comes out of `write`
// and not later. A file that grows takes some ahead, and gives them up when somebody finds no room.

import { CofferError } from '../errors.js'
import { emptyStat } from '../store/backing.js'
import type { Context } from './context.js'

const stat = emptyStat()
const AHEAD_MAX = 64 * 1024 * 1024

export class Reservation {
  readonly #ctx: Context
  /** end of what lies in the backing file and must stay */
  readonly #stored: () => number
  /** range of the backing file, at or beyond the last record, in which blocks were taken */
  #from = 0
  #to = 0
  /** end of the part of it that somebody counts on; the rest was taken ahead */
  #needed = 0
  /** blocks were taken in other places, too */
  #scattered = false
  /** and blocks that nobody counts on, after a failure */
  #leaking = false

  constructor(ctx: Context, stored: () => number) {
    this.#ctx = ctx
    this.#stored = stored
  }

  /** Takes blocks for a range that holes may have. */
  fill(fd: number, start: number, end: number): void {
    this.#take(fd, start, Math.min(end, this.#stored()))
  }

  /** Takes blocks for a range, as far as it lies beyond what is stored; `ahead`: and some more. */
  extend(fd: number, start: number, end: number, ahead: boolean): void {
    const stored = this.#stored()
    const from = Math.max(start, stored)
    if (end <= from) return
    const apart = from < this.#from || from > this.#to
    // what was taken ahead there would come to lie in a hole
    if (apart) this.giveBack(fd)
    const begin = apart ? from : this.#to
    if (end > begin) {
      const grown = end - (apart ? from : this.#from)
      const more = ahead && grown > this.#ctx.layout.recordSize * 4 ? Math.min(AHEAD_MAX, grown) : 0
      let taken = end + more
      if (more === 0 || !this.#takeAhead(fd, begin, taken)) this.#take(fd, begin, (taken = end))
      if (apart) {
        this.#scattered ||= this.#to > stored
        this.#from = this.#needed = from
      }
      this.#to = taken
      if (taken > end) this.#ctx.ahead.set(this, fd)
    }
    this.#needed = Math.max(this.#needed, end)
  }

  /** False where the disk is nearly full: then only what is needed is taken. */
  #takeAhead(fd: number, start: number, end: number): boolean {
    try {
      this.#takeBlocks(fd, start, end)
      return true
    } catch {
      return false
    }
  }

  /** Blocks for a range of the backing file, if need be those that other files have taken ahead. */
  #take(fd: number, start: number, end: number): void {
    if (end <= start) return
    try {
      this.#takeBlocks(fd, start, end)
    } catch (error) {
      const { ahead } = this.#ctx
      if (!(error instanceof CofferError) || error.code !== 'ENOSPC' || ahead.size === 0)
        throw error
      for (const [other, itsFd] of ahead) other.giveBack(itsFd)
      this.#takeBlocks(fd, start, end)
    }
  }

  /** A system that runs out of blocks half-way keeps those that it has got; we do not. */
  #takeBlocks(fd: number, start: number, end: number): void {
    const { backing } = this.#ctx
    const length = end - start
    if (length > AHEAD_MAX) {
      // not even to be tried: for a moment it would leave everybody else without any
      backing.statFd(fd, stat)
      if (length - stat.blocks * 512 > backing.free(fd))
        throw new CofferError('ENOSPC', 'the disk of the vault has not that much room')
    }
    try {
      backing.reserve(fd, start, length)
    } catch (error) {
      this.#leaking = true
      this.giveBack(fd)
      throw error
    }
  }

  /** Gives back the blocks beyond the last record that nobody counts on. */
  giveBack(fd: number): void {
    const { backing, ahead } = this.#ctx
    ahead.delete(this)
    const stored = this.#stored()
    const kept = Math.max(stored, this.#needed)
    if (this.#to <= kept && !this.#leaking) return
    // where blocks lie here and there, all of them stay until everything is stored
    if (this.#scattered || this.#from > stored) return
    backing.truncate(fd, stored)
    this.#to = stored
    this.#leaking = false
    if (kept === stored) return
    try {
      backing.reserve(fd, stored, kept - stored)
      this.#to = kept
    } catch {
      // somebody else was faster: the next write or seal that needs them says so
    }
  }

  /** Everything is stored: what lies beyond is either promised or can go. */
  settle(fd: number): void {
    this.#scattered = false
    this.#from = 0
    this.giveBack(fd)
    this.#from = Math.min(this.#to, this.#stored())
  }

  /** The blob was cut, with all blocks beyond; `scattered`: it was made longer. */
  forget(scattered = false): void {
    this.#ctx.ahead.delete(this)
    this.#from = this.#to = this.#needed = this.#stored()
    this.#scattered = scattered
    this.#leaking = false
  }

  /** The blob is about to be closed. */
  close(): void {
    this.#ctx.ahead.delete(this)
  }
}
