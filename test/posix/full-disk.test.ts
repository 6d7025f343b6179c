// The disk under the vault runs full: the application is told, what was there stays, and the drive goes
// on when there is room again.

import { spawnSync } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { fallocate } from './calls.js'
import { Drive, scratch } from './drive.js'
import { noise } from './folder.js'
import { errorOf } from './row.js'

t.setTimeout(280_000)

const MiB = 1 << 20
const SIZE_MIB = 64

/** Mounts a small file system of its own in `home`. */
function smallDisk(t: Test, home: string, kind: 'tmpfs' | 'ext4'): string {
  const disk = join(home, 'disk')
  const image = join(home, 'image')
  mkdirSync(disk)
  const run = (program: string, ...words: string[]): void => {
    const { status, stderr } = spawnSync(program, words, {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` },
    })
    if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stderr}`)
  }
  if (kind === 'tmpfs')
    run('mount', '-t', 'tmpfs', '-o', `size=${String(SIZE_MIB)}m`, 'coffer-test', disk)
  else {
    writeFileSync(image, '')
    truncateSync(image, SIZE_MIB * MiB)
    run('mkfs.ext4', '-q', '-F', '-m', '0', image)
    run('mount', '-o', 'loop', image, disk)
    rmSync(join(disk, 'lost+found'), { recursive: true })
  }
  t.teardown(() => {
    run('umount', disk)
  })
  return disk
}

function stateFolder(t: Test): void {
  const home = scratch(t, 'full-state')
  const state = join(home, 'state')
  mkdirSync(state)
  const mounted = spawnSync('mount', [
    '-t',
    'tmpfs',
    '-o',
    'size=16m,mode=700',
    'coffer-test',
    state,
  ])
  t.equal(mounted.status, 0)
  t.teardown(() => {
    spawnSync('umount', [state])
  })
  const drive = new Drive(t, home)
  const at = (name: string) => join(drive.mountpoint, name)
  drive.mount()
  const old = noise(7 * MiB, 1)
  const changed = noise(7 * MiB, 2)
  writeFileSync(at('f'), old)
  const fillers = fill(join(state, 'filler'))
  t.match(fillers.error, 'ENOSPC')

  const fd = openSync(at('f'), 'r+')
  let written = 0
  const error = errorOf(() => {
    for (; written < changed.length; written += 65536)
      writeSync(fd, changed, written, 65536, written)
  })
  t.equal(error, 'ENOSPC', 'a change in place that the journal has no room for')
  t.ok(written > 0, 'some of it had room')
  closeSync(fd)
  const now = readFileSync(at('f'))
  t.ok(now.subarray(0, written).equals(changed.subarray(0, written)), 'what was taken is there')
  t.ok(now.subarray(written).equals(old.subarray(written)), 'and the rest is the old content')

  writeFileSync(at('new'), changed)
  t.ok(readFileSync(at('new')).equals(changed), 'a new file needs no journal')
  unlinkSync(at('new'))
  rmSync(join(state, 'filler'))
  const again = openSync(at('f'), 'r+')
  writeSync(again, changed, 0, changed.length, 0)
  closeSync(again)
  t.ok(readFileSync(at('f')).equals(changed), 'it goes on when there is room again')
  drive.unmount()

  fill(join(state, 'filler'))
  const { status, stderr } = drive.run(
    'mount',
    drive.vault,
    drive.mountpoint,
    '--passfile',
    join(home, 'password'),
    '--self-test',
    'off',
  )
  t.equal(status, 28)
  t.match(stderr, 'no room for the journal')
}

const block = (i: number): Buffer => noise(MiB, i + 100)

/** Writes blocks until an error; how many were taken, and the error. */
function fill(path: string): { taken: number; error: string } {
  let taken = 0
  const fd = openSync(path, 'w')
  const error = errorOf(() => {
    for (; taken < 2 * SIZE_MIB; taken++) {
      if (writeSync(fd, block(taken)) < MiB)
        throw Object.assign(new Error('short'), { code: 'ENOSPC' })
    }
  })
  const closing = errorOf(() => {
    closeSync(fd)
  })
  return { taken, error: closing === 'done' ? error : `${error}, at close ${closing}` }
}

for (const kind of ['tmpfs', 'ext4'] as const) {
  void t.test(kind, (t) => {
    const things =
      kind === 'ext4' ? (['root', 'fuse', 'mkfs.ext4'] as const) : (['root', 'fuse'] as const)
    if (needs(t, ...things)) run(t, kind)
    t.end()
  })
}

function run(t: Test, kind: 'tmpfs' | 'ext4'): void {
  const home = scratch(t, `full-${kind}`)
  const drive = new Drive(t, home, join(smallDisk(t, home, kind), 'vault'))
  const at = (name: string) => join(drive.mountpoint, name)
  const kept = noise(5 * MiB, 1)
  drive.mount()
  const { pid } = drive
  mkdirSync(at('d'))
  writeFileSync(at('d/kept'), kept)
  symlinkSync('d/kept', at('link'))

  const keptIs = (content: Buffer, when: string): void => {
    t.ok(readFileSync(at('d/kept')).equals(content), `the old file is whole ${when}`)
  }

  // room for a file that is not written yet
  const free = (): number => statfsSync(at('')).bavail * statfsSync(at('')).bsize
  const before = free()
  const reserved = openSync(at('reserved'), 'w+')
  writeSync(reserved, kept.subarray(0, 100_000))
  for (const [mode, size] of [0, 1, 16].flatMap((mode): [number, number][] => [
    [mode, 100 * MiB],
    [mode, before + 3 * MiB],
  ])) {
    t.equal(
      errorOf(() => {
        fallocate(reserved, mode, 0, size)
      }),
      'ENOSPC',
      `mode ${String(mode)}`,
    )
    t.ok(free() > before - 3 * MiB, 'nothing is held by what failed')
  }
  t.equal(readFileSync(at('reserved')).length, 100_000, 'its size is the old one')
  fallocate(reserved, 1, 0, 20 * MiB)
  t.ok(free() < before - 19 * MiB, 'room is taken')
  const others = [openSync(at('other1'), 'w'), openSync(at('other2'), 'w')]
  const halves = Math.floor((free() - 6 * MiB) / 2 / MiB)
  const both = errorOf(() => {
    for (let i = 0; i < halves; i++) for (const fd of others) writeSync(fd, block(i))
  })
  t.equal(both, 'done', `two files grow by ${String(halves)} MiB each until the disk is full`)
  for (let i = 0; i < 19; i++) writeSync(reserved, block(i), 0, MiB, i * MiB)
  for (const fd of [...others, reserved]) closeSync(fd)
  t.ok(
    readFileSync(at('reserved'))
      .subarray(18 * MiB)
      .equals(block(18)),
    'it was there when needed',
  )
  for (const name of ['reserved', 'other1', 'other2']) unlinkSync(at(name))

  // one large file
  const { taken, error } = fill(at('big'))
  t.match(error, /^ENOSPC/, 'a full disk is told')
  t.ok(taken > 40, `after ${String(taken)} MiB`)
  keptIs(kept, 'on a full disk')
  t.equal(drive.pid, pid, 'the same process serves')
  if (error === 'ENOSPC') {
    const big = readFileSync(at('big'))
    t.ok(big.length >= taken * MiB, 'what was taken is there')
    for (let i = 0; i < taken; i++) {
      if (!big.subarray(i * MiB, (i + 1) * MiB).equals(block(i)))
        t.fail(`block ${String(i)} differs`)
    }
  }

  // whatever is tried now works or says ENOSPC, and what works stays
  const names = new Set(readdirSync(drive.mountpoint))
  const attempts: Record<string, () => void> = {
    m1: () => {
      mkdirSync(at('m1'))
    },
    s1: () => {
      symlinkSync('x'.repeat(3000), at('s1'))
    },
    f1: () => {
      writeFileSync(at('f1'), noise(200_000, 9))
    },
    ['l'.repeat(250)]: () => {
      renameSync(at('link'), at('l'.repeat(250)))
    },
  }
  for (const [name, attempt] of Object.entries(attempts)) {
    const outcome = errorOf(attempt)
    t.match(outcome, /^(done|ENOSPC)$/, `${name.slice(0, 5)}: ${outcome}`)
    if (outcome === 'done') names.add(name)
    if (outcome === 'done' && name.length === 250) names.delete('link')
  }
  const half = new Set(readdirSync(drive.mountpoint))
  for (const name of names) t.ok(half.has(name), `${name.slice(0, 5)} is listed`)
  if (names.has('f1')) t.ok(readFileSync(at('f1')).equals(noise(200_000, 9)))

  // over what is there: the old bytes or the new ones
  const changed = Buffer.from(kept)
  noise(70_000, 5).copy(changed, 100_000)
  const over = errorOf(() => {
    const fd = openSync(at('d/kept'), 'r+')
    try {
      writeSync(fd, noise(70_000, 5), 0, 70_000, 100_000)
    } finally {
      closeSync(fd)
    }
  })
  t.match(over, /^(done|ENOSPC)$/)
  keptIs(over === 'done' ? changed : kept, `after a write in place (${over})`)
  const now = over === 'done' ? changed : kept

  // room again
  unlinkSync(at('big'))
  t.ok(
    statfsSync(drive.mountpoint).bavail * statfsSync(drive.mountpoint).bsize > 40 * MiB,
    'there is room again',
  )
  writeFileSync(at('after'), noise(10 * MiB, 3))
  keptIs(now, 'when there is room again')
  drive.unmount()
  drive.mount()
  keptIs(now, 'after the next mount')
  t.ok(readFileSync(at('after')).equals(noise(10 * MiB, 3)))
  unlinkSync(at('after'))

  // many small files: each one that was closed well is whole
  mkdirSync(at('many'))
  const size = 50_000
  let made = 0
  const small = errorOf(() => {
    for (; made < 3000; made++) writeFileSync(at(`many/${String(made)}`), noise(size, made))
  })
  t.equal(small, 'ENOSPC', `after ${String(made)} files`)
  const verify = (when: string): void => {
    const wrong: number[] = []
    for (let i = 0; i < made; i++) {
      if (!readFileSync(at(`many/${String(i)}`)).equals(noise(size, i))) wrong.push(i)
    }
    t.same(wrong, [], `all files are whole ${when}`)
  }
  verify('on a full disk')
  t.notOk(drive.pid === 0, 'it still serves')
  drive.unmount()
  drive.mount()
  verify('after the next mount')
  rmSync(at('many'), { recursive: true })
  writeFileSync(at('last'), noise(3 * MiB, 4))
  t.ok(readFileSync(at('last')).equals(noise(3 * MiB, 4)))
  drive.unmount()
}

void t.test('the state folder', (t) => {
  if (needs(t, 'root', 'fuse')) stateFolder(t)
  t.end()
})
