// What owns a drive and serves it: a worker thread, or where a driver cannot live in one, the main thread.
// The agent talks to either through this, and knows no difference.

import type { CofferError } from '../errors.js'
import type { VaultBody } from '../format/config-body.js'
import type { Counters } from '../mount/counters.js'
import type { Driver } from '../mount/driver.js'
import type { MountOptions } from '../mount/mount-options.js'
import { MainThread } from './main-thread.js'
import type { DriveReport, HiddenFiles, Order, WalkPart } from './protocol.js'
import { WorkerLink } from './worker-link.js'

export interface DriveThread {
  /** When the drive has ended. null: everything is stored. */
  readonly ended: Promise<CofferError | null>
  /**
   * Hands over the order and a copy of the keys. Resolves when the vault is open. `hidden` are the files
   * of a self-test, to be shown until `tested`; null: there is none.
   */
  open(order: Order, body: VaultBody, counters: Counters, hidden: HiddenFiles | null): Promise<void>
  /** Makes the mount, which is served from then on. Its device number. */
  mount(options: MountOptions): Promise<string>
  /** The self-test is over. Resolves with the bytes that the drive served to it. */
  tested(): Promise<number>
  /** Takes the mount out of the tree, as `leave` of mountpoint.ts. The drive ends when its last user has. */
  leave(lazy: boolean): Promise<void>
  /** null where a request holds the thread up and it has not answered in time. */
  report(timeoutMs: number): Promise<DriveReport | null>
  /** The next part of a walk for conflict copies; a number that is new begins one. */
  conflicts(walk: number): Promise<WalkPart>
  /** Stores everything that is open. Throws what cannot be stored. */
  sync(): Promise<void>
  /** Ends the drive though the kernel may still hold the mount, or though there is none. */
  stop(): void
  /** Lets go of the mount's connection, after the end. */
  close(): void
  /** Nothing was opened, and nothing will be. */
  cancel(): void
}

/** Begins to load what the driver needs. */
export const startThread = (driver: Driver, log: (line: string) => void): DriveThread =>
  driver === 'fuse-native' ? new MainThread(log) : new WorkerLink(log)
