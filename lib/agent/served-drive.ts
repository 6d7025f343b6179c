// The drive of an order, in whatever thread serves it: from the keys to the wiped keys, and with the
// files of a self-test for as long as that runs.

import { Buffer } from 'node:buffer'
import type { ChosenEngine } from '../crypto/choose-engine.js'
import type { VaultBody } from '../format/config-body.js'
import type { LogEvent } from '../fs/context.js'
import type { HiddenNames } from '../fs/hidden-names.js'
import type { ConflictStep } from '../fs/walk-conflicts.js'
import type { Outdated } from '../fs/watch.js'
import type { Counters } from '../mount/counters.js'
import { clearScratch } from '../store/scratch-folder.js'
import { openDrive, type Drive } from './open-drive.js'
import {
  toWire,
  type DriveReport,
  type HiddenFiles,
  type Order,
  type WalkPart,
  type WireError,
} from './protocol.js'
import { ScratchDrive } from './scratch-drive.js'

/** how long others wait for a part of a walk, one large directory aside */
const WALK_MS = 10

const GIVEN_UP =
  'the drive has been given up, and what it had not stored is lost; when that is put right, mount the vault again'

export class ServedDrive {
  readonly drive: Drive
  readonly #chosen: ChosenEngine
  readonly #order: Order
  readonly #body: VaultBody
  readonly #counters: Counters
  readonly #log: (line: string) => void
  readonly #logEvent: (event: LogEvent) => void
  #scratch: ScratchDrive | null = null
  readonly #walks = new Map<number, Generator<ConflictStep, void>>()

  /** `body` is ours from now on. `changed`, where there is a kernel that can be told to forget. */
  constructor(
    chosen: ChosenEngine,
    order: Order,
    body: VaultBody,
    counters: Counters,
    log: (line: string) => void,
    changed?: (outdated: Outdated[]) => void,
  ) {
    this.#chosen = chosen
    this.#counters = counters
    this.#order = order
    this.#body = body
    this.#log = log
    this.#logEvent = ({ level, event, code, message, blob, path }) => {
      const where = order.logNames && path !== undefined ? ` path=${path}` : ''
      const what = `${level} ${event}${code === undefined ? '' : ` ${code}`}: ${message}`
      log(`${what}${blob === undefined ? '' : ` blob=${blob}`}${where}`)
    }
    this.drive = openDrive({
      engine: chosen.engine,
      vaultPath: order.vault,
      vaultId: Buffer.from(order.vaultId, 'hex'),
      body,
      deviceId: Buffer.from(order.deviceId, 'hex'),
      deviceName: order.deviceName,
      readOnly: order.readOnly,
      lock: true,
      ...(changed === undefined ? {} : { changed }),
      // the main thread of fuse-native answers a request before it takes the next
      parks: order.driver === 'fuse-linux',
      log: this.#logEvent,
    })
  }

  /** The drive with the files of the self-test; null where none runs. */
  get underTest(): HiddenNames | null {
    return this.#scratch?.shown ?? null
  }

  /** `hidden` null: there is no self-test, only what a killed one left behind. Throws STATE. */
  beginTest(hidden: HiddenFiles | null): void {
    const { vaultId, deviceId } = this.#order
    if (hidden === null) {
      this.#discard(() => {
        clearScratch(vaultId)
      })
      return
    }
    this.#scratch = new ScratchDrive(this.drive, hidden, {
      engine: this.#chosen.engine,
      vaultId,
      chunkLog2: this.#body.chunkLog2,
      deviceId: Buffer.from(deviceId, 'hex'),
      log: this.#logEvent,
    })
  }

  /** Takes its files away, if there are any; returns how many bytes of them were served. */
  endTest(): number {
    const scratch = this.#scratch
    if (scratch === null) return 0
    this.#scratch = null
    this.#discard(() => {
      scratch.close()
    })
    return scratch.shown.bytesRead
  }

  /** What cannot be removed now, the next mount removes. */
  #discard(remove: () => void): void {
    try {
      remove()
    } catch (error) {
      this.#log(`warn scratch: ${toWire(error).message}`)
    }
  }

  onDefect(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#log(`error defect: ${text.replaceAll('\n', ' | ')}`)
  }

  report(): DriveReport {
    this.#count()
    const { engine, problem } = this.#chosen
    return { engine: engine.name, engineProblem: problem, ...this.drive.counters }
  }

  #count(): void {
    const { files, bytes } = this.drive.stored
    this.#counters.store(files, bytes)
  }

  /** Goes on with that walk, or begins it. */
  conflicts(walk: number): WalkPart {
    const steps = this.#walks.get(walk) ?? this.drive.conflicts()
    this.#walks.set(walk, steps)
    const part: WalkPart = { copies: [], unread: [], done: false }
    const until = performance.now() + WALK_MS
    try {
      while (performance.now() < until) {
        const next = steps.next()
        part.done = next.done === true
        if (next.done === true) break
        part.copies.push(...next.value.copies)
        if (next.value.unread !== null) part.unread.push(next.value.unread)
      }
    } catch (error) {
      this.#walks.delete(walk)
      throw error
    }
    if (part.done) this.#walks.delete(walk)
    return part
  }

  /** Stores everything, closes the drive and wipes the keys; what could not be stored. */
  end(): { error?: WireError } {
    this.endTest()
    try {
      this.drive.sync()
      return {}
    } catch (error) {
      // what is to be done about a drive that goes on is no advice any more
      return { error: { ...toWire(error), hint: GIVEN_UP } }
    } finally {
      this.#count()
      this.drive.close()
      for (const seed of this.#body.seeds.values()) seed.fill(0)
    }
  }
}
