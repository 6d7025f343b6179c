// Which objects lie in a backing directory, as a listing and what has been told since then say: enough to
// know without a system call that a name is not there. Names that went away may still be in it, and
// others may have the same hash, so that a name which is in it has to be looked for.

import type { ObjectExtension } from '../format/name.js'

/** Bases are ciphertext, so a few characters tell them apart. */
const HASHED = 12

export class BackingNames {
  readonly #hashes = new Set<number>()

  add(base: string, extension: ObjectExtension): void {
    this.#hashes.add(hash(base, extension))
  }

  mayHave(base: string, extension: ObjectExtension): boolean {
    return this.#hashes.has(hash(base, extension))
  }

  clear(): void {
    this.#hashes.clear()
  }
}

/** A small integer, which a set holds without an object of its own. */
function hash(base: string, extension: ObjectExtension): number {
  let sum = extension.charCodeAt(extension.length - 1)
  for (let i = 0; i < HASHED; i++) sum = (Math.imul(sum, 31) + base.charCodeAt(i)) | 0
  return sum
}
