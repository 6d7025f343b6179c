// Opening files of the vault folder that may be placeholders. The thread that serves never waits in
// open(2) for one: a job opens it, and hands over the descriptor. Whoever serves nobody reads them as any
// other file, which brings what is marked, and does without what a stub stands for.

import { CofferError } from '../errors.js'
import { parseBackingName } from '../format/name.js'
import { emptyStat, type Backing } from '../store/backing.js'
import { stubbedBy, type Placeholders } from '../store/placeholder.js'
import type { Log } from './context.js'
import { Later } from './later.js'
import type { Clock } from './nonces.js'

/** A descriptor that nobody has come for is closed after that. */
const KEPT_MS = 10_000

const NOT_HERE = 'it is not on this machine'

interface Fetch {
  later: Later
  write: boolean
  /** the job's own */
  dirfd: number
  /** wall clock of the first look that found it ended, 0 before */
  since: number
}

interface FetchesOptions {
  backing: Backing
  placeholders: Placeholders
  log: Log
  clock: Clock
  /** see DriveOptions */
  waits: boolean
}

export class Fetches {
  /** The adapter can park a request; otherwise a job is done on the spot. */
  parks = false
  readonly placeholders: Placeholders
  readonly #backing: Backing
  readonly #log: Log
  readonly #clock: Clock
  readonly #waits: boolean
  readonly #running = new Map<number, Fetch>()
  readonly #stat = emptyStat()

  constructor({ backing, placeholders, log, clock, waits }: FetchesOptions) {
    this.#backing = backing
    this.placeholders = placeholders
    this.#log = log
    this.#clock = clock
    this.#waits = waits
  }

  /**
   * Opens a file of that directory. Throws `Later` where it is a placeholder, or a stub stands for it;
   * ONLINE_ONLY for the stub where nobody waits.
   */
  open(dirfd: number, name: string, write: boolean): number {
    const { possible } = this.placeholders
    if (this.#waits && possible && this.#backing.stat(dirfd, name, this.#stat)) {
      if (this.placeholders.isMarked(dirfd, name, this.#stat))
        return this.#take(this.#stat.ino, 'fetch', dirfd, name, write)
    }
    try {
      return write ? this.#backing.openWrite(dirfd, name) : this.#backing.openRead(dirfd, name)
    } catch (error) {
      const { hasStubs } = this.placeholders
      if (!hasStubs || !(error instanceof CofferError) || error.code !== 'ENOENT') throw error
      if (this.placeholders.find(dirfd, name, this.#stat) === null) throw error
      if (!this.#waits) throw new CofferError('ONLINE_ONLY', NOT_HERE)
      return this.#take(this.#stat.ino, 'arrive', dirfd, name, write)
    }
  }

  /**
   * What a listing of the vault folder stands for: a stub counts as the file that it takes the place of,
   * and beside that as nothing. No client makes one of a directory.
   */
  standing(listing: readonly string[]): readonly string[] {
    this.placeholders.note(listing)
    if (!this.placeholders.hasStubs) return listing
    const names = listing.map((file) => {
      const name = stubbedBy(file)
      if (name === null || name.endsWith('.cfd')) return file
      return parseBackingName(name).what === 'foreign' ? file : name
    })
    return [...new Set(names)]
  }

  /** Is it one? Whoever can do without its content then does. */
  isMarked(dirfd: number, name: string): boolean {
    return (
      this.placeholders.possible &&
      this.#backing.stat(dirfd, name, this.#stat) &&
      this.placeholders.isMarked(dirfd, name, this.#stat)
    )
  }

  #take(
    ino: number,
    what: 'fetch' | 'arrive',
    dirfd: number,
    name: string,
    write: boolean,
  ): number {
    let fetch = this.#running.get(ino)
    if (fetch === undefined) {
      const own = this.#backing.openDirectory(dirfd, '.')
      const { remote } = this.placeholders
      const late = (): CofferError => this.#late(name)
      const later = new Later({ what, dirfd: own, name, write, remote }, late, this.#backing)
      fetch = { later, write, dirfd: own, since: 0 }
      this.#running.set(ino, fetch)
    }
    const outcome = fetch.later.await(this.parks)
    this.#running.delete(ino)
    this.#backing.closeDirectory(fetch.dirfd)
    if ('error' in outcome) throw this.#failed(outcome.error, name)
    if (!write || fetch.write) return outcome.fd
    // it was fetched for somebody who only reads
    this.#backing.close(outcome.fd)
    return this.#take(ino, what, dirfd, name, true)
  }

  #late(blob: string): CofferError {
    const message = 'an online-only blob has not come in time; it may still come'
    this.#log({ level: 'warn', event: 'slow', message, blob })
    return new CofferError('ONLINE_ONLY', message)
  }

  #failed(error: unknown, blob: string): unknown {
    const message = `an online-only blob cannot be fetched: ${error instanceof Error ? error.message : String(error)}`
    this.#log({ level: 'warn', event: 'online-only', message, blob })
    // what else the system says is for the application to know
    if (error instanceof CofferError && error.code !== 'EIO') return error
    return new CofferError('ONLINE_ONLY', message, { cause: error })
  }

  /** Closes what nobody has come for; milliseconds until the next look, or Infinity. */
  tend(): number {
    const now = this.#clock()
    for (const [ino, fetch] of this.#running) {
      if (fetch.later.outcome === null) continue
      if (fetch.since === 0) fetch.since = now
      if (Math.abs(now - fetch.since) >= KEPT_MS) this.#drop(ino, fetch)
    }
    return this.#running.size > 0 ? KEPT_MS / 2 : Infinity
  }

  #drop(ino: number, { later, dirfd }: Fetch): void {
    this.#running.delete(ino)
    // a thread that has not ended still uses it
    if (later.outcome === null && later.wait !== null) return
    this.#backing.closeDirectory(dirfd)
    if (later.outcome !== null && 'fd' in later.outcome) this.#backing.close(later.outcome.fd)
  }

  close(): void {
    for (const [ino, fetch] of this.#running) this.#drop(ino, fetch)
  }
}
