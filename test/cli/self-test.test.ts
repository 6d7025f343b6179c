// The self-test at mount: what passes stays mounted, what loses bytes does not, and the vault folder
// hears nothing of it.

import { spawnSync } from 'node:child_process'
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { DRIVERS, type Driver } from '../../lib/mount/driver.js'
import { needs } from '../needs.js'
import { mountsBelow, says, until, World, type Result } from './coffer.js'

t.setTimeout(240_000)

const PLANT = new URL('planted-defect.js', import.meta.url).href

interface Status {
  selfTest: { kind: string; ms: number | null }
  bytesWritten: number
  requests: number
}

const statusOf = (world: World): Status | undefined =>
  (JSON.parse(world.run(['status', '--json']).out) as Status[])[0]

const mount = (world: World, planted: string, ...options: string[]): Result =>
  world.run(['mount', world.vault, world.mountpoint, ...options], {
    env: { NODE_OPTIONS: `--import=${PLANT}`, PLANTED: planted },
  })

/** Scratch folders in the state folder. */
const scratches = (world: World): string[] =>
  readdirSync(world.state, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.includes('scratch'),
  )

/** Everything that can be seen of a folder from outside, but when it was read. */
const seen = (folder: string): string[] =>
  ['.', ...readdirSync(folder, { recursive: true, encoding: 'utf8' })].sort().map((path) => {
    const { ino, size, mode, nlink, mtimeNs, ctimeNs } = lstatSync(join(folder, path), {
      bigint: true,
    })
    return [path, ino, size, mode, nlink, mtimeNs, ctimeNs].join(' ')
  })

/** Notes what happens in the vault folder; returns what ends that. */
function listen(world: World, events: string[]): () => void {
  const watchers = ['.', 'data'].map((name) =>
    watch(join(world.vault, name), (event, what) => {
      events.push(`${name} ${event} ${String(what)}`)
    }),
  )
  return () => {
    for (const watcher of watchers) watcher.close()
  }
}

function untouched(t: Test, world: World): void {
  t.same(mountsBelow(world.folder), [], 'no mount')
  t.same(readdirSync(world.runtime), [], 'no entry, no socket')
  t.same(scratches(world), [], 'no scratch')
  t.equal(readdirSync(join(world.state, 'vaults')).length, 1, 'no state of a vault that is none')
  t.same(readdirSync(join(world.vault, 'data')), [], 'nothing in the vault')
}

void t.test('passes in some milliseconds, and is nowhere to be seen', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  for (const [kind, ...options] of [
    ['quick'],
    ['quick', '--read-only'],
    ['full', '--self-test=full'],
    ['full', '--self-test=full', '--read-only'],
    ['off', '--self-test=off'],
    ['quick', '--driver=fuse-native'],
    ['full', '--self-test=full', '--driver=fuse-native', '--read-only'],
    ['off', '--self-test=off', '--driver=fuse-native'],
  ]) {
    const before = seen(world.vault)
    const events: string[] = []
    const stop = listen(world, events)
    try {
      // not `run`, which would keep the events waiting
      const child = world.start(['mount', world.vault, world.mountpoint, ...options])
      t.equal(await new Promise((resolve) => child.once('exit', resolve)), 0, options.join(' '))
      const status = statusOf(world)
      t.equal(status?.selfTest.kind, kind)
      const ms = status?.selfTest.ms ?? null
      t.comment(`${options.join(' ')} ${String(ms)} ms`)
      if (kind === 'off') t.equal(ms, null)
      else t.ok(ms !== null && ms > 0 && ms < 10_000)
      t.equal(status?.bytesWritten, 0, 'in nobody’s statistics')
      t.same(readdirSync(world.mountpoint), [])
      t.ok(await until(() => scratches(world).length === 0), 'no scratch')
      t.equal(world.run(['unmount', world.mountpoint]).code, 0)
      await new Promise((resolve) => setTimeout(resolve, 50))
    } finally {
      stop()
    }
    t.same(events, [], 'no event in the vault folder')
    t.same(seen(world.vault), before)
  }
  says(
    t,
    world.run(['mount', world.vault, world.mountpoint, '--self-test=slow']),
    2,
    /--self-test cannot be slow/,
  )
})

void t.test('the watch would have seen a file', async (t) => {
  const world = new World(t)
  world.create()
  const events: string[] = []
  t.teardown(listen(world, events))
  const file = join(world.vault, 'data', 'f')
  writeFileSync(file, '')
  rmSync(file)
  t.ok(await until(() => events.includes('data rename f')), events.join())
})

type Caught = [planted: string, options: string[], said: RegExp]

const CAUGHT: Record<Driver, Caught[]> = {
  'fuse-linux': [
    ['zeros', [], /: of (1 byte|14 bytes) written, zeros came back\n/],
    ['tail', [], /: of 4097 bytes written, 4096 came back\n/],
    ['other', [], /: of 15 bytes written, other bytes came back, from byte 7 on\n/],
    ['other', ['--read-only'], /: of 15 bytes written, other bytes came back, from byte 7 on\n/],
    ['late', ['--self-test=full'], /: of 8388608 bytes written, other bytes came back, from byte/],
    ['full', [], /bytes? could not be written: i\/o error\n/],
  ],
  'fuse-native': [
    ['zeros', [], /: of (1 byte|14 bytes) written, zeros came back\n/],
    ['other', ['--read-only'], /: of 15 bytes written, other bytes came back, from byte 7 on\n/],
    ['late', ['--self-test=full'], /: of 8388608 bytes written, other bytes came back, from byte/],
    ['full', [], /bytes? could not be written: i\/o error\n/],
    ['silent', [], /: 4127 bytes came back, but only 0 of them from the drive\n/],
  ],
}

for (const driver of DRIVERS) {
  void t.test(`caught under ${driver}`, async (t) => {
    if (!needs(t, 'linux', 'fuse')) return
    const world = new World(t)
    world.create()
    const before = seen(world.vault)
    for (const [planted, options, said] of CAUGHT[driver]) {
      const what = `${planted} ${options.join(' ')}`
      const result = mount(world, planted, '--driver', driver, ...options)
      t.equal(result.code, 31, what)
      t.match(result.err, /^coffer: the drive failed its self-test and was taken away again: /)
      t.match(result.err, said, what)
      t.match(result.err, /\nhint: the vault was not touched; /)
      untouched(t, world)
      t.same(seen(world.vault), before, what)
      const agents = () => processesWith(`${world.folder}/`)
      t.ok(await until(() => agents().length === 0), 'no process, so no keys')
    }
  })
}

const processesWith = (text: string): string[] =>
  readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(text)
    } catch {
      return false
    }
  })

void t.test('caught in the foreground; not looked for with --self-test=off', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  const caught = mount(world, 'zeros', '--foreground')
  t.equal(caught.code, 31, caught.err)
  untouched(t, world)
  t.equal(mount(world, 'zeros', '--self-test=off').code, 0, 'and sound again, it mounts')
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
  t.equal(mount(world, 'late').code, 0, 'the quick one does not see what only long files show')
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
})

void t.test('killed in the midst of it: the next mount clears what was left', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  for (const options of [[], ['--self-test=off', '--driver=fuse-native']]) {
    t.equal(mount(world, 'killed', ...options.slice(1)).code, 21)
    t.ok(await until(() => mountsBelow(world.folder).length === 0))
    t.ok(scratches(world).length > 2, 'it left something')
    t.same(readdirSync(join(world.vault, 'data')), [])
    world.mount(...options)
    t.ok(await until(() => scratches(world).length === 0))
    t.equal(world.run(['unmount', world.mountpoint]).code, 0)
  }
})

void t.test('where its files cannot be made, it says so, and nothing stays', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  const [id = ''] = readdirSync(join(world.state, 'vaults'))
  const scratch = join(world.state, 'vaults', id, 'scratch')
  writeFileSync(scratch, '')
  says(t, world.run(['mount', world.vault, world.mountpoint]), 28, /scratch cannot be used: it is/)
  rmSync(scratch)
  untouched(t, world)
  world.mount('--self-test=off')
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
})

void t.test('where its files have no room, it says so, and nothing stays', async (t) => {
  if (!needs(t, 'linux', 'fuse', 'root')) return
  const world = new World(t)
  world.create()
  // the state folder is made anew, on a disk that is large enough for two journals, but not for a
  // file of 8 MiB, too
  rmSync(world.state, { recursive: true })
  mkdirSync(world.state)
  const disk = ['-t', 'tmpfs', '-o', 'size=11m', 'coffer-test', world.state]
  if (spawnSync('mount', disk).status !== 0) {
    t.plan(0, 'this container may not mount')
    return
  }
  for (const options of [[], ['--read-only']]) {
    const result = world.run([
      ...['mount', world.vault, world.mountpoint, '--self-test=full'],
      ...options,
    ])
    says(t, result, 28, /there is no room in the state folder for the self-test\nhint: free some/)
    t.same(mountsBelow(world.folder), [world.state])
    t.same(scratches(world), [])
  }
  world.mount()
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
})
