// What `coffer status` is told about a drive. The counters are read from shared memory, so there is
// something to tell even while the worker is held up by a request.

import { hintOf, type ErrorCode } from '../errors.js'
import type { Counters } from '../mount/counters.js'
import type { Idleness } from './idleness.js'
import type { DriveReport, DriveStatus, LockStatus, Order, WritersStatus } from './protocol.js'

export function driveStatus(
  order: Order,
  counters: Counters,
  idleness: Idleness,
  report: DriveReport | null,
  selfTestMs: number | null,
  lockOn: LockStatus,
): DriveStatus {
  const { busySince, bytesRead, bytesWritten, requests, filesStored, bytesStored } = counters
  const busyMs = busySince === 0 ? 0 : Math.max(0, Date.now() - busySince)
  return {
    driver: order.driver,
    readOnly: order.readOnly,
    bytesRead,
    bytesWritten,
    requests,
    filesStored,
    bytesStored,
    idleMs: Math.round(idleness.milliseconds()),
    busyMs,
    idleSeconds: order.idleSeconds,
    openFiles: report?.openFiles ?? null,
    engine: report?.engine ?? 'not known',
    foreignFiles: report?.foreignFiles ?? 0,
    damaged: report?.damaged ?? [],
    late: report?.late ?? [],
    selfTest: { kind: order.selfTest, ms: selfTestMs },
    watch: report?.watch ?? null,
    lockOn,
    writers: writers(report),
    notCarried: report?.notCarried ?? [],
    warnings: [...warnings(report, busyMs), ...lockOn.problems],
  }
}

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString()

function writers(report: DriveReport | null): WritersStatus {
  const { sealedAt = 0, others = [] } = report ?? {}
  return {
    own: sealedAt === 0 ? null : iso(sealedAt),
    others: others.map(({ id, name, at, files }) => ({ id, name, last: iso(at), files })),
  }
}

function warnings(report: DriveReport | null, busyMs: number): string[] {
  if (report === null) {
    return [
      `the drive has been held up by one request for ${(busyMs / 1000).toFixed(1)} s; is the vault folder reachable?`,
    ]
  }
  const list: string[] = []
  if (report.vaultProblem !== '') list.push(report.vaultProblem)
  if (report.engineProblem !== '') list.push(`the slow engine is in use: ${report.engineProblem}`)
  for (const message of report.recovered) list.push(`after an interruption: ${message}`)
  for (const { path, code } of report.damaged) list.push(refused(path, code))
  if (report.watch !== null && report.watch.problem !== '') {
    list.push(
      `changes by others in the vault folder show within a second, not at once: ${report.watch.problem}`,
    )
  }
  for (const { path, state } of report.late) {
    list.push(
      state === 'waiting'
        ? `cannot be read until its meta file arrives: ${path}`
        : `read from this machine's memory until a current meta file arrives: ${path}`,
    )
  }
  if (report.foreignFiles > 0) {
    list.push(
      `${count(report.foreignFiles, 'file')} in the vault folder that coffer did not make; the log names the first few of each folder`,
    )
  }
  return list
}

/** What is only on its way has an advice, damage has none. */
function refused(path: string, code: ErrorCode): string {
  const hint = hintOf(code)
  return hint === '' ? `damaged: ${path} (${code})` : `cannot be read: ${path} (${code}); ${hint}`
}

const count = (n: number, what: string): string => `${String(n)} ${what}${n === 1 ? '' : 's'}`
