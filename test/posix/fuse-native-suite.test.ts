// The suite over a drive of the driver fuse-native, and what that driver cannot do.

import { readFileSync } from 'node:fs'
import t from 'tap'
import { needs } from '../needs.js'
import { cannotDo, table } from './fuse-native-cannot.js'
import { rowName } from './row.js'
import { suiteOverDrive } from './suite-over-drive.js'
import { behaviours } from './suite.js'

t.setTimeout(280_000)

const NATIVE = ['--driver', 'fuse-native']
const NOTE = new URL('../../../native-notes/fuse-native.md', import.meta.url)

void t.test('what it cannot do is named once, and as the note has it', (t) => {
  const names = Object.entries(behaviours).flatMap(([topic, rows]) =>
    rows.map(([what]) => rowName(topic, what)),
  )
  const twice = names.filter((name, i) => cannotDo.has(name) && names.indexOf(name) !== i)
  t.same(twice, [], 'a name is one row')
  t.same(
    [...cannotDo].filter((name) => !names.includes(name)),
    [],
    'every name is a row of the suite',
  )
  const lines = readFileSync(NOTE, 'utf8').split('\n')
  const start = lines.indexOf('| topic | row of the suite | what forbids it |') + 2
  t.same(lines.slice(start, lines.indexOf('', start)), table(), 'the note has the same table')
  t.end()
})

void t.test('the suite', async (t) => {
  if (needs(t, 'fuse')) await suiteOverDrive(t, NATIVE, cannotDo)
})
