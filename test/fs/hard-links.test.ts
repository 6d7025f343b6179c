// Files with several names, seen from the vault folder: which tickets lie there, what a commit seals.

import { copyFileSync, linkSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { TestVault } from './session.js'

if (!needs(t, 'linux')) process.exit(0)

function newVault(t: Test): TestVault {
  const vault = new TestVault(12)
  t.teardown(() => {
    vault.remove()
  })
  return vault
}
const tickets = (vault: TestVault): number =>
  readdirSync(join(vault.folder, 'data'), { recursive: true }).filter((name) =>
    String(name).endsWith('.cfr'),
  ).length
const content = (vault: TestVault): Record<string, string> =>
  Object.fromEntries(
    [...vault.judge()].map(([path, { content, problem }]) => [path, problem ?? content.toString()]),
  )

t.test('written, linked, unlinked, as git does: sealed under the name that is left', async (t) => {
  const vault = newVault(t)
  const session = vault.open({ holdInodes: true })
  session.write('/tmp', 'object')
  session.link('/tmp', '/object')
  t.equal(tickets(vault), 1)
  session.unlink('/tmp')
  t.equal(tickets(vault), 0)
  t.same(content(vault), { '/object': 'object' })
  session.close()
})

t.test('at rest the link ticket stays, and the next commit seals the name', async (t) => {
  const vault = newVault(t)
  const session = vault.open()
  session.write('/a', 'content')
  session.link('/a', '/b')
  vault.skew += 10_000
  session.unlink('/a')
  t.equal(tickets(vault), 1)
  session.setattr('/b', { size: 3 })
  vault.skew += 10_000
  session.rename('/b', '/c')
  t.same(content(vault), { '/c': 'con' })
  t.equal(tickets(vault), 1, 'that of the rename')
  session.close()
})

t.test('a name that this drive has not seen yet', async (t) => {
  const vault = newVault(t)
  const before = vault.open()
  before.write('/a', 'one ')
  before.link('/a', '/b')
  before.close()
  vault.skew += 10_000
  const session = vault.open()
  const file = session.open('/a')
  session.unlink('/a')
  file.write(4, Buffer.from('two'))
  t.equal(session.read('/b').toString(), 'one two', 'it is the file that is open')
  file.close()
  session.close()
  t.same(content(vault), { '/b': 'one two' })
})

t.test('a backup by hard links outside the vault does not lose a renamed file', async (t) => {
  const vault = newVault(t)
  const session = vault.open()
  session.write('/a', 'content')
  vault.skew += 10_000
  session.rename('/a', '/b')
  linkSync(vault.blob('/b'), join(vault.folder, 'backup'))
  session.setattr('/b', { size: 4 })
  session.setattr('/b', { mode: 0 })
  t.same(content(vault), { '/b': 'cont' })
  session.close()
})

t.test('a name that the blob has no right to is no name of its inode', async (t) => {
  const vault = newVault(t)
  const session = vault.open({ holdInodes: true })
  session.write('/a', 'A')
  session.write('/b', 'B')
  vault.skew += 10_000
  const place = vault.blob('/b')
  session.unlink('/b')
  linkSync(vault.blob('/a'), place)
  for (const order of [
    ['/b', '/a'],
    ['/a', '/b'],
  ]) {
    for (const path of order) session.stat(path)
    t.equal(session.read('/a').toString(), 'A')
    t.throws(() => session.read('/b'), { code: 'OBJECT_MISPLACED' })
  }
  session.unlink('/b')
  t.equal(session.read('/a').toString(), 'A')
  session.close()
})

t.test('exchange leaves one ticket for each file', async (t) => {
  const vault = newVault(t)
  const session = vault.open()
  session.write('/a', 'A')
  session.mkdir('/d')
  session.write('/d/b', 'B')
  for (let i = 0; i < 3; i++) session.rename('/a', '/d/b', 2)
  t.equal(tickets(vault), 2)
  session.rename('/d', '/a', 2)
  t.same(content(vault), { '/d': 'B', '/a': '', '/a/b': 'A' })
  session.close()
})

t.test('exchange of two copies of one object, as clients make them of hard links', async (t) => {
  const vault = newVault(t)
  const session = vault.open()
  session.write('/a', 'content')
  session.link('/a', '/b')
  const blob = vault.blob('/b')
  copyFileSync(blob, `${blob}.new`)
  renameSync(`${blob}.new`, blob)
  session.setattr('/b', { size: 3 })
  session.rename('/a', '/b', 2)
  t.same(content(vault), { '/a': 'con', '/b': 'content' })
  session.close()
})
