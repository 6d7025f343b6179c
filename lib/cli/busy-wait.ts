// Unmounting what programs use: they are named, and have a time to close it. Ctrl-C ends the wait; nothing
// has changed then.

import { setTimeout } from 'node:timers/promises'
import { CofferError } from '../errors.js'
import { unmountDrive, type Done } from '../agent/running.js'
import type { RunningDrive } from '../store/registry.js'
import { errIsTerminal, say } from './ui.js'
import { secondsOf } from './seconds.js'

/** Indexers and programs that are just ending let go in that time; a script has its answer soon. */
const UNASKED_SECONDS = 10
const RETRY_MS = 500

/** How long to wait: at a terminal as long as it takes, since somebody is there to press Ctrl-C. */
export function waitSeconds(given: string | undefined, force: boolean): number {
  if (given !== undefined) return secondsOf('wait', given)
  if (force) return 0
  return errIsTerminal && process.stdin.isTTY ? Infinity : UNASKED_SECONDS
}

/** By force only after the wait. Rejects with BUSY where it is over. */
export async function unmountPatiently(
  drive: RunningDrive,
  seconds: number,
  force: boolean,
): Promise<Done | null> {
  if (seconds === 0) return unmountDrive(drive, force)
  const deadline = Date.now() + seconds * 1000
  const stopped = new AbortController()
  const stop = (): void => {
    stopped.abort()
  }
  try {
    for (let told = ''; ;) {
      const busy = await busyOrDone(drive)
      if (!(busy instanceof CofferError)) return busy
      // once: the second ends the command, if its question stays without an answer
      if (told === '') process.once('SIGINT', stop)
      const left = deadline - Date.now()
      if (left > 0) {
        const users = busy.message.replace(/; nothing was changed$/, '')
        if (users !== told) say(`${users}; waiting for that to end. Ctrl-C leaves it as it is.`)
        told = users
        await pause(Math.min(RETRY_MS, left), stopped.signal)
      }
      // whoever has stopped it wants no further attempt
      if (stopped.signal.aborted || (left <= 0 && !force)) throw busy
      if (left <= 0) break
    }
  } finally {
    process.off('SIGINT', stop)
  }
  return unmountDrive(drive, true)
}

async function busyOrDone(drive: RunningDrive): Promise<CofferError | Done | null> {
  try {
    return await unmountDrive(drive, false)
  } catch (error) {
    if (error instanceof CofferError && error.code === 'BUSY') return error
    throw error
  }
}

const pause = (ms: number, stopped: AbortSignal): Promise<void> =>
  setTimeout(ms, undefined, { signal: stopped }).catch(() => undefined)
