// Who wrote last, as `status` tells it: what others put into the vault folder, each version once; and
// what is made here that sync clients leave behind.

import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { emptyAttributes } from '../../lib/fs/filesystem.js'
import type { OtherWriter } from '../../lib/fs/writers.js'
import { TestVault, type Session } from './session.js'

const THERE = 0xe1
const id = (device: number): string => device.toString(16).repeat(16)
const DAY_MS = 24 * 60 * 60 * 1000

function vaultOf(t: Test): TestVault {
  const vault = new TestVault()
  t.teardown(() => {
    vault.remove()
  })
  vault.devices = [{ id: id(THERE), name: "Anna's Mac", since: '2026-11-24T10:00:00Z' }]
  return vault
}

/** Takes everything that has happened. */
function settle(session: Session): OtherWriter[] {
  while (session.drive.tend() === 0);
  return session.drive.counters.others
}

/** From each other device. */
const files = (session: Session): number[] => settle(session).map((other) => other.files)

t.test('what comes from another device is counted, each version once', async (t) => {
  if (!needs(t, 'linux')) return
  const vault = vaultOf(t)
  const here = vault.open({ watched: true, holdInodes: true })
  const there = vault.open({ device: THERE })
  here.list('/')
  here.write('/mine', 'x')
  t.ok(here.drive.counters.sealedAt > 0)
  t.same(settle(here), [], 'nobody else has written')

  const before = Date.now()
  there.write('/a', 'one')
  const [first] = settle(here)
  t.match(first, { id: id(THERE), name: "Anna's Mac", files: 1 })
  t.ok((first?.at ?? 0) >= before)
  here.read('/a')
  t.same(files(here), [1], 'reading it is no news')
  here.setattr('/a', { mode: 0o600 })
  here.rename('/a', '/b')
  here.read('/b')
  t.same(files(here), [1], 'nor is what is done to it here')

  const blob = vault.blob('/b')
  const changed = there.open('/b')
  changed.write(0, Buffer.from('two'))
  changed.close()
  t.same(files(here), [2], 'a version over the one before')
  // a client puts a new file in place of it
  copyFileSync(blob, join(vault.state, 'copy'))
  copyFileSync(join(vault.state, 'copy'), `${blob}.part`)
  renameSync(`${blob}.part`, blob)
  t.same(files(here), [3], 'another blob')
  here.setattr('/b', { mode: 0o640 })
  t.same(files(here), [3])
  const open = here.open('/b')
  const over = there.open('/b')
  over.write(0, Buffer.from('3'))
  over.close()
  t.same(files(here), [4], 'written over while it is open here')
  open.close()
})

t.test('what had come before is no news, whatever is done to it here', async (t) => {
  if (!needs(t, 'linux')) return
  const vault = vaultOf(t)
  vault.open({ device: THERE }).write('/old', 'x')
  await new Promise((resolve) => setTimeout(resolve, 1100))
  const here = vault.open({ watched: true, holdInodes: true })
  here.list('/')
  here.setattr('/old', { mtime: { sec: 1, nsec: 0 } })
  t.same(files(here), [])
  here.setattr('/old', { uid: here.stat('/old').uid })
  t.same(files(here), [])
  here.rename('/old', '/moved')
  t.same(files(here), [])
  here.read('/moved')
  t.same(files(here), [0])
  here.setattr('/moved', { mode: 0o640 })
  t.same(files(here), [0])
})

t.test('a blob that comes in halves, and many at once', async (t) => {
  if (!needs(t, 'linux')) return
  const vault = vaultOf(t)
  const there = vault.open({ device: THERE })
  there.mkdir('/from')
  for (let n = 0; n < 200; n++) there.write(`/from/${n}`, `${n}`)
  there.write('/half', 'whole')
  const half = vault.blob('/half')
  const whole = readFileSync(half)
  there.unlink('/half')
  // a directory is watched for as long as somebody knows it
  const here = vault.open({ watched: true, holdInodes: true })
  here.list('/')
  writeFileSync(half, whole.subarray(0, 100))
  t.same(settle(here), [])
  writeFileSync(half, whole.subarray(0, 900))
  settle(here)
  writeFileSync(half, whole)
  t.same(files(here), [1])
  here.list('/from')
  for (const [path, { blob }] of vault.judge())
    if (path.startsWith('/from/')) utimesSync(join(vault.folder, blob), 1, 1)
  t.same(files(here), [1], 'times alone are no version')
  for (let n = 0; n < 200; n++) there.write(`/from/new ${n}`, 'x')
  t.same(files(here), [201])
})

t.test('nothing of it where the blob is nobody’s, or of an unknown device', async (t) => {
  if (!needs(t, 'linux')) return
  const vault = vaultOf(t)
  const stranger = vault.open({ device: 0xaa })
  stranger.write('/a', 'x')
  const blob = vault.blob('/a')
  const here = vault.open({ watched: true })
  here.list('/')
  const bytes = readFileSync(blob)
  bytes[200] = (bytes[200] ?? 0) ^ 1
  bytes[700] = (bytes[700] ?? 0) ^ 1
  writeFileSync(`${blob.slice(0, -10)}AAAAAA.cff`, bytes)
  writeFileSync(join(vault.folder, 'data', 'notes.cff'), bytes)
  mkdirSync(join(vault.folder, 'data', `c${'A'.repeat(43)}.cff`))
  t.same(settle(here), [], 'damaged, foreign, no file')
  stranger.write('/b', 'x')
  t.match(settle(here), [{ id: id(0xaa), name: null, files: 1 }])
})

t.test('without a watch: what is opened, and when it came', async (t) => {
  const vault = vaultOf(t)
  const there = vault.open({ device: THERE })
  there.write('/old', 'x')
  const came = Date.now()
  await new Promise((resolve) => setTimeout(resolve, 1100))
  const here = vault.open()
  here.read('/old')
  const [old] = here.drive.counters.others
  t.match(old, { id: id(THERE), files: 0 })
  t.ok((old?.at ?? Infinity) <= came + 1000, 'when it came, not when it was opened')
  await new Promise((resolve) => setTimeout(resolve, 1100))
  there.write('/new', 'x')
  here.read('/new')
  here.read('/new')
  t.same(files(here), [1])
})

t.test(
  'a time more than a day ahead is told once for each device, and shown as it is',
  async (t) => {
    const vault = vaultOf(t)
    const there = vault.open({ device: THERE })
    const now = Math.floor(Date.now() / 1000)
    const set = (path: string, ahead: number): number => {
      there.write(path, 'x')
      there.setattr(path, { mtime: { sec: now + ahead, nsec: 5 } })
      return now + ahead
    }
    const soon = set('/soon', DAY_MS / 2000)
    const year = set('/year', (400 * DAY_MS) / 1000)
    set('/more', (500 * DAY_MS) / 1000)
    const here = vault.open()
    const told = () => here.log.filter(({ event }) => event === 'clock')
    here.read('/soon')
    t.same(told(), [])
    here.read('/year')
    here.read('/more')
    t.equal(told().length, 1)
    t.match(told()[0], { level: 'info', message: /^a file of device Anna's Mac bears a time/ })
    t.equal(here.stat('/soon').mtimeSec, soon)
    t.match(here.stat('/year'), { mtimeSec: year, mtimeNsec: 5 })
    const file = here.open('/year')
    file.write(0, Buffer.from('y'))
    file.close()
    t.ok(here.stat('/year').mtimeSec < now + 100, 'a change here has the time here')
    t.equal(there.read('/year').toString(), 'y')
  },
)

t.test('what sync clients leave behind', async (t) => {
  const vault = vaultOf(t)
  const here = vault.open()
  const kinds = (): string[] => here.drive.counters.notCarried
  here.mkdir('/d')
  here.write('/a', 'x')
  here.symlink('/s', 'a')
  here.setattr('/a', { mode: 0o640, mtime: { sec: 1, nsec: 0 } })
  here.setattr('/d', { mode: 0o755 })
  t.same(kinds(), [])
  here.link('/a', '/b')
  t.same(kinds(), ['hard links'])
  here.unlink('/a')
  t.same(kinds(), [], 'one name is left, as after a commit of git')
  here.link('/b', '/d/c')
  here.at('/b', (nodeid) => {
    here.drive.setxattr(nodeid, 'note', Buffer.from('1'), 0)
  })
  t.same(kinds(), ['extended attributes', 'hard links'])
  here.setattr('/d', { mode: 0o750 })
  t.same(kinds(), ['folder modes', 'extended attributes', 'hard links'])
  const { uid, gid } = here.stat('/b')
  here.setattr('/b', { uid, gid })
  here.setattr('/b', { uid })
  t.notOk(kinds().includes('owners'), 'the owner that it has everywhere')
  if (process.getuid?.() !== 0) return
  here.at('/b', (nodeid) => {
    here.drive.setattr(nodeid, { uid: uid + 1 }, emptyAttributes())
  })
  t.same(kinds(), ['owners', 'folder modes', 'extended attributes', 'hard links'])
})
