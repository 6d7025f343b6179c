// Whether what is found after a cut is what a ledger promises. It judges paths and bytes, and knows
// nothing of how they came about.
//
// Content: each piece (of a vault a chunk of 32 KiB) is that piece of the version that was promised
// last, or of a later one; where none was promised, of any, or the file may be refused or shorter. Names: a path is what
// it was when that was promised last, or something that it became later; and no file is without a
// name that had one all along.

import type { Buffer } from 'node:buffer'
import type { Item, Kind, Ledger } from './ledger.js'

/** How finely content may be mixed that was written and not yet promised. */
export interface Mixing {
  /** bytes that are written whole or not at all, within one call */
  piece: number
  /** bytes beyond the end of a version may be zeros, once the file has grown */
  zeros: boolean
}

export const VAULT: Mixing = { piece: 32768, zeros: false }
export const EXT4: Mixing = { piece: 512, zeros: true }

/** What a path gave: its content (of a link, its target), nothing to read for a folder, or an error. */
export type Found =
  | { kind: 'directory' }
  | { kind: 'file' | 'symlink'; content: Buffer }
  | { kind: 'refused'; code: string }

export type Wrong =
  /** promised, there, and not to be read */
  | 'refused'
  /** bytes that nobody wrote there, or that had been replaced for good */
  | 'wrong content'
  /** nothing at a path where something must be */
  | 'missing'
  /** no name is left of a file that always had one */
  | 'lost'
  /** something at a path that never had it, or has it no more */
  | 'stray'

export interface Violation {
  wrong: Wrong | 'disk' | 'vault' | 'unusable' | 'warning'
  path: string
  /** what had been done with it last */
  deed: string
  detail: string
}

export interface Verdict {
  violations: Violation[]
  /** files that cannot be read, and of which nothing was promised */
  refusedUnpromised: number
  /** paths that are not as they were last, since no sync had followed */
  behind: number
  /** what the drive's log says of it */
  warnings: string[]
}

export const emptyVerdict = (...violations: Violation[]): Verdict => ({
  violations,
  refusedUnpromised: 0,
  behind: 0,
  warnings: [],
})

export function judge(
  ledger: Ledger,
  cut: number,
  found: ReadonlyMap<string, Found>,
  mixing: Mixing,
): Verdict {
  const verdict: Verdict = emptyVerdict()
  const names = new Map<Item, Set<string>>()
  const broken: string[] = []
  const wrong = (wrong: Wrong, path: string, item: Item | null, detail: string): void => {
    verdict.violations.push({ wrong, path, deed: item?.deed(cut) ?? 'nothing', detail })
  }
  const isHere = (path: string, item: Item): void => {
    const known = names.get(item)
    if (known === undefined) names.set(item, new Set([path]))
    else known.add(path)
  }
  const hidden = (path: string): boolean => broken.some((folder) => path.startsWith(`${folder}/`))

  const paths = [...new Set([...ledger.paths.keys(), ...found.keys()])].sort()
  for (const path of paths) {
    const may = ledger.occupants(path, cut)
    const items = [...may].filter((item) => item !== null)
    const here = found.get(path)
    const last = items.at(-1) ?? null
    if (!isLatest(ledger, path, cut, here)) verdict.behind++
    if (here === undefined) {
      if (hidden(path)) for (const item of items) isHere(path, item)
      else if (!may.has(null)) {
        wrong('missing', path, last, items.map(({ kind }) => kind).join(' or '))
        for (const item of items) isHere(path, item)
      }
      continue
    }
    if (here.kind === 'refused') {
      for (const item of items) isHere(path, item)
      broken.push(path)
      const mayBe = items.some((item) => !isPromised(ledger, item, cut))
      if (mayBe) verdict.refusedUnpromised++
      else wrong('refused', path, last, here.code)
      continue
    }
    const objections: string[] = []
    const fits = items.filter((item) => {
      const objection = against(item, cut, here, mixing)
      if (objection !== null) objections.push(objection)
      return objection === null
    })
    for (const item of fits.length > 0 ? fits : items) isHere(path, item)
    if (items.length === 0) wrong('stray', path, lastAt(ledger, path), here.kind)
    else if (fits.length === 0) wrong('wrong content', path, last, objections.join('; or: '))
  }
  for (const item of ledger.items) {
    const states = ledger.names(item, cut)
    if (names.has(item) || states.some(({ size }) => size === 0)) continue
    const were = [...(states[0] ?? [])]
    wrong(
      'lost',
      were[0] ?? '',
      item,
      `none of ${[...new Set(states.flatMap((s) => [...s]))].join(', ')}`,
    )
  }
  return verdict
}

const isPromised = (ledger: Ledger, item: Item, cut: number): boolean =>
  item.kind === 'file' ? item.span(cut).promised : ledger.isMade(item, cut)

/** Does a path show what was last made of it? */
function isLatest(ledger: Ledger, path: string, cut: number, here: Found | undefined): boolean {
  const item = [...ledger.occupants(path, cut)].at(-1) ?? null
  if (item === null || here === undefined) return item === null && here === undefined
  if (here.kind === 'refused' || here.kind === 'directory') return here.kind === item.kind
  return item.versions[item.span(cut).last]?.content.equals(here.content) === true
}

const lastAt = (ledger: Ledger, path: string): Item | null =>
  ledger.paths.get(path)?.findLast(({ item }) => item !== null)?.item ?? null

/** Why this cannot be the item; null where it can. */
function against(
  item: Item,
  cut: number,
  here: Found & { kind: Kind },
  mixing: Mixing,
): string | null {
  if (item.kind !== here.kind) return `a ${here.kind} in place of a ${item.kind}`
  if (here.kind === 'directory') return null
  const { content } = here
  const { first, last, promised } = item.span(cut)
  const versions = item.versions.slice(first, last + 1).map((version) => version.content)
  if (here.kind === 'symlink')
    return versions.some((version) => version.equals(content)) ? null : 'another target'
  const lengths = versions.map(({ length }) => length)
  const shortest = promised ? Math.min(...lengths) : 0
  const longest = Math.max(...lengths)
  if (content.length < shortest || content.length > longest)
    return `${content.length} bytes, not from ${shortest} to ${longest}`
  const { piece, zeros } = mixing
  for (let at = 0; at < content.length; at += piece) {
    const here = content.subarray(at, at + piece)
    const isThere = versions.some((version) => {
      const there = version.subarray(at, at + here.length)
      return there.length < here.length && zeros
        ? here.subarray(0, there.length).equals(there) && isZero(here.subarray(there.length))
        : there.equals(here)
    })
    if (!isThere) return `piece ${at / piece} of ${content.length} bytes is in no version`
  }
  return null
}

const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0)
