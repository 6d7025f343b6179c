// The folder under a drive: closed while it is there and after it is locked, given back by every mount.

import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { CHEAP, isAlive, mountsBelow, PASSWORD, PROGRAM, says, until, World } from './coffer.js'

t.setTimeout(240_000)

const isRoot = process.getuid?.() === 0
const modeOf = (path: string): number => statSync(path).mode & 0o7777
const flagOf = (path: string): boolean =>
  /^\S*i/.test(spawnSync('lsattr', ['-d', path], { encoding: 'utf8' }).stdout)

/** Closed; by the flag too where the machine's temporary folder has it. */
function closed(t: Test, path: string): void {
  t.equal(modeOf(path), 0, 'mode 0000')
  t.throws(() => {
    writeFileSync(join(path, 'plain'), 'x')
  }, 'nobody can write there')
}

const unmount = (t: Test, world: World): void => {
  const { code, err } = world.run(['unmount', world.mountpoint])
  t.equal(code, 0, err)
}

t.test('closed by a mount, through unmount and kill; the next mount gives it back', async (t) => {
  if (!needs(t, 'linux', 'fuse', 'chattr')) return
  const world = new World(t)
  world.create()
  chmodSync(world.mountpoint, 0o750)
  world.mount()
  writeFileSync(join(world.mountpoint, 'f'), 'x')
  unmount(t, world)
  closed(t, world.mountpoint)
  world.mount()
  t.same(readdirSync(world.mountpoint), ['f'])
  const { pid } = world
  process.kill(pid, 'SIGKILL')
  t.ok(await until(() => mountsBelow(world.folder).length === 0))
  closed(t, world.mountpoint)
  world.run(['status'])
  closed(t, world.mountpoint)
  world.mount('--keep-mountpoint')
  unmount(t, world)
  t.equal(modeOf(world.mountpoint), 0o750, 'as it was before the first mount')
  t.notOk(flagOf(world.mountpoint))
  rmdirSync(world.mountpoint)
})

t.test('a mount that does not come about leaves the folder as it was', async (t) => {
  if (!needs(t, 'linux', 'fuse', 'chattr')) return
  const world = new World(t)
  world.create()
  chmodSync(world.mountpoint, 0o711)
  const refused = (): void => {
    const wrong = world.run(['mount', world.vault, world.mountpoint], { input: 'wrong\n' })
    t.equal(wrong.code, 12)
    // the state folder takes the record of no mountpoint, nor the files of a test
    const env = { PATH: '/nowhere' }
    t.not(world.run(['mount', join(world.folder, 'none'), world.mountpoint], { env }).code, 0)
  }
  refused()
  t.equal(modeOf(world.mountpoint), 0o711)
  world.mount()
  unmount(t, world)
  refused()
  closed(t, world.mountpoint)
})

t.test('another vault, a lost state folder, a mode 0000 of the user: a mount works', async (t) => {
  if (!needs(t, 'linux', 'fuse', 'chattr')) return
  const world = new World(t)
  world.create()
  world.mount()
  unmount(t, world)
  const other = join(world.folder, 'other')
  t.equal(world.run(['create', other, ...CHEAP]).code, 0)
  t.equal(world.run(['mount', other, world.mountpoint]).code, 0)
  unmount(t, world)
  closed(t, world.mountpoint)
  rmSync(world.state, { recursive: true })
  world.mount()
  unmount(t, world)
  closed(t, world.mountpoint)
  world.mount('--keep-mountpoint')
  unmount(t, world)
  t.equal(modeOf(world.mountpoint), 0o700, 'nobody knows the mode before')

  chmodSync(world.mountpoint, 0)
  world.mount('--keep-mountpoint')
  unmount(t, world)
  t.equal(modeOf(world.mountpoint), 0, 'as the user had it')
  t.notOk(flagOf(world.mountpoint))

  spawnSync('chattr', ['-i', world.mountpoint])
  rmdirSync(world.mountpoint)
  mkdirSync(world.mountpoint, { mode: 0o755 })
  world.mount('--keep-mountpoint')
  unmount(t, world)
  t.equal(modeOf(world.mountpoint), 0o755, 'a folder that was made anew is another one')
})

t.test('the flag is for root alone, on folders of root', async (t) => {
  if (!needs(t, 'linux', 'fuse', 'root', 'chattr')) return
  const world = new World(t)
  if (spawnSync('chattr', ['+i', world.mountpoint]).status !== 0) {
    t.plan(0, 'the disk of the temporary folder has no such flag')
    return
  }
  spawnSync('chattr', ['-i', world.mountpoint])
  world.create()
  world.mount()
  unmount(t, world)
  t.ok(flagOf(world.mountpoint))
  const theirs = join(world.folder, 'theirs')
  mkdirSync(theirs)
  chownSync(theirs, 65534, 65534)
  t.equal(world.run(['mount', world.vault, theirs]).code, 0)
  t.equal(world.run(['unmount', theirs]).code, 0)
  t.equal(modeOf(theirs), 0)
  t.notOk(flagOf(theirs), 'its owner could not take it away')
})

t.test('by a user other than root', async (t) => {
  if (!needs(t, 'linux', 'fuse', 'root', 'setpriv', 'fusermount3')) return
  const world = new World(t)
  world.create()
  chmodSync(world.folder, 0o755)
  const to = ['-R', '65534:65534', world.folder]
  t.equal(spawnSync('chown', to).status, 0)
  chmodSync(world.mountpoint, 0o700)
  const user = ['--reuid', '65534', '--regid', '65534', '--clear-groups']
  const run = (...words: string[]) =>
    spawnSync('setpriv', [...user, ...words], {
      env: { ...world.env, HOME: world.folder },
      cwd: world.folder,
      input: `${PASSWORD}\n`,
      encoding: 'utf8',
    })
  const coffer = (...words: string[]) => run(process.execPath, PROGRAM, ...words)
  for (const state of ['kept', 'lost']) {
    const mount = coffer('mount', world.vault, world.mountpoint)
    t.equal(mount.status, 0, mount.stderr)
    t.equal(run('touch', join(world.mountpoint, 'f')).status, 0)
    const unmount = coffer('unmount', world.mountpoint)
    t.equal(unmount.status, 0, unmount.stderr)
    t.equal(modeOf(world.mountpoint), 0)
    t.not(run('touch', join(world.mountpoint, 'plain')).status, 0)
    if (state === 'kept') rmSync(world.state, { recursive: true })
  }
  t.equal(run('rm', '-rf', world.mountpoint).status, 0)
  t.notOk(existsSync(world.mountpoint), 'its owner removes it as any folder')
})

t.test('what lies under a drive in plain is named, and left there', async (t) => {
  if (!needs(t, 'linux', 'fuse', 'chattr')) return
  const world = new World(t)
  world.create()
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g'])
    writeFileSync(join(world.mountpoint, name), name)
  says(
    t,
    world.run(['mount', world.vault, world.mountpoint]),
    10,
    /is not empty; what lies there is not encrypted: a, b, c, d, e and 2 more\nhint: nothing was changed; move it elsewhere/,
  )
  t.equal(readdirSync(world.mountpoint).length, 7)
  for (const name of readdirSync(world.mountpoint)) rmSync(join(world.mountpoint, name))

  world.mount('--keep-mountpoint')
  const { pid } = world
  process.kill(pid, 'SIGKILL')
  t.ok(await until(() => !isAlive(pid) && mountsBelow(world.folder).length === 0))
  writeFileSync(join(world.mountpoint, 'late.txt'), 'x')
  t.match(
    world.run(['status']).err,
    /had ended without being unmounted[^\n]*\nWhat lies in \S*drive now is not encrypted: late\.txt\. Move it elsewhere/,
  )
  t.same(readdirSync(world.mountpoint), ['late.txt'])
  if (isRoot) t.notOk(flagOf(world.mountpoint))
})
