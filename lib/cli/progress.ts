// One line that says how far a long copy is: on a terminal redrawn in place, as JSON lines for
// scripts, otherwise silent.

import { amount, ask, duration, errIsTerminal, json } from './ui.js'

const EVERY_MS = 200
const JSON_EVERY_MS = 1000

export class Progress {
  readonly #json: boolean
  readonly #started = Date.now()
  readonly #total: number
  #done = 0
  #files = 0
  #shownAt = 0
  #width = 0

  /** total: bytes, 0 where that is not known */
  constructor(total: number, asJson: boolean) {
    this.#total = total
    this.#json = asJson
  }

  add(bytes: number): void {
    this.#done += bytes
    const now = Date.now()
    if (now - this.#shownAt < (this.#json ? JSON_EVERY_MS : EVERY_MS)) return
    this.#shownAt = now
    this.#show(now)
  }

  file(): void {
    this.#files += 1
    this.add(0)
  }

  get bytes(): number {
    return this.#done
  }

  get files(): number {
    return this.#files
  }

  get seconds(): number {
    return (Date.now() - this.#started) / 1000
  }

  #show(now: number): void {
    const seconds = (now - this.#started) / 1000
    const rate = seconds > 0 ? this.#done / seconds : 0
    const left = rate > 0 && this.#total > 0 ? (this.#total - this.#done) / rate : null
    if (this.#json) {
      json({
        event: 'progress',
        files: this.#files,
        bytes: this.#done,
        totalBytes: this.#total,
        bytesPerSecond: Math.round(rate),
        secondsLeft: left === null ? null : Math.round(left),
      })
      return
    }
    if (!errIsTerminal) return
    const share =
      this.#total > 0
        ? `${String(Math.floor((100 * this.#done) / this.#total)).padStart(3)} %  `
        : ''
    const rest = left === null || seconds < 1 ? '' : `, ${duration(left)} left`
    this.#draw(`${share}${amount(this.#done)} of ${amount(this.#total)}, ${amount(rate)}/s${rest}`)
  }

  #draw(line: string): void {
    ask(`\r${line.padEnd(this.#width)}`)
    this.#width = line.length
  }

  /** Clears the line. */
  end(): void {
    if (this.#width > 0) ask(`\r${' '.repeat(this.#width)}\r`)
    this.#width = 0
  }
}
