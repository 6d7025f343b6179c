// What a user does at one machine in a round: operations on few names, of which most are those that the
// other side works on, too. Everything it gives up it has read just before.

import { dirname, join } from 'node:path'
import type { Random } from '../power-cut/random.js'
import { cut, patched, whole, type Content } from './content.js'
import type { Found } from './hand.js'
import { short, type Ledger, type Version } from './ledger.js'
import { Refused, type Machine } from './machine.js'

const DIRECTORIES = [
  'docs',
  'docs/old',
  'photos',
  'photos/2026',
  'work',
  'work/plan',
  'work/plan/a',
]
const NAMES = [
  'report.txt',
  'Grüße.md',
  'budget.ods',
  'image',
  'archive.tar.gz',
  `a long name of ${'very '.repeat(30)}many bytes.pdf`,
]
const SMALL = 3_000
const MIDDLE = 200_000
/** Above what is checked whole at open. */
const LARGE = 6_000_000
const HOT = 0.7
const MANY_FILES = 40
const MILLISECONDS = 1000

export interface Trouble {
  kind: string
  path: string
  detail: string
}

interface Held {
  handle: number
  path: string
  base: Version | undefined
  content: Content
  writing: boolean
}

export type Step = (random: Random) => Promise<boolean>

export class Player {
  readonly machine: Machine
  readonly #ledger: Ledger
  readonly #random: Random
  readonly #seeds: () => number
  readonly troubles: Trouble[] = []
  operations = 0
  round = 0
  hot: readonly string[] = []
  #held: Held[] = []

  constructor(machine: Machine, ledger: Ledger, random: Random, seeds: () => number) {
    this.machine = machine
    this.#ledger = ledger
    this.#random = random
    this.#seeds = seeds
  }

  get #told(): string {
    return `round ${this.round}, ${this.machine.name}, operation ${this.operations}`
  }

  #note(what: string): void {
    this.#ledger.note(`${this.#told}: ${what}`)
  }

  /** Anywhere, or where the other side works, too. */
  #place(): string {
    const random = this.#random
    if (this.hot.length > 0 && random.chance(HOT)) return random.pick(this.hot)
    return anyPlace(random)
  }

  /** Does `count` operations that succeed, or tells of those that do not. */
  async work(count: number): Promise<void> {
    for (let done = 0; done < count;) {
      const tree = await this.machine.do('tree')
      try {
        if (await this.#one(tree)) done++
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        done++
        this.#note(`REFUSED ${error.message}`)
        // a folder that has another name elsewhere: `mv` copies what is in it, then
        if (error.code === 'EXDEV') continue
        this.troubles.push({
          kind: `refused ${error.code}`,
          path: error.message,
          detail: this.#told,
        })
      }
    }
  }

  /**
   * What this side has open it leaves alone otherwise, so that it is known what has to come of it; and
   * what hides it: once that has gone, the copy that is open bears the name.
   */
  #isOpen(path: string): boolean {
    const asked = unmarked(path)
    const open = this.#held.map((held) => unmarked(held.path))
    return open.some((held) => held === asked || held.startsWith(`${asked}/`))
  }

  async #one(tree: readonly Found[]): Promise<boolean> {
    this.operations++
    const files = tree.filter(({ type }) => type === 'file').map(({ path }) => path)
    const directories = tree.filter(({ type }) => type === 'directory').map(({ path }) => path)
    const random = this.#random
    const closed = files.filter((path) => !this.#isOpen(path))
    const hot = closed.filter((path) => this.hot.includes(path))
    const some = hot.length > 0 && random.chance(HOT) ? hot : closed
    const file = some.length > 0 ? random.pick(some) : null
    const free = (path: string): boolean =>
      !tree.some((entry) => entry.path === path) &&
      !files.some((other) => path.startsWith(`${other}/`))
    const crowded = files.length > MANY_FILES
    const choice = random.next() * (crowded ? 1.6 : 1)
    if (choice < 0.25 || file === null) return this.#write(this.#place(), files, directories)
    if (choice < 0.4) return this.#edit(file)
    if (choice < 0.5) return this.#save(file)
    if (choice < 0.68) return this.#rename(file, this.#place(), files, directories)
    if (choice < 0.74) {
      const from = directories.length > 0 ? random.pick(directories) : null
      const to = random.chance(0.3) ? `moved ${random.between(1, 4)}` : random.pick(DIRECTORIES)
      if (from === null || this.#isOpen(from) || !free(to) || to.startsWith(`${from}/`))
        return false
      return this.#renameTree(from, to, directories)
    }
    if (choice < 0.8) return this.#mkdir(random.pick(DIRECTORIES), files)
    if (choice < 0.86) return this.#truncate(file)
    if (choice < 0.98 || choice > 1) return this.#unlink(file)
    const trees = directories.filter((path) => !this.#isOpen(path))
    return trees.length > 0 ? this.#removeTree(random.pick(trees)) : false
  }

  /** The version that is there now, which this side knows from here on. */
  async #seen(path: string): Promise<Version | undefined> {
    const hash = await this.machine.do('hash', path)
    const version = this.#ledger.get(hash)
    if (version === undefined)
      this.troubles.push({ kind: 'unknown content', path, detail: `${this.#told}: ${short(hash)}` })
    return version
  }

  /** `act` stores `content` and does away with `before`. */
  async #store(
    what: string,
    path: string,
    content: Content,
    before: readonly (Version | undefined)[],
    act: () => Promise<unknown>,
  ): Promise<true> {
    const version = this.#ledger.announce(content, `${this.#told}: ${path}`)
    const gone = before.map((old) => (old === undefined ? 'unknown' : short(old.hash))).join()
    this.#note(
      `${what} ${path} ${short(version.hash)} (${content.length}) for ${gone || 'nothing'}`,
    )
    // given up even where it fails half-way
    for (const old of before) if (old !== undefined) this.#ledger.giveUp(old.hash, this.#told)
    await act()
    version.stored = true
    if (this.machine.skew !== 0) {
      const now = Math.round(Date.now() / MILLISECONDS) + this.machine.skew
      await this.machine.do('touch', path, now)
    }
    return true
  }

  #size(): number {
    const random = this.#random
    if (random.chance(0.75)) return random.between(1, SMALL)
    return random.chance(0.8) ? random.between(SMALL, MIDDLE) : random.between(MIDDLE, LARGE)
  }

  async #parents(path: string): Promise<void> {
    const folder = dirname(path)
    if (folder !== '.') await this.machine.do('mkdir', folder)
  }

  async #write(
    path: string,
    files: readonly string[],
    directories: readonly string[],
  ): Promise<boolean> {
    if (this.#isOpen(path) || directories.includes(path)) return false
    if (files.some((file) => path.startsWith(`${file}/`))) return false
    await this.#parents(path)
    const before = files.includes(path) ? [await this.#seen(path)] : []
    const content = whole(this.#seeds(), this.#size())
    return this.#store('write', path, content, before, () =>
      this.machine.do('write', path, content),
    )
  }

  /** A file of `bytes`, at a name of its own. */
  async writeBig(path: string, bytes: number): Promise<void> {
    const content = whole(this.#seeds(), bytes)
    this.operations++
    const there = (await this.machine.do('tree')).some((entry) => entry.path === path)
    const before = there ? [await this.#seen(path)] : []
    await this.#store('write', path, content, before, () => this.machine.do('write', path, content))
  }

  async #edit(path: string): Promise<boolean> {
    const base = await this.#seen(path)
    if (base === undefined) return false
    const random = this.#random
    const { length } = base.content
    const append = random.chance(0.4)
    const offset = append ? length : random.between(0, length + 1)
    const patch = [offset, this.#seeds(), random.between(1, SMALL)] as const
    const content = patched(base.content, patch)
    return this.#store(append ? 'append' : 'edit', path, content, [base], () =>
      this.machine.do('patch', path, [patch], random.chance(0.5)),
    )
  }

  async #truncate(path: string): Promise<boolean> {
    const base = await this.#seen(path)
    if (base === undefined || base.content.length < 2) return false
    const content = cut(base.content, this.#random.between(1, base.content.length))
    return this.#store('truncate', path, content, [base], () =>
      this.machine.do('truncate', path, content.length),
    )
  }

  async #save(path: string): Promise<boolean> {
    const base = await this.#seen(path)
    const content = whole(this.#seeds(), this.#size())
    const temporary = join(dirname(path), `.saving-${this.machine.name}-${this.operations}`)
    return this.#store('save', path, content, [base], () =>
      this.machine.do('replace', path, temporary, content),
    )
  }

  async #rename(
    from: string,
    to: string,
    files: readonly string[],
    directories: readonly string[],
  ): Promise<boolean> {
    if (from === to || this.#isOpen(to) || directories.includes(to)) return false
    if (files.some((file) => to.startsWith(`${file}/`))) return false
    await this.#parents(to)
    const moved = await this.#seen(from)
    const replaced = files.includes(to) ? [await this.#seen(to)] : []
    for (const old of replaced)
      if (old !== undefined && old !== moved) this.#ledger.giveUp(old.hash, this.#told)
    const names = [moved, ...replaced].map((one) => (one === undefined ? '?' : short(one.hash)))
    this.#note(`rename ${from} (${names[0] ?? ''}) to ${to} (${names[1] ?? 'free'})`)
    await this.machine.do('rename', from, to)
    return true
  }

  async #renameTree(from: string, to: string, directories: readonly string[]): Promise<boolean> {
    const parent = dirname(to)
    if (parent !== '.' && !directories.includes(parent)) return false
    this.#note(`rename tree ${from}/ to ${to}/`)
    await this.machine.do('rename', from, to)
    return true
  }

  async #mkdir(path: string, files: readonly string[]): Promise<boolean> {
    if (files.some((file) => path === file || path.startsWith(`${file}/`))) return false
    this.#note(`mkdir ${path}/`)
    await this.machine.do('mkdir', path)
    return true
  }

  async #unlink(path: string): Promise<boolean> {
    const seen = await this.#seen(path)
    this.#note(`delete ${path} (${seen === undefined ? '?' : short(seen.hash)})`)
    if (seen !== undefined) this.#ledger.giveUp(seen.hash, this.#told)
    await this.machine.do('unlink', path)
    return true
  }

  async #removeTree(path: string): Promise<boolean> {
    const found = await this.machine.do('look', path)
    const unread = found.find(({ error }) => error !== undefined)
    if (unread !== undefined) throw new Refused(`look ${unread.path}`, unread.error ?? '')
    for (const { hash } of found) if (hash !== undefined) this.#ledger.giveUp(hash, this.#told)
    const files = found.flatMap(({ path, hash }) =>
      hash === undefined ? [] : [`${path} ${short(hash)}`],
    )
    this.#note(`delete tree ${path}/: ${files.join()}`)
    await this.machine.do('rmtree', path)
    return true
  }

  /** Opens a file of both sides and begins to write, or only keeps it open. Null where there is none. */
  async hold(path: string, writing: boolean): Promise<string | null> {
    const { machine } = this
    const tree = await machine.do('tree')
    if (this.#isOpen(path)) return null
    if (!tree.some((entry) => entry.type === 'file' && entry.path === path)) return null
    this.operations++
    const handle = await machine.do('open', path, writing ? 'r+' : 'r')
    const base = this.#ledger.get(await machine.do('hashHeld', handle))
    if (base === undefined) {
      await machine.do('close', handle)
      return null
    }
    const held: Held = { handle, path, base, content: base.content, writing }
    this.#held.push(held)
    this.#note(`open ${path} (${short(base.hash)}) for ${writing ? 'writing' : 'reading'}`)
    if (writing) await this.#writeHeld(held)
    return path
  }

  async #writeHeld(held: Held): Promise<Version> {
    if (held.base !== undefined) this.#ledger.giveUp(held.base.hash, this.#told)
    const offset = this.#random.between(0, held.content.length + 1)
    const patch = [offset, this.#seeds(), this.#random.between(1, SMALL)] as const
    held.content = patched(held.content, patch)
    const version = this.#ledger.announce(held.content, `${this.#told}: ${held.path}, open`)
    this.#note(`write to ${held.path}, open: ${short(version.hash)}`)
    await this.machine.do('patchHeld', held.handle, [patch])
    return version
  }

  /** Goes on with what is open, closes it, and checks what a reader still sees. */
  async letGo(): Promise<void> {
    const all = this.#held
    this.#held = []
    for (const held of all) {
      this.operations++
      const { path, handle, base, writing } = held
      try {
        if (writing) {
          const version = await this.#writeHeld(held)
          await this.machine.do('close', handle)
          version.stored = true
          this.#note(`close ${path}: ${short(version.hash)}`)
        } else {
          const hash = await this.machine.do('hashHeld', handle)
          if (hash !== base?.hash)
            this.troubles.push({
              kind: 'open file changed',
              path,
              detail: `${this.#told}: ${short(base?.hash ?? '')} became ${short(hash)}`,
            })
          await this.machine.do('close', handle)
        }
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        await this.machine.do('close', handle).catch(() => null)
        this.#note(`REFUSED ${error.message}`)
        this.troubles.push({ kind: `open file ${error.code}`, path, detail: this.#told })
      }
    }
  }

  get holds(): boolean {
    return this.#held.length > 0
  }

  /** Its drive was killed: what was being written may be old, new, or in between. */
  async lose(): Promise<void> {
    for (const { handle } of this.#held) await this.machine.do('close', handle).catch(() => null)
    this.#held = []
  }
}

/** A path as it would be without the marks of conflict copies. */
const unmarked = (path: string): string => path.replaceAll(/ \(conflict[^)/]*\)/g, '')

export function anyPlace(random: Random): string {
  const folder = random.chance(0.2) ? '' : random.pick(DIRECTORIES)
  return join(folder, random.pick(NAMES))
}
