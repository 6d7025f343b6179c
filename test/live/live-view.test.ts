// What a sync client does in the vault folder shows in the mounted drive at once, in all that the
// kernel remembers; what is open keeps the version that it was opened with.

import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import type { Drive } from '../posix/drive.js'
import { twoSides, until } from './two-sides.js'

interface Status {
  requests: number
  pid: number
  watch: { directories: number; problem: string } | null
  warnings: string[]
}
const statusOf = (drive: Drive): Status => {
  const [status] = JSON.parse(drive.must('status', '--json')) as Status[]
  if (status === undefined) throw new Error('no drive')
  return status
}

const readAll = (fd: number, size: number): string => {
  const buffer = Buffer.alloc(size)
  return buffer.toString('utf8', 0, readSync(fd, buffer, 0, size, 0))
}

t.setTimeout(300_000)

const test = (name: string, run: (t: Test) => Promise<void>): void => {
  void t.test(name, { timeout: 120_000 }, async (t) => {
    if (needs(t, 'fuse', 'rsync')) await run(t)
  })
}

test('what arrives, changes, moves and goes', async (t) => {
  const { here, there, sync } = twoSides(t)
  const at = (path: string): string => join(here.mountpoint, path)
  const from = (path: string): string => join(there.mountpoint, path)
  mkdirSync(from('folder'))
  writeFileSync(from('folder/kept'), 'kept')
  sync()
  await until('a folder arrives', () => existsSync(at('folder/kept')))

  t.notOk(existsSync(at('folder/report')), 'and the kernel remembers that')
  writeFileSync(from('folder/report'), 'first')
  sync()
  t.comment(
    `arrived after ${await until('a file arrives', () => existsSync(at('folder/report')))} ms`,
  )
  t.same(readdirSync(at('folder')).sort(), ['kept', 'report'])
  t.equal(readFileSync(at('folder/report'), 'utf8'), 'first')

  const before = statSync(at('folder/report'))
  const open = openSync(at('folder/report'), 'r')
  writeFileSync(from('folder/report'), 'the second version')
  sync()
  const ms = await until('a change arrives', () => statSync(at('folder/report')).size === 18)
  t.comment(`changed after ${ms} ms`)
  t.not(statSync(at('folder/report')).ino, before.ino, 'a replaced file is another file')
  t.equal(readFileSync(at('folder/report'), 'utf8'), 'the second version')
  t.equal(readAll(open, 100), 'first', 'what is open keeps its version')
  t.equal(fstatSync(open).size, 5)
  closeSync(open)

  renameSync(from('folder'), from('renamed'))
  renameSync(from('renamed/report'), from('renamed/paper'))
  sync()
  await until('a folder moves', () => existsSync(at('renamed/paper')) && !existsSync(at('folder')))
  t.same(readdirSync(at('')), ['renamed'])
  t.same(readdirSync(at('renamed')).sort(), ['kept', 'paper'])
  t.equal(readFileSync(at('renamed/paper'), 'utf8'), 'the second version')

  rmSync(from('renamed/paper'))
  sync()
  await until('a file goes', () => !existsSync(at('renamed/paper')))
  rmSync(from('renamed'), { recursive: true })
  sync()
  await until('a folder goes', () => readdirSync(at('')).length === 0)
})

test('a long name that is told after its blob has come', async (t) => {
  const long = 'long'.repeat(50)
  for (const last of ['*.cfn', '*.cfr']) {
    const { here, there, sync } = twoSides(t)
    const at = (path: string): string => join(here.mountpoint, path)
    writeFileSync(join(there.mountpoint, 'short'), 'content')
    sync()
    await until('it arrives', () => existsSync(at('short')))
    // long enough for the new name to be given by a ticket
    await sleep(2200)
    renameSync(join(there.mountpoint, 'short'), join(there.mountpoint, long))
    t.notOk(existsSync(at(long)), 'and the kernel remembers that')
    sync('--exclude=*.cfn', '--exclude=*.cfr')
    await until('its blob arrives', () => !existsSync(at('short')))
    t.notOk(existsSync(at(long)))
    sync(`--exclude=${last}`)
    await sleep(300)
    sync()
    await until('the name is there', () => existsSync(at(long)))
    t.equal(readFileSync(at(long), 'utf8'), 'content')
    t.same(readdirSync(at('')), [long])
  }
})

test('a blob that is written over in place is never half of each', async (t) => {
  const { here, there, sync } = twoSides(t)
  const file = join(here.mountpoint, 'large')
  const theirs = join(there.mountpoint, 'large')
  const size = 6 * 1024 * 1024
  writeFileSync(theirs, Buffer.alloc(size, 'a'))
  sync()
  await until('it arrives', () => existsSync(file))
  const open = openSync(file, 'r')
  t.equal(readAll(open, 4096), 'a'.repeat(4096))
  writeFileSync(theirs, Buffer.alloc(size, 'b'), { flag: 'r+' })
  sync('--inplace')
  const buffer = Buffer.alloc(4096)
  await until('the open file is refused', () => {
    try {
      readSync(open, buffer, 0, 4096, size - 4096)
      t.ok(
        buffer.every((byte) => byte === 0x61),
        'the old version, as long as there is one',
      )
      return false
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EIO'
    }
  })
  closeSync(open)
  const content = readFileSync(file)
  t.ok(content.length === size && content.every((byte) => byte === 0x62), 'opened anew it is whole')
})

test('the kernel is not asked again for what nobody has changed', async (t) => {
  const { here } = twoSides(t)
  const files = Array.from({ length: 50 }, (_, i) => join(here.mountpoint, `file ${i}`))
  for (const file of files) writeFileSync(file, file)
  // until our own doing has been looked at
  const look = (): void => {
    for (const file of files) statSync(file)
  }
  look()
  await new Promise((resolve) => setTimeout(resolve, 1500))
  look()
  const { requests } = statusOf(here)
  await new Promise((resolve) => setTimeout(resolve, 1500))
  look()
  const asked = statusOf(here).requests - requests
  t.ok(asked <= 10, `50 files cost ${asked} requests`)
  t.equal(statusOf(here).watch?.problem, '')
})

test('more at once than can be followed', async (t) => {
  const { here, there, sync } = twoSides(t)
  const file = join(here.mountpoint, 'file')
  writeFileSync(join(there.mountpoint, 'file'), 'first')
  sync()
  await until('it arrives', () => existsSync(file))
  statSync(file)
  const { pid } = statusOf(here)
  process.kill(pid, 'SIGSTOP')
  try {
    for (let i = 0; i < 20_000; i++) {
      const name = join(here.vault, 'data', `burst-${i % 100}`)
      if (i % 200 < 100) writeFileSync(name, '')
      else rmSync(name)
    }
    writeFileSync(join(there.mountpoint, 'file'), 'the second version')
    there.unmount()
    sync()
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await until('the change shows all the same', () => statSync(file).size === 18)
  t.equal(readFileSync(file, 'utf8'), 'the second version')
  const { watch, warnings } = statusOf(here)
  t.match(watch?.problem, /more happened there at once/)
  t.match(warnings.join('\n'), /within a second, not at once: more happened/)
})
