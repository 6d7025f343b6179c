// Whatever is done in a drive, also what fails: its process has no more descriptors, threads and memory
// afterwards than before, keeps no blob that nobody can reach, and leaves no temporary file.

import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { Drive, scratch } from './drive.js'
import { Folder, later, noise } from './folder.js'
import { errorOf } from './row.js'
import { behaviours } from './suite.js'

t.setTimeout(280_000)

const ROUNDS = 2
const PATIENCE_MS = 10_000
/** what a collector may not have come to yet */
const GROWTH_MIB = 64
const MiB = 1 << 20

/** What the drive's process has open; one that came and went meanwhile has no name. */
function descriptors(pid: number): string[] {
  const folder = `/proc/${String(pid)}/fd`
  return readdirSync(folder).flatMap((fd) => {
    try {
      return [readlinkSync(join(folder, fd))]
    } catch {
      return []
    }
  })
}
const threads = (pid: number): number => readdirSync(`/proc/${String(pid)}/task`).length
const deleted = (pid: number): string[] =>
  descriptors(pid).filter((path) => path.endsWith(' (deleted)'))

function residentMiB(pid: number): number {
  const [, kib = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(
    readFileSync(`/proc/${String(pid)}/status`, 'utf8'),
  ) ?? ['']
  return Math.round(Number(kib) / 1024)
}

/** The kernel tells a close, and what it forgets, a little later. */
function settled(pred: () => boolean): boolean {
  const end = Date.now() + PATIENCE_MS
  while (!pred() && Date.now() < end) later(50)
  return pred()
}

/** Every line of the table, each in a folder of its own, whatever comes of it. */
function work(root: string): number {
  let done = 0
  for (const [topic, rows] of Object.entries(behaviours)) {
    if (!topic.startsWith('table, ')) continue
    for (const [number, [, act]] of rows.entries()) {
      const path = join(root, `${topic} ${String(number)}`)
      mkdirSync(path)
      const folder = new Folder(path)
      try {
        errorOf(() => act(folder))
      } finally {
        folder.closeAll()
        rmSync(path, { recursive: true, force: true })
      }
      done++
    }
  }
  return done
}

const temporary = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
    /(^|\/)(~\$|\.)[^/]*$|\.tmp$/.test(path),
  )

void t.test('a drive after thousands of calls', (t: Test) => {
  if (!needs(t, 'fuse')) return
  const home = scratch(t, 'leaks')
  const drive = new Drive(t, home)
  drive.mount()
  const { mountpoint, pid } = drive
  const done = work(mountpoint)
  settled(() => deleted(pid).length === 0)
  const before = { open: descriptors(pid), threads: threads(pid), resident: residentMiB(pid) }
  for (let round = 1; round < ROUNDS; round++) work(mountpoint)
  t.comment(`${String(done)} rows, ${String(ROUNDS)} times; ${String(before.resident)} MiB before`)
  settled(() => descriptors(pid).length <= before.open.length)
  t.same(descriptors(pid).sort(), before.open.sort(), 'its descriptors')
  t.equal(threads(pid), before.threads, 'its threads')
  const grown = residentMiB(pid) - before.resident
  t.ok(grown < GROWTH_MIB, `its memory grew by ${String(grown)} MiB`)
  t.equal(
    (JSON.parse(drive.must('status', '--json')) as { openFiles: number }[])[0]?.openFiles,
    0,
    'its open files',
  )
  t.same(readdirSync(mountpoint), [], 'the drive is empty')
  drive.unmount()
  t.same(readdirSync(join(drive.vault, 'data')), [], 'and so is the vault')
  t.same(temporary(drive.vault), [], 'no temporary file of the vault')
  t.same(temporary(join(home, 'state')), [], 'none of the state folder')
  t.end()
})

void t.test('a file that is open and gone is freed by its close', (t: Test) => {
  if (!needs(t, 'fuse')) return
  const drive = new Drive(t, scratch(t, 'freed'))
  drive.mount()
  const { pid } = drive
  const path = join(drive.mountpoint, 'x')
  writeFileSync(path, noise(4 * MiB))
  const fd = openSync(path, 'r+')
  unlinkSync(path)
  t.equal(deleted(pid).length, 1, 'held while it is open')
  closeSync(fd)
  t.ok(
    settled(() => deleted(pid).length === 0),
    'and no longer',
  )
  const unsealed = openSync(path, 'w')
  unlinkSync(path)
  closeSync(unsealed)
  t.ok(
    settled(() => deleted(pid).length === 0),
    'nor one that never had a name in the vault',
  )
  t.end()
})
