// A cloud that moves things about: blobs, metas, tickets and whole directories under names that are
// not theirs. FORMAT.md §5, check 4, and §7.

import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { needs } from '../needs.js'
import { attack, AttackedVault, C, LONG } from './attacked.js'

if (!needs(t, 'linux')) process.exit(0)

function swap(a: string, b: string): void {
  renameSync(a, `${a}.aside`)
  renameSync(b, a)
  renameSync(`${a}.aside`, b)
}

const metaOf = (directory: string): string =>
  join(
    directory,
    readdirSync(directory).find((name) => name.endsWith('.cfm'))!,
  )
const ticketsIn = (directory: string): string[] =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.cfr'))
    .map((name) => join(directory, name))

t.test('blobs', async (t) => {
  attack(t, 'two files of one size are swapped', (vault) => {
    swap(vault.blob('/a'), vault.blob('/b'))
    return { refused: ['/a', '/b'] }
  })
  attack(t, 'one file is copied over another', (vault) => {
    cpSync(vault.blob('/a'), vault.blob('/b'))
    return { refused: ['/b'] }
  })
  attack(t, 'an empty file is swapped with a full one', (vault) => {
    swap(vault.blob('/a'), vault.blob('/empty'))
    return { refused: ['/a', '/empty'] }
  })
  attack(t, 'files of the same name change places between directories', (vault) => {
    swap(vault.blob('/d/a'), vault.blob('/e/a'))
    return { refused: ['/d/a', '/e/a'] }
  })
  attack(t, 'a blob is moved into another directory under its own name', (vault) => {
    const blob = vault.blob('/d/x')
    renameSync(blob, join(vault.blob('/e'), blob.slice(dirname(blob).length + 1)))
    return { gone: ['/d/x'] }
  })
  attack(t, 'links are swapped', (vault) => {
    swap(vault.blob('/link'), vault.blob('/link2'))
    return { refused: ['/link', '/link2'] }
  })
  attack(t, 'a file is made a link', (vault) => {
    renameSync(vault.blob('/d/x'), vault.beside('/d/x', '.cfl'))
    return { refused: ['/d/x'] }
  })
  attack(t, 'a link is made a file', (vault) => {
    renameSync(vault.blob('/link'), vault.beside('/link', '.cff'))
    return { refused: ['/link'] }
  })
  attack(t, 'a file is made a special node', (vault) => {
    renameSync(vault.blob('/d/x'), vault.beside('/d/x', '.cfs'))
    return { refused: ['/d/x'] }
  })
  attack(t, 'a link is put beside a file of its name', (vault) => {
    cpSync(vault.blob('/link'), vault.beside('/a', '.cfl'))
    return {}
  })
  for (const content of ['', 'x', 'x'.repeat(176), 'x'.repeat(100_000)]) {
    attack(t, `a sidecar is overwritten with ${content.length} bytes`, (vault, t) => {
      writeFileSync(vault.beside(`/${LONG}`, '.cfn'), content)
      const session = vault.open()
      t.ok(session.list('').has(LONG), 'the name is known from the seal')
      session.close()
      return {}
    })
  }
  attack(t, 'long names: one blob under the other’s', (vault) => {
    const session = vault.open()
    const other = `/${'ö'.repeat(120)}`
    vault.store(session, other, Buffer.from('other'))
    session.close()
    const [long] = [...vault.truth.keys()].filter((path) => path.startsWith('/ü'))
    swap(vault.blob(long!), vault.blob(other))
    return { refused: [long!, other] }
  })
})

t.test('special nodes change places', async (t) => {
  const vault = new AttackedVault(t)
  const session = vault.open()
  session.mknod('/fifo', 0o010600)
  session.mknod('/socket', 0o140600)
  session.close()
  swap(vault.blob('/fifo'), vault.blob('/socket'))
  t.match(vault.judge().get('/fifo')?.problem, /another place/)
  const again = vault.open()
  for (const path of ['/fifo', '/socket']) {
    t.not(again.type(path), 'special', `${path} is no node that it was not`)
    t.throws(() => again.read(path), { name: 'CofferError' })
  }
  again.close()
})

t.test('directories', async (t) => {
  attack(t, 'two directories are swapped', (vault) => {
    swap(vault.blob('/d'), vault.blob('/e'))
    return { refused: ['/d', '/e'] }
  })
  attack(t, 'a directory is copied over another', (vault) => {
    const [from, to] = [vault.blob('/d'), vault.blob('/e')]
    rmSync(to, { recursive: true })
    cpSync(from, to, { recursive: true })
    return { refused: ['/e'] }
  })
  attack(t, 'a directory is moved into another under its own name', (vault) => {
    const blob = vault.blob('/d')
    renameSync(blob, join(vault.blob('/e'), blob.slice(dirname(blob).length + 1)))
    return { gone: ['/d'] }
  })
  attack(t, 'metas are swapped', (vault) => {
    swap(metaOf(vault.blob('/d')), metaOf(vault.blob('/e')))
    return { refused: ['/d', '/e'] }
  })
  attack(t, 'a meta is replaced by another directory’s', (vault) => {
    cpSync(metaOf(vault.blob('/d')), metaOf(vault.blob('/e')))
    return { refused: ['/e'] }
  })
  attack(t, 'another directory’s meta is added', (vault) => {
    const [from, to] = [vault.blob('/d'), vault.blob('/e')]
    cpSync(metaOf(from), join(to, metaOf(from).slice(from.length + 1)))
    return {}
  })
  attack(t, 'a meta is gone', (vault) => {
    rmSync(metaOf(vault.blob('/e')))
    return { refused: ['/e'] }
  })
  attack(t, 'a meta is cut, and a copy of it is whole', (vault) => {
    const meta = metaOf(vault.blob('/e'))
    cpSync(meta, `${meta.slice(0, -4)} (copy).cfm`)
    writeFileSync(meta, readFileSync(meta).subarray(0, 1000))
    return {}
  })
  attack(t, 'a meta is longer than a header', (vault) => {
    const meta = metaOf(vault.blob('/e'))
    writeFileSync(meta, Buffer.concat([readFileSync(meta), Buffer.alloc(1)]))
    return { refused: ['/e'] }
  })
  attack(t, 'a file’s header is taken for a meta', (vault) => {
    writeFileSync(metaOf(vault.blob('/e')), vault.bytes('/a').subarray(0, 1024))
    return { refused: ['/e'] }
  })
  attack(t, 'a directory is moved to where it was before a rename', (vault) => {
    const session = vault.open()
    const before = vault.blob('/d')
    session.rename('/d', '/f')
    session.close()
    for (const path of [...vault.truth.keys()].filter((p) => p === '/d' || p.startsWith('/d/'))) {
      vault.truth.set(path.replace('/d', '/f'), vault.truth.get(path)!)
    }
    renameSync(vault.blob('/f'), before)
    return { refused: ['/d'], gone: ['/f'] }
  })
})

t.test('swapped under a drive that knows both', async (t) => {
  const vault = new AttackedVault(t)
  const session = vault.open({ holdInodes: true })
  for (const [path, stored] of vault.truth)
    if (stored !== null) t.same(vault.outcome(session, path), stored)
  swap(vault.blob('/a'), vault.blob('/b'))
  swap(vault.blob('/d'), vault.blob('/e'))
  for (const path of ['/a', '/b', '/d/a', '/e/a', '/d/x'])
    t.type(vault.outcome(session, path), 'number', path)
  session.close()
})

t.test('a file that is open is given another name by the cloud', async (t) => {
  const vault = new AttackedVault(t)
  const session = vault.open()
  const held = session.open('/a')
  renameSync(vault.blob('/a'), vault.blob('/b'))
  t.type(vault.outcome(session, '/b'), 'number', '/b is not what is open as /a')
  held.write(0, Buffer.from('mine'))
  try {
    held.close()
  } catch (error) {
    t.match(error, { name: 'CofferError' })
  }
  t.type(vault.outcome(session, '/b'), 'number', 'nor does a commit make it so')
  t.not(vault.judge().get('/b')?.problem, null, 'nor is it sealed as /b')
  session.close()
})

t.test('tickets', async (t) => {
  /** /a, at rest, has become /r by a ticket. */
  const renamed = (vault: AttackedVault): string => {
    const session = vault.open()
    session.rename('/a', '/r')
    session.close()
    vault.truth.set('/r', vault.truth.get('/a')!)
    vault.truth.delete('/a')
    const [ticket] = ticketsIn(vault.backing(''))
    return ticket!
  }
  attack(t, 'a ticket lets the file bear its new name', (vault) => {
    renamed(vault)
    return {}
  })
  attack(t, 'the ticket is taken away', (vault) => {
    rmSync(renamed(vault))
    return { refused: ['/r'] }
  })
  attack(t, 'the ticket is laid beside another name', (vault) => {
    const ticket = renamed(vault)
    const base = vault.beside('/b', '').slice(dirname(ticket).length + 1)
    cpSync(ticket, join(dirname(ticket), base + ticket.slice(-21)))
    cpSync(vault.blob('/r'), vault.blob('/b'))
    return { refused: ['/b'] }
  })
  attack(t, 'the ticket of another object', (vault) => {
    const ticket = renamed(vault)
    const session = vault.open()
    session.rename('/b', '/s')
    session.close()
    vault.truth.set('/s', vault.truth.get('/b')!)
    vault.truth.delete('/b')
    const other = ticketsIn(vault.backing('')).find((path) => path !== ticket)!
    cpSync(ticket, other)
    return { refused: ['/s'] }
  })
  attack(t, 'an old ticket is replayed after a commit', (vault) => {
    const ticket = renamed(vault)
    const kept = readFileSync(ticket)
    const place = vault.blob('/r')
    const session = vault.open()
    session.setattr('/r', { size: C })
    vault.truth.set('/r', vault.truth.get('/r')!.subarray(0, C))
    vault.skew += 10_000
    session.rename('/r', '/s')
    session.close()
    vault.truth.set('/s', vault.truth.get('/r')!)
    t.notOk(ticketsIn(vault.backing('')).includes(ticket))
    // the seal now says /r itself: a move back is what it allows; a write under /s ends that
    const again = vault.open()
    again.setattr('/s', { size: C - 1 })
    again.close()
    vault.truth.set('/s', vault.truth.get('/s')!.subarray(0, C - 1))
    renameSync(vault.blob('/s'), place)
    writeFileSync(ticket, kept)
    return { refused: ['/r'], gone: ['/s'] }
  })
  t.test('every byte of a ticket', async (t) => {
    const vault = new AttackedVault(t)
    const ticket = renamed(vault)
    const good = readFileSync(ticket)
    const session = vault.open()
    for (let at = 0; at < good.length; at++) {
      const bad = Buffer.from(good)
      bad[at]! ^= 0x04
      writeFileSync(ticket, bad)
      t.type(vault.outcome(session, '/r'), 'number', `byte ${at}`)
    }
    for (const bytes of [Buffer.alloc(0), good.subarray(0, 447), Buffer.concat([good, good])]) {
      writeFileSync(ticket, bytes)
      t.type(vault.outcome(session, '/r'), 'number')
    }
    writeFileSync(ticket, good)
    t.same(vault.outcome(session, '/r'), vault.truth.get('/r'))
    session.close()
  })
  attack(t, 'junk beside a file that needs no ticket', (vault) => {
    const id = vault.bytes('/b').toString('hex', 16, 24)
    writeFileSync(`${vault.beside('/b', '')}-${id}.cfr`, Buffer.alloc(448, 1))
    return {}
  })
})
