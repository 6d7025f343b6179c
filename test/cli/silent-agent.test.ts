// A drive whose process does not answer: unmounting says so in time, and by force it goes all the same.

import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { isAlive, mountsBelow, says, World } from './coffer.js'

t.setTimeout(120_000)

/** Held for as long as the test lasts. */
function stop(t: Test, pid: number): void {
  process.kill(pid, 'SIGSTOP')
  t.teardown(() => {
    if (isAlive(pid)) process.kill(pid, 'SIGCONT')
  })
}

t.test('a stopped process: unmount tells, and nothing has changed', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount()
  const { pid } = world
  writeFileSync(join(world.mountpoint, 'f'), 'x')
  stop(t, pid)
  const sentence = `the process ${String(pid)} of the drive ${world.mountpoint} does not answer`
  for (const what of [world.mountpoint, '--all']) {
    const since = Date.now()
    const unmount = world.run(['unmount', what])
    says(t, unmount, 21, new RegExp(`${sentence}\nhint: .*kill -CONT ${String(pid)}; --force`))
    t.ok(Date.now() - since < 10_000, 'in time')
  }
  t.ok(isAlive(pid))
  t.equal(mountsBelow(world.folder).length, 1)
  process.kill(pid, 'SIGCONT')
  t.equal(readFileSync(join(world.mountpoint, 'f'), 'utf8'), 'x')
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
  t.notOk(isAlive(pid))
})

t.test('a stopped process, by force: goes on, stores what it has, and ends', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount()
  const { pid } = world
  writeFileSync(join(world.mountpoint, 'f'), 'kept')
  stop(t, pid)
  const forced = world.run(['unmount', '--force', world.mountpoint])
  t.equal(forced.code, 0, forced.err)
  t.notOk(isAlive(pid))
  t.same(mountsBelow(world.folder), [])
  t.same(readdirSync(world.runtime), [])
  world.mount()
  t.equal(readFileSync(join(world.mountpoint, 'f'), 'utf8'), 'kept')
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
})

/** What stands in the registry for a process that took a drive's place there and never answers. */
async function silentEntry(t: Test, world: World, child: ChildProcess): Promise<void> {
  mkdirSync(world.runtime, { mode: 0o700 })
  const socket = join(world.runtime, 'silent')
  const server = createServer(() => undefined)
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  t.teardown(() => server.close())
  const pid = child.pid ?? 0
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'latin1')
  const entry = {
    vaultId: '0'.repeat(32),
    vault: world.vault,
    mountpoint: world.mountpoint,
    pid,
    started: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19],
    boot: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
    since: new Date().toISOString(),
    socket,
    log: '',
    device: '',
  }
  writeFileSync(join(world.runtime, `${entry.vaultId}.json`), JSON.stringify(entry))
}

t.test('a process that never answers, by force: is ended, its entry goes', async (t) => {
  if (!needs(t, 'linux')) return
  const world = new World(t)
  const child = spawn('sleep', ['100'], { stdio: 'ignore' })
  t.teardown(() => child.kill('SIGKILL'))
  await new Promise((resolve) => child.once('spawn', resolve))
  await silentEntry(t, world, child)
  says(t, world.run(['unmount', world.mountpoint]), 21, /does not answer/)
  t.ok(isAlive(child.pid ?? 0))
  const forced = world.run(['unmount', '--force', world.mountpoint])
  says(t, forced, 21, /did not answer and was ended; what it had not stored is lost/)
  t.notOk(isAlive(child.pid ?? 0))
  t.same(
    readdirSync(world.runtime).filter((name) => name.endsWith('.json')),
    [],
  )
})
