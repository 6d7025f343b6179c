// The verdict after a round: both drives show the same, everything reads, and every version that
// nobody gave up is somewhere.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Found, Span } from './hand.js'
import { short, type Ledger } from './ledger.js'
import { PASSWORD, type Machine } from './machine.js'
import type { Trouble } from './player.js'
import { whereabouts } from './whereabouts.js'

export interface Violation extends Trouble {
  history: string[]
}

const PATIENCE_MS = 8000
export const LOST = 'lost'
export const HIDDEN = 'hidden'
export const UNREADABLE = 'unreadable'
const LOOK_MS = 1000
/** SHA-256 of nothing: a file that was created and whose bytes had not come when its drive was killed. */
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

export type View = Map<string, Found>

export async function look(machine: Machine): Promise<View> {
  return new Map((await machine.do('look', '')).map((found) => [found.path, found]))
}

/** Looks until nothing is wrong, for so long as a drive may take to see what came. */
export async function judge(
  machines: readonly [Machine, Machine],
  ledger: Ledger,
): Promise<{ violations: Violation[]; views: [View, View]; ms: number }> {
  const started = Date.now()
  for (;;) {
    const logged = machines.map((machine) => machine.log().length)
    const views = (await Promise.all(machines.map(look))) as [View, View]
    const found = compare(machines, views, ledger)
    const ms = Date.now() - started
    if (found.length === 0) {
      for (const [i, machine] of machines.entries())
        for (const line of machine.log().slice(logged[i]).filter(isWarning))
          found.push({ kind: 'warning at a look', path: '', detail: `${machine.name}: ${line}` })
    }
    if (found.length === 0 || ms > PATIENCE_MS) {
      if (found.length > 0) await rememberLess(machines, ledger, found)
      for (const trouble of found) if (trouble.kind === LOST) locate(machines, trouble)
      const violations = found.map((trouble) => ({ ...trouble, history: tell(trouble, ledger) }))
      return { violations, views, ms }
    }
    await sleep(LOOK_MS)
  }
}

/** Not lost but hidden, where a blob still has it. */
function locate(machines: readonly Machine[], trouble: Trouble): void {
  for (const { name, vault } of machines) {
    const blob = whereabouts(vault, PASSWORD).get(trouble.path)
    if (blob === undefined) continue
    trouble.kind = HIDDEN
    trouble.detail += `; at ${name} in ${blob}`
    return
  }
}

/** What is only remembered wrongly is right after a remount: the folders are alike, the drives are not. */
async function rememberLess(
  machines: readonly Machine[],
  ledger: Ledger,
  found: Trouble[],
): Promise<void> {
  for (const machine of machines) {
    machine.unmount()
    machine.mount()
  }
  const key = ({ kind, path }: Trouble): string => `${kind} ${path}`
  const still = new Set(compare(machines, await Promise.all(machines.map(look)), ledger).map(key))
  for (const trouble of found)
    if (!still.has(key(trouble))) trouble.kind = `until remounted: ${trouble.kind}`
}

export const isWarning = (line: string): boolean => / (warn|error) /.test(line)

function tell({ kind, path }: Trouble, ledger: Ledger): string[] {
  return ledger.history([kind.endsWith(LOST) || kind.endsWith(HIDDEN) ? short(path) : path])
}

function compare(machines: readonly Machine[], views: readonly View[], ledger: Ledger): Trouble[] {
  const troubles: Trouble[] = []
  const hashes = new Set<string>()
  const shown = views.map(unnumbered)
  for (const path of [...new Set(shown.flatMap((one) => [...one.keys()]))].sort()) {
    const seen = shown.map((one) => one.get(path)?.sort().join(' and ') ?? 'nothing')
    if (new Set(seen).size > 1) {
      const detail = machines.map(({ name }, i) => `${name}: ${seen[i] ?? ''}`).join(', ')
      troubles.push({ kind: 'drives differ', path, detail })
    }
  }
  for (const [i, view] of views.entries())
    for (const [path, { error, hash }] of view) {
      const name = machines[i]?.name ?? ''
      if (error !== undefined)
        troubles.push({ kind: `${UNREADABLE} ${error}`, path, detail: `at ${name}` })
      if (hash === undefined) continue
      hashes.add(hash)
      if (ledger.get(hash) === undefined && hash !== EMPTY)
        troubles.push({ kind: 'unknown content', path, detail: `at ${name}: ${short(hash)}` })
    }
  for (const { hash, told } of ledger.owed())
    if (!hashes.has(hash)) troubles.push({ kind: LOST, path: hash, detail: told })
  return troubles
}

/**
 * What there is, by path. Of several copies of one origin each machine numbers those that it has met, and
 * no name changes while a drive is mounted: which of them has which number says nothing.
 */
function unnumbered(view: View): Map<string, string[]> {
  const shown = new Map<string, string[]>()
  for (const found of view.values()) {
    const path = found.path.replaceAll(/(\(conflict(?:, [^()/]+?)?), \d{1,3}\)/g, '$1)')
    shown.set(path, [...(shown.get(path) ?? []), describe(found)])
  }
  return shown
}

function describe(found: Found): string {
  if (found.type !== 'file') return found.type
  return found.error ?? short(found.hash ?? '')
}

/** A file that the transfer did not touch, and that could not be read meanwhile. */
export function unreadable(
  machine: Machine,
  spans: readonly Span[],
  before: View,
  after: View,
  interval: number,
): Trouble[] {
  return spans
    .filter(({ path, from, to }) => {
      const hash = before.get(path)?.hash
      return hash !== undefined && hash === after.get(path)?.hash && to - from > interval
    })
    .map(({ path, code, from, to }) => ({
      kind: `${UNREADABLE} ${code} while others came`,
      path,
      detail: `at ${machine.name}, for ${to - from} ms`,
    }))
}
