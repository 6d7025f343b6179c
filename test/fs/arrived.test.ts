// What a sync client does not carry: the mode of a file, sometimes its mtime. FORMAT.md §7.

import { randomBytes } from 'node:crypto'
import { chmodSync, copyFileSync, readFileSync, renameSync, statSync, utimesSync } from 'node:fs'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { TestVault, type Session } from './session.js'

const HERE = 0xe0
const ELSEWHERE = 0xd1
const LARGE = 4 * 1024 * 1024 + 1
const mode = (path: string): number => statSync(path).mode & 0o7777

function start(t: Test): TestVault {
  const vault = new TestVault()
  t.teardown(() => {
    vault.remove()
  })
  return vault
}

/** The blob is another inode with a mode of the client's own, and a time of its own where it has none. */
function deliver(path: string, bits: number, mtime?: Date): void {
  copyFileSync(path, `${path}.part`)
  chmodSync(`${path}.part`, bits)
  if (mtime !== undefined) utimesSync(`${path}.part`, mtime, mtime)
  renameSync(`${path}.part`, path)
}

/** As whoever watches the vault folder says it. */
function tell(session: Session, path: string): void {
  session.at(path, (nodeid) => {
    session.drive.arrived(nodeid)
  })
}

t.test('chmod of a small file goes into its seal and moves no mtime', (t) => {
  if (!needs(t, 'linux')) return t.end()
  const vault = start(t)
  const session = vault.open()
  session.write('/f', 'content')
  session.write('/large', randomBytes(LARGE))
  const then = { sec: 1_700_000_000, nsec: 7 }
  for (const path of ['/f', '/large']) session.setattr(path, { mtime: then })
  const sealed = (path: string): number => (vault.judge().get(path)?.sealedMode ?? 0) & 0o7777
  vault.skew = 5000
  for (const bits of [0o600, 0o755, 0o444, 0o640]) {
    session.setattr('/f', { mode: bits })
    t.equal(sealed('/f'), bits, 'closed')
    t.equal(session.stat('/f').mode & 0o7777, bits)
    t.equal(session.stat('/f').mtimeSec, then.sec)
    const file = session.open('/f')
    session.setattr('/f', { mode: bits ^ 0o001 })
    file.close()
    t.equal(sealed('/f'), bits ^ 0o001, 'open')
    t.equal(session.stat('/f').mtimeSec, then.sec)
  }
  const before = readFileSync(vault.blob('/large'))
  session.setattr('/large', { mode: 0o600 })
  t.ok(readFileSync(vault.blob('/large')).equals(before), 'not a byte of a large one')
  t.equal(session.stat('/large').mode & 0o7777, 0o600)
  session.setattr('/f', { mode: 0o600 })
  const same = readFileSync(vault.blob('/f'))
  session.setattr('/f', { mode: 0o600 })
  t.ok(readFileSync(vault.blob('/f')).equals(same), 'nor where the seal has it already')
  t.end()
})

t.test('a mode that the client did not carry is back when the file is opened', (t) => {
  if (!needs(t, 'linux')) return t.end()
  const vault = start(t)
  const there = vault.open({ device: ELSEWHERE })
  there.write('/private', 'content', 0o600)
  there.write('/program', 'content', 0o755)
  there.write('/locked', 'content', 0o444)
  there.close()
  const here = vault.open({ device: HERE })
  for (const [path, bits] of [
    ['/private', 0o600],
    ['/program', 0o755],
    ['/locked', 0o444],
  ] as const) {
    const blob = vault.blob(path)
    deliver(blob, 0o664)
    here.read(path)
    t.equal(here.stat(path).mode & 0o7777, bits, path)
    here.setattr(path, { mode: 0o640 })
    here.read(path)
    t.equal(here.stat(path).mode & 0o7777, 0o640, 'a chmod here stays')
  }
  here.close()
  const next = vault.open({ device: HERE })
  next.read('/private')
  t.equal(next.stat('/private').mode & 0o7777, 0o640, 'for the next drive, too')
  t.end()
})

t.test('our own seals, and large files, leave the mode that is there', (t) => {
  if (!needs(t, 'linux')) return t.end()
  const vault = start(t)
  const there = vault.open({ device: ELSEWHERE })
  there.write('/large', randomBytes(LARGE), 0o755)
  there.close()
  const here = vault.open({ device: HERE })
  here.write('/ours', 'content', 0o755)
  for (const path of ['/ours', '/large']) {
    chmodSync(vault.blob(path), 0o640)
    here.read(path)
    t.equal(mode(vault.blob(path)), 0o640, path)
  }
  tell(here, '/large')
  t.equal(
    mode(vault.blob('/large')),
    0o740,
    'when it arrives, the rights of its owner are put back',
  )
  t.end()
})

t.test('an mtime that the client did not carry is back when somebody saw the blob come', (t) => {
  if (!needs(t, 'linux')) return t.end()
  const vault = start(t)
  // a day ago
  vault.skew = -86_400_000
  const there = vault.open({ device: ELSEWHERE })
  for (const path of ['/f', '/carried', '/ours']) there.write(path, 'content')
  there.close()
  vault.skew = 0
  const here = vault.open({ device: HERE })
  here.setattr('/ours', { mode: 0o600 })
  const age = (path: string): number => Date.now() / 1000 - here.stat(path).mtimeSec
  const blob = vault.blob('/f')
  deliver(blob, 0o644)
  here.read('/f')
  t.ok(age('/f') < 60, 'not by a mere open')
  tell(here, '/f')
  t.ok(Math.abs(age('/f') - 86_400) < 60, 'it is that of the seal')
  deliver(blob, 0o644)
  tell(here, '/f')
  t.ok(age('/f') < 60, 'only once for one seal: clients must not send it round for ever')
  deliver(vault.blob('/carried'), 0o644, new Date(1_600_000_000_000))
  tell(here, '/carried')
  t.equal(here.stat('/carried').mtimeSec, 1_600_000_000, 'a time that was set stays')
  const touched = Math.floor(Date.now() / 1000) - 3600
  deliver(vault.blob('/carried'), 0o644, new Date(touched * 1000))
  tell(here, '/carried')
  t.equal(here.stat('/carried').mtimeSec, touched, 'also where it is later than the seal')
  deliver(vault.blob('/ours'), 0o644)
  tell(here, '/ours')
  t.ok(age('/ours') < 60, 'and so does everything under a seal of our own')
  t.end()
})
