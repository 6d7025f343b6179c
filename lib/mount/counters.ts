// What a session has done so far, in memory that threads share: the serving thread writes, anybody
// may read for `coffer status`. Doubles, since 2^32 bytes are soon passed; one writer, so no locks.

const BYTES_READ = 0
const BYTES_WRITTEN = 1
const REQUESTS = 2
const BUSY_SINCE = 3
const FILES_STORED = 4
const BYTES_STORED = 5
const SLOTS = 6

export class Counters {
  readonly shared: SharedArrayBuffer
  readonly #slots: Float64Array

  constructor(shared = new SharedArrayBuffer(SLOTS * Float64Array.BYTES_PER_ELEMENT)) {
    this.shared = shared
    this.#slots = new Float64Array(shared)
  }

  /** bytes that applications read */
  get bytesRead(): number {
    return this.#slots[BYTES_READ] ?? 0
  }

  /** bytes that applications wrote */
  get bytesWritten(): number {
    return this.#slots[BYTES_WRITTEN] ?? 0
  }

  get requests(): number {
    return this.#slots[REQUESTS] ?? 0
  }

  /** files that were sealed, and bytes of blobs that went to the vault folder, as `store` was last told */
  get filesStored(): number {
    return this.#slots[FILES_STORED] ?? 0
  }

  get bytesStored(): number {
    return this.#slots[BYTES_STORED] ?? 0
  }

  /** When the request that is being served began, in milliseconds since 1970; 0 between requests. */
  get busySince(): number {
    return this.#slots[BUSY_SINCE] ?? 0
  }

  /** For the serving thread, between requests. */
  clear(): void {
    this.#slots.fill(0)
  }

  store(files: number, bytes: number): void {
    this.#slots[FILES_STORED] = files
    this.#slots[BYTES_STORED] = bytes
  }

  begin(): void {
    this.#slots[BUSY_SINCE] = Date.now()
  }

  end(bytesRead: number, bytesWritten: number): void {
    this.#slots[BYTES_READ] = this.bytesRead + bytesRead
    this.#slots[BYTES_WRITTEN] = this.bytesWritten + bytesWritten
    this.#slots[REQUESTS] = this.requests + 1
    this.#slots[BUSY_SINCE] = 0
  }
}
