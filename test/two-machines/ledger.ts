// Every version that a side has stored, and which of them somebody gave up on purpose: whoever
// overwrites, replaces or deletes what it has read just before. All others must be there at the end.

import { hashOf, type Content } from './content.js'

export interface Version {
  readonly hash: string
  readonly content: Content
  /** where it was stored first, for whoever reads the verdict */
  readonly told: string
  /** false where nobody was promised that it would stay: its flush failed, or was cut short */
  stored: boolean
  /** by whom it was given up, or null */
  givenUp: string | null
  /** it was missed, and that has been told */
  missed: boolean
}

export class Ledger {
  readonly #versions = new Map<string, Version>()
  readonly #lines: string[] = []

  /** Before the bytes are written: they may be met from now on. */
  announce(content: Content, told: string): Version {
    const hash = hashOf(content)
    const known = this.#versions.get(hash)
    if (known !== undefined) return known
    const version = { hash, content, told, stored: false, givenUp: null, missed: false }
    this.#versions.set(hash, version)
    return version
  }

  giveUp(hash: string, told: string): void {
    const version = this.#versions.get(hash)
    if (version !== undefined) version.givenUp ??= told
  }

  get(hash: string): Version | undefined {
    return this.#versions.get(hash)
  }

  /** What has to be somewhere. */
  *owed(): Generator<Version> {
    for (const version of this.#versions.values())
      if (version.stored && version.givenUp === null && !version.missed) yield version
  }

  /** A lost version is told once. */
  miss(hash: string): void {
    const version = this.#versions.get(hash)
    if (version !== undefined) version.missed = true
  }

  note(line: string): void {
    this.#lines.push(line)
  }

  get length(): number {
    return this.#lines.length
  }

  /** What was noted from line `from` on. */
  since(from: number): string[] {
    return this.#lines.slice(from)
  }

  /** Lines that name one of `words`. */
  history(words: readonly string[], most = 16): string[] {
    return this.#lines.filter((line) => words.some((word) => line.includes(word))).slice(-most)
  }
}

export const short = (hash: string): string => hash.slice(0, 8)
