// What an application was told, and when, in positions of the disk's log. It knows nothing of how the
// drive keeps its word:
//
// - fsync of a file returned: this content, or a later one; and the names that the file and the
//   folders above it were given when they were made
// - fsync of a folder returned: what was made, linked, renamed and removed in it so far
//
// Nothing else is promised against a cut. "Begun" is a position before a call: whatever the call does
// can be on the disk from there on, not before.

import type { Buffer } from 'node:buffer'

export type Kind = 'file' | 'directory' | 'symlink'

interface Version {
  begun: number
  content: Buffer
}

/** A file, folder or link, whatever its names. */
export class Item {
  readonly kind: Kind
  /** Of a file: one for each call that changed it. Of a link: its target. */
  readonly versions: Version[] = []
  /** at this position, that version was promised */
  readonly promises: { at: number; version: number }[] = []
  /** what was done with it, for whoever reads of its loss */
  readonly deeds: { begun: number; what: string }[] = []

  constructor(kind: Kind) {
    this.kind = kind
  }

  get content(): Buffer {
    const last = this.versions.at(-1)
    if (last === undefined) throw new Error('it has no content')
    return last.content
  }

  promise(at: number): void {
    this.promises.push({ at, version: this.versions.length - 1 })
  }

  /** Content that it may have after a cut: versions from the first to the last of these. */
  span(cut: number): { first: number; last: number; promised: boolean } {
    const promised = this.promises.findLast(({ at }) => at <= cut)
    const last = this.versions.findLastIndex(({ begun }) => begun <= cut)
    return { first: promised?.version ?? 0, last, promised: promised !== undefined }
  }

  /** The last thing that may have been done with it. */
  deed(cut: number): string {
    return this.deeds.findLast(({ begun }) => begun <= cut)?.what ?? 'nothing'
  }
}

/** One call that changed names, all of them at once. */
interface NameChange {
  number: number
  begun: number
  /** promised from this position on */
  durable: number
  /** folders whose fsync it still waits for */
  waiting: Set<Item>
}

interface Occupied {
  change: NameChange
  item: Item | null
}

export class Ledger {
  readonly root = new Item('directory')
  readonly items: Item[] = []
  /** everything that a path has been, in order; it begins with nothing */
  readonly paths = new Map<string, Occupied[]>()
  readonly #made = new Map<Item, NameChange>()
  /** the folders above an item, as they were when it was made */
  readonly #above = new Map<Item, Item[]>()
  #unsettled: NameChange[] = []
  #changes = 0

  make(kind: Kind, path: string, begun: number, parents: Item[]): Item {
    const item = new Item(kind)
    this.items.push(item)
    const parent = parents.at(-1) ?? this.root
    this.#made.set(item, this.change(begun, [parent], [[path, item]]))
    this.#above.set(item, parents)
    return item
  }

  /** `where`: the folders whose entries change. */
  change(begun: number, where: Item[], changes: [string, Item | null][]): NameChange {
    const number = this.#changes++
    const change = { number, begun, durable: Infinity, waiting: new Set(where) }
    this.#unsettled.push(change)
    for (const [path, item] of changes) {
      const known = this.paths.get(path)
      if (known === undefined) this.paths.set(path, [{ change, item }])
      else known.push({ change, item })
    }
    return change
  }

  syncedFile(item: Item, at: number): void {
    item.promise(at)
    for (const one of [item, ...(this.#above.get(item) ?? [])])
      this.#settle(this.#made.get(one), at)
  }

  syncedDirectory(directory: Item, at: number): void {
    for (const change of this.#unsettled) {
      change.waiting.delete(directory)
      if (change.waiting.size === 0) this.#settle(change, at)
    }
    this.#unsettled = this.#unsettled.filter(({ waiting }) => waiting.size > 0)
  }

  /** Everything is on the disk: the drive was unmounted. */
  syncedAll(at: number): void {
    for (const item of this.items) item.promise(at)
    for (const change of this.#unsettled) this.#settle(change, at)
    this.#unsettled = []
  }

  #settle(change: NameChange | undefined, at: number): void {
    if (change === undefined || change.durable <= at) return
    change.durable = at
  }

  /** What the path may be after a cut, the latest last: null for nothing. */
  occupants(path: string, cut: number): Set<Item | null> {
    const known = this.paths.get(path) ?? []
    const first = known.findLastIndex(({ change }) => change.durable <= cut)
    const last = known.findLastIndex(({ change }) => change.begun <= cut)
    const may = new Set<Item | null>()
    if (first < 0) may.add(null)
    for (const { item } of known.slice(Math.max(0, first), last + 1)) {
      may.delete(item)
      may.add(item)
    }
    return may
  }

  /** Is an item's making promised? Folders, and links, are whole once it is. */
  isMade(item: Item, cut: number): boolean {
    return (this.#made.get(item)?.durable ?? 0) <= cut
  }

  /**
   * The sets of names that an item may have after a cut: one for each state that its names went
   * through, from the last before which all is promised.
   */
  names(item: Item, cut: number): Set<string>[] {
    const events = new Map<NameChange, [string, boolean][]>()
    for (const [path, known] of this.paths) {
      let here = false
      for (const one of known) {
        if ((one.item === item) === here) continue
        here = !here
        const event = events.get(one.change)
        if (event === undefined) events.set(one.change, [[path, here]])
        else event.push([path, here])
      }
    }
    const states = [new Set<string>()]
    let promised = 0
    const changes = [...events.keys()].filter(({ begun }) => begun <= cut)
    for (const change of changes.sort((a, b) => a.number - b.number)) {
      const state = new Set(states.at(-1))
      for (const [path, here] of events.get(change) ?? []) {
        if (here) state.add(path)
        else state.delete(path)
      }
      if (change.durable <= cut && promised === states.length - 1) promised++
      states.push(state)
    }
    return states.slice(promised)
  }
}
