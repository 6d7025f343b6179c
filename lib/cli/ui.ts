// The only place that prints. Its rules:
// - standard output carries data: what somebody may want to pipe on. Everything else, questions,
//   progress, advice and errors, goes to standard error.
// - a line is a plain sentence. No colours but bold and dim, and those only on a terminal without
//   NO_COLOR; nothing is said by colour alone.
// - control characters, which a name may hold, are replaced: in talk always, in data where it goes to a
//   terminal and not into a pipe.
// - an error is one line "coffer: what happened", then at most one line "hint: what to do".

import { writeSync } from 'node:fs'
import { getSystemErrorMap } from 'node:util'
import { CofferError } from '../errors.js'
export { quoted } from '../agent/shell-word.js'
import { reason } from '../store/state-folder.js'

export const outIsTerminal = process.stdout.isTTY
export const errIsTerminal = process.stderr.isTTY
const styled =
  outIsTerminal &&
  errIsTerminal &&
  (process.env.NO_COLOR ?? '') === '' &&
  process.env.TERM !== 'dumb'

export const bold = (text: string): string => (styled ? `\u001b[1m${text}\u001b[22m` : text)
export const dim = (text: string): string => (styled ? `\u001b[2m${text}\u001b[22m` : text)

/**
 * Synchronous, so that nothing is lost when the process ends. A reader that went away is no error, and
 * talk that cannot be written is lost.
 */
function put(fd: number, text: string): void {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(fd, bytes, at)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EAGAIN') Atomics.wait(PAUSE, 0, 0, 5)
      else if (code === 'EPIPE' || fd === 2) return
      else throw error
    }
  }
}
const PAUSE = new Int32Array(new SharedArrayBuffer(4))

/** Data. */
export function out(line: string): void {
  put(1, `${line}\n`)
}

/** Talk. */
export function say(line: string): void {
  put(2, `${harmless(line)}\n`)
}

/** Talk without the end of the line, for questions and progress. */
export function ask(text: string): void {
  put(2, text)
}

export function warn(line: string): void {
  say(`warning: ${line}`)
}

export const json = (value: unknown): void => {
  out(JSON.stringify(value))
}

/** Without what a terminal would take for a command, but with `bold` and `dim`. */
const harmless = (line: string): string => line.replace(/(?!\u001b\[(?:1|22?)m)\p{Cc}/gu, '?')

/** A name for people, in data. */
export const shown = (name: string): string =>
  outIsTerminal ? name.replace(/\p{Cc}/gu, '?') : name

/** What happened, in words: system calls and errno names mean little to most people. */
export function told(error: unknown): string {
  if (!(error instanceof CofferError)) return reason(error)
  const errno = /^\w+: E[A-Z0-9]+ \(errno (\d+)\)$/.exec(error.message)?.[1]
  return getSystemErrorMap().get(-Number(errno ?? 0))?.[1] ?? error.message
}

/** Prints an error and returns the exit code. `log` is where more is to be found, if anywhere. */
export function fail(error: unknown, log: string | null = null): number {
  if (error instanceof CofferError) {
    say(`coffer: ${told(error)}`)
    if (error.hint !== '') say(`hint: ${error.hint}`)
    return error.exitCode
  }
  if (error instanceof Error && 'syscall' in error) {
    const { path } = error as NodeJS.ErrnoException
    say(`coffer: ${reason(error)}${path === undefined ? '' : `: ${path}`}`)
    return 1
  }
  const what = error instanceof Error ? error.message : String(error)
  say(`coffer: something went wrong that should not: ${what.split('\n', 1)[0] ?? ''}`)
  if (process.env.COFFER_DEBUG !== undefined && error instanceof Error)
    for (const line of (error.stack ?? '').split('\n')) say(line)
  say(log === null ? 'hint: COFFER_DEBUG=1 shows where' : `hint: the log is ${log}`)
  return 1
}

/** 1 file, 2 files */
export const count = (n: number, one: string, many = `${one}s`): string =>
  `${String(n)} ${n === 1 ? one : many}`

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** 1.4 GiB */
export function amount(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${UNITS[unit] ?? ''}`
}

/** 09:12, or 2026-11-23 09:12 where that is another day. */
export function clockTime(iso: string): string {
  const time = new Date(iso)
  const two = (n: number): string => String(n).padStart(2, '0')
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}`
  if (time.toDateString() === new Date().toDateString()) return clock
  return `${String(time.getFullYear())}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${clock}`
}

/** 2 h 5 min */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds))
  if (s < 60) return `${String(s)} s`
  if (s < 3600) return `${String(Math.floor(s / 60))} min ${String(s % 60)} s`
  if (s < 172_800)
    return `${String(Math.floor(s / 3600))} h ${String(Math.floor((s % 3600) / 60))} min`
  return `${String(Math.floor(s / 86_400))} days`
}
