// A drive whose agent is killed again and again while it is written to; scripts/crash does it longer.

import t from 'tap'
import { needs } from '../needs.js'
import { Drive, scratch } from '../posix/drive.js'
import { killLoop } from './kills.js'

const KILLS = 20
const SEED = Number(process.env['COFFER_SEED'] ?? Date.now() % 1_000_000)

t.setTimeout(120_000)

void t.test(`${KILLS} kills`, async (t) => {
  if (!needs(t, 'fuse', 'linux')) return
  const home = scratch(t, 'crash')
  const drive = new Drive(t, home)
  let operations = 0
  await killLoop(drive, home, KILLS, SEED, (kill) => {
    operations += kill.operations
    t.same(kill.violations, [], `kill ${kill.number} after ${kill.operations} operations`)
  })
  t.ok(operations > 5 * KILLS, 'the drive was busy when it was killed')
  t.comment(`${operations} operations, seed ${SEED}`)
})
