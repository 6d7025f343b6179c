// The drive of an order, in whatever thread serves it: from the keys to the wiped keys.

import { Buffer } from 'node:buffer'
import type { ChosenEngine } from '../crypto/choose-engine.js'
import type { VaultBody } from '../format/config-body.js'
import type { LogEvent } from '../fs/context.js'
import { openDrive, type Drive } from './open-drive.js'
import { toWire, type DriveReport, type Order, type WireError } from './protocol.js'

export class ServedDrive {
  readonly drive: Drive
  readonly #chosen: ChosenEngine
  readonly #body: VaultBody
  readonly #log: (line: string) => void

  /** `body` is ours from now on. */
  constructor(chosen: ChosenEngine, order: Order, body: VaultBody, log: (line: string) => void) {
    this.#chosen = chosen
    this.#body = body
    this.#log = log
    this.drive = openDrive({
      engine: chosen.engine,
      vaultPath: order.vault,
      vaultId: Buffer.from(order.vaultId, 'hex'),
      body,
      deviceId: Buffer.from(order.deviceId, 'hex'),
      readOnly: order.readOnly,
      lock: true,
      log: ({ level, event, code, message, blob, path }: LogEvent) => {
        const where = order.logNames && path !== undefined ? ` path=${path}` : ''
        const what = `${level} ${event}${code === undefined ? '' : ` ${code}`}: ${message}`
        log(`${what}${blob === undefined ? '' : ` blob=${blob}`}${where}`)
      },
    })
  }

  onDefect(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#log(`error defect: ${text.replaceAll('\n', ' | ')}`)
  }

  report(): DriveReport {
    const { openFiles, foreignFiles, damaged } = this.drive.counters
    const { engine, problem } = this.#chosen
    return { engine: engine.name, engineProblem: problem, openFiles, foreignFiles, damaged }
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
