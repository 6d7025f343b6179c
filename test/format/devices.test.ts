// The list of devices in the config: names for people, brought together whoever wrote them.

import t from 'tap'
import {
  deviceNameOf,
  DEVICES_MAX,
  knownDevices,
  mergeDevices,
  withDevice,
} from '../../lib/format/devices.js'

const id = (n: number): string => n.toString(16).padStart(32, '0')
const device = (n: number, name: string) => ({ id: id(n), name, since: '2026-11-24T10:00:00Z' })

t.test('a name in one line, for people and for file names', async (t) => {
  const cases: [string, string][] = [
    ["Anna's MacBook", "Anna's MacBook"],
    ['  much \t\n space\u00a0here ', 'much space here'],
    ['a/b\u0000c\u001b[1md', 'abc[1md'],
    ['\u202egnp.exe\u202c', 'gnp.exe'],
    ['Gru\u0308\u00dfe', 'Gr\u00fc\u00dfe'],
    ['\ud800lone', 'lone'],
    [' / ', ''],
    ['x'.repeat(70), 'x'.repeat(64)],
    ['\u00e4'.repeat(40), '\u00e4'.repeat(32)],
    [`${'x'.repeat(63)}\u{1f4bb}`, 'x'.repeat(63)],
  ]
  for (const [text, name] of cases) t.equal(deviceNameOf(text), name)
})

t.test('what makes no sense is passed over, and kept', async (t) => {
  const odd = [
    null,
    7,
    'x',
    {},
    { id: 'short', name: 'a' },
    { id: id(1) },
    { id: id(2), name: '/' },
  ]
  t.same(knownDevices(odd), [])
  t.same(knownDevices([...odd, { ...device(3, 'a/b'), since: 9, more: 1 }, device(3, 'again')]), [
    { id: id(3), name: 'ab', since: '' },
  ])
  t.same(mergeDevices([odd, [device(4, 'four'), 'y']]), [...odd, device(4, 'four')])
  t.same(withDevice(odd, device(5, 'five')), [...odd, device(5, 'five')])
})

t.test('a device is noted once for each name', async (t) => {
  const list = withDevice([], device(1, 'one')) ?? []
  t.same(list, [device(1, 'one')])
  t.equal(withDevice(list, { ...device(1, 'one'), since: 'later' }), null)
  const renamed = withDevice([{ ...device(1, 'one'), more: 1 }, device(2, 'two')], {
    ...device(1, 'uno'),
    since: 'later',
  })
  t.same(renamed, [{ ...device(1, 'uno'), more: 1 }, device(2, 'two')], 'the first time stays')
  const full = Array.from({ length: DEVICES_MAX }, (_, n) => device(n, 'x'))
  t.equal(withDevice(full, device(DEVICES_MAX, 'one more')), null, 'there is an end to it')
  t.ok(withDevice(full, device(3, 'another name')))
})

t.test('lists that were written apart; of two names that of the first list', async (t) => {
  const merged = mergeDevices([
    [device(1, 'one')],
    [device(2, 'two'), device(1, 'old')],
    [device(3, 'three'), device(2, 'older')],
  ])
  t.same(merged, [device(1, 'one'), device(2, 'two'), device(3, 'three')])
  t.same(mergeDevices([]), [])
})
