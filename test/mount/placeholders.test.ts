// A vault in a folder whose engine keeps files online-only. They are listed without being fetched;
// whoever reads one waits, and nobody else does.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { isAlive, mountsBelow, until, World } from '../cli/coffer.js'
import { needs } from '../needs.js'
import { noise } from '../posix/folder.js'
import { startStubs, type StubDrive } from './stub-drive.js'

t.setTimeout(240_000)

/** blobs of at least that are evicted */
const LARGE = 50_000
const content = noise(100_000, 1)

interface Ready {
  world: World
  stubs: StubDrive
  at: (name: string) => string
  log: () => string
}

let written: World | null = null

/** A vault with everything in it, made once and then only copied from. */
function source(): World {
  if (written !== null) return written
  const world = (written = new World(t))
  const at = (name: string): string => join(world.mountpoint, name)
  world.create()
  world.mount()
  mkdirSync(at('d'))
  for (const name of ['online', 'locked', 'd/second']) writeFileSync(at(name), content)
  // its mode is in its seal alone
  spawnSync('chmod', ['4711', at('locked')])
  writeFileSync(at('here'), 'small')
  const { code, err } = world.run(['unmount', world.mountpoint])
  if (code !== 0) throw new Error(err)
  return world
}

/** A drive over a folder in which `online`, `locked` and `d/second` are online-only, and nothing comes. */
async function prepare(t: Test, ...options: string[]): Promise<Ready> {
  const world = new World(t)
  const at = (name: string): string => join(world.mountpoint, name)
  const cloud = join(world.folder, 'cloud')
  mkdirSync(cloud)
  const stubs = await startStubs(t, cloud, source().vault)
  await stubs.obey({ engine: 'waits', evict: LARGE })
  const { code, err } = world.run(['mount', cloud, world.mountpoint, ...options])
  if (code !== 0) throw new Error(err)
  const [entry] = world.entries()
  const log = (): string => readFileSync(entry?.log ?? '', 'utf8')
  t.teardown(() => {
    world.clear()
  })
  return { world, stubs, at, log }
}

interface Program {
  child: ChildProcess
  out(): string
  ended: Promise<{ code: number | null; signal: string | null; out: string; err: string }>
}

function start(t: Test, command: string, ...args: string[]): Program {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let out = ''
  let err = ''
  child.stdout.setEncoding('latin1').on('data', (text: string) => (out += text))
  child.stderr.on('data', (text: Buffer) => (err += text.toString()))
  const ended = new Promise<Awaited<Program['ended']>>((resolve) =>
    child.on('close', (code, signal) => {
      resolve({ code, signal, out, err })
    }),
  )
  return { child, ended, out: () => out }
}

async function waiting(stubs: StubDrive, count: number): Promise<boolean> {
  for (let i = 0; i < 1000; i++) {
    if ((await stubs.obey({})).waiting === count) return true
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return false
}

const whole = content.toString('latin1')

t.test('listed, measured and looked at without being fetched', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const { world, stubs } = await prepare(t)
  const sh = (script: string) =>
    spawnSync('sh', ['-c', script], { cwd: world.mountpoint, encoding: 'utf8', timeout: 20_000 })
  const listed = sh('ls -lR').stdout
  for (const name of ['online', 'locked', 'second'])
    t.match(listed, new RegExp(`^-.* 100000 .* ${name}$`, 'm'), `${name} with its true size`)
  t.match(sh('du -a --apparent-size -B1 .').stdout, /^100000\t\.\/d\/second$/m)
  t.match(sh('stat -c %s:%A online d/second here').stdout, /^100000:-rw.*\n100000:-rw.*\n5:/)
  t.equal(sh('find . -type f -size +90k | wc -l').stdout, '3\n')
  sh('getfattr -d online; ls -l --color=always; test -e online')
  t.same(await stubs.obey({}), { asked: 0, waiting: 0 })
  t.equal(sh('cat here').stdout, 'small')
})

t.test('readers wait, others do not', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const { world, stubs, at, log } = await prepare(t)
  const readers = [1, 2].map(() => start(t, 'cat', at('online')))
  const impatient = start(t, 'cat', at('online'))
  t.ok(await waiting(stubs, 1), 'they share one fetch')
  t.equal(readFileSync(at('here'), 'utf8'), 'small')
  for (let i = 0; i < 50; i++) writeFileSync(at(`new${String(i)}`), content)
  t.ok(readFileSync(at('new49')).equals(content))
  t.equal(spawnSync('ls', ['-l', world.mountpoint]).status, 0)
  t.equal((await stubs.obey({})).asked, 1)
  t.match(
    readers.map(({ child }) => child.exitCode),
    [null, null],
    'they still wait',
  )
  impatient.child.kill('SIGKILL')
  t.equal((await impatient.ended).signal, 'SIGKILL', 'one that is killed need not wait')
  const mover = start(t, 'mv', at('d/second'), at('moved'))
  const writer = start(t, 'sh', '-c', `printf more >> ${at('locked')}`)
  t.ok(await waiting(stubs, 3))
  const touch = spawnSync('touch', [at('d/new')], { timeout: 20_000 })
  t.equal(touch.status, 0, 'a folder is not locked for as long as its file takes')
  t.equal(mover.child.exitCode, null, 'mv copies it')
  await stubs.obey({ engine: 'passes' })
  for (const reader of readers) t.equal((await reader.ended).out, whole)
  t.equal((await mover.ended).code, 0)
  t.equal((await writer.ended).code, 0)
  t.ok(readFileSync(at('moved')).equals(content))
  t.equal(readFileSync(at('locked'), 'latin1'), `${whole}more`)
  t.match(spawnSync('ls', ['-l', at('locked')]).stdout.toString(), /^-rw[sx-]/)
  t.notMatch(log(), /error|refused/)
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
})

t.test('a content that is fetched by read and not by open', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const { stubs, at } = await prepare(t)
  await stubs.obey({ at: 'read' })
  const reader = start(t, 'cat', at('online'))
  t.ok(await waiting(stubs, 1))
  t.equal(readFileSync(at('here'), 'utf8'), 'small')
  await stubs.obey({ engine: 'passes' })
  t.equal((await reader.ended).out, whole)
})

t.test('after the limit an error and an event; later it is read', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const { world, stubs, at, log } = await prepare(t, '--slow-limit', '1s')
  const { code, err } = await start(t, 'cat', at('online')).ended
  t.equal(code, 1)
  t.match(err, /Input\/output error/)
  const late = /warn slow: an online-only blob has not come in time.*blob=c/
  t.ok(await until(() => late.test(log())), 'the log says so')
  await stubs.obey({ engine: 'passes' })
  t.equal((await start(t, 'cat', at('online')).ended).out, whole)
  const [status] = JSON.parse(world.run(['status', '--json']).out) as { damaged: unknown[] }[]
  t.same(status?.damaged, [])
})

t.test('what fails first passes later', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const { world, stubs, at, log } = await prepare(t)
  await stubs.obey({ engine: 'fails' })
  const { code, err } = await start(t, 'cat', at('online')).ended
  t.equal(code, 1)
  t.match(err, /Input\/output error/)
  const offline = 'warn online-only: an online-only blob cannot be fetched'
  t.ok(await until(() => log().includes(offline)), 'the log says so')
  const [status] = JSON.parse(world.run(['status', '--json']).out) as { damaged: unknown[] }[]
  t.same(status?.damaged, [], 'it is not damaged')
  t.equal(spawnSync('rm', [at('d/second')]).status, 0, 'it can be deleted')
  await stubs.obey({ engine: 'passes' })
  t.equal((await start(t, 'cat', at('online')).ended).out, whole)
  t.equal(spawnSync('ls', [at('d')]).stdout.toString(), '')
})

/** Opens a file, and when it is told to writes to it and closes it. */
const WRITER = 'exec 3<>"$0"; echo open; read go; printf ours >&3; exec 3>&-; echo closed'

t.test('an open file whose blob was replaced is copied while others are served', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const { world, stubs, at, log } = await prepare(t)
  await stubs.obey({ engine: 'passes' })
  const large = noise(12 * 1024 * 1024, 2)
  writeFileSync(at('large'), large)
  const writer = start(t, 'sh', '-c', WRITER, at('large'))
  t.ok(await until(() => writer.out() === 'open\n'))
  const data = join(world.folder, 'cloud', 'data')
  const blob = readdirSync(data).find((name) => statSync(join(data, name)).size > large.length)
  const before = join(data, blob ?? '')
  writeFileSync(join(data, 'new'), readFileSync(before))
  renameSync(join(data, 'new'), before)
  // the copy will read the blob that has lost its name, and has to wait
  await stubs.obey({ engine: 'waits', at: 'read', evict: large.length })
  writer.child.stdin?.write('go\n')
  t.ok(await waiting(stubs, 1), 'the copy has begun')
  t.equal(readFileSync(at('here'), 'utf8'), 'small')
  writeFileSync(at('other'), content)
  t.ok(readFileSync(at('other')).equals(content))
  t.equal(writer.out(), 'open\n', 'its writer waits')
  await stubs.obey({ engine: 'passes' })
  t.equal((await writer.ended).out, 'open\nclosed\n')
  const names = readdirSync(world.mountpoint).filter((name) => name.startsWith('large'))
  const ours = names.find((name) => name !== 'large') ?? ''
  t.match(ours, /^large \(conflict/)
  large.set(Buffer.from('ours'))
  t.ok(readFileSync(at(ours)).equals(large), 'what was written')
  large.set(noise(4, 2))
  t.ok(readFileSync(at('large')).equals(large), 'what the cloud has')
  t.ok(await until(() => log().includes('warn conflict')), 'the log says so')
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
})

t.test('the drive can be taken away while somebody waits', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const { world, stubs, at } = await prepare(t)
  const { pid } = world
  const reader = start(t, 'cat', at('online'))
  t.ok(await waiting(stubs, 1))
  t.equal(world.run(['unmount', world.mountpoint, '--wait', '0']).code, 16, 'busy')
  t.equal(readFileSync(at('here'), 'utf8'), 'small', 'and still served')
  const forced = world.run(['unmount', '--force', world.mountpoint])
  t.equal(forced.code, 0, forced.err)
  t.equal((await reader.ended).code, 1)
  t.ok(await until(() => !isAlive(pid)), 'no process is left')
  t.notOk(mountsBelow(world.folder).includes(world.mountpoint))
})
