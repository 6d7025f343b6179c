// What a drive can be locked at, and how the signals of logind (org.freedesktop.login1) that announce it
// look in the output of each program that can show them: gdbus and busctl write a line for a signal,
// dbus-monitor several. Nothing but text is read, so one set of patterns does.

export const LOCK_EVENTS = ['suspend', 'screen', 'logout'] as const
export type LockEvent = (typeof LOCK_EVENTS)[number]

/** `session` is the path of its object, null where the signal is about none; `unlocked` ends a wait; `sessions`: look who is logged in. */
export interface Signal {
  kind: 'suspend' | 'screen' | 'unlocked' | 'sessions'
  session: string | null
}

const SESSION = /\/org\/freedesktop\/login1\/session\/\w+/
/** Between the name of the property and its value, in the ways of the three. */
const HINT = /LockedHint\W+(?:type\W+b\W+data\W+|variant\s+boolean\s+)?(true|false)\b/

const PATTERNS: [RegExp, Signal['kind']][] = [
  [/PrepareForSleep\b[^]*\btrue\b/, 'suspend'],
  [/\.Session\.Lock \(|"member":"Lock"|member=Lock\s/, 'screen'],
  [/\.Session\.Unlock \(|"member":"Unlock"|member=Unlock\s/, 'unlocked'],
  [/SessionNew|SessionRemoved|UserRemoved/, 'sessions'],
]

/** `text` is one signal, as far as it has come. */
export function signalIn(text: string): Signal | null {
  const session = SESSION.exec(text)?.[0] ?? null
  const hint = HINT.exec(text)?.[1]
  if (hint !== undefined) return { kind: hint === 'true' ? 'screen' : 'unlocked', session }
  const kind = PATTERNS.find(([pattern]) => pattern.test(text))?.[1]
  return kind === undefined ? null : { kind, session }
}

/** Cuts an output into signals. A signal of several lines is looked at anew with each of them, until it is one. */
export class SignalReader {
  #line = ''
  #block = ''
  #told = false

  push(text: string): Signal[] {
    const signals: Signal[] = []
    const lines = (this.#line + text).split('\n')
    this.#line = lines.pop() ?? ''
    for (const line of lines) {
      if (!/^\s/.test(line)) {
        this.#block = ''
        this.#told = false
      }
      if (this.#told || this.#block.length > BLOCK_MAX) continue
      this.#block += `${line}\n`
      const signal = signalIn(this.#block)
      if (signal === null) continue
      this.#told = true
      signals.push(signal)
    }
    return signals
  }
}
const BLOCK_MAX = 64 * 1024
