// What a small new file costs in calls to the system: each is a good part of what making it takes.

import t from 'tap'
import { emptyEntry } from '../../lib/fs/filesystem.js'
import { openBacking, type Backing } from '../../lib/store/backing.js'
import { needs } from '../needs.js'
import { CALLER, TestVault } from './session.js'

/** Counts calls by name. */
function counted(): { backing: Backing; calls: Map<string, number> } {
  const calls = new Map<string, number>()
  const backing = { ...openBacking() }
  for (const [name, act] of Object.entries(backing) as [string, unknown][]) {
    if (typeof act !== 'function') continue
    const counting = (...args: unknown[]): unknown => {
      calls.set(name, (calls.get(name) ?? 0) + 1)
      return (act as (...args: unknown[]) => unknown)(...args)
    }
    Object.assign(backing, { [name]: counting })
  }
  return { backing, calls }
}

/** The calls that a file of 4 KiB makes in a folder that has one already, looked for first as kernels do. */
function ofOneFile(vault: TestVault): (name: string) => number {
  const { backing, calls } = counted()
  const session = vault.open({ backing, watched: true, holdInodes: true })
  session.mkdir('/d')
  session.write('/d/first', 'content')
  session.drive.tend()
  const { drive } = session
  session.at('/d', (parent) => {
    const entry = emptyEntry()
    calls.clear()
    drive.lookup(parent, 'second', entry)
    const { fh } = drive.create(parent, 'second', 0o644, 0, CALLER, entry)
    drive.write(fh, 0, Buffer.alloc(4096, 1), 0, 4096, false)
    drive.flush(fh)
    drive.release(fh)
    drive.forget(entry.nodeid, 1)
  })
  const made = new Map(calls)
  session.close()
  return (name) => made.get(name) ?? 0
}

t.test('a small new file asks the system for little', async (t) => {
  if (!needs(t, 'linux')) return
  const vault = new TestVault()
  t.teardown(() => {
    vault.remove()
  })
  const umask = process.umask(0o022)
  t.teardown(() => process.umask(umask))
  const times = ofOneFile(vault)
  // its four kinds, once, and the folder's own for its owner
  t.ok(times('stat') <= 5, `${String(times('stat'))} looks at names`)
  t.ok(times('statFd') <= 2, `${String(times('statFd'))} looks at the blob`)
  t.equal(times('chmodFd'), 0)
  t.equal(times('chownFd'), 0)
  t.equal(times('utimes'), 1, 'the folder gets its time with the name')
  t.ok(times('write') <= 2, 'nothing is told to the journal by itself')
})

t.test(
  'a folder has the time of what was made in it, before that has a name and after',
  async (t) => {
    if (!needs(t, 'linux')) return
    const vault = new TestVault()
    t.teardown(() => {
      vault.remove()
    })
    const session = vault.open()
    session.mkdir('/d')
    const at = (): number => {
      const { mtimeSec, mtimeNsec } = session.stat('/d')
      return mtimeSec * 1e9 + mtimeNsec
    }
    vault.skew = 5000
    const before = at()
    const file = session.create('/d/f')
    file.write(0, Buffer.from('content'))
    const made = at()
    t.ok(made > before)
    vault.skew = 9000
    const later = session.create('/d/later')
    const again = at()
    t.ok(again > made)
    vault.skew = 20_000
    file.close()
    t.equal(at(), again, 'a name that comes does not move it')
    session.setattr('/d', { mtime: { sec: 1000, nsec: 7 } })
    later.write(0, Buffer.from('content'))
    later.close()
    t.equal(at(), 1000 * 1e9 + 7, 'nor what was set meanwhile')
    session.close()
  },
)
