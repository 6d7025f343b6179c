// Metas that go and come in the vault folder under a mounted drive, by real programs, and what status
// says of it.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { needs } from '../needs.js'
import { until, World } from './coffer.js'

t.setTimeout(120_000)
/** Then no client is in the middle of something. FORMAT.md §7 */
const QUIET_MS = 4500

const only = (folder: string, end: string): string => {
  const [name, ...others] = readdirSync(folder).filter((name) => name.endsWith(end))
  if (name === undefined || others.length > 0) throw new Error(`not one ${end} in ${folder}`)
  return join(folder, name)
}

interface Status {
  late: { path: string; state: string }[]
  damaged: unknown[]
  warnings: string[]
}

const statusOf = (world: World): Status => {
  const [status] = JSON.parse(world.run(['status', '--json']).out) as Status[]
  if (status === undefined) throw new Error('nothing is mounted')
  return status
}

t.test('a meta is taken away and put back', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount()
  const drive = join(world.mountpoint, 'folder')
  mkdirSync(drive)
  writeFileSync(join(drive, 'file'), 'content')
  const meta = only(only(join(world.vault, 'data'), '.cfd'), '.cfm')
  const bytes = readFileSync(meta)
  const read = (): string => {
    try {
      return readFileSync(join(drive, 'file'), 'utf8')
    } catch (error) {
      return String((error as NodeJS.ErrnoException).code)
    }
  }
  const isLate = (...states: string[]): boolean => {
    read()
    return (
      statusOf(world)
        .late.map(({ state }) => state)
        .join() === states.join()
    )
  }
  // while it is mounted
  rmSync(meta)
  t.ok(await until(() => isLate('remembered'), 15_000), 'status knows')
  t.equal(read(), 'content')
  t.same(readdirSync(drive), ['file'])
  t.match(statusOf(world).warnings, [
    /^read from this machine's memory until a current meta file arrives: \/folder$/,
  ])
  writeFileSync(meta, bytes)
  t.ok(await until(() => isLate(), 15_000), 'and that it is there again')
  // and while it is not
  world.run(['unmount', world.mountpoint])
  rmSync(meta)
  world.mount()
  t.equal(read(), 'content')
  t.same(statusOf(world).late, [{ path: '/folder', state: 'remembered' }])
  writeFileSync(join(drive, 'another'), 'of today')
  t.ok(await until(() => existsSync(meta)), 'what is made there brings it back')
  rmSync(meta)
  // a kill takes away nothing that was remembered before
  const [entry] = world.entries()
  process.kill(entry?.pid ?? 0, 'SIGKILL')
  t.ok(await until(() => world.run(['status']).err.includes('No drive is mounted'), 15_000))
  world.mount()
  t.equal(read(), 'content')
  t.equal(readFileSync(join(drive, 'another'), 'utf8'), 'of today')
  await sleep(QUIET_MS)
  world.run(['unmount', world.mountpoint])
  t.ok(existsSync(meta), 'and so does the end of a drive')
  rmSync(meta)
  for (const engine of ['openssl', 'portable']) {
    const got = join(world.folder, engine)
    world.run(['get', world.vault, '/folder/file', got], { env: { COFFER_ENGINE: engine } })
    t.equal(readFileSync(got, 'utf8'), 'content', `get knows it, too (${engine})`)
  }
  // without a memory: it waits, and needs no new mount
  const vaults = join(world.state, 'vaults')
  const [vault = ''] = readdirSync(vaults)
  const memory = join(vaults, vault, 'memory')
  t.equal(statSync(memory).mode & 0o777, 0o600)
  t.notOk(readFileSync(memory).includes('folder'))
  rmSync(memory)
  world.mount()
  t.equal(read(), 'EIO')
  t.same(statusOf(world).late, [{ path: '/folder', state: 'waiting' }])
  t.same(statusOf(world).damaged, [])
  t.match(world.run(['status']).out, /cannot be read until its meta file arrives: \/folder/)
  // as a sync client delivers it: half, and whole under another name
  writeFileSync(meta, bytes.subarray(0, 600))
  t.equal(read(), 'EIO')
  t.same(statusOf(world).damaged, [])
  writeFileSync(`${meta}.part`, bytes)
  renameSync(`${meta}.part`, meta)
  t.ok(await until(() => read() === 'content', 15_000), 'it comes back by itself')
  t.same(statusOf(world).late, [])
  const log = readFileSync(world.entries()[0]?.log ?? '', 'utf8')
  t.match(log, /warn meta-remembered: .*\n[^]*meta-arrived[^]*meta-waiting[^]*meta-arrived/)
  t.notMatch(log, /\/folder/, 'no plain name')
  const folder = only(join(world.vault, 'data'), '.cfd')
  for (const blob of readdirSync(folder).filter((name) => name.endsWith('.cff')))
    truncateSync(join(folder, blob), statSync(join(folder, blob)).size - 1)
  t.ok(await until(() => read() === 'EIO', 15_000), 'the end of a file has not come')
  t.match(statusOf(world).warnings, [
    /^cannot be read: \/folder\/file \(OBJECT_TRUNCATED\); the rest of it may still be on the way/,
  ])
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
})
