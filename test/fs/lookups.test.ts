// What a lookup asks the vault folder for where that is watched: nothing for a name that is not there,
// one look for one that is. And that what others do there is seen at the next lookup all the same.

import {
  constants,
  copyFileSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { emptyEntry } from '../../lib/fs/filesystem.js'
import { openBacking, type Backing } from '../../lib/store/backing.js'
import { needs } from '../needs.js'
import { TestVault, type Session } from './session.js'

const { O_RDONLY } = constants

interface Counted {
  vault: TestVault
  session: Session
  /** names that the drive has looked for by what `act` does */
  looks: (act: () => void) => string[]
}

function start(t: Test, prepare: (session: Session) => void): Counted {
  const vault = new TestVault()
  t.teardown(() => {
    vault.remove()
  })
  const first = vault.open()
  prepare(first)
  first.close()
  let seen: string[] = []
  const backing: Backing = {
    ...openBacking(),
    stat(dirfd, name, out) {
      seen.push(name)
      return openBacking().stat(dirfd, name, out)
    },
  }
  const session = vault.open({ backing, watched: true, holdInodes: true })
  return {
    vault,
    session,
    looks(act) {
      seen = []
      act()
      return seen
    },
  }
}

void t.test('names that are there and names that are not', (t) => {
  if (!needs(t, 'linux')) return
  const { session, looks } = start(t, (session) => {
    session.mkdir('/d')
    for (let i = 0; i < 20; i++) session.write(`/d/f${String(i)}`, 'content')
    session.mkdir('/d/below')
    session.symlink('/d/link', 'target')
  })
  t.ok(session.exists('/d/f0'))
  session.at('/d', (parent) => {
    const entry = emptyEntry()
    const { drive } = session
    const missing = looks(() => {
      for (let i = 0; i < 100; i++) t.notOk(drive.lookup(parent, `missing ${String(i)}`, entry))
      t.notOk(drive.lookup(parent, 'x'.repeat(200), entry))
    })
    t.same(missing, [])
    const there = looks(() => {
      for (let i = 0; i < 20; i++) t.ok(drive.lookup(parent, `f${String(i)}`, entry))
      t.ok(drive.lookup(parent, 'below', entry))
      t.ok(drive.lookup(parent, 'link', entry))
    })
    t.equal(there.length, 22)
  })
  t.end()
})

void t.test('what is listed is looked at once, and not looked for', (t) => {
  if (!needs(t, 'linux')) return
  const { session, looks } = start(t, (session) => {
    session.mkdir('/d')
    for (let i = 0; i < 20; i++) session.write(`/d/f${String(i)}`, 'content')
  })
  session.at('/d', (parent) => {
    const { drive } = session
    const entry = emptyEntry()
    const fh = drive.opendir(parent)
    const seen = looks(() => {
      drive.readdir(fh, 0, (name) => {
        if (!name.startsWith('.')) t.ok(drive.lookup(parent, name, entry), name)
        return true
      })
    })
    t.equal(seen.length, 20)
    // one that goes while the listing is shown is not there
    drive.readdir(fh, 0, (name) => {
      if (name.startsWith('.')) return true
      drive.unlink(parent, name)
      t.notOk(drive.lookup(parent, name, entry), name)
      return true
    })
    drive.releasedir(fh)
    t.equal(session.list('/d').size, 0)
  })
  t.end()
})

void t.test('no ticket is looked for where none lies, and none is missed', (t) => {
  if (!needs(t, 'linux')) return
  const { session, looks } = start(t, (session) => {
    session.mkdir('/d')
    session.write('/d/f', 'content')
    session.write('/d/g', 'content')
  })
  const tickets = looks(() => {
    t.equal(String(session.read('/d/f')), 'content')
  }).filter((name) => name.endsWith('.cfr'))
  t.same(tickets, [])
  session.rename('/d/g', '/d/moved')
  t.equal(String(session.read('/d/moved')), 'content')
  session.link('/d/f', '/d/linked')
  t.equal(String(session.read('/d/linked')), 'content')
  t.end()
})

void t.test('what others do is seen at once', (t) => {
  if (!needs(t, 'linux')) return
  const { vault, session } = start(t, (session) => {
    session.mkdir('/d')
    session.write('/d/f', 'content')
    session.mkdir('/d/below')
  })
  const other = vault.open({ device: 0xe1 })
  t.notOk(session.exists('/d/new'))
  t.notOk(session.exists('/d/below/new'))
  other.write('/d/new', 'brought')
  t.equal(String(session.read('/d/new')), 'brought')
  other.write('/d/below/new', 'brought, too')
  t.equal(String(session.read('/d/below/new')), 'brought, too')
  other.unlink('/d/new')
  t.notOk(session.exists('/d/new'))
  other.rename('/d/f', '/d/g')
  t.notOk(session.exists('/d/f'))
  t.equal(String(session.read('/d/g')), 'content', 'with the ticket that has come')
  other.mkdir('/d/new')
  t.ok(session.exists('/d/new'))
  const long = 'l'.repeat(200)
  t.notOk(session.exists(`/d/${long}`))
  other.write(`/d/${long}`, 'long')
  t.equal(String(session.read(`/d/${long}`)), 'long')
  other.close()

  // as a sync client does, past any drive
  t.notOk(session.exists('/d/copied'))
  const blob = vault.blob('/d/g')
  const aside = join(vault.state, 'aside')
  copyFileSync(blob, aside)
  rmSync(blob)
  t.notOk(session.exists('/d/g'))
  renameSync(aside, blob)
  t.ok(session.exists('/d/g'))
  t.end()
})

void t.test('more than the kernel can tell', (t) => {
  if (!needs(t, 'linux')) return
  const { vault, session } = start(t, (session) => {
    session.mkdir('/d')
    session.write('/d/f', 'content')
    session.write('/d/g', 'content')
  })
  t.ok(session.exists('/d/f'))
  const blob = vault.blob('/d/g')
  const folder = join(blob, '..')
  const aside = join(vault.state, 'aside')
  renameSync(blob, aside)
  t.notOk(session.exists('/d/g'))
  // the queue takes 16384 events
  for (let i = 0; i < 20_000; i++) writeFileSync(join(folder, `other ${String(i)}`), '')
  renameSync(aside, blob)
  t.ok(session.exists('/d/g'))
  for (const name of readdirSync(folder)) if (name.startsWith('other')) rmSync(join(folder, name))
  mkdirSync(join(folder, 'last'))
  t.ok(session.exists('/d/g'))
  t.end()
})

void t.test('a file that only this drive has made', (t) => {
  if (!needs(t, 'linux')) return
  const { session } = start(t, (session) => {
    session.mkdir('/d')
  })
  t.notOk(session.exists('/d/a'))
  session.write('/d/a', 'content')
  t.ok(session.exists('/d/a'))
  session.rename('/d/a', '/d/b')
  t.notOk(session.exists('/d/a'))
  t.ok(session.exists('/d/b'))
  session.link('/d/b', '/d/c')
  session.symlink('/d/l', 'target')
  session.mkdir('/d/e')
  for (const name of ['b', 'c', 'l', 'e']) t.ok(session.exists(`/d/${name}`), name)
  const file = session.open('/d/b', O_RDONLY)
  session.unlink('/d/b')
  t.notOk(session.exists('/d/b'))
  file.close()
  t.end()
})
