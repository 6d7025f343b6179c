// Who a process is. A pid alone may be somebody else's by now: the start time and the boot make it
// one process for good.

import { existsSync, readFileSync } from 'node:fs'
import { addressOf, lazy, nativeAvailable } from '../native/libc.js'
import type { RunningDrive } from '../store/registry.js'

/**
 * In clock ticks since boot; null where there is no such process. A zombie is none, unless other
 * threads of it are still there: those hold its files.
 */
export function startTime(pid: number): string | null {
  let stat: string
  try {
    stat = readFileSync(`/proc/${String(pid)}/stat`, 'latin1')
  } catch {
    return null
  }
  // field 2 is the program's name and may hold anything, also spaces and parentheses
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ended = fields[0] === 'X' || (fields[0] === 'Z' && fields[17] === '1')
  return ended ? null : (fields[19] ?? null)
}

export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  } catch {
    return ''
  }
}

export const isAlive = (drive: RunningDrive): boolean =>
  drive.boot === bootId() && startTime(drive.pid) === drive.started

/** FUSE tells threads, not processes. */
export const isThreadOf = (tid: number, pid: number): boolean =>
  existsSync(`/proc/${String(pid)}/task/${String(tid)}`)

/** Descriptors that this process may have; what is usual where the system does not tell. */
export function openFilesLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1')
    const soft = Number(/^Max open files +(\d+)/m.exec(limits)?.[1])
    if (soft > 0) return Math.min(soft, 2 ** 30)
  } catch {
    // no Linux
  }
  return 1024
}

const RLIMIT_CORE = 4
const PR_SET_DUMPABLE = 4

const setrlimit = lazy('int setrlimit(int resource, uintptr_t limits)')
const prctl = lazy(
  'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
)

/** Keys must reach neither a core file nor another process of this user. */
export function guardMemory(): void {
  if (!nativeAvailable || process.platform !== 'linux') return
  const limits = new Uint8Array(16) // struct rlimit, both zero
  setrlimit(RLIMIT_CORE, addressOf(limits))
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
}
