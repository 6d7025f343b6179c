// How long a new password would hold. An estimate by zxcvbn's patterns, or by length and alphabet
// where that package was not installed. Advice only: nothing is refused.

import { duration } from './ui.js'

/** Guesses a second of somebody who tries scrypt at our default cost on a rack of graphics cards. */
const GUESSES_PER_SECOND = 10_000

async function guesses(password: string): Promise<number> {
  try {
    const { ZxcvbnFactory } = await import('@zxcvbn-ts/core')
    return new ZxcvbnFactory().check(password.slice(0, 100)).guesses
  } catch {
    const classes = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/].filter((kind) =>
      kind.test(password),
    ).length
    return (10 + 15 * classes) ** (password.length / 2)
  }
}

export async function describeStrength(password: string): Promise<string> {
  const seconds = (await guesses(password)) / 2 / GUESSES_PER_SECOND
  const years = seconds / (365.25 * 86_400)
  if (years > 1e6) return 'Strength: very good'
  if (years > 100) return 'Strength: good'
  const time = years > 2 ? `${years.toFixed(0)} years` : duration(seconds)
  return `Strength: weak, a determined attacker needs about ${time}; several random words are better`
}
