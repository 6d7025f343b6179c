// Who wrote last: the writers of the seals that this drive makes and meets. Nothing depends on it, and no
// time of another machine is compared with one of ours: what counts is when a blob came to this disk.

import { Buffer } from 'node:buffer'
import { LRUCache } from 'lru-cache'
import { knownDevices } from '../format/devices.js'
import type { Seal } from '../format/seal.js'
import type { FileStat } from '../store/backing.js'
import type { Log } from './context.js'
import type { Clock } from './nonces.js'

/** Another device, as far as this drive has met it. */
export interface OtherWriter {
  /** deviceId, hex */
  id: string
  /** null where the vault did not know it when the drive was opened */
  name: string | null
  /** wall clock here when the last of its blobs came, milliseconds */
  at: number
  /** that came since the drive was opened, each version once */
  files: number
}

/** Versions that came, remembered so as not to be counted twice. */
const VERSIONS_MAX = 4096
const OTHERS_MAX = 256
const DAY_S = 24 * 60 * 60

const changedAt = ({ ctimeSec, ctimeNsec }: FileStat): number =>
  ctimeSec * 1000 + Math.floor(ctimeNsec / 1e6)

export class Writers {
  /** wall clock of the last seal of this drive, milliseconds; 0 where there is none */
  ownAt = 0
  readonly #own: Buffer
  /** of the devices that the vault knows, by id */
  readonly #names: Map<string, string>
  readonly #ownIsKnown: boolean
  readonly #others = new Map<string, OtherWriter>()
  /** sealSeq by inode */
  readonly #came = new LRUCache<number, number>({ max: VERSIONS_MAX })
  readonly #early = new Set<string>()
  readonly #openedAt: number
  readonly #clock: Clock
  readonly #log: Log

  constructor(deviceId: Uint8Array, devices: readonly unknown[], clock: Clock, log: Log) {
    this.#own = Buffer.from(deviceId)
    this.#names = new Map(knownDevices(devices).map(({ id, name }) => [id, name]))
    this.#ownIsKnown = this.#names.has(this.#own.toString('hex'))
    this.#clock = clock
    this.#openedAt = clock()
    this.#log = log
  }

  sealed(): void {
    this.ownAt = this.#clock()
  }

  /** `told`: had its blob come since the drive was opened, somebody would have told us. */
  opened(seal: Seal, stat: FileStat, told: boolean): void {
    this.met(seal, stat, !told && changedAt(stat) > this.#openedAt)
  }

  /**
   * A seal that was read from a blob. `came`: since the drive was opened. Of others only the last of
   * each device is kept, by the time at which the system put it there.
   */
  met(seal: Seal, stat: FileStat, came: boolean): void {
    if (this.#own.equals(seal.writer)) return
    const other = this.#other(Buffer.from(seal.writer).toString('hex'))
    if (other === null) return
    // a rename or a chmod here moves ctime too, so this may be later than it was
    if (!came) other.at = Math.max(other.at, Math.min(this.#clock(), changedAt(stat)))
    else if (this.#came.get(stat.ino) !== seal.sealSeq) {
      this.#came.set(stat.ino, seal.sealSeq)
      other.files++
      other.at = this.#clock()
    }
    if (stat.mtimeSec * 1000 > this.#clock() + DAY_S * 1000) this.#tellEarly(other)
  }

  #other(id: string): OtherWriter | null {
    const known = this.#others.get(id)
    if (known !== undefined) return known
    if (this.#others.size === OTHERS_MAX) return null
    const other = { id, name: this.#names.get(id) ?? null, at: 0, files: 0 }
    this.#others.set(id, other)
    return other
  }

  /** One of the two clocks is wrong. Times are shown as they are, so a user may wonder. */
  #tellEarly({ id, name }: OtherWriter): void {
    if (this.#early.has(id)) return
    this.#early.add(id)
    const message = `a file of device ${name ?? id} bears a time that is more than a day ahead of the clock here`
    this.#log({ level: 'info', event: 'clock', message })
  }

  /** Does any other device work on the vault? */
  get areSeveral(): boolean {
    return this.#others.size > 0 || this.#names.size > (this.#ownIsKnown ? 1 : 0)
  }

  /** Of the device whose id begins so, this one or another; null where the vault did not know it. */
  nameOf(prefix: string): string | null {
    for (const [id, name] of this.#names) if (id.startsWith(prefix)) return name
    return null
  }

  /** The one that came last first. */
  get others(): OtherWriter[] {
    return [...this.#others.values()].sort((a, b) => b.at - a.at)
  }
}
