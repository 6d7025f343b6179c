// What an unmount does about copies of the mount that it does not reach: in other mount namespaces, at other
// places, and where it was taken away by somebody else.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { isAlive, says, until, World } from './coffer.js'

t.setTimeout(120_000)

const UNSHARE = ['unshare', '--mount', '--propagation', 'private']

/** A shell that has run that script up to its "echo". */
async function shell(t: Test, before: string[], script: string, ...args: string[]) {
  const [program = '', ...rest] = [...before, 'sh', '-c', script, 'sh', ...args]
  const child = spawn(program, rest, { cwd: '/', stdio: ['pipe', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  return child
}

/** Lets it go on to its end; what it said on standard error then. */
async function goOn(child: ChildProcess): Promise<string> {
  let said = ''
  child.stderr?.on('data', (data: Buffer) => (said += data.toString()))
  child.stdin?.end('\n')
  await new Promise((resolve) => child.once('close', resolve))
  return said
}

for (const driver of ['fuse-linux', 'fuse-native']) {
  t.test(`copies that nobody uses end with the drive: ${driver}`, async (t) => {
    if (!needs(t, 'linux', 'fuse', 'mount')) return
    const world = new World(t)
    world.create()
    world.mount('--driver', driver)
    const { pid, mountpoint } = world
    writeFileSync(join(mountpoint, 'f'), 'x')
    const other = await shell(t, UNSHARE, 'echo; read -r _; stat "$1"', mountpoint)
    const unmount = world.run(['unmount', mountpoint])
    t.equal(unmount.code, 0, unmount.err)
    t.notOk(isAlive(pid))
    t.match(await goOn(other), /not connected/)
    world.mount('--driver', driver)
    t.equal(readFileSync(join(mountpoint, 'f'), 'utf8'), 'x')
    t.equal(world.run(['unmount', mountpoint]).code, 0)
  })
}

/** How the shell has the drive "$1", with "$2" for a place of its own; then it uses what lies here. */
const USE = 'exec 3>> f; echo; read -r _; printf y >&3'
const WAYS: [string, string[], string][] = [
  ['in another mount namespace', UNSHARE, `cd "$1"; ${USE}`],
  ['there at another place', UNSHARE, `mount --bind "$1" "$2"; umount "$1"; cd "$2"; ${USE}`],
  [
    'there in a root of its own',
    UNSHARE,
    `mount --rbind / "$2"; umount "$1"; exec chroot "$2" sh -c 'cd "$1"; ${USE}' sh "$1"`,
  ],
  [
    'here at another place',
    [],
    `mount --bind "$1" "$2"; cd "$2"; ${USE}; exec 3>&-; cd /; umount "$2"`,
  ],
]

t.test('copies that programs use', async (t) => {
  if (!needs(t, 'linux', 'fuse', 'mount')) return
  const world = new World(t)
  const { mountpoint } = world
  const path = join(mountpoint, 'f')
  const place = join(world.folder, 'place')
  mkdirSync(place)
  world.create()
  for (const [way, before, script] of WAYS) {
    world.mount()
    const { pid } = world
    writeFileSync(path, 'x')
    const user = await shell(t, before, script, mountpoint, place)
    const busy = new RegExp(`is in use by sh \\(${String(user.pid)}\\); nothing was changed\n`)
    says(t, world.run(['unmount', mountpoint, '--wait', '0']), 16, busy)
    t.ok(isAlive(pid), way)
    t.equal(readFileSync(path, 'utf8'), 'x')
    const unmount = world.start(['unmount', mountpoint, '--wait', '60s'])
    let err = ''
    unmount.stderr.on('data', (data: Buffer) => (err += data.toString()))
    const exit = new Promise((resolve) => unmount.once('close', resolve))
    t.ok(await until(() => err.includes('waiting'), 10_000))
    t.equal(await goOn(user), '')
    t.equal(await exit, 0, err)
    t.notOk(isAlive(pid))
    world.mount()
    t.equal(readFileSync(path, 'utf8'), 'xy', way)
    t.equal(world.run(['unmount', mountpoint]).code, 0)
  }
})

t.test('--force ends them all', async (t) => {
  if (!needs(t, 'linux', 'fuse', 'mount')) return
  const world = new World(t)
  world.create()
  world.mount()
  const { pid, mountpoint } = world
  const user = await shell(t, UNSHARE, `cd "$1"; exec 3>> f; printf x >&3; ${USE}`, mountpoint)
  const forced = world.run(['unmount', mountpoint, '--force'])
  t.equal(forced.code, 0, forced.err)
  t.match(forced.err, `${join(mountpoint, 'f')}, open in sh (${String(user.pid)})\n`)
  t.notOk(isAlive(pid))
  t.match(await goOn(user), /not connected|aborted|I\/O error/)
  world.mount()
  t.equal(readFileSync(join(mountpoint, 'f'), 'utf8'), 'x')
  t.equal(world.run(['unmount', mountpoint]).code, 0)
})

t.test('somebody else has taken the mount away, and a file is open', async (t) => {
  if (!needs(t, 'linux', 'fuse', 'mount')) return
  const world = new World(t)
  world.create()
  world.mount()
  const { pid, mountpoint } = world
  const fd = openSync(join(mountpoint, 'f'), 'w')
  t.equal(spawnSync('umount', ['-l', mountpoint]).status, 0)
  const open = /is not mounted any more, but 1 file of it is still open in programs that had it/
  says(t, world.run(['unmount', mountpoint, '--wait', '0']), 16, open)
  t.ok(isAlive(pid))
  writeSync(fd, 'x')
  closeSync(fd)
  t.ok(await until(() => !isAlive(pid)))
  world.mount()
  t.equal(readFileSync(join(mountpoint, 'f'), 'utf8'), 'x')
  t.equal(world.run(['unmount', mountpoint]).code, 0)
})
