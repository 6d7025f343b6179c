// Times in options.

import { CofferError } from '../errors.js'

const UNITS: Record<string, number> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 }

/** 90, 90s, 15m, 2h, 1d; 0 only where `least` allows it. */
export function secondsOf(option: string, text: string, least: 0 | 1 = 0): number {
  const [, digits, unit = ''] = /^(\d{1,6})([smhd]?)$/.exec(text) ?? []
  if (digits !== undefined) {
    const seconds = Number(digits) * (UNITS[unit] ?? 0)
    if (seconds >= least) return seconds
    throw new CofferError('USAGE', `--${option} 0 is not a time`)
  }
  throw new CofferError('USAGE', `--${option} ${text} is not a time`, {
    hint: 'write it as 90s, 15m or 2h',
  })
}
