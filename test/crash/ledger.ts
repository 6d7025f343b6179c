// The ledger of a load: what its writer was about to do, and that it was done, a line each, on the
// plain disk. Contents are not in it: a piece is known by the number of the operation and its length.

import { Buffer } from 'node:buffer'
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { noise } from '../posix/folder.js'

export type Intent =
  | ['create', string]
  /** with O_TRUNC or without */
  | ['open', boolean]
  | ['write', number, number]
  | ['truncate', number]
  | ['fsync']
  /** writes of at most a page through a mapping, and msync: offset and length of each */
  | ['map', [number, number][]]
  | ['close']
  | ['rename', string]
  | ['unlink']
  | ['read']
  /** of a directory; its number is of no file */
  | ['mkdir', string]
  | ['rmdir', string]

/** operation, file, what */
export type Line = [number, number, ...Intent] | [number, 'ok'] | [number, 'failed', string]

export interface Operation {
  number: number
  file: number
  intent: Intent
  /** the error's code, 'ok', or null where nothing came back */
  outcome: string | null
}

/** A file as the load finds it. */
export interface Known {
  id: number
  path: string
  size: number
}

export class Ledger {
  readonly #fd: number

  constructor(path: string) {
    this.#fd = openSync(path, 'a')
  }

  add(line: Line): void {
    writeSync(this.#fd, `${JSON.stringify(line)}\n`)
  }

  close(): void {
    closeSync(this.#fd)
  }
}

export function readLedger(path: string): Operation[] {
  const operations: Operation[] = []
  for (const text of readFileSync(path, 'utf8').split('\n')) {
    if (text === '') continue
    const line = JSON.parse(text) as Line
    const last = operations.at(-1)
    if (line[1] === 'ok' || line[1] === 'failed') {
      if (last?.number !== line[0]) throw new Error(`the ledger is out of order: ${text}`)
      last.outcome = line[1] === 'ok' ? 'ok' : line[2]
    } else {
      const [number, file, ...intent] = line
      operations.push({ number, file, intent, outcome: null })
    }
  }
  return operations
}

const POOL = noise(4 * 1024 * 1024, 7)
export const PIECE_MAX = 1024 * 1024

/** The bytes that an operation writes. */
export function piece(number: number, length: number): Buffer {
  const start = (Math.imul(number, 2654435761) >>> 0) % (POOL.length - PIECE_MAX)
  return POOL.subarray(start, start + length)
}
