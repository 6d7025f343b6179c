// A drive's life as the command line sees it, and everything that can be wrong with a mount.

import { spawn, spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { CHEAP, isAlive, mountsBelow, PASSWORD, PROGRAM, says, until, World } from './coffer.js'

t.setTimeout(240_000)

interface Status {
  mountpoint: string
  pid: number
  openFiles: number
  bytesWritten: number
  bytesRead: number
  engine: string
  readOnly: boolean
  foreignFiles: number
  warnings: string[]
}

const statusOf = (world: World): Status[] =>
  JSON.parse(world.run(['status', '--json']).out) as Status[]

/** Nothing of a drive is left. */
function gone(t: Test, world: World, pid: number): void {
  t.notOk(isAlive(pid), 'no process')
  t.same(mountsBelow(world.folder), [], 'no mount')
  t.same(existsSync(world.runtime) ? readdirSync(world.runtime) : [], [], 'no entry, no socket')
  t.same(world.litter(), [], 'no temporary file')
}

t.test('mount, use, status, unmount, mount again', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  const mount = world.run(['mount', 'vault', 'drive'])
  t.equal(mount.code, 0)
  t.equal(mount.out, '')
  t.equal(
    mount.err,
    `${world.mountpoint} shows ${world.vault}.\nTo lock it: coffer unmount ${world.mountpoint}\n`,
  )
  const { pid } = world
  writeFileSync(join(world.mountpoint, 'Grüße.txt'), 'hello')
  const fd = openSync(join(world.mountpoint, 'Grüße.txt'), 'r')
  const [status] = statusOf(world)
  t.match(status, {
    mountpoint: world.mountpoint,
    pid,
    openFiles: 1,
    bytesWritten: 5,
    readOnly: false,
    warnings: [],
  })
  t.match(
    world.run(['status']).out,
    /drive\n +vault: +.*vault\n[^]*open: +1 file\n +engine: +openssl\n +stored: +last at 20.*\n +log: +.*log\n/,
  )
  closeSync(fd)
  t.match(world.run(['info', world.vault]).out, new RegExp(`mounted at: +${world.mountpoint}`))
  const unmount = world.run(['unmount', 'drive'])
  t.equal(unmount.code, 0)
  t.match(unmount.err, /is locked; everything is in/)
  gone(t, world, pid)
  t.same(readdirSync(world.mountpoint), [])
  t.notMatch(readdirSync(join(world.vault, 'data')).join(), /Gr/)
  world.mount()
  t.equal(readFileSync(join(world.mountpoint, 'Grüße.txt'), 'utf8'), 'hello')
  const second = world.pid
  t.equal(world.run(['lock', world.vault]).code, 0, 'lock, by the vault folder')
  gone(t, world, second)
  const [, log = ''] = /log: +(.*)/.exec(world.run(['status']).out) ?? []
  t.equal(log, '')
  t.equal(world.run(['status']).err, 'No drive is mounted.\n')
})

t.test('secrets and plain names stay out of arguments, environment and log', async (t) => {
  if (!needs(t, 'linux', 'fuse', 'root')) return
  const world = new World(t)
  world.create()
  world.mount()
  const [entry] = world.entries()
  const { pid, log } = entry ?? { pid: 0, log: '' }
  writeFileSync(join(world.mountpoint, 'a secret name.txt'), 'x')
  const data = join(world.vault, 'data')
  for (const name of readdirSync(data)) writeFileSync(join(data, name), 'damaged')
  t.throws(() => readFileSync(join(world.mountpoint, 'a secret name.txt')))
  for (const file of ['cmdline', 'environ']) {
    t.notOk(readFileSync(`/proc/${String(pid)}/${file}`).includes(PASSWORD), file)
  }
  t.match(readFileSync(`/proc/${String(pid)}/limits`, 'utf8'), /Max core file size +0 +0/)
  t.match(readFileSync(`/proc/${String(pid)}/status`, 'utf8'), /Name:/)
  t.equal(world.run(['unmount', '--all']).code, 0)
  const text = readFileSync(log, 'utf8')
  t.match(text, /mounted/)
  t.notMatch(text, /secret name|correct horse/)
  t.equal(statSync(log).mode & 0o777, 0o600)
})

t.test('mountpoints that are not fit', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  const mount = (at: string) => world.run(['mount', world.vault, at])
  says(t, mount(join(world.folder, 'none')), 10, /there is no folder .*none\nhint: make it: mkdir /)
  says(t, mount(world.file('file', '')), 10, /is a file, not a folder/)
  const full = join(world.folder, 'full')
  mkdirSync(full)
  writeFileSync(join(full, 'x'), '')
  says(t, mount(full), 10, /is not empty/)
  says(t, mount(world.vault), 10, /lies inside the vault/)
  says(t, mount(join(world.vault, 'data')), 10, /lies inside the vault/)
  symlinkSync(join(world.vault, 'data'), join(world.folder, 'link'))
  says(t, mount(join(world.folder, 'link')), 10, /lies inside the vault/)
  says(t, mount(world.folder), 10, /the vault lies inside/)
  says(t, mount('/proc'), 10, /something is mounted at \/proc already/)
  t.same(world.entries(), [])
})

t.test('the same vault twice, and another on the same mountpoint', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount()
  const other = join(world.folder, 'other')
  mkdirSync(other)
  says(t, world.run(['mount', world.vault, other]), 18, /this vault is mounted already, at .*drive/)
  says(t, world.run(['mount', world.vault, world.mountpoint]), 18, /mounted already/)
  const second = join(world.folder, 'second')
  t.equal(world.run(['create', second, ...CHEAP]).code, 0)
  says(
    t,
    world.run(['mount', second, world.mountpoint]),
    10,
    /something is mounted at .*drive already/,
  )
  t.equal(world.run(['mount', second, other]).code, 0)
  t.equal(statusOf(world).length, 2)
  t.equal(world.run(['unmount', '--all']).code, 0)
  t.same(mountsBelow(world.folder), [])
  t.same(readdirSync(world.runtime), [])
})

t.test('a vault in a drive: unmount --all begins with the newest', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount()
  const inner = join(world.mountpoint, 'inner')
  t.equal(world.run(['create', inner, ...CHEAP]).code, 0)
  const place = join(world.folder, "it's here")
  mkdirSync(place)
  t.equal(world.run(['mount', inner, place]).code, 0)
  const again = world.run(['mount', inner, place])
  says(t, again, 18, /hint: .* coffer unmount '\/.*\/it'\\''s here'\n$/)
  const { code, err } = world.run(['unmount', '--all'])
  t.equal(code, 0, err)
  t.match(err, /it's here is locked[^]*drive is locked/)
  t.same(mountsBelow(world.folder), [])
})

t.test('two mounts of one vault at the same moment: one wins, the other says so', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  const places = ['a', 'b', 'c'].map((name) => join(world.folder, name))
  for (const place of places) mkdirSync(place)
  const codes = await Promise.all(
    places.map(
      (place) =>
        new Promise<number | null>((resolve) => {
          world.start(['mount', world.vault, place]).on('exit', resolve)
        }),
    ),
  )
  t.same(codes.sort(), [0, 18, 18])
  t.equal(mountsBelow(world.folder).length, 1)
  const { pid } = world
  t.equal(world.run(['unmount', '--all']).code, 0)
  gone(t, world, pid)
})

t.test('wrong password: no process, no mount', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  const wrong = world.run(['mount', world.vault, world.mountpoint], { input: 'wrong\n' })
  says(t, wrong, 12, /the password is wrong\nhint: try again; nothing was changed/)
  says(t, world.run(['mount', world.vault, world.mountpoint], { input: '\n' }), 22, /is empty/)
  t.same(mountsBelow(world.folder), [])
  t.ok(await until(() => agentsOf(world).length === 0))
})

/** Agents carry their mountpoint as an argument. */
const agentsOf = (world: World): string[] =>
  readdirSync('/proc').filter((name) => {
    try {
      return (
        /^\d+$/.test(name) &&
        readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(`${world.folder}/`)
      )
    } catch {
      return false
    }
  })

t.test('busy: names the program, changes nothing; --force takes it away', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount()
  const { pid } = world
  writeFileSync(join(world.mountpoint, 'f'), 'stored before')
  const user = spawn('sleep', ['100'], { cwd: world.mountpoint, stdio: 'ignore' })
  t.teardown(() => user.kill())
  await new Promise((resolve) => user.once('spawn', resolve))
  says(
    t,
    world.run(['unmount', world.mountpoint, '--wait', '0']),
    16,
    new RegExp(`is in use by sleep \\(${String(user.pid)}\\); nothing was changed`),
  )
  const within = world.run(['unmount', world.mountpoint, '--wait=0'], {
    cwd: world.mountpoint,
  })
  t.notMatch(within.err, /node/, 'the command itself does not count')
  writeFileSync(join(world.mountpoint, 'g'), 'still works')
  t.equal(statusOf(world).length, 1)
  const forced = world.run(['unmount', '--force', world.mountpoint])
  t.equal(forced.code, 0, forced.err)
  gone(t, world, pid)
  world.mount()
  t.equal(readFileSync(join(world.mountpoint, 'g'), 'utf8'), 'still works')
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
})

t.test('unmount of what is not mounted', async (t) => {
  const world = new World(t)
  says(t, world.run(['unmount', world.mountpoint]), 17, /no drive of yours is mounted at/)
  t.equal(world.run(['unmount', '--all']).code, 0)
})

t.test('unmounted from outside: the agent stores everything and ends', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount()
  const { pid } = world
  writeFileSync(join(world.mountpoint, 'f'), 'x'.repeat(100_000))
  const root = process.getuid?.() === 0
  const { status } = root
    ? spawnSync('umount', [world.mountpoint])
    : spawnSync('fusermount3', ['-u', world.mountpoint])
  t.equal(status, 0)
  t.ok(await until(() => !isAlive(pid)))
  gone(t, world, pid)
  t.equal(world.run(['status']).err, 'No drive is mounted.\n')
  world.mount()
  t.equal(statSync(join(world.mountpoint, 'f')).size, 100_000)
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
})

t.test('SIGTERM and SIGINT unmount; busy, the second one does all the same', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    world.mount()
    const { pid } = world
    writeFileSync(join(world.mountpoint, signal), 'x')
    process.kill(pid, signal)
    t.ok(await until(() => !isAlive(pid)), signal)
    gone(t, world, pid)
  }
  world.mount()
  const { pid } = world
  t.same(readdirSync(world.mountpoint).sort(), ['SIGINT', 'SIGTERM'])
  const user = spawn('sleep', ['100'], { cwd: world.mountpoint, stdio: 'ignore' })
  t.teardown(() => user.kill())
  await new Promise((resolve) => user.once('spawn', resolve))
  process.kill(pid, 'SIGTERM')
  await new Promise((resolve) => setTimeout(resolve, 500))
  t.ok(isAlive(pid), 'busy: it stays')
  process.kill(pid, 'SIGTERM')
  t.ok(await until(() => !isAlive(pid)))
  gone(t, world, pid)
})

t.test('killed: the mount goes, the next command clears the rest', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount()
  const { pid } = world
  process.kill(pid, 'SIGKILL')
  t.ok(
    await until(() => mountsBelow(world.folder).length === 0, 2000),
    'the mount is gone within 2 s',
  )
  t.equal(readdirSync(world.runtime).length, 2, 'entry and socket lie there')
  const status = world.run(['status'])
  t.equal(status.code, 0)
  t.match(status.err, /had ended without being unmounted; what it left was cleared/)
  gone(t, world, pid)
  world.mount()
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
})

t.test(
  'killed together with its watcher: the next command takes the dead mount away',
  async (t) => {
    if (!needs(t, 'linux', 'fuse', 'root')) return
    const world = new World(t)
    world.create()
    world.mount()
    const { pid } = world
    const watchers = agentsOf(world).filter((id) => id !== String(pid))
    t.equal(watchers.length, 1)
    for (const id of watchers) process.kill(Number(id), 'SIGKILL')
    process.kill(pid, 'SIGKILL')
    t.ok(await until(() => !isAlive(pid)))
    t.equal(mountsBelow(world.folder).length, 1, 'a dead mount')
    t.throws(() => readdirSync(world.mountpoint))
    const mount = world.run(['mount', world.vault, world.mountpoint])
    t.equal(mount.code, 0, mount.err)
    t.equal(mountsBelow(world.folder).length, 1)
    t.equal(world.run(['unmount', world.mountpoint]).code, 0)
    t.same(readdirSync(world.runtime), [])
  },
)

t.test('read-only', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount()
  writeFileSync(join(world.mountpoint, 'f'), 'x')
  world.run(['unmount', world.mountpoint])
  world.mount('--read-only')
  t.throws(
    () => {
      writeFileSync(join(world.mountpoint, 'f'), 'y')
    },
    { code: 'EROFS' },
  )
  t.equal(readFileSync(join(world.mountpoint, 'f'), 'utf8'), 'x')
  t.equal(statusOf(world)[0]?.readOnly, true)
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
})

t.test('a vault folder that is read-only is mounted with --read-only alone', async (t) => {
  if (!needs(t, 'linux', 'fuse', 'root')) return
  const world = new World(t)
  world.create()
  const bound = join(world.folder, 'bound')
  mkdirSync(bound)
  const run = (...args: string[]) => spawnSync('mount', args).status
  if (run('--bind', world.vault, bound) !== 0 || run('-o', 'remount,ro,bind', bound) !== 0) {
    t.plan(0, 'this container may not bind mounts')
    return
  }
  says(
    t,
    world.run(['mount', bound, world.mountpoint]),
    20,
    /is read-only\nhint: mount it with --read-only/,
  )
  says(t, world.run(['passwd', bound], { input: `${PASSWORD}\nnew\n` }), 20, /is read-only/)
  const mount = world.run(['mount', bound, world.mountpoint, '--read-only'])
  t.equal(mount.code, 0, mount.err)
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
})

t.test('--idle unmounts what nobody uses, and nothing else', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount('--idle', '1s')
  const { pid } = world
  writeFileSync(join(world.mountpoint, 'f'), 'x')
  const fd = openSync(join(world.mountpoint, 'f'), 'r')
  await new Promise((resolve) => setTimeout(resolve, 2500))
  t.ok(isAlive(pid), 'a file is open')
  t.match(world.run(['status']).out, /locked at: 1 second without use/)
  closeSync(fd)
  t.ok(await until(() => !isAlive(pid)))
  gone(t, world, pid)
})

t.test('--foreground', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  for (const end of ['SIGINT', 'unmount']) {
    const child = world.start(['mount', world.vault, world.mountpoint, '--foreground'])
    const exit = new Promise<number | null>((resolve) => child.on('exit', resolve))
    t.ok(await until(() => world.entries().length === 1 && mountsBelow(world.folder).length === 1))
    t.ok(await until(() => existsSync(world.entries()[0]?.socket ?? '')))
    t.equal(world.pid, child.pid, 'the same process')
    if (end === 'SIGINT') child.kill('SIGINT')
    else t.equal(world.run(['unmount', world.mountpoint]).code, 0)
    t.equal(await exit, 0)
    gone(t, world, child.pid ?? 0)
  }
})

t.test('the command goes away before the drive is usable: so does the drive', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  t.equal(world.run(['create', world.vault, '--scrypt-logn', '16']).code, 0)
  const child = world.start(['mount', world.vault, world.mountpoint])
  t.ok(await until(() => agentsOf(world).length > 1))
  child.kill('SIGKILL')
  t.ok(await until(() => agentsOf(world).length === 0))
  t.same(mountsBelow(world.folder), [])
})

t.test('junk on the control socket does no harm', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount()
  const socket = world.entries()[0]?.socket ?? ''
  t.equal(statSync(world.runtime).mode & 0o777, 0o700)
  for (const junk of ['x\n', '{}\n', '{"op":"format"}\n', 'y'.repeat(200_000)]) {
    await new Promise<void>((resolve) => {
      const client = connect(socket)
      client.on('close', resolve)
      client.on('error', () => undefined)
      client.resume()
      client.write(junk)
    })
  }
  t.equal(statusOf(world).length, 1)
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
})

t.test('no /dev/fuse, no fusermount3', async (t) => {
  if (!needs(t, 'linux', 'root', 'fuse')) return
  const world = new World(t)
  world.create()
  const inside = (setup: string, run = '') =>
    spawnSync(
      'unshare',
      [
        '-m',
        'sh',
        '-c',
        `${setup} || exit 99; ${run} "$@"`,
        'sh',
        process.execPath,
        PROGRAM,
        'mount',
        world.vault,
        world.mountpoint,
      ],
      {
        env: world.env,
        input: `${PASSWORD}\n`,
        encoding: 'utf8',
      },
    )
  const noDevice = inside('mount -t tmpfs none /dev')
  if (noDevice.status === 99) {
    t.plan(0, 'this container may not mount')
    return
  }
  t.equal(noDevice.status, 15)
  t.match(noDevice.stderr, /^coffer: \/dev\/fuse does not exist\nhint: [^\n]+\n$/)
  if (!needs(t, 'setpriv', 'fusermount3')) return
  const path = spawnSync('sh', ['-c', 'command -v fusermount3'], { encoding: 'utf8' }).stdout.trim()
  const own = `mkdir ${world.folder}/home && chown -R 65534:65534 ${world.folder} && chmod 755 ${world.folder}`
  const noHelper = inside(
    `${own} && mount --bind /dev/null "$(readlink -f ${path})"`,
    'setpriv --reuid 65534 --regid 65534 --clear-groups',
  )
  t.equal(noHelper.status, 15, noHelper.stderr)
  t.match(noHelper.stderr, /^coffer: the program fusermount3 is not installed\nhint: install it: /)
})

t.test('a vault folder that hangs: status says so, --force ends it all the same', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount()
  const { pid: outer } = world
  // the drive itself is the folder that will hang: a vault in a vault
  const vault = join(world.mountpoint, 'inner')
  const drive = join(world.folder, 'inner-drive')
  mkdirSync(drive)
  t.equal(world.run(['create', vault, ...CHEAP]).code, 0)
  t.equal(world.run(['mount', vault, drive]).code, 0)
  const inner = world.entries().find(({ mountpoint }) => mountpoint === drive)?.pid ?? 0
  process.kill(outer, 'SIGSTOP')
  const victim = spawn('sh', ['-c', 'echo x > "$0/f"', drive], { stdio: 'ignore' })
  const victimEnds = new Promise((resolve) => victim.once('exit', resolve))
  try {
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const status = statusOf(world).find(({ mountpoint }) => mountpoint === drive)
    t.match(status?.warnings, [/has been held up by one request for \d+\.\d s/])
    const forced = world.run(['unmount', '--force', drive])
    t.equal(forced.code, 21)
    t.match(forced.err, /did not end in time; what it had not stored is lost/)
    t.ok(await until(() => !isAlive(inner)))
    t.same(mountsBelow(world.folder), [world.mountpoint])
  } finally {
    process.kill(outer, 'SIGCONT')
  }
  await victimEnds
  t.equal(world.run(['unmount', '--all']).code, 0)
  gone(t, world, outer)
})

t.test('a vault that vanishes: told at unmount, and nothing hangs', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount()
  const { pid } = world
  rmSync(world.vault, { recursive: true })
  const fails = (): boolean => {
    try {
      readdirSync(world.mountpoint)
      return false
    } catch {
      return true
    }
  }
  t.ok(await until(fails, 2000), 'EIO, once what the kernel knew has aged')
  t.equal(world.run(['status']).code, 0)
  says(t, world.run(['unmount', world.mountpoint]), 25, /hint: .* the drive then goes on/)
  const forced = world.run(['unmount', '--force', world.mountpoint])
  says(t, forced, 25, /hint: the drive has been given up, and what it had not stored is lost/)
  t.notOk(isAlive(pid))
  t.same(mountsBelow(world.folder), [])
})
