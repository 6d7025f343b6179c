// What the machine may withhold: the FUSE device, the folders that coffer keeps things in, descriptors,
// permission for the vault's files. Doctor and mount say the same about it.

import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { needs } from '../needs.js'
import { isAlive, mountsBelow, PASSWORD, PROGRAM, says, World, type Result } from './coffer.js'

t.setTimeout(240_000)

const USER = 'setpriv --reuid 65534 --regid 65534 --clear-groups'

/** Runs the program from a shell, after `setup`: "$@" is the program with its arguments. */
function shell(world: World, setup: string, args: string[], before: string[] = []): Result {
  const program = ['-c', setup, 'sh', process.execPath, PROGRAM, ...args]
  const { status, stdout, stderr } = spawnSync('env', [...before, 'sh', ...program], {
    cwd: world.folder,
    env: world.env,
    input: `${PASSWORD}\n`,
    encoding: 'utf8',
    timeout: 60_000,
  })
  return { code: status, out: stdout, err: stderr }
}

/** Everything of the world belongs to the user that `USER` makes one. */
function giveAway(world: World): void {
  chmodSync(world.folder, 0o755)
  spawnSync('chown', ['-R', '65534:65534', world.folder])
}

t.test('a device that cannot be used: mount and doctor say the same, 15', async (t) => {
  if (!needs(t, 'linux', 'root', 'fuse')) return
  const world = new World(t)
  world.create()
  world.file('file', '')
  const unshare = ['unshare', '-m']
  const cases: [bind: string, as: string, error: RegExp][] = [
    [`${world.folder}/file`, '', /\/dev\/fuse is not the device of FUSE/],
    ['/dev/null', '', /\/dev\/fuse is not the device of FUSE/],
  ]
  const user = needs(t, 'setpriv', 'fusermount3')
  if (!user) return
  spawnSync('mknod', ['-m', '600', join(world.folder, 'fuse'), 'c', '10', '229'])
  cases.push([`${world.folder}/fuse`, USER, /you may not open \/dev\/fuse/])
  for (const [device, as, error] of cases) {
    giveAway(world)
    spawnSync('chown', ['0:0', join(world.folder, 'fuse')])
    const setup = `mount --bind ${device} /dev/fuse || exit 99; ${as} "$@"`
    const mount = shell(world, setup, ['mount', world.vault, world.mountpoint], unshare)
    if (mount.code === 99) {
      t.plan(0, 'this container may not mount')
      return
    }
    says(t, mount, 15, error)
    const doctor = shell(world, setup, ['doctor'], unshare)
    t.equal(doctor.code, 15)
    t.match(doctor.out, new RegExp(`^NO +mounting: ${error.source}\n +\\S`, 'm'))
    spawnSync('chown', ['-R', '0:0', world.folder])
  }
})

t.test('a state or runtime folder that cannot be used: named, 28', async (t) => {
  const world = new World(t)
  world.create()
  const file = world.file('file', '')
  for (const name of ['COFFER_STATE_DIR', 'COFFER_RUNTIME_DIR']) {
    for (const folder of [file, join(file, 'sub')]) {
      const doctor = world.run(['doctor'], { env: { [name]: folder } })
      t.equal(doctor.code, 28, name)
      t.match(doctor.out, new RegExp(`^NO +(state|runtime) folder: .*${folder}`, 'm'))
      t.notMatch(doctor.out, /STATE:|cannot be used.*cannot be used/)
    }
  }
  if (!needs(t, 'linux', 'fuse')) return
  const args = ['mount', world.vault, world.mountpoint]
  for (const name of ['COFFER_STATE_DIR', 'COFFER_RUNTIME_DIR']) {
    says(t, world.run(args, { env: { [name]: file } }), 28, new RegExp(file))
  }
  says(t, world.run(args, { env: { COFFER_RUNTIME_DIR: '/proc/none' } }), 28, /\/proc\/none/)
  const long = join(world.folder, 'long'.repeat(30))
  says(
    t,
    world.run(args, { env: { COFFER_RUNTIME_DIR: long } }),
    28,
    new RegExp(`the path of the runtime folder ${long} is too long`),
  )
  const homeless = { HOME: '', COFFER_STATE_DIR: '', XDG_STATE_HOME: '' }
  says(
    t,
    world.run(args, { env: homeless }),
    28,
    /the state folder cannot be \.local\/state\/coffer/,
  )
  t.same(
    readdirSync(world.folder).filter((name) => name.startsWith('.')),
    [],
  )
  t.same(mountsBelow(world.folder), [])
  t.same(world.entries(), [])
})

t.test('folders named relative to where the command runs', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  const env = { COFFER_STATE_DIR: 'state', COFFER_RUNTIME_DIR: './run' }
  const mount = world.run(['mount', world.vault, world.mountpoint], { env })
  t.equal(mount.code, 0, mount.err)
  const { pid } = world
  t.equal(world.entries().length, 1, 'the entry is where it belongs')
  t.equal((JSON.parse(world.run(['status', '--json']).out) as unknown[]).length, 1)
  const unmount = world.run(['unmount', world.mountpoint], { env })
  t.equal(unmount.code, 0, unmount.err)
  t.notOk(isAlive(pid))
  t.same(readdirSync(world.runtime), [])
})

t.test('few descriptors: more folders than that, and still an unmount', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  const mount = shell(world, 'ulimit -n 256; exec "$@"', ['mount', 'vault', 'drive'])
  t.equal(mount.code, 0, mount.err)
  const { pid } = world
  for (let i = 0; i < 400; i++) {
    const folder = join(world.mountpoint, String(i))
    mkdirSync(folder)
    writeFileSync(join(folder, 'f'), String(i))
  }
  for (let i = 0; i < 400; i++) {
    if (readFileSync(join(world.mountpoint, String(i), 'f'), 'utf8') !== String(i)) t.fail('lost')
  }
  t.ok(readdirSync(`/proc/${String(pid)}/fd`).length < 256)
  const unmount = world.run(['unmount', world.mountpoint])
  t.equal(unmount.code, 0, unmount.err)
  t.notOk(isAlive(pid))
})

t.test(
  "no permission for the vault's files: told before the password, not as read-only",
  async (t) => {
    if (!needs(t, 'linux', 'root', 'fuse', 'setpriv', 'fusermount3')) return
    const world = new World(t)
    world.create()
    giveAway(world)
    rmSync(world.state, { recursive: true })
    const data = join(world.vault, 'data')
    chmodSync(data, 0)
    for (const option of [[], ['--read-only']]) {
      const args = ['mount', world.vault, world.mountpoint, ...option]
      const mount = shell(world, `exec ${USER} "$@"`, args)
      says(
        t,
        mount,
        1,
        new RegExp(`you may not read the folder ${data}\nhint: .*chmod u\\+rwx ${data}`),
      )
    }
    chmodSync(data, 0o500)
    const readOnly = shell(world, `exec ${USER} "$@"`, ['mount', world.vault, world.mountpoint])
    says(t, readOnly, 20, /is read-only\nhint: mount it with --read-only/)
    t.same(mountsBelow(world.folder), [])
  },
)
