// What every part of a drive works with: the vault's keys and numbers, the backing tree, and the
// world outside (randomness, clock, log) by argument.

import { LRUCache } from 'lru-cache'
import type { Engine } from '../crypto/engine.js'
import type { VaultBody } from '../format/config-body.js'
import type { Keyring } from '../format/keys.js'
import { Layout } from '../format/layout.js'
import type { Backing } from '../store/backing.js'
import type { Fetches } from './fetches.js'
import type { Journal } from './journal.js'
import type { Memory } from './memory.js'
import type { Clock, Nonces, Random } from './nonces.js'
import type { NotCarried } from './not-carried.js'
import type { PagePool } from './page-pool.js'
import type { Reservation } from './reservation.js'
import type { Writers } from './writers.js'

/** What the log is told. `blob` is the path in the vault folder, `path` the plain one. */
export interface LogEvent {
  level: 'info' | 'warn' | 'error'
  event: string
  message: string
  code?: string
  blob?: string
  path?: string
}

export type Log = (event: LogEvent) => void

/** What has gone to the vault folder since the drive was opened. */
export interface Stored {
  /** files that were sealed; one that the kernel had forgotten meanwhile counts again */
  files: number
  /** bytes of their blobs: records, headers, seals */
  bytes: number
}

export interface Context {
  readonly engine: Engine
  readonly vaultId: Uint8Array
  readonly body: VaultBody
  readonly keyring: Keyring
  readonly layout: Layout
  readonly backing: Backing
  readonly nonces: Nonces
  readonly random: Random
  readonly clock: Clock
  /** 16 bytes, named in every seal as its writer */
  readonly deviceId: Uint8Array
  /** what people call this device; in the names of our own conflict copies */
  readonly deviceName: string | null
  readonly writers: Writers
  readonly notCarried: NotCarried
  readonly readOnly: boolean
  readonly log: Log
  /** opens what may be a placeholder */
  readonly fetches: Fetches
  /** null where nothing is written */
  journal: Journal | null
  readonly memory: Memory
  readonly pool: ChunkPool
  readonly pages: PagePool
  /** how many directory descriptors may be kept open */
  readonly descriptors: number
  /** files that have taken blocks ahead of their growth, with their descriptors */
  readonly ahead: Map<Reservation, number>
  readonly stored: Stored
  /** room for a run of records on their way to or from the backing file; nobody keeps it */
  readonly records: Uint8Array
}

/** Records that go to the backing file in one call. */
export const RUN_RECORDS = 33

/** Chunk-sized plaintext buffers, kept for reuse. Whoever takes one gives it back. */
export class ChunkPool {
  readonly #size: number
  readonly #free: Uint8Array[] = []

  constructor(size: number) {
    this.#size = size
  }

  /** All zero. */
  take(): Uint8Array {
    const buffer = this.#free.pop()
    if (buffer === undefined) return new Uint8Array(this.#size)
    return buffer
  }

  /** Plaintext does not stay in memory after its use. */
  give(buffer: Uint8Array): void {
    buffer.fill(0)
    if (this.#free.length < 256) this.#free.push(buffer)
  }
}

/** Directory descriptors by whatever they belong to; the oldest is closed when there are too many. */
export function directoryDescriptors<K extends object>(
  backing: Backing,
  max: number,
): LRUCache<K, number> {
  return new LRUCache<K, number>({
    max,
    dispose: (fd) => {
      backing.closeDirectory(fd)
    },
  })
}
