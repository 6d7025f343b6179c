// The cloud replaces, moves or deletes a blob that is open for writing here: what was written is kept.

import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { TestVault } from './session.js'

const CONFLICT = /^a \(conflict \d{4}-\d\d-\d\d\)\.txt$/

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
