// Requests that wait for something slow: each with a copy of its bytes, until its job has ended; then
// it is served from the start. What changes a file waits behind what waits to change it, in the order in
// which it came, and so does whatever reads such a file.

import { Buffer } from 'node:buffer'
import { constants } from 'node:os'
import type { Later } from '../../fs/later.js'
import type { Request } from './request.js'
import type { SlowLane } from './slow-lane.js'
import { COPY_FILE_RANGE_IN, IN_HEADER, INTERRUPT_IN, OPCODE } from './wire.js'

const { EINTR, EIO, ENOMEM, EXDEV } = constants.errno

/** of all that wait together; beyond, a request is refused */
const PARKED_BYTES_MAX = 64 * 1024 * 1024
const PARKED_MAX = 4096

const CHANGING: ReadonlySet<number> = new Set([
  OPCODE.WRITE,
  OPCODE.SETATTR,
  OPCODE.FALLOCATE,
  OPCODE.COPY_FILE_RANGE,
])
/** those that must not overtake a change of the same file */
const ORDERED: ReadonlySet<number> = new Set([
  ...CHANGING,
  OPCODE.READ,
  OPCODE.LSEEK,
  OPCODE.FLUSH,
  OPCODE.FSYNC,
  OPCODE.RELEASE,
])

/**
 * While these wait the kernel keeps their directories locked. After a moment they are told that it is as
 * between two file systems: so mv copies, and waits for the content as any reader does.
 */
const LOCKING: ReadonlySet<number> = new Set([OPCODE.RENAME, OPCODE.RENAME2, OPCODE.LINK])
const LOCKING_LIMIT_MS = 2000

/** The one or two that a request is about. */
interface Files {
  readonly nodeid: number
  readonly other: number
}

interface ParkedRequest extends Files {
  readonly bytes: Buffer
  readonly unique: number
  readonly ordered: boolean
  readonly changing: boolean
  readonly locking: boolean
  later: Later
  /** performance.now() at which its time is up */
  readonly until: number
}

/** Serves the request that lies in the session's buffer again, or answers it with an errno. */
export interface Answers {
  serve(length: number): void
  fail(errno: number): void
}

export class Parked {
  readonly #request: Request
  readonly #lane: SlowLane
  readonly #limitMs: number
  readonly #answers: Answers
  #waiting: ParkedRequest[] = []
  #bytes = 0

  constructor(request: Request, lane: SlowLane, limitMs: number, answers: Answers) {
    this.#request = request
    this.#lane = lane
    this.#limitMs = limitMs
    this.#answers = answers
  }

  get count(): number {
    return this.#waiting.length
  }

  /** Looks at a request that has just come, before it is served. True: nothing more is to be done. */
  takes(length: number, now: number): boolean {
    const request = this.#request
    if (!request.begin(length)) return false
    const { opcode } = request
    if (opcode === OPCODE.INTERRUPT) {
      this.#interrupt(request.u64(INTERRUPT_IN.unique))
      return true
    }
    if (!ORDERED.has(opcode)) return false
    const before = this.#before(filesOf(request), this.#waiting.length)
    if (before === undefined) return false
    this.park(before.later, now)
    return true
  }

  /** The last of the first `count` that waits to change a file of these. */
  #before({ nodeid, other }: Files, count: number): ParkedRequest | undefined {
    for (let i = count - 1; i >= 0; i--) {
      const waiting = this.#waiting[i]
      if (waiting?.changing !== true) continue
      const files = [waiting.nodeid, waiting.other]
      if (files.includes(nodeid) || files.includes(other)) return waiting
    }
    return undefined
  }

  /** Keeps the request that lies in the buffer until `later` has an outcome. */
  park(later: Later, now: number): void {
    const request = this.#request
    const { length, opcode } = request
    const locking = LOCKING.has(opcode)
    const limitMs = locking ? Math.min(LOCKING_LIMIT_MS, this.#limitMs) : this.#limitMs
    if (this.#bytes + length > PARKED_BYTES_MAX || this.#waiting.length >= PARKED_MAX) {
      this.#answers.fail(ENOMEM)
      return
    }
    this.#bytes += length
    this.#waiting.push({
      bytes: Buffer.from(request.bytes.subarray(0, length)),
      unique: request.u64(IN_HEADER.unique),
      ...filesOf(request),
      ordered: ORDERED.has(opcode),
      changing: CHANGING.has(opcode),
      locking,
      later,
      until: later.late === null ? Infinity : now + limitMs,
    })
    this.#lane.start(later)
  }

  #interrupt(unique: number): void {
    const parked = this.#waiting.find((waiting) => waiting.unique === unique)
    if (parked !== undefined) this.#refuse(parked, EINTR)
  }

  /** Serves those whose job has ended, refuses those whose time is up. Milliseconds until the next is. */
  look(now: number): number {
    this.#lane.collect()
    if (this.#waiting.length === 0) return Infinity
    let until = Infinity
    for (const parked of [...this.#waiting]) {
      if (parked.later.outcome !== null) this.#again(parked)
      else if (now >= parked.until) this.#late(parked)
      else until = Math.min(until, parked.until)
    }
    return Math.max(0, until - now)
  }

  #again(parked: ParkedRequest): void {
    const before = this.#waiting.indexOf(parked)
    // what it waited behind may wait for something else by now
    const first = parked.ordered ? this.#before(parked, before) : undefined
    if (first !== undefined) {
      parked.later = first.later
      return
    }
    this.#take(parked)
    this.#answers.serve(parked.bytes.length)
    // it waits for something else now: in its old place
    const last = this.#waiting.at(-1)
    if (last?.unique !== parked.unique || before === this.#waiting.length - 1) return
    this.#waiting.pop()
    this.#waiting.splice(before, 0, last)
  }

  #late(parked: ParkedRequest): void {
    if (parked.locking) this.#refuse(parked, EXDEV)
    else this.#refuse(parked, parked.later.late?.().errno ?? EIO)
  }

  #refuse(parked: ParkedRequest, errno: number): void {
    this.#take(parked)
    this.#answers.fail(errno)
  }

  /** Puts its bytes back into the buffer. */
  #take(parked: ParkedRequest): void {
    this.#waiting.splice(this.#waiting.indexOf(parked), 1)
    this.#bytes -= parked.bytes.length
    this.#request.bytes.set(parked.bytes)
    this.#request.begin(parked.bytes.length)
    parked.bytes.fill(0)
  }

  /** Nobody is served any more. */
  end(): void {
    for (const parked of [...this.#waiting]) this.#refuse(parked, EIO)
  }
}

function filesOf(request: Request): Files {
  const copies = request.opcode === OPCODE.COPY_FILE_RANGE
  const other = copies ? request.u64(COPY_FILE_RANGE_IN.nodeid_out) : request.nodeid
  return { nodeid: request.nodeid, other }
}
