// A disk that goes wrong once, at each change of a script in turn: it fails, or the machine stops in
// the midst of it. Afterwards a fresh drive shows every file, old or new, and what was said to be
// stored is stored. A run takes every fifth change; COFFER_FAULTS=all takes all, COFFER_SEED repeats.

import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import type { Fault } from './fault-backing.js'
import { replays, runs, type Run } from './faults.js'

const EVERY = process.env['COFFER_FAULTS'] === 'all' ? 1 : 5
const SEED = Number(process.env['COFFER_SEED'] ?? Date.now() % 1_000_000)
const SHOWN = 5

t.setTimeout(280_000)

const FAULTS: Record<string, Fault> = {
  'a change fails (EIO)': { kind: 'fails', code: 'EIO' },
  'a change fails (ENOSPC)': { kind: 'fails', code: 'ENOSPC' },
  'a write fails in its middle': { kind: 'short', code: 'ENOSPC' },
  'the machine stops': { kind: 'stops', blocks: 0 },
  'the machine stops within a write, after a block': { kind: 'stops', blocks: 1 },
  'the machine stops within a write, in its middle': { kind: 'stops', blocks: 'half' },
  'the machine stops, and nothing that was not synced is there': { kind: 'forgets', seed: 0 },
  'the machine stops, and some pages are not there': { kind: 'forgets', seed: 1 },
  'the machine stops, and some pages and names are not there': { kind: 'forgets', seed: 2 },
  'the machine stops, and pages are of any moment': { kind: 'forgets', seed: 3 + SEED },
}

function judged(t: Test, all: Iterable<Run>): void {
  const kinds: Record<string, number> = {}
  let [changes, hits, unsynced] = [0, 0, 0]
  for (const { at, hit, violations } of all) {
    changes++
    if (hit !== null) hits++
    for (const { kind, detail } of violations) {
      // of what is new and was never synced, a machine that stops may keep anything
      if (kind.startsWith('unsynced')) unsynced++
      else if ((kinds[kind] = (kinds[kind] ?? 0) + 1) <= SHOWN)
        t.comment(`${kind}: change ${at}, ${hit ?? ''}: ${detail}`)
    }
  }
  t.same(kinds, {}, `${hits} of ${changes} changes went wrong`)
  t.ok(hits > 10, 'there was enough that could go wrong')
  t.comment(`${unsynced} times something new that was never synced could not be read`)
}

for (const [index, [name, fault]] of Object.entries(FAULTS).entries()) {
  void t.test(`${name}, seed ${SEED}`, async (t) => {
    if (needs(t, 'linux')) judged(t, runs(fault, 1 + ((SEED + index) % EVERY), EVERY))
  })
}

const AGAIN: Record<string, Fault> = {
  'it fails (EIO)': { kind: 'fails', code: 'EIO' },
  'the machine stops again': { kind: 'stops', blocks: 'half' },
}

for (const [name, fault] of Object.entries(AGAIN)) {
  void t.test(`when the next drive makes good for a stop, ${name}, seed ${SEED}`, async (t) => {
    const every = 5 * EVERY
    if (needs(t, 'linux')) judged(t, replays(fault, 1 + (SEED % every), every))
  })
}
