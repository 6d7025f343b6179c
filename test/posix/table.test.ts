// The table of the suite: system call x flags x outcome, no two lines alike in all three, and each
// asserts the outcome that it says.

import t from 'tap'
import { behaviours } from './suite.js'

const ENOUGH = 300

const rows = Object.values(behaviours).flat()
const lines = rows.flatMap(([what, , expected, { call } = {}]) =>
  call === undefined ? [] : [{ what, expected, call }],
)

t.ok(lines.length >= ENOUGH, `${String(lines.length)} lines of ${String(rows.length)} rows`)
const seen = new Map<string, string>()
const twice: string[] = []
for (const { what, call } of lines) {
  const key = JSON.stringify(call)
  const before = seen.get(key)
  if (before !== undefined) twice.push(`${before} and ${what}`)
  seen.set(key, what)
}
t.same(twice, [], 'no two are alike')
t.same(
  lines.filter(({ expected, call: [, , outcome] }) =>
    outcome === 'ok' ? expected !== true : expected !== outcome || !/^E[A-Z0-9]+$/.test(outcome),
  ),
  [],
  'what is said is what is asserted',
)
for (const [topic, of] of Object.entries(behaviours)) {
  t.equal(
    new Set(of.map(([what]) => what)).size,
    of.length,
    `${topic}: every row has its own words`,
  )
}
