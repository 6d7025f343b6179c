// What `status` warns of goes when its cause has gone, and the log does not tell the same at every turn.

import { spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { noise } from '../posix/folder.js'
import { TestVault, type Session } from './session.js'

function vaultOf(t: Test): TestVault {
  const vault = new TestVault()
  t.teardown(() => {
    vault.remove()
  })
  return vault
}

const refused = ({ log }: Session): string[] =>
  log.filter(({ event }) => event === 'refused').map(({ code }) => String(code))

/** Two versions of the blob of /d/big; the older one is there. */
function twoVersions(vault: TestVault): { blob: string; newer: Buffer } {
  const session = vault.open()
  session.mkdir('/d')
  session.write('/d/big', noise(200_000))
  const older = readFileSync(vault.blob('/d/big'))
  session.write('/d/other', 'x')
  const file = session.open('/d/big')
  file.write(0, noise(200_000).reverse())
  file.close()
  session.close()
  const blob = vault.blob('/d/big')
  const newer = readFileSync(blob)
  writeFileSync(blob, older)
  return { blob, newer }
}

for (const watched of [false, true])
  t.test(`damage, ${watched ? 'watched' : 'unwatched'}`, async (t) => {
    if (!needs(t, 'linux')) return
    const vault = vaultOf(t)
    const { blob, newer } = twoVersions(vault)
    const older = readFileSync(blob)
    const session = vault.open({ watched })
    const damaged = () => {
      while (session.drive.tend() === 0);
      return session.drive.counters.damaged
    }
    const half = Buffer.concat([newer.subarray(0, 100_000), older.subarray(100_000)])
    const met = [{ path: '/d/big', code: 'OBJECT_DAMAGED' }]

    writeFileSync(blob, half)
    for (let i = 0; i < 20; i++) t.throws(() => session.read('/d/big'), { code: 'OBJECT_DAMAGED' })
    t.same(refused(session), ['OBJECT_DAMAGED'], 'told once')
    t.same(damaged(), met)
    t.same(damaged(), met, 'and it stays for as long as it is')
    writeFileSync(blob, newer)
    t.same(damaged(), [], 'written whole')
    t.equal(session.read('/d/big').length, 200_000)

    writeFileSync(blob, half)
    t.throws(() => session.read('/d/big'))
    t.same(damaged(), met, 'again')
    t.equal(refused(session).length, 1)
    vault.skew += 61_000
    t.throws(() => session.read('/d/big'))
    t.equal(refused(session).length, 2, 'after a while it is told again')
    t.same(damaged(), met)
    rmSync(blob)
    t.same(damaged(), [], 'deleted')

    writeFileSync(blob, half)
    t.throws(() => session.read('/d/big'))
    t.same(damaged(), met)
    renameSync(join(blob, '..'), join(vault.folder, 'trash'))
    t.same(damaged(), [], 'moved away with its folder')
    session.close()
  })

t.test('a blob that is written over at every turn of a reader', async (t) => {
  if (!needs(t, 'linux')) return
  const vault = vaultOf(t)
  const { blob, newer } = twoVersions(vault)
  const session = vault.open()
  const file = session.open('/d/big', 0)
  file.read(0, 1000)
  writeFileSync(blob, newer)
  for (let i = 0; i < 20; i++) t.throws(() => file.read(0, 1000), { code: 'OBJECT_SUPERSEDED' })
  t.same(refused(session), ['OBJECT_SUPERSEDED'])
  t.same(session.drive.counters.damaged, [])
  file.close()
  session.close()
})

t.test('directories whose meta files are late', async (t) => {
  if (!needs(t, 'linux')) return
  const vault = vaultOf(t)
  const journalFolder = mkdtempSync(join(vault.state, 'one-'))
  const before = vault.open({ journalFolder })
  for (const path of ['/d', '/d/e', '/f']) before.mkdir(path)
  before.write('/d/e/x', 'x')
  before.write('/f/x', 'x')
  before.close()
  const [d, e, f] = ['/d', '/d/e', '/f'].map((path) => vault.blob(path)) as [string, string, string]
  const metaOf = (folder: string): string =>
    join(
      folder,
      readdirSync(folder).find((name) => name.endsWith('.cfm'))!,
    )
  const metas = [metaOf(e), metaOf(f)]
  const [whole] = metas.map((meta) => readFileSync(meta))
  for (const meta of metas) rmSync(meta)
  const session = vault.open({ journalFolder })
  const late = (): string[] => session.drive.counters.late.map(({ path }) => path)
  for (const path of ['/d/e', '/f']) session.list(path)
  t.same(late(), ['/d/e', '/f'])
  writeFileSync(metas[0]!, '')
  t.same(late(), ['/d/e', '/f'], 'one has come, without its content')
  writeFileSync(metas[0]!, whole!)
  t.same(late(), ['/f'], 'it is all there')
  rmSync(metas[0]!)
  session.list('/d/e')
  t.same(late(), ['/f', '/d/e'])
  renameSync(d, join(vault.folder, 'trash'))
  rmSync(f, { recursive: true })
  t.same(late(), [], 'they have gone')
  session.close()
})

t.test('files that coffer did not make', async (t) => {
  if (!needs(t, 'linux')) return
  const vault = vaultOf(t)
  const session = vault.open({ watched: true, holdInodes: true })
  session.mkdir('/d')
  session.mkdir('/d/e')
  session.write('/d/e/x', 'x')
  const [d, e] = ['/d', '/d/e'].map((path) => vault.blob(path)) as [string, string]
  const strangers = ['one', 'two', 'three'].map((name) => join(e, name))
  for (const stranger of strangers) writeFileSync(stranger, '')
  session.list('/d/e')
  const count = (): number => session.drive.counters.foreignFiles
  t.equal(count(), 3)
  const told = session.log.find(({ event }) => event === 'foreign-file')?.message ?? ''
  t.ok(
    ['one', 'two', 'three'].every((name) => told.includes(name)),
    'the log names them',
  )
  rmSync(strangers[0]!)
  t.equal(count(), 2)
  renameSync(d, join(vault.folder, basename(d)))
  t.equal(count(), 0, 'gone with the folder above')
  renameSync(join(vault.folder, basename(d)), d)
  t.equal(count(), 2, 'and there again')
  for (const stranger of strangers) rmSync(stranger, { force: true })
  t.equal(count(), 0)
  session.close()
})

t.test('what has the name of an object and is none', async (t) => {
  if (!needs(t, 'linux')) return
  const vault = vaultOf(t)
  const before = vault.open()
  before.mkdir('/d')
  before.mkdir('/d/folder')
  for (const name of ['link', 'fifo', 'file', 'copy', 'whole']) before.write(`/d/${name}`, 'x')
  before.close()
  const [link, fifo, file, copy, folder] = ['link', 'fifo', 'file', 'copy', 'folder'].map((name) =>
    vault.blob(`/d/${name}`),
  ) as [string, string, string, string, string]
  for (const blob of [link, fifo, file, folder]) rmSync(blob, { recursive: true })
  symlinkSync('/etc/hostname', link)
  spawnSync('mkfifo', [fifo])
  mkdirSync(file)
  writeFileSync(folder, 'x')
  symlinkSync('/etc/hostname', copy.replace('.cff', ' (1).cff'))
  for (const options of [{}, { readOnly: true }, { readOnly: true, portable: true }]) {
    const session = vault.open({ ...options, holdInodes: true })
    const names = [...session.list('/d').keys()].sort()
    t.same(names, ['copy', 'whole'], 'what is shown')
    for (const name of names) t.equal(session.read(`/d/${name}`).toString(), 'x')
    t.equal(session.drive.counters.foreignFiles, 5)
    t.ok(session.log.some(({ event }) => event === 'foreign-file'))
    session.close()
  }
  const session = vault.open()
  for (const name of ['copy', 'whole']) session.unlink(`/d/${name}`)
  const rmdir = (): void => {
    session.rmdir('/d')
  }
  rmSync(copy.replace('.cff', ' (1).cff'))
  t.throws(rmdir, { code: 'ENOTEMPTY' })
  t.match(
    session.log.filter(({ event }) => event === 'foreign-file').map(({ message }) => message),
    [/^4 files in the vault folder are not coffer's/],
  )
  for (const blob of [link, fifo, file, folder]) rmSync(blob, { recursive: true })
  rmdir()
  session.close()
})

t.test('a file whose ticket or rest is on its way', async (t) => {
  if (!needs(t, 'linux')) return
  const vault = vaultOf(t)
  const before = vault.open()
  for (const name of ['old', 'half']) before.write(`/${name}`, noise(100_000))
  vault.skew += 10_000
  before.rename('/old', '/new')
  before.close()
  const data = join(vault.folder, 'data')
  const ticket = readdirSync(data).find((name) => name.endsWith('.cfr')) ?? ''
  const half = vault.blob('/half')
  rmSync(join(data, ticket))
  truncateSync(half, 50_000)
  const session = vault.open()
  const told = (name: string): string[] => {
    t.throws(() => session.read(name))
    return session.log.filter(({ event }) => event === 'refused').map(({ message }) => message)
  }
  t.match(told('/new'), [/ticket \(\.cfr\) may still be on the way; it is damaged if/])
  t.match(told('/half'), [/ticket/, /the rest of it may still be on the way; it is damaged if/])
  session.close()
})
