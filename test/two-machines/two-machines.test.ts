// Two machines, Syncthing in between, for a few rounds: nothing is lost, hidden, mixed up or changed under
// an open file. Whether everything can be reached at once is judged by scripts/two-machines alone, which
// plays for longer: where both sides rename and remove the same directories, one may still wait for its
// meta file for ten minutes or longer, and its parent cannot be removed meanwhile. So those are told here,
// and fail nothing.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { needs } from '../needs.js'
import { weekOverSyncthing } from './over-syncthing.js'

const ROUNDS = 3
const SEED = Number(process.env['COFFER_SEED'] ?? 7)
const FEWEST = 40
const LATE = /^(until remounted: )?(unreadable|refused (EIO|ENOTEMPTY)$|drives differ)/

t.setTimeout(280_000)

void t.test(`${ROUNDS} rounds`, async (t) => {
  if (
    !needs(
      t,
      'root',
      'mount',
      'fuse',
      'fusermount3',
      'syncthing',
      'ip',
      'nsenter',
      'setpriv',
      'faketime',
    )
  )
    return
  const scratch = mkdtempSync(join(tmpdir(), 'coffer-week-'))
  const endings: (() => void)[] = []
  t.teardown(() => {
    for (const undo of endings.reverse()) undo()
    rmSync(scratch, { recursive: true, force: true })
  })
  const week = { rounds: ROUNDS, seed: SEED, bigBytes: 0, bigEvery: 0 }
  for await (const round of weekOverSyncthing(scratch, (undo) => endings.push(undo), week)) {
    const late = round.violations.filter(({ kind }) => LATE.test(kind))
    for (const { kind, path, detail } of late) t.comment(`${kind}: ${path}: ${detail}`)
    const grave = round.violations.filter(({ kind }) => !LATE.test(kind))
    t.same(grave, [], `round ${round.number}, seed ${SEED}`)
    t.ok(round.operations >= FEWEST, 'both sides were busy')
    t.comment(round.events.join(', '))
  }
})
