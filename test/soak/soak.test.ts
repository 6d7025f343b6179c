// A mounted drive beside a plain folder, a few thousand random operations long; scripts/soak does more.
// COFFER_SEED repeats a run.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { needs } from '../needs.js'
import { Drive, scratch } from '../posix/drive.js'
import { readable, soak } from './soak.js'

const OPERATIONS = 2000
const SEED = Number(process.env['COFFER_SEED'] ?? Date.now() % 1_000_000)

t.setTimeout(280_000)

void t.test(`${OPERATIONS} operations`, async (t) => {
  if (!needs(t, 'fuse', 'linux', 'root')) return
  const home = scratch(t, 'soak')
  const drive = new Drive(t, home)
  drive.mount()
  mkdirSync(join(home, 'plain'))
  const { operations, failure } = soak(drive, join(home, 'plain'), OPERATIONS, SEED, 150)
  if (failure !== null) t.comment(readable(failure))
  t.equal(failure?.reason ?? '', '', `seed ${SEED}`)
  drive.unmount()
  t.comment(`${operations} operations, seed ${SEED}`)
})
