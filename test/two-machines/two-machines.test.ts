// Two machines, Syncthing in between, for a few rounds: nothing is lost, hidden, mixed up, changed under an
// open file, unreadable or refused. scripts/two-machines plays for longer. What only a drive that was not
// remounted shows otherwise is told here, and fails nothing: the judge waits for seconds, and a busy
// machine may take longer.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { needs } from '../needs.js'
import { weekOverSyncthing } from './over-syncthing.js'

const ROUNDS = 3
const SEED = Number(process.env['COFFER_SEED'] ?? 7)
const FEWEST = 40
const LATE = 'until remounted: '

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
    const late = round.violations.filter(({ kind }) => kind.startsWith(LATE))
    for (const { kind, path, detail } of late) t.comment(`${kind}: ${path}: ${detail}`)
    const grave = round.violations.filter(({ kind }) => !kind.startsWith(LATE))
    t.same(grave, [], `round ${round.number}, seed ${SEED}`)
    t.ok(round.operations >= FEWEST, 'both sides were busy')
    t.comment(round.events.join(', '))
  }
})
