// What happens around an operation: counting, its errno, and what is due afterwards. One request at a time,
// each from beginning to end in one call.

import { constants } from 'node:os'
import { errnoOf } from '../../errors.js'
import type { Filesystem } from '../../fs/filesystem.js'
import type { Counters } from '../counters.js'
import { isDefect } from '../defect.js'
import { Handles } from './handles.js'
import { HiddenFiles } from './hidden-files.js'
import { InodeReferences } from './inode-references.js'
import type { NativeRequest } from './library.js'
import { operations, type Operations } from './operations.js'
import type { Answer, Reply } from './parts.js'
import { Paths } from './paths.js'
import { checkText } from './request-struct.js'

/** how long requests in a row may keep due work waiting */
const PATIENCE_MS = 10
const RETRY_MS = 1000

export interface Hooks {
  /** An error that no application asked for: a defect, or due work that failed. */
  onDefect(error: unknown): void
}

type Operation = (...words: unknown[]) => Answer

export class Service {
  /** the library's operations, each with a reply behind its arguments */
  readonly callbacks: Record<keyof Operations, (...words: unknown[]) => void>
  readonly hidden: HiddenFiles
  /** set before each call of an operation */
  request: NativeRequest | null = null
  readonly #fs: Filesystem
  readonly #counters: Counters
  readonly #hooks: Hooks
  #stopped = false
  #timer: NodeJS.Timeout | null = null
  #soon = false

  constructor(fs: Filesystem, counters: Counters, hooks: Hooks) {
    this.#fs = fs
    this.#counters = counters
    this.#hooks = hooks
    const references = new InodeReferences(fs)
    this.hidden = new HiddenFiles(
      references,
      ({ parent, name }) => {
        fs.unlink(parent, name)
      },
      (error) => {
        hooks.onDefect(error)
      },
    )
    const table = operations({
      fs,
      references,
      paths: new Paths(fs, references, this.hidden),
      handles: new Handles(),
      hidden: this.hidden,
      request: () => this.#request,
    })
    const entries = Object.entries(table).map(([name, operation]) => [
      name,
      (...words: unknown[]) => {
        const reply = words.pop() as Reply
        this.#serve(name as keyof Operations, operation as Operation, words, reply)
      },
    ])
    this.callbacks = Object.fromEntries(entries) as typeof this.callbacks
  }

  get #request(): NativeRequest {
    if (this.request === null) throw new TypeError('an operation without a request')
    return this.request
  }

  stop(): void {
    this.#stopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  /** Nothing may be thrown to the library: the application would wait for ever. */
  #serve(
    name: keyof Operations,
    operation: Operation,
    words: readonly unknown[],
    reply: Reply,
  ): void {
    if (this.#stopped) {
      reply(-constants.errno.ENODEV)
      return
    }
    const counters = this.#counters
    counters.begin()
    let result = 0
    let more: readonly unknown[] = []
    try {
      // a rename says itself whether it is the reason
      if (name !== 'rename') this.hidden.settle()
      if (typeof words[0] === 'string') checkText(this.#request, 'path', words[0])
      const answer = operation(...words)
      if (typeof answer === 'number') result = answer
      else more = answer ?? []
    } catch (error) {
      if (isDefect(error)) this.#hooks.onDefect(error)
      result = -errnoOf(error)
    }
    const bytes = Math.max(0, result)
    counters.end(name === 'read' ? bytes : 0, name === 'write' ? bytes : 0)
    reply(result, ...more)
    this.#tendWithin(PATIENCE_MS)
  }

  /** Due work is asked for no more than once in PATIENCE_MS. */
  #tendWithin(milliseconds: number): void {
    if (this.#soon) return
    this.#soon = milliseconds <= PATIENCE_MS
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#tend()
    }, milliseconds)
  }

  #tend(): void {
    this.#soon = false
    this.#timer = null
    let wait: number
    try {
      wait = this.#fs.tend()
    } catch (error) {
      this.#hooks.onDefect(error)
      wait = RETRY_MS
    }
    if (wait !== Infinity) this.#tendWithin(Math.max(wait, PATIENCE_MS + 1))
  }
}
