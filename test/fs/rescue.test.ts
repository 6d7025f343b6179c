// The cloud replaces, moves or deletes a blob that is open for writing here: what was written is kept.

import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { TestVault } from './session.js'

const CONFLICT = /^a \(conflict, \d{4}-\d\d-\d\d\)\.txt$/

function prepare(t: Test): { vault: TestVault; blob: string; older: Buffer } {
  const vault = new TestVault()
  t.teardown(() => {
    vault.remove()
  })
  const session = vault.open()
  session.write('/a.txt', 'what the other machine has')
  session.close()
  const blob = vault.blob('/a.txt')
  const older = readFileSync(blob)
  return { vault, blob, older }
}

/** Opens /a.txt, writes to it, lets the cloud act, closes; then what a new drive shows. */
function edit(vault: TestVault, cloud: () => void): Map<string, string> {
  const session = vault.open()
  const file = session.open('/a.txt')
  file.write(0, Buffer.from('WHAT'))
  cloud()
  file.write(4, Buffer.from(' WE WROTE'))
  file.close()
  session.close()
  const again = vault.open()
  const shown = new Map<string, string>()
  for (const name of again.list('/').keys()) shown.set(name, again.read(`/${name}`).toString())
  again.close()
  return shown
}

const OURS = 'WHAT WE WROTEr machine has'

t.test('replaced by another version', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, blob, older } = prepare(t)
  const shown = edit(vault, () => {
    writeFileSync(`${blob}.new`, older)
    renameSync(`${blob}.new`, blob)
  })
  t.equal(shown.size, 2)
  t.equal(shown.get('a.txt'), 'what the other machine has')
  const ours = [...shown.keys()].find((name) => CONFLICT.test(name))
  t.equal(shown.get(ours ?? ''), OURS)
})

t.test('deleted', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, blob } = prepare(t)
  const shown = edit(vault, () => {
    rmSync(blob)
  })
  t.same([...shown], [['a.txt', OURS]])
})

t.test('taken away and another put there, twice', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, blob, older } = prepare(t)
  const replace = () => {
    writeFileSync(`${blob}.new`, older)
    renameSync(`${blob}.new`, blob)
  }
  edit(vault, replace)
  const shown = edit(vault, replace)
  t.equal(shown.size, 3, 'each conflict copy has a name of its own')
  t.equal([...shown.values()].filter((content) => content === OURS).length, 2)
})

t.test('changed in place by nobody: no copy', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, blob } = prepare(t)
  const shown = edit(vault, () => {
    copyFileSync(blob, `${vault.folder}/elsewhere`)
  })
  t.same([...shown], [['a.txt', OURS]])
})

t.test('extended attributes come along', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, blob, older } = prepare(t)
  const session = vault.open()
  const file = session.open('/a.txt')
  session.drive.setxattr(file.nodeid, 'colour', Buffer.from('red'), 0)
  file.write(0, Buffer.from('WHAT'))
  writeFileSync(`${blob}.new`, older)
  renameSync(`${blob}.new`, blob)
  file.close()
  const ours = [...session.list('/').keys()].find((name) => CONFLICT.test(name)) ?? ''
  const colour = session.at(`/${ours}`, (nodeid) => session.drive.getxattr(nodeid, 'colour'))
  t.equal(Buffer.from(colour).toString(), 'red')
  session.close()
})

t.test('one of two names replaced: the other one keeps the file', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, older } = prepare(t)
  const before = vault.open()
  before.mkdir('/d')
  before.link('/a.txt', '/d/b.txt')
  before.close()
  for (const seen of ['/d/b.txt', '/a.txt']) {
    const blob = vault.blob('/a.txt')
    const session = vault.open()
    session.stat(seen)
    const file = session.open('/a.txt')
    session.stat('/d/b.txt')
    file.write(0, Buffer.from('WHAT'))
    writeFileSync(`${blob}.new`, older)
    renameSync(`${blob}.new`, blob)
    file.write(4, Buffer.from(' WE WROTE'))
    file.close()
    t.equal(session.read('/d/b.txt').toString(), OURS)
    t.equal(session.read('/a.txt').toString(), 'what the other machine has')
    session.unlink('/a.txt')
    session.link('/d/b.txt', '/a.txt')
    session.close()
  }
  const shown = [...vault.judge()].map(([path, { content }]) => [path, content.toString()])
  t.same(Object.fromEntries(shown), { '/d': '', '/d/b.txt': OURS, '/a.txt': OURS })
})

t.test('two of three names replaced, the third not seen: no copy', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, older } = prepare(t)
  const before = vault.open()
  for (const path of ['/b.txt', '/c.txt']) before.link('/a.txt', path)
  before.close()
  const shown = edit(vault, () => {
    const blob = vault.blob('/a.txt')
    writeFileSync(`${blob}.new`, older)
    renameSync(`${blob}.new`, blob)
  })
  t.same(Object.fromEntries(shown), {
    'a.txt': 'what the other machine has',
    'b.txt': OURS,
    'c.txt': OURS,
  })
})

t.test('every known name replaced: the file goes on beside them', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, older } = prepare(t)
  const session = vault.open()
  session.mkdir('/d')
  session.link('/a.txt', '/d/b.txt')
  const blobs = ['/a.txt', '/d/b.txt'].map((path) => vault.blob(path))
  const file = session.open('/a.txt')
  file.write(0, Buffer.from('WHAT WE WROTE'))
  for (const blob of blobs) {
    writeFileSync(`${blob}.new`, older)
    renameSync(`${blob}.new`, blob)
  }
  file.close()
  session.close()
  const again = vault.open()
  const paths = ['', '/d'].flatMap((at) =>
    [...again.list(at).keys()].map((name) => `${at}/${name}`),
  )
  const ours = paths.filter((path) => path.includes(' (conflict'))
  t.equal(ours.length, 1)
  t.equal(again.read(ours[0] ?? '').toString(), OURS)
  again.close()
})
