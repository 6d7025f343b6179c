// How far a long proof has come, how fast it goes and what is left of it: one line every few seconds.

const EVERY_MS = 5000

export class Progress {
  #what
  #total
  #started = Date.now()
  #told = Date.now()

  constructor(what, total) {
    this.#what = what
    this.#total = total
  }

  get seconds() {
    return Math.round((Date.now() - this.#started) / 1000)
  }

  at(done, more = '') {
    const now = Date.now()
    if (now - this.#told < EVERY_MS && done < this.#total) return
    this.#told = now
    const rate = (done * 1000) / (now - this.#started)
    const left = Math.ceil((this.#total - done) / rate)
    const pace = rate >= 10 ? rate.toFixed(0) : rate.toFixed(2)
    console.log(`${done} of ${this.#total} ${this.#what}, ${pace}/s, ${left} s left; ${more}`)
  }
}

/** How often each text occurs, most often first. */
export function tally(texts) {
  const counts = {}
  for (const text of texts) counts[text] = (counts[text] ?? 0) + 1
  return Object.fromEntries(Object.entries(counts).sort(([, a], [, b]) => b - a))
}
