// A ticket outlives the name that it is for where another device may still have the object there: its
// client brings the blob back, and the ticket has been removed on all machines. FORMAT.md §7.

import { copyFileSync, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { TestVault, type Session } from './session.js'

if (!needs(t, 'linux')) process.exit(0)

const DAY_MS = 24 * 60 * 60 * 1000

function start(t: Test, devices: number): { vault: TestVault; session: Session; spare: string } {
  const vault = new TestVault()
  t.teardown(() => {
    vault.remove()
  })
  const names = Array.from({ length: devices }, (_, i) => ({
    id: (0xe0 + i).toString(16).repeat(16),
    name: `device ${String(i)}`,
    since: '2026-11-24T10:00:00Z',
  }))
  vault.devices = names
  const session = vault.open({ holdInodes: true })
  session.write('/a', 'content')
  // long ago for clients, so that the new name is given by a ticket
  vault.skew += 60_000
  session.rename('/a', '/b')
  vault.skew += 60_000
  // what another device has, and will bring back
  const spare = join(vault.state, 'spare')
  copyFileSync(vault.blob('/b'), spare)
  return { vault, session, spare }
}

const tickets = ({ folder }: TestVault): string[] =>
  readdirSync(join(folder, 'data')).filter((name) => name.endsWith('.cfr'))

const ENDS: Record<string, (session: Session) => void> = {
  removed: (session) => {
    session.unlink('/b')
  },
  'replaced by a file at rest': (session) => {
    session.rename('/c', '/b')
  },
  'replaced by a new file': (session) => {
    session.write('/d', 'new')
    session.rename('/d', '/b')
  },
  'moved away': (session) => {
    session.rename('/b', '/e')
  },
  'moved away and written on': (session) => {
    session.rename('/b', '/e')
    const file = session.open('/e')
    file.write(7, Buffer.from(' and more'))
    file.close()
  },
}

t.test('the object is brought back', (t) => {
  for (const [what, end] of Object.entries(ENDS)) {
    const { vault, session, spare } = start(t, 2)
    session.write('/c', 'other')
    vault.skew += 60_000
    const blob = vault.blob('/b')
    end(session)
    const back = existsSync(blob)
      ? blob.replace('.cff', '.sync-conflict-20261129-164521-FWDT5MX.cff')
      : blob
    copyFileSync(spare, back)
    const shown = back === blob ? 'b' : 'b (conflict, FWDT5MX, 2026-11-29 16.45.21)'
    const names = [...session.list('/').keys()]
    t.ok(names.includes(shown), `${what}: ${names.join()}`)
    t.equal(session.read(`/${shown}`).toString(), 'content')
    session.close()
    t.equal(vault.open().read(`/${shown}`).toString(), 'content', 'also by the next drive')
    vault.remove()
  }
  t.end()
})

t.test('a ticket goes at once where nobody can need it, and later otherwise', (t) => {
  const alone = start(t, 1)
  alone.session.unlink('/b')
  t.same(tickets(alone.vault), [], 'one device')

  const { vault, session } = start(t, 2)
  session.write('/c', 'x')
  session.rename('/c', '/b')
  t.equal(tickets(vault).length, 1, 'two devices')
  vault.skew += 31 * DAY_MS
  session.write('/c', 'y')
  session.rename('/c', '/b')
  t.same(tickets(vault), [], 'a month later')
  t.end()
})
