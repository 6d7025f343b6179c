// ls and get: the vault's content without a mount, with every engine and without native calls.

import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { CHEAP, PASSWORD, PROGRAM, says, until, World } from './coffer.js'

t.setTimeout(240_000)

const BIG = Buffer.alloc(3_000_001, 'some bytes that are not zero ')

/** Files of every kind that get has to bring back. */
function fill(folder: string): void {
  mkdirSync(join(folder, 'sub', 'deeper'), { recursive: true })
  writeFileSync(join(folder, 'empty'), '')
  writeFileSync(join(folder, 'big'), BIG)
  writeFileSync(join(folder, 'sub', 'Grüße 😀.txt'), 'hello')
  writeFileSync(join(folder, 'sub', 'n'.repeat(255)), 'a long name')
  writeFileSync(join(folder, 'sparse'), 'begin')
  truncateSync(join(folder, 'sparse'), 50_000_000)
  symlinkSync('sub/../nowhere', join(folder, 'link'))
  writeFileSync(join(folder, 'sub', 'deeper', 'secret'), 'x')
  chmodSync(join(folder, 'sub', 'deeper', 'secret'), 0o400)
  chmodSync(join(folder, 'big'), 0o4751)
  const times = ['-d', '2001-02-03 04:05:06.123456789Z']
  for (const path of ['sub/Grüße 😀.txt', 'sub/deeper', 'link', '.'])
    execFileSync('touch', ['-h', ...times, join(folder, path)])
}

/** Everything about a tree that get restores. */
function describe(folder: string, path = '.'): string[] {
  const full = join(folder, path)
  const stats = lstatSync(full, { bigint: true })
  const what = stats.isSymbolicLink()
    ? `-> ${readlinkSync(full)}`
    : stats.isFile()
      ? `${String(stats.size)} ${readFileSync(full).toString('base64').slice(0, 200)}`
      : ''
  const mode = stats.isSymbolicLink() ? '' : (stats.mode & 0o7777n).toString(8)
  const line = `${path} ${mode} ${String(stats.mtimeNs)} ${what}`
  if (!stats.isDirectory()) return [line]
  return [
    line,
    ...readdirSync(full)
      .sort()
      .flatMap((name) => describe(folder, join(path, name))),
  ]
}

function filled(t: Test): World {
  const world = new World(t)
  world.create()
  world.mount()
  fill(world.mountpoint)
  return world
}

t.test('the whole tree comes back, to the nanosecond', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = filled(t)
  const expected = describe(world.mountpoint)
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
  const dest = join(world.folder, 'out')
  const get = world.run(['get', world.vault, '/', dest])
  t.equal(get.code, 0, get.err)
  t.match(get.err, /^6 files, .* are in .*out\.\n$/)
  t.equal(get.out, '')
  t.same(describe(dest), expected)
  t.ok(readFileSync(join(dest, 'big')).equals(BIG))
  t.ok(statSync(join(dest, 'sparse')).blocks < 1000, 'the hole is one again')
  const portable = join(world.folder, 'portable')
  t.equal(
    world.run(['get', world.vault, '/', portable], { env: { COFFER_ENGINE: 'portable' } }).code,
    0,
  )
  t.same(describe(portable), expected)
})

t.test('one file, one folder, paths as people write them', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = filled(t)
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
  const get = (path: string, dest: string) => world.run(['get', world.vault, path, dest])
  t.equal(get('sub/Grüße 😀.txt', 'one').code, 0)
  t.equal(readFileSync(join(world.folder, 'one'), 'utf8'), 'hello')
  t.equal(get('/sub//./Gru\u0308ße 😀.txt', 'decomposed').code, 0)
  t.equal(get('/sub/', 'two').code, 0)
  t.same(readdirSync(join(world.folder, 'two')).length, 3)
  says(t, get('/none', 'x'), 24, /there is no \/none in the vault/)
  says(t, get('/empty/below', 'x'), 24, /there is no/)
  says(t, get('/sub/../big', 'x'), 24, /".." has no meaning/)
  says(t, get('/big', 'one'), 27, /exists already; nothing was copied/)
  says(t, get('/big', 'no/where'), 27, /there is no folder/)
  t.equal(readFileSync(join(world.folder, 'one'), 'utf8'), 'hello')
  t.notOk(existsSync(join(world.folder, 'x')))
})

t.test('ls', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = filled(t)
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
  const ls = (...args: string[]) => world.run(['ls', world.vault, ...args])
  t.equal(ls().out, 'big\nempty\nlink\nsparse\nsub/\n')
  t.equal(ls('sub').out, `Grüße 😀.txt\ndeeper/\n${'n'.repeat(255)}\n`)
  t.match(
    ls('-l', '/').out,
    /^-rwsr-x--x +3000001 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d big\n[^]*\nlrwxrwxrwx .* link -> sub\/\.\.\/nowhere\n/,
  )
  const lines = ls('--json', 'sub').out.trimEnd().split('\n')
  const [first] = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  t.match(first, {
    name: 'Grüße 😀.txt',
    type: 'file',
    size: 5,
    mode: /^0\d{3}$/,
    mtime: '2001-02-03T04:05:06.123456789Z',
  })
  t.equal(ls('big').out, 'big\n')
  says(t, ls('nothing'), 24, /there is no nothing in the vault/)
})

/** A new vault with a file that holds its own name, and another; the path of the other's blob. */
function blobBeside(
  t: Test,
  world: World,
  first: string,
  second: string,
  content: string | Buffer,
): string {
  const data = join(world.vault, 'data')
  let before: string[] = []
  world.create()
  for (const [name, bytes] of [
    [first, first],
    [second, content],
  ] as const) {
    before = readdirSync(data)
    world.mount()
    writeFileSync(join(world.mountpoint, name), bytes)
    t.equal(world.run(['unmount', world.mountpoint]).code, 0)
  }
  return join(data, readdirSync(data).find((name) => !before.includes(name)) ?? '')
}

t.test('damage: the rest is copied, the damaged file is named and not made', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  const blob = blobBeside(t, world, 'good', 'bad', BIG)
  const bytes = readFileSync(blob)
  bytes[2_000_000] = (bytes[2_000_000] ?? 0) ^ 1
  writeFileSync(blob, bytes)
  const get = world.run(['get', world.vault, '/', 'out'])
  t.equal(get.code, 26)
  t.match(
    get.err,
    /not copied: \/bad: [^\n]+\n[^]*coffer: one entry could not be copied; everything else was\n$/,
  )
  t.same(readdirSync(join(world.folder, 'out')), ['good'])
  const events = world
    .run(['get', world.vault, '/', 'json', '--json'])
    .out.trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string })
  t.match(
    events.find(({ event }) => event === 'error'),
    { path: '/bad' },
  )
  t.match(events.at(-1), { event: 'end', failures: 1, files: 1 })
})

const SCREEN_CLEARED = '\u001b[2J\nsecond line'

t.test('names that a terminal would obey', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount()
  writeFileSync(join(world.mountpoint, SCREEN_CLEARED), BIG)
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
  const data = join(world.vault, 'data')
  for (const name of readdirSync(data)) {
    const bytes = readFileSync(join(data, name))
    bytes[2_000_000] = (bytes[2_000_000] ?? 0) ^ 1
    if (bytes.length > BIG.length) writeFileSync(join(data, name), bytes)
  }
  const get = world.run(['get', world.vault, '/', 'out'])
  t.equal(get.code, 26)
  t.match(get.err, /^not copied: \/\?\[2J\?second line: /m)
  t.match(get.err, /^warning: .*\(.*\?\[2J\?second line\)$/m)
  t.notMatch(get.err, /\u001b/)
  t.equal(world.run(['ls', world.vault]).out, `${SCREEN_CLEARED}\n`, 'data in a pipe is as it is')
  world.mount()
  t.throws(() => readFileSync(join(world.mountpoint, SCREEN_CLEARED)))
  if (spawnSync('script', ['--version']).status === 0) {
    const status = `'${process.execPath}' '${PROGRAM}' status`
    const { env } = world
    const { stdout } = spawnSync('script', ['-qec', status, '/dev/null'], { env, encoding: 'utf8' })
    t.match(stdout, /warning: +damaged: .*\?\[2J\?second line/)
    t.notMatch(stdout, /\u001b\[2J/)
  }
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
})

t.test('output that cannot be written is not damage', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = filled(t)
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
  for (const option of ['--long', '--json']) {
    const command = `"$@" >/dev/full`
    const args = ['-c', command, 'sh', process.execPath, PROGRAM, 'ls', world.vault, option]
    const { env } = world
    const ls = spawnSync('sh', args, { env, input: PASSWORD, encoding: 'utf8' })
    t.equal(ls.status, 1)
    t.match(ls.stderr, /^coffer: no space left on device[^\n]*\n$/)
  }
})

t.test('what the system refuses is not damage either', async (t) => {
  if (!needs(t, 'linux', 'root', 'fuse', 'setpriv')) return
  const world = new World(t)
  world.create()
  world.mount()
  writeFileSync(join(world.mountpoint, 'bad'), 'b')
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
  const data = join(world.vault, 'data')
  for (const name of readdirSync(data)) chmodSync(join(data, name), 0)
  spawnSync('chown', ['-R', '65534:65534', world.folder])
  const user = ['--reuid', '65534', '--regid', '65534', '--clear-groups', process.execPath, PROGRAM]
  const run = (...args: string[]) =>
    spawnSync('setpriv', [...user, ...args], {
      cwd: world.folder,
      env: world.env,
      input: PASSWORD,
      encoding: 'utf8',
    })
  const get = run('get', world.vault, '/', 'out')
  t.equal(get.status, 1)
  t.match(get.stderr, /^not copied: \/bad: permission denied$/m)
  t.match(get.stderr, /^coffer: one entry could not be copied; everything else was$/m)
  chmodSync(data, 0)
  for (const command of [['ls'], ['get', '/', 'other']]) {
    const [name = '', ...rest] = command
    const { status, stderr } = run(name, world.vault, ...rest)
    t.equal(status, 1)
    t.match(stderr, /^coffer: you may not read the folder .*data\nhint: [^\n]*\n$/)
  }
})

t.test('online-only: the rest is copied, and nobody waits', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  const blob = blobBeside(t, world, 'here', 'away', 'away')
  renameSync(blob, join(world.folder, 'kept'))
  writeFileSync(join(dirname(blob), `.${basename(blob)}.icloud`), '')
  t.equal(world.run(['ls', '-l', world.vault]).code, 0)
  const get = world.run(['get', world.vault, '/', 'out'])
  t.equal(get.code, 1)
  t.match(get.err, /^not copied: \/away: it is not on this machine; let the sync program/m)
  t.match(get.err, /^coffer: one entry could not be copied; everything else was$/m)
  t.same(readdirSync(join(world.folder, 'out')), ['here'])
})

t.test('stopped by Ctrl-C: says so, and leaves no half file', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount()
  mkdirSync(join(world.mountpoint, 'd'))
  for (let i = 0; i < 40; i++) writeFileSync(join(world.mountpoint, 'd', String(i)), BIG)
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
  const child = world.start(['get', world.vault, '/d', 'out'])
  const exit = new Promise<number | null>((resolve) => child.on('exit', resolve))
  let err = ''
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const out = join(world.folder, 'out')
  t.ok(await until(() => existsSync(out) && readdirSync(out).length > 3))
  child.kill('SIGINT')
  t.equal(await exit, 30)
  t.match(err, /coffer: stopped; only a part was copied/)
  const names = readdirSync(out)
  t.ok(names.length < 40)
  for (const name of names) t.equal(statSync(join(out, name)).size, BIG.length)
})

t.test('a full disk: one sentence', async (t) => {
  if (!needs(t, 'linux', 'fuse', 'root')) return
  const world = filled(t)
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
  const small = join(world.folder, 'small')
  mkdirSync(small)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', small]).status !== 0) {
    t.plan(0, 'this container may not mount')
    return
  }
  const get = world.run(['get', world.vault, '/big', join(small, 'big')])
  says(t, get, 1, /no space left on device/)
  t.same(readdirSync(small), [], 'nothing half is left')
})

t.test('without native calls: create, ls, get, passwd work, mount says why not', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = filled(t)
  const expected = describe(world.mountpoint).map((line) => line.replace(/ \d{15,} /, ' '))
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
  const block = world.file(
    'no-koffi.cjs',
    `const m = require('node:module'), load = m._load
     m._load = (name, ...rest) => { if (name === 'koffi') throw new Error('koffi was not installed'); return load(name, ...rest) }`,
  )
  const env = { NODE_OPTIONS: `--require ${block}` }
  t.equal(world.run(['create', 'other', ...CHEAP], { env }).code, 0)
  t.equal(world.run(['ls', world.vault], { env }).out, 'big\nempty\nlink\nsparse\nsub/\n')
  t.equal(world.run(['get', world.vault, '/', 'out'], { env }).code, 0)
  const got = describe(join(world.folder, 'out')).map((line) => line.replace(/ \d{15,} /, ' '))
  t.same(got, expected)
  t.equal(
    world.run(['passwd', 'other', ...CHEAP], { env, input: 'correct horse battery staple\nnew\n' })
      .code,
    0,
  )
  says(
    t,
    world.run(['mount', world.vault, world.mountpoint], { env }),
    15,
    /koffi cannot be loaded: koffi was not installed/,
  )
  const doctor = world.run(['doctor'], { env })
  t.equal(doctor.code, 15)
  t.match(doctor.out, /NO +native calls: koffi was not installed/)
})
