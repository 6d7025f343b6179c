// Which config may stand in for the one in the vault: never one over a config that may be fine, never
// one of another vault, and every refusal names the file that is meant.

import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { needs } from '../needs.js'
import { CHEAP, PASSWORD, says, World } from './coffer.js'

t.setTimeout(240_000)

const configOf = (vault: string): string => join(vault, 'vault.coffer')
const flip = (bytes: Buffer, at: number): Buffer => {
  const bad = Buffer.from(bytes)
  bad[at] = (bad[at] ?? 0) ^ 1
  return bad
}

t.test('a password changed on another machine is not undone', async (t) => {
  const world = new World(t)
  world.create()
  const file = configOf(world.vault)
  const old = join(world.folder, 'old.cfg')
  copyFileSync(file, old)
  const other = { COFFER_STATE_DIR: join(world.folder, 'other machine') }
  const passwd = ['passwd', world.vault, ...CHEAP]
  t.equal(world.run(passwd, { env: other, input: `${PASSWORD}\nnew\n` }).code, 0)
  const changed = readFileSync(file)
  const restore = (input: string, ...from: string[]) =>
    world.run(['restore-config', world.vault, ...from], { input })
  for (const from of [[], ['--from', old]]) {
    says(t, restore(`${PASSWORD}\n`, ...from), 12, /password is wrong\nhint: .*is not replaced/)
    says(
      t,
      restore('new\n', ...from),
      2,
      /is not damaged; there is nothing to restore\nhint: (?!run)/,
    )
    t.ok(readFileSync(file).equals(changed), 'the config is as it was')
  }
  // the cloud brought the older one back; this machine, by now, knows better
  t.equal(world.run(['ls', world.vault], { input: 'new\n' }).code, 0)
  copyFileSync(old, file)
  t.equal(restore('new\n').code, 0)
  t.ok(readFileSync(file).equals(changed))
})

t.test('any byte flipped: put back, and what was there is kept and named', async (t) => {
  const world = new World(t)
  world.create()
  const file = configOf(world.vault)
  const good = readFileSync(file)
  for (const at of [0, 8, 9, 24, 47, 50, 80, 84, 90, 125, good.length - 1]) {
    const bad = flip(good, at)
    writeFileSync(file, bad)
    const { code, err } = world.run(['restore-config', world.vault])
    t.equal(code, 0, `byte ${String(at)}: ${err}`)
    t.ok(readFileSync(file).equals(good))
    const kept = /there before is kept as (.*)\.\n/.exec(err)?.[1] ?? ''
    t.ok(existsSync(kept) && readFileSync(kept).equals(bad), 'kept')
  }
})

t.test('zeros, garbage, a version that is none: the copy is offered', async (t) => {
  const world = new World(t)
  world.create()
  const file = configOf(world.vault)
  const good = readFileSync(file)
  for (const bytes of [Buffer.alloc(good.length), Buffer.from('<html>quota exceeded</html>')]) {
    writeFileSync(file, bytes)
    says(t, world.run(['ls', world.vault]), 13, /not the config.*\nhint: .*coffer restore-config /)
    t.equal(world.run(['restore-config', world.vault]).code, 0)
    t.ok(readFileSync(file).equals(good))
  }
  writeFileSync(file, flip(good, 8))
  says(t, world.run(['ls', world.vault]), 14, /version 257.*\nhint: .*coffer restore-config /)
  // another config of a newer version: that is an upgrade
  const newer = flip(good, 50)
  newer.writeUInt16BE(2, 8)
  writeFileSync(file, newer)
  says(t, world.run(['ls', world.vault]), 14, /version 2.*\nhint: install a newer coffer/)
  says(t, world.run(['restore-config', world.vault]), 14, /version 2/)
  t.ok(readFileSync(file).equals(newer))
})

t.test('the config of another vault is refused', async (t) => {
  const world = new World(t)
  world.create()
  const file = configOf(world.vault)
  const good = readFileSync(file)
  const other = join(world.folder, 'other')
  t.equal(world.run(['create', other, ...CHEAP]).code, 0)
  const foreign = ['restore-config', world.vault, '--from', configOf(other)]
  const mount = ['mount', world.vault, world.mountpoint, '--config', configOf(other)]
  for (const bytes of [good, good.subarray(0, 20), null]) {
    if (bytes === null) rmSync(file)
    else writeFileSync(file, bytes)
    says(t, world.run(foreign), 13, /other\/vault.coffer is the config of another vault/)
    says(t, world.run(mount), 13, /is the config of another vault/)
    t.equal(existsSync(file), bytes !== null)
  }
  // nor does a copy go into another vault that now lies in the same place
  rmSync(world.vault, { recursive: true })
  const env = { COFFER_STATE_DIR: join(world.folder, 'other machine') }
  t.equal(world.run(['create', world.vault, ...CHEAP], { env }).code, 0)
  says(t, world.run(['restore-config', world.vault]), 13, /there is no good copy/)
})

t.test('two vaults that were made in one folder before it was synced', async (t) => {
  const world = new World(t)
  world.create()
  const [mine, folder] = [join(world.vault, 'vault (1).coffer'), join(world.folder, 'mine')]
  renameSync(configOf(world.vault), mine)
  const theirs = join(world.folder, 'theirs')
  t.equal(world.run(['create', theirs, ...CHEAP], { input: 'another one\nanother one\n' }).code, 0)
  copyFileSync(configOf(theirs), configOf(world.vault))
  says(
    t,
    world.run(['ls', world.vault]),
    12,
    /hint: two vaults were made .* is '.* \(1\).coffer'; /,
  )
  t.equal(world.run(['ls', world.vault], { input: 'another one\n' }).code, 0)
  // what the hint says
  cpSync(world.vault, folder, { recursive: true })
  renameSync(join(folder, basename(mine)), configOf(folder))
  t.equal(world.run(['ls', folder]).code, 0)
})

t.test('mount --config with a copy of the vault itself', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  const copy = join(world.folder, 'copy.cfg')
  copyFileSync(configOf(world.vault), copy)
  truncateSync(configOf(world.vault), 30)
  says(t, world.run(['mount', world.vault, world.mountpoint]), 13, /cut short/)
  world.mount('--config', copy)
  writeFileSync(join(world.mountpoint, 'x'), 'y')
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
})

t.test('the file that is meant is the one that is named', async (t) => {
  const world = new World(t)
  world.create()
  const file = configOf(world.vault)
  const text = world.file('passwords.txt', 'secret')
  const from = (path: string) => world.run(['restore-config', world.vault, '--from', path])
  says(t, from('nosuch'), 13, /^coffer: there is no file nosuch\n$/)
  says(t, from(text), 13, /passwords.txt is not the config of a coffer vault/)
  says(t, from(world.folder), 13, /coffer-cli-\w+ is not a file\n$/)
  rmSync(file)
  for (const linked of [false, true]) {
    if (linked) symlinkSync('/etc/passwd', file)
    else mkdirSync(file)
    for (const command of ['ls', 'restore-config'])
      says(t, world.run([command, world.vault]), 13, /hint: move it away, then: coffer restore/)
    if (linked) rmSync(file)
    else rmdirSync(file)
  }
  t.equal(world.run(['restore-config', world.vault]).code, 0)
  t.equal(world.run(['ls', world.vault]).code, 0)
})
