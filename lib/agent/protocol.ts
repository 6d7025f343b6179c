// What passes between the command line, the agent's main thread and its drive worker.
//
// Command line → agent at start: one socket pair; frames (u32 length, bytes): the order as JSON, then
// the config body with the keys as a structured clone; the answer is one JSON line. Later commands
// come through the control socket: one JSON line each way. Main thread ↔ worker: messages.

import { Buffer } from 'node:buffer'
import type { MessagePort } from 'node:worker_threads'
import { CofferError, type ErrorCode } from '../errors.js'
import type { VaultBody } from '../format/config-body.js'
import type { LateDirectory } from '../fs/late-directories.js'
import type { NotCarriedKind } from '../fs/not-carried.js'
import type { ConflictCopy } from '../fs/walk-conflicts.js'
import type { Outdated } from '../fs/watch.js'
import type { OtherWriter } from '../fs/writers.js'
import type { Driver } from '../mount/driver.js'
import type { LockEvent } from './lock-events.js'

/** What to mount and how. No secrets. */
export interface Order {
  /** hex */
  vaultId: string
  /** absolute */
  vault: string
  mountpoint: string
  driver: Driver
  /** hex */
  deviceId: string
  /** what people call this machine */
  deviceName: string
  readOnly: boolean
  allowOther: boolean
  /** 0: never */
  idleSeconds: number
  /** how long a request may wait for an online-only file */
  slowSeconds: number
  /** the log may hold plain names */
  logNames: boolean
  log: string
  /** the folder under the mount is not closed, see mountpoint-folder.ts */
  keepMountpoint: boolean
  lockOn: LockEvent[]
  /** that programs have to close their files, when the screen is locked or their user logs out */
  graceSeconds: number
  selfTest: 'quick' | 'full' | 'off'
}

export interface TestFile {
  name: string
  size: number
}

/** Files of the self-test as they are before it, and the processes that may see them. */
export interface HiddenFiles {
  files: TestFile[]
  /** with the content that they are to have; otherwise empty */
  filled: boolean
  pids: number[]
}

/** Main thread to tester and back, one message each. */
export interface TesterJob {
  mountpoint: string
  files: TestFile[]
  /** they are filled already */
  readOnly: boolean
}
export type TesterReply = { ok: true; bytes: number } | { ok: false; error: WireError }

/** What only the thread that serves knows. */
export interface DriveReport {
  engine: string
  /** why it is not the fast one; empty where it is */
  engineProblem: string
  /** why the vault folder cannot be used now, and what to do; empty where it can */
  vaultProblem: string
  openFiles: number
  /** plain paths of files that are open for writing */
  writing: string[]
  /** seen since the mount: files in the vault folder that are none of ours, and damaged objects */
  foreignFiles: number
  damaged: Damaged[]
  late: LateDirectory[]
  /** what the user should know of how an earlier drive ended */
  recovered: string[]
  /** of changes in the vault folder by others; null where they are not watched for */
  watch: WatchReport | null
  /** as DriveCounters has it */
  sealedAt: number
  others: OtherWriter[]
  notCarried: NotCarriedKind[]
}

/** Who has written, as far as this drive has seen; times are ISO 8601. */
export interface WritersStatus {
  /** last seal of this device since the mount */
  own: string | null
  /** the one that came last first; `name` is null where the vault did not know it at the mount */
  others: { id: string; name: string | null; last: string; files: number }[]
}

export interface WatchReport {
  directories: number
  /** why not everything is watched; empty where it is */
  problem: string
}

/** A damaged object, by its plain path. */
export interface Damaged {
  path: string
  code: ErrorCode
}

export interface DriveStatus {
  driver: Driver
  readOnly: boolean
  bytesRead: number
  bytesWritten: number
  requests: number
  /** what has gone to the vault folder since the mount; one file may count twice */
  filesStored: number
  bytesStored: number
  /** since the last request; how long the present one has taken, where the worker is held up by it */
  idleMs: number
  busyMs: number
  /** after so long without a request, and with nothing open, it is locked; 0: never */
  idleSeconds: number
  /** null where the worker is held up */
  openFiles: number | null
  engine: string
  foreignFiles: number
  damaged: Damaged[]
  /** directories whose meta files have not all arrived */
  late: LateDirectory[]
  selfTest: SelfTestStatus
  /** how others' changes in the vault folder are noticed */
  watch: WatchReport | null
  lockOn: LockStatus
  writers: WritersStatus
  /** what was made since the mount that sync clients leave behind */
  notCarried: NotCarriedKind[]
  warnings: string[]
}

/** What the drive is locked at, and whether that is being heard. */
export interface LockStatus {
  events: LockEvent[]
  watching: boolean
  problems: string[]
}

/** A drive that did not pass is not there to be asked. `ms` is null where it was off. */
export interface SelfTestStatus {
  kind: Order['selfTest']
  ms: number | null
}

export interface ConflictReport {
  copies: ConflictCopy[]
  /** plain paths of directories that cannot be read */
  unread: string[]
}

/** What an unmount has to tell. */
export interface Unmounted {
  filesStored: number
  bytesStored: number
  /** where it was done by force: plain paths of the files that were open for writing */
  cut: string[]
}

export type ControlRequest =
  { op: 'status' } | { op: 'conflicts' } | { op: 'unmount'; force: boolean }
export type ControlReply =
  | { ok: true; status?: DriveStatus; conflicts?: ConflictReport; unmounted?: Unmounted }
  | { ok: false; error: WireError; unmounted?: Unmounted }

/** Main thread to worker: first this, */
export interface WorkerStart {
  order: Order
  body: VaultBody
  /** memory of mount/counters.ts */
  counters: SharedArrayBuffer
  /** null: no self-test */
  hidden: HiddenFiles | null
  requests: MessagePort
  wakeFd: number
}
/** then this, when the mount is there (-1: there will be none), */
export interface WorkerServe {
  deviceFd: number
}
/** then these, between requests. */
export interface WorkerRequest {
  id: number
  /** `tested` takes the hidden files of the self-test away */
  op: 'report' | 'sync' | 'stop' | 'tested' | 'conflicts'
  /** of `conflicts`: which walk is to go on */
  walk?: number
}

/** As much of a walk as fits between two requests of the kernel's. */
export interface WalkPart extends ConflictReport {
  done: boolean
}

export interface Answer {
  event: 'answer'
  id: number
  report?: DriveReport
  part?: WalkPart
  /** bytes that the self-test was served */
  served?: number
  error?: WireError
}

/** Worker to main thread. */
export type WorkerEvent =
  | Answer
  | { event: 'log'; line: string }
  /** the kernel is to forget that */
  | { event: 'outdated'; outdated: Outdated[] }
  /** the kernel's side is gone and everything is stored, or the error says what is not */
  /** `stuck`: a helper thread of it waits in a system call, and keeps it from ending */
  | { event: 'ended'; error?: WireError; stuck: boolean }

/** Main thread to a thread that takes the mount away, and back. */
export interface Leaving {
  mountpoint: string
  /** MAJOR:MINOR */
  device: string
  lazy: boolean
}
export interface LeaveAnswer {
  error?: WireError
}

export interface WireError {
  code: string
  message: string
  hint: string
}

export function toWire(error: unknown): WireError {
  if (error instanceof CofferError)
    return { code: error.code, message: error.message, hint: error.hint }
  return {
    code: 'INTERNAL',
    message: error instanceof Error ? error.message : String(error),
    hint: '',
  }
}

export const fromWire = ({ code, message, hint }: WireError): CofferError =>
  new CofferError(code as ErrorCode, message, hint === '' ? {} : { hint })

export function frame(bytes: Uint8Array): Buffer {
  const framed = Buffer.alloc(4 + bytes.length)
  framed.writeUInt32BE(bytes.length)
  framed.set(bytes, 4)
  return framed
}

const FRAME_MAX = 1024 * 1024

/** Cuts a byte stream into frames; each is a copy that its taker owns. The rest is wiped as it goes. */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): Buffer[] {
    const joined = Buffer.concat([this.#pending, chunk])
    this.#pending.fill(0)
    chunk.fill(0)
    const frames: Buffer[] = []
    let at = 0
    while (joined.length - at >= 4) {
      const length = joined.readUInt32BE(at)
      if (length > FRAME_MAX) throw new Error('a frame is too long')
      if (joined.length - at - 4 < length) break
      frames.push(Buffer.from(joined.subarray(at + 4, at + 4 + length)))
      at += 4 + length
    }
    this.#pending = Buffer.from(joined.subarray(at))
    joined.fill(0)
    return frames
  }
}
