// Clocks that do not agree: of two devices, and of one before and after it was set. What came last is
// decided by sequence numbers, and no time from elsewhere is taken for one of ours.

import {
  existsSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { TestVault } from './session.js'

const YEAR_MS = 365 * 24 * 60 * 60 * 1000

function vaultOf(t: Test): TestVault {
  const vault = new TestVault()
  t.teardown(() => {
    vault.remove()
  })
  return vault
}

for (const [what, ahead] of [
  ['a year ahead', YEAR_MS],
  ['a year behind', -YEAR_MS],
] as const) {
  t.test(`a device whose clock is ${what}: the last to write is right, on both`, async (t) => {
    const vault = vaultOf(t)
    const there = vault.open({ device: 0xe1, ahead })
    const here = vault.open()
    for (let n = 0; n < 4; n++) {
      const writer = n % 2 === 0 ? there : here
      if (n === 0) writer.write('/file', '0')
      else {
        const file = writer.open('/file')
        file.write(0, Buffer.from(String(n)))
        file.close()
      }
      for (const reader of [here, there, vault.open()])
        t.equal(reader.read('/file').toString(), String(n))
    }
    there.mkdir('/d')
    there.write('/d/a', 'a')
    here.rename('/d/a', '/d/b')
    there.rename('/d', '/e')
    here.rename('/e/b', '/e/c')
    there.link('/e/c', '/e/link')
    here.unlink('/e/c')
    here.write('/e/new', 'x')
    there.rename('/e/new', '/file')
    const fresh = vault.open()
    t.same([...fresh.list('/').keys()].sort(), ['e', 'file'])
    t.same([...fresh.list('/e').keys()], ['link'])
    t.equal(fresh.read('/e/link').toString(), 'a')
    t.equal(fresh.read('/file').toString(), 'x')
    t.same([...vault.judge().keys()].sort(), ['/e', '/e/link', '/file'])
  })
}

t.test('a clock that jumps between any two operations', async (t) => {
  const vault = vaultOf(t)
  const journalFolder = vault.state
  let session = vault.open({ journalFolder })
  const expected = new Map<string, string>()
  for (let n = 0; n < 60; n++) {
    vault.skew = [0, YEAR_MS, -YEAR_MS, 3000, -3000, 0][n % 6] ?? 0
    const path = `/f${n % 7}`
    const content = `${n}`.repeat(1 + ((n * 997) % 9000))
    if (expected.has(path)) session.unlink(path)
    const file = session.create(path)
    file.write(0, Buffer.from(content))
    vault.skew = -vault.skew
    if (n % 3 === 0) file.sync()
    session.drive.tend()
    file.close()
    expected.set(path, content)
    vault.skew += n % 2 === 0 ? YEAR_MS : -YEAR_MS
    const to = `/f${(n * 3) % 7}`
    if (to !== path) {
      session.rename(path, to)
      expected.delete(path)
      expected.set(to, content)
    }
    if (n % 20 === 19) {
      session.close()
      session = vault.open({ journalFolder })
      t.same(session.log, [], 'nothing to finish, nothing to tell')
    }
  }
  for (const [path, content] of expected) t.equal(session.read(path).toString(), content)
  t.same([...vault.judge().keys()].sort(), [...expected.keys()].sort())
})

t.test('a file that was closed before the clock was set back is not a young one', async (t) => {
  const vault = vaultOf(t)
  const session = vault.open({ holdInodes: true })
  vault.skew = YEAR_MS
  session.write('/file', 'x')
  vault.skew = 0
  const before = readFileSync(vault.blob('/file'))
  session.rename('/file', '/moved')
  t.ok(readFileSync(vault.blob('/moved')).equals(before), 'its blob stays as it is')
  t.equal(session.read('/moved').toString(), 'x')
})

t.test('a ticket from a machine whose clock is ahead has been seen by clients', async (t) => {
  for (const [ahead, stays] of [
    [0, false],
    [YEAR_MS, true],
  ] as const) {
    const vault = vaultOf(t)
    const session = vault.open({ holdInodes: true })
    session.write('/a', 'x')
    session.link('/a', '/b')
    const data = join(vault.folder, 'data')
    const [ticket = ''] = readdirSync(data).filter((name) => name.endsWith('.cfr'))
    const time = (Date.now() + ahead) / 1000
    utimesSync(join(data, ticket), time, time)
    session.unlink('/a')
    t.equal(existsSync(join(data, ticket)), stays)
    t.equal(session.read('/b').toString(), 'x')
    t.equal(vault.open().read('/b').toString(), 'x')
  }
})

t.test('a clock that was set back does not make an overflow last', async (t) => {
  if (!needs(t, 'linux')) return
  const vault = vaultOf(t)
  const session = vault.open({ watched: true })
  session.list('/')
  vault.skew = YEAR_MS
  const queue = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'latin1'))
  for (let n = 0; n < queue / 2 + 10; n++) {
    const file = join(vault.folder, 'data', `x${n % 2}`)
    writeFileSync(file, '')
    unlinkSync(file)
  }
  session.drive.tend()
  const problem = (): string => session.drive.counters.watch?.problem ?? ''
  t.match(problem(), /more happened/)
  vault.skew = 0
  t.match(problem(), /more happened/, 'for a minute')
  vault.skew = 61_000
  t.equal(problem(), '')
})

t.test('a time that is set here is not taken for that of an arrival', async (t) => {
  if (!needs(t, 'linux')) return
  const vault = vaultOf(t)
  vault.open({ device: 0xe1, ahead: -YEAR_MS }).write('/file', 'x')
  const here = vault.open({ watched: true, holdInodes: true })
  here.list('/')
  const before = Math.floor(Date.now() / 1000)
  here.setattr('/file', { mtime: 'now' })
  while (here.drive.tend() === 0);
  t.ok(here.stat('/file').mtimeSec >= before, 'though its seal is a year older')
})
