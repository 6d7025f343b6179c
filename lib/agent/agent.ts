// The agent of one drive, main thread: keeps the registry entry, answers the control socket, watches
// signals and idleness, and ends when the drive has ended. What serves the drive is a `DriveThread`.
//
// The order of an unmount: store everything while errors can still be told, leave the kernel (busy:
// nothing has changed), serve until the kernel lets go or has only copies that nobody uses, store again,
// wipe the keys, exit.

import { execFile } from 'node:child_process'
import type { Server } from 'node:net'
import { CofferError } from '../errors.js'
import type { VaultBody } from '../format/config-body.js'
import { Counters } from '../mount/counters.js'
import { LogFile } from '../store/log-file.js'
import { register, socketPath, unregister, update, type RunningDrive } from '../store/registry.js'
import { serveControl } from './control.js'
import { startThread, type DriveThread } from './drive-thread.js'
import { Idleness } from './idleness.js'
import { Locking } from './lock.js'
import { LockWatch } from './lock-watch.js'
import { waitUsable } from './mountpoint.js'
import { MountpointFolder } from './mountpoint-folder.js'
import { bootId, startTime } from './process.js'
import {
  toWire,
  type ConflictReport,
  type ControlReply,
  type ControlRequest,
  type DriveStatus,
  type Order,
  type Unmounted,
} from './protocol.js'
import { driveStatus } from './drive-status.js'
import { startTester, type Tester } from './tester.js'

const REPORT_TIMEOUT_MS = 1000
const REPLY_TIMEOUT_MS = 1000
/** how long the kernel usually takes at most to let go of what it has unmounted */
const LET_GO_MS = 200
/** after that a drive that was to be taken away by force goes with the process */
const FORCE_TIMEOUT_MS = 10_000

export class Agent {
  readonly #order: Order
  readonly #log: LogFile
  readonly #thread: DriveThread
  readonly #counters = new Counters()
  readonly #idleness = new Idleness(this.#counters)
  readonly #drive: RunningDrive
  /** null: no self-test */
  readonly #tester: Tester | null
  #server: Server | null = null
  #started = false
  #registered = false
  #selfTestMs: number | null = null
  #leaving: Promise<void> | null = null
  #signals = 0
  #nextWalk = 1
  #timer: NodeJS.Timeout | null = null
  #folder: MountpointFolder | null = null
  #lockWatch: LockWatch | null = null
  #cut: string[] = []
  /** When the drive has ended: what could not be stored, or null. */
  readonly ended: Promise<CofferError | null>
  /** The same, when those who asked for it have been told, too. */
  readonly told: Promise<CofferError | null>

  /** Begins to load what serves the drive and what tests it, which takes a while. */
  constructor(order: Order) {
    this.#order = order
    this.#log = new LogFile(order.log)
    this.#thread = startThread(order.driver, (line) => {
      this.#log.write(line)
    })
    this.#tester = startTester(order)
    this.ended = this.#thread.ended.then((error) => {
      this.#finish(error)
      return error
    })
    this.told = this.ended.then(async (error) => {
      await Promise.race([this.#repliesRead(), pause(REPLY_TIMEOUT_MS)])
      return error
    })
    this.#drive = {
      vaultId: order.vaultId,
      vault: order.vault,
      mountpoint: order.mountpoint,
      pid: process.pid,
      started: startTime(process.pid) ?? '',
      boot: bootId(),
      since: new Date().toISOString(),
      socket: socketPath(order.vaultId, process.pid),
      log: order.log,
      device: '',
    }
  }

  /** Resolves when the drive is usable. Where it throws, nothing of the drive is left. */
  async start(body: VaultBody): Promise<void> {
    const { mountpoint, readOnly, allowOther } = this.#order
    this.#started = true
    try {
      this.#registered = register(this.#drive)
      if (!this.#registered) {
        throw new CofferError('ALREADY_MOUNTED', 'another command is mounting this vault just now')
      }
      await this.#thread.open(this.#order, body, this.#counters, this.#tester?.hidden ?? null)
      for (const seed of body.seeds.values()) seed.fill(0)
      const place = { mountpoint, fsname: 'coffer', readOnly, allowOther }
      this.#folder = new MountpointFolder(mountpoint)
      this.#drive.device = await this.#thread.mount(place)
      const open = this.#folder.close(this.#order.keepMountpoint)
      if (open !== null) this.#log.write(`warn mountpoint: ${mountpoint} cannot be closed: ${open}`)
      update(this.#drive)
      await Promise.race([this.#usable(), this.#endedEarly()])
      // whoever finds the socket may send a signal just as well
      this.#watchSignals()
      this.#server = await serveControl(this.#drive.socket, (request) => this.#control(request))
    } catch (error) {
      this.#log.write(`error start: ${error instanceof Error ? error.message : String(error)}`)
      await this.#abandon()
      throw error
    }
    this.#log.write(`info mounted: pid ${String(process.pid)}${readOnly ? ', read-only' : ''}`)
    this.#watchIdleness()
    this.#watchLocks()
  }

  /** There will be no keys. */
  cancel(): void {
    this.#tester?.end()
    this.#thread.cancel()
  }

  async #usable(): Promise<void> {
    const { mountpoint } = this.#order
    if (this.#tester === null) await waitUsable(mountpoint)
    else this.#selfTestMs = await this.#tester.test(mountpoint, () => this.#thread.tested())
  }

  async #endedEarly(): Promise<never> {
    throw (await this.ended) ?? new CofferError('AGENT', 'the drive was unmounted at once')
  }

  async #control(request: ControlRequest): Promise<ControlReply> {
    if (request.op === 'status') return { ok: true, status: await this.#status() }
    if (request.op === 'conflicts') return { ok: true, conflicts: await this.#conflicts() }
    // whatever else comes may be of a newer coffer, and must not do harm
    if ((request.op as unknown) !== 'unmount')
      throw new CofferError(
        'AGENT',
        'this drive was mounted by another version of coffer, which does not know that request',
      )
    let error: CofferError | null
    try {
      await this.unmount(request.force)
      error = await this.ended
    } catch (refused) {
      return { ok: false, error: toWire(refused), unmounted: this.#unmounted }
    }
    const unmounted = this.#unmounted
    return error === null ? { ok: true, unmounted } : { ok: false, error: toWire(error), unmounted }
  }

  get #unmounted(): Unmounted {
    const { filesStored, bytesStored } = this.#counters
    return { filesStored, bytesStored, cut: this.#cut }
  }

  async #status(): Promise<DriveStatus> {
    const report = await this.#thread.report(REPORT_TIMEOUT_MS)
    const lockOn = this.#lockWatch?.status ?? { events: [], watching: false, problems: [] }
    return driveStatus(
      this.#order,
      this.#counters,
      this.#idleness,
      report,
      this.#selfTestMs,
      lockOn,
    )
  }

  async #conflicts(): Promise<ConflictReport> {
    const walk = this.#nextWalk++
    const report: ConflictReport = { copies: [], unread: [] }
    for (;;) {
      const { copies, unread, done } = await this.#thread.conflicts(walk)
      report.copies.push(...copies)
      report.unread.push(...unread)
      if (done) return report
    }
  }

  /** Resolves when the kernel has let go; `ended` tells the rest. */
  unmount(force: boolean): Promise<void> {
    if (force) return this.#force()
    return (this.#leaving ??= this.#leave().catch((error: unknown) => {
      this.#leaving = null
      throw error
    }))
  }

  async #leave(): Promise<void> {
    await this.#thread.sync()
    await this.#thread.leave(false)
    await this.#endCopies()
  }

  /**
   * The kernel goes on with a drive for copies of its mount, as other namespaces have them, and for
   * programs that it was taken away from before. Whoever can be seen to use one has kept `leave` from
   * it; files that are open tell of others. The copies are dead with the end of the connection.
   */
  async #endCopies(): Promise<void> {
    const over = this.ended.then(() => true)
    while ((await Promise.race([over, pause(LET_GO_MS)])) !== true) {
      const report = await this.#thread.report(REPORT_TIMEOUT_MS).catch(() => null)
      if (report === null) continue
      if (report.openFiles > 0) throw openElsewhere(this.#order.mountpoint, report.openFiles)
      this.#log.write('info copies: the mount has copies elsewhere, which end with the drive')
      this.#thread.stop()
      await over
    }
  }

  /**
   * Takes the drive away from whoever uses it. What can be stored in time is stored. A worker that
   * is stuck in a system call cannot be ended, so then the process is.
   */
  async #force(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<CofferError>((resolve) => {
      timer = setTimeout(() => {
        resolve(
          new CofferError('AGENT', 'the drive did not end in time; what it had not stored is lost'),
        )
      }, FORCE_TIMEOUT_MS)
    })
    await Promise.race([this.#store(), pause(FORCE_TIMEOUT_MS / 2)])
    await this.#noteCut()
    await this.#thread.leave(true)
    this.#thread.stop()
    const error = await Promise.race([this.ended.then(() => null), late])
    clearTimeout(timer)
    if (error === null) return
    this.#finish(error)
    void Promise.race([this.#repliesRead(), pause(REPLY_TIMEOUT_MS)]).then(() => {
      // process.exit would wait for the worker
      process.kill(process.pid, 'SIGKILL')
    })
    throw error
  }

  /** Also what the kernel still has of mapped files. */
  async #store(): Promise<void> {
    await syncMount(this.#order.mountpoint)
    await this.#thread.sync().catch(() => undefined)
  }

  async #noteCut(): Promise<void> {
    const report = await this.#thread.report(REPORT_TIMEOUT_MS).catch(() => null)
    this.#cut = report?.writing ?? []
    for (const path of this.#cut) {
      const where = this.#order.logNames ? ` path=${path}` : ''
      this.#log.write(`warn cut: a file was open for writing${where}`)
    }
  }

  #watchLocks(): void {
    const { lockOn, graceSeconds } = this.#order
    if (lockOn.length === 0) return
    const log = (line: string): void => {
      this.#log.write(line)
    }
    const locking = new Locking(
      { unmount: (force) => this.unmount(force), log },
      graceSeconds * 1000,
    )
    this.#lockWatch = new LockWatch(
      lockOn,
      (event) => {
        locking.due(event)
      },
      () => {
        locking.unlocked()
      },
      log,
    )
  }

  #watchSignals(): void {
    const stop = (signal: NodeJS.Signals): void => {
      this.#signals += 1
      this.#log.write(`info ${signal}: unmounting`)
      this.unmount(this.#signals > 1).catch((error: unknown) => {
        this.#log.write(
          `warn ${signal}: ${toWire(error).message}; a second signal unmounts all the same`,
        )
      })
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
    // the terminal went away; the drive stays
    process.on('SIGHUP', () => undefined)
  }

  #watchIdleness(): void {
    const limit = this.#order.idleSeconds * 1000
    if (limit === 0) return
    const look = async (): Promise<void> => {
      if (this.#idleness.milliseconds() < limit) return
      const report = await this.#thread.report(REPORT_TIMEOUT_MS)
      if (report === null || report.openFiles > 0 || this.#idleness.milliseconds() < limit) return
      this.#log.write('info idle: unmounting')
      await this.unmount(false)
    }
    // where that fails, the drive is busy after all: the next look decides again
    this.#timer = setInterval(() => void look().catch(() => undefined), Math.min(limit / 4, 5000))
  }

  /** Undoes a start that failed half-way. */
  async #abandon(): Promise<void> {
    this.#tester?.end()
    try {
      await this.#thread.leave(true)
    } catch {
      // closing the connection takes the mount away as well
    }
    this.#folder?.putBack()
    this.#thread.stop()
    await Promise.race([this.ended, pause(FORCE_TIMEOUT_MS)])
  }

  /** Every connection to the control socket has been closed by its other end. */
  #repliesRead(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#server === null) resolve()
      else
        this.#server.close(() => {
          resolve()
        })
    })
  }

  #finish(error: CofferError | null): void {
    if (!this.#started) return
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#lockWatch?.close()
    this.#thread.close()
    this.#log.write(
      error === null ? 'info ended: everything is stored' : `error ended: ${error.message}`,
    )
    if (this.#registered) unregister(this.#drive)
  }
}

const openElsewhere = (mountpoint: string, files: number): CofferError => {
  const some = files === 1 ? '1 file of it is' : `${String(files)} files of it are`
  return new CofferError(
    'BUSY',
    `${mountpoint} is not mounted any more, but ${some} still open in programs that had it before`,
    { hint: 'close them and try again; --force ends the drive all the same' },
  )
}

/** By another process, since this one would wait for the drive, and one that hangs must not hold it up. */
const syncMount = (mountpoint: string): Promise<void> =>
  new Promise((resolve) => {
    const options = { cwd: '/', timeout: FORCE_TIMEOUT_MS / 2 }
    execFile('sync', ['-f', '--', mountpoint], options, () => {
      resolve()
    })
  })

/** Does not keep the process alive: a worker or a connection does, where there is one to wait for. */
const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref()
  })
