// The drive of an order, in whatever thread serves it: from the keys to the wiped keys.

import { Buffer } from 'node:buffer'
import type { ChosenEngine } from '../crypto/choose-engine.js'
import type { VaultBody } from '../format/config-body.js'
import type { LogEvent } from '../fs/context.js'
import { openDrive, type Drive } from './open-drive.js'
import { clearScratch } from '../store/scratch-folder.js'
import { toWire, type DriveReport, type Order, type WireError } from './protocol.js'
import { ScratchDrive, type ScratchFiles } from './scratch-drive.js'

export class ServedDrive {
  readonly drive: Drive
  readonly #chosen: ChosenEngine
  readonly #body: VaultBody
  readonly #order: Order
  readonly #log: (line: string) => void

  /** `body` is ours from now on. */
  constructor(chosen: ChosenEngine, order: Order, body: VaultBody, log: (line: string) => void) {
    this.#chosen = chosen
    this.#body = body
    this.#order = order
    this.#log = log
    this.drive = openDrive({
      engine: chosen.engine,
      vaultPath: order.vault,
      vaultId: Buffer.from(order.vaultId, 'hex'),
      body,
      deviceId: Buffer.from(order.deviceId, 'hex'),
      readOnly: order.readOnly,
      lock: true,
      log: (event) => {
        this.#tell(event)
      },
    })
  }

  #tell({ level, event, code, message, blob, path }: LogEvent): void {
    const where = this.#order.logNames && path !== undefined ? ` path=${path}` : ''
    const what = `${level} ${event}${code === undefined ? '' : ` ${code}`}: ${message}`
    this.#log(`${what}${blob === undefined ? '' : ` blob=${blob}`}${where}`)
  }

  /** The files of a self-test; null where there is none, and then what an earlier one left is removed. */
  openScratch(hidden: ScratchFiles | null): ScratchDrive | null {
    const { vaultId, deviceId } = this.#order
    if (hidden === null) {
      this.discard({
        close() {
          clearScratch(vaultId)
        },
      })
      return null
    }
    return new ScratchDrive(this.drive, hidden, {
      engine: this.#chosen.engine,
      vaultId,
      chunkLog2: this.#body.chunkLog2,
      deviceId: Buffer.from(deviceId, 'hex'),
      log: (event) => {
        this.#tell(event)
      },
    })
  }

  /** What cannot be removed now, the next mount removes. */
  discard(scratch: Pick<ScratchDrive, 'close'>): void {
    try {
      scratch.close()
    } catch (error) {
      this.#log(`warn scratch: ${toWire(error).message}`)
    }
  }

  onDefect(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#log(`error defect: ${text.replaceAll('\n', ' | ')}`)
  }

  report(): DriveReport {
    const counters = this.drive.counters
    const { engine, problem } = this.#chosen
    return { engine: engine.name, engineProblem: problem, ...counters }
  }

  /** Stores everything, closes the drive and wipes the keys; what could not be stored. */
  end(): { error?: WireError } {
    try {
      this.drive.sync()
      return {}
    } catch (error) {
      return { error: toWire(error) }
    } finally {
      this.drive.close()
      for (const seed of this.#body.seeds.values()) seed.fill(0)
    }
  }
}
