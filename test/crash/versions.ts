// What a file may hold: for each chunk the contents that it may have now, and those that it has had
// since the file was last made durable. The same for its size. A change that was only tried (it was
// cut short or refused) leaves both what was and what would be.

import { Buffer } from 'node:buffer'

interface Chunk {
  live: Buffer[]
  stale: Buffer[]
}

export interface Problem {
  kind: 'size' | 'chunk'
  detail: string
}

export class Versions {
  readonly #chunkSize: number
  readonly #zeros: Buffer
  readonly #chunks: Chunk[] = []
  #sizes: number[]
  #oldSizes: number[] = []
  /** growth since the file was last durable: it may have been cut back to any chunk in between */
  #grown: [number, number][] = []

  constructor(chunkSize: number, content: Buffer = Buffer.alloc(0)) {
    this.#chunkSize = chunkSize
    this.#zeros = Buffer.alloc(chunkSize)
    this.#sizes = [content.length]
    this.adopt(content)
  }

  /** The newest size, where every change came through. */
  get size(): number {
    return this.#sizes.at(-1) ?? 0
  }

  /** Nothing but `content` is possible. */
  adopt(content: Buffer): void {
    this.#chunks.length = 0
    for (let at = 0; at < content.length; at += this.#chunkSize)
      this.#chunks.push({ live: [content.subarray(at, at + this.#chunkSize)], stale: [] })
    this.#sizes = [content.length]
    this.settle()
  }

  /** What is now is durable. */
  settle(): void {
    for (const chunk of this.#chunks) chunk.stale = []
    this.#oldSizes = []
    this.#grown = []
  }

  write(offset: number, bytes: Buffer, certain = true): void {
    if (bytes.length === 0) return
    const end = offset + bytes.length
    if (offset > this.#least) this.#extend(offset, certain)
    for (let at = offset; at < end;) {
      const index = Math.floor(at / this.#chunkSize)
      const within = at - index * this.#chunkSize
      const part = bytes.subarray(at - offset, at - offset + this.#chunkSize - within)
      this.#change(index, certain, (old) => {
        if (within === 0 && part.length >= old.length) return part
        const made = Buffer.alloc(Math.max(old.length, within + part.length))
        old.copy(made)
        part.copy(made, within)
        return made
      })
      at += part.length
    }
    this.#resize((old) => Math.max(old, end), certain)
  }

  truncate(size: number, certain = true): void {
    if (size > this.#least) this.#extend(size, certain)
    for (let index = Math.floor(size / this.#chunkSize); index < this.#chunks.length; index++) {
      const kept = Math.max(0, size - index * this.#chunkSize)
      this.#change(index, certain, (old) => old.subarray(0, kept))
    }
    this.#resize(() => size, certain)
  }

  /** Zeros, up to the end of the file. */
  punch(offset: number, length: number, certain = true): void {
    const end = Math.min(offset + length, this.size)
    if (end > offset) this.write(offset, Buffer.alloc(end - offset), certain)
  }

  #extend(size: number, certain: boolean): void {
    const first = Math.floor(this.#least / this.#chunkSize)
    const last = Math.ceil(size / this.#chunkSize)
    for (let index = first; index < last; index++) {
      const length = Math.min(this.#chunkSize, size - index * this.#chunkSize)
      this.#change(index, certain, (old) => {
        if (old.length >= length) return old
        if (old.length === 0) return this.#zeros.subarray(0, length)
        return Buffer.concat([old, this.#zeros.subarray(0, length - old.length)])
      })
    }
    this.#resize((old) => Math.max(old, size), certain)
  }

  get #least(): number {
    return Math.min(...this.#sizes)
  }

  #change(index: number, certain: boolean, make: (old: Buffer) => Buffer): void {
    while (this.#chunks.length <= index) this.#chunks.push({ live: [Buffer.alloc(0)], stale: [] })
    const chunk = this.#chunks[index]!
    const made = chunk.live.map(make)
    if (certain) {
      chunk.stale.push(...chunk.live)
      chunk.live = made
    } else chunk.live.push(...made)
  }

  #resize(make: (old: number) => number, certain: boolean): void {
    const made: number[] = []
    for (const old of this.#sizes) {
      const size = make(old)
      made.push(size)
      if (size > old) this.#grown.push([old, size])
      // what failed may have been done in part, chunk by chunk
      if (certain || size <= old) continue
      const first = Math.floor(old / this.#chunkSize) + 1
      for (let index = first; index * this.#chunkSize < size; index++)
        made.push(index * this.#chunkSize)
    }
    if (certain) this.#oldSizes.push(...this.#sizes)
    const newest = make(this.size)
    const all = new Set(certain ? made : [...this.#sizes, ...made])
    all.delete(newest)
    this.#sizes = [...all, newest]
  }

  /** `stale`: older contents will do, as after a crash; otherwise only what is now. */
  judge(found: Buffer, stale: boolean): Problem | null {
    if (!this.#mayBeLong(found.length, stale)) {
      const known = (stale ? [...this.#oldSizes, ...this.#sizes] : this.#sizes).join(' ')
      return { kind: 'size', detail: `${String(found.length)} bytes instead of ${known}` }
    }
    for (let at = 0, index = 0; at < found.length; at += this.#chunkSize, index++) {
      const part = found.subarray(at, at + this.#chunkSize)
      const last = at + part.length === found.length
      const { live, stale: old } = this.#chunks[index] ?? { live: [], stale: [] }
      const candidates = stale ? [...live, ...old] : live
      const fits = candidates.some(
        (one) =>
          (last ? one.length >= part.length : one.length === part.length) && starts(one, part),
      )
      if (!fits) return { kind: 'chunk', detail: describe(index, part, candidates) }
    }
    return null
  }

  #mayBeLong(size: number, stale: boolean): boolean {
    if (this.#sizes.includes(size)) return true
    if (!stale) return false
    if (this.#oldSizes.includes(size)) return true
    return size % this.#chunkSize === 0 && this.#grown.some(([a, b]) => a < size && size < b)
  }
}

const starts = (whole: Buffer, part: Buffer): boolean =>
  whole.length === part.length ? whole.equals(part) : whole.subarray(0, part.length).equals(part)

function describe(index: number, part: Buffer, candidates: Buffer[]): string {
  const zero = part.every((byte) => byte === 0) ? ', all zero' : ''
  const common = candidates.map((one) => {
    const length = Math.min(one.length, part.length)
    let at = 0
    while (at < length && one[at] === part[at]) at++
    return `${String(at)} of ${String(one.length)}`
  })
  return `chunk ${String(index)} (${String(part.length)} bytes${zero}) is none of ${String(candidates.length)} versions; it begins like: ${common.join(', ')}`
}
