// What the driver fuse-native does by ways of its own: times, sizes of writes, open files that lose their
// name, the unmount, the end.

import { spawn, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  closeSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { mountedAt } from '../../lib/mount/mountinfo.js'
import { utimesAt } from '../../lib/native/files.js'
import { needs } from '../needs.js'
import { fourAtOnce, isAllThere } from './four-at-once.js'
import { AT_FDCWD } from './calls.js'
import { Drive, scratch } from './drive.js'
import { later } from './folder.js'

t.setTimeout(280_000)

const NATIVE = ['--driver', 'fuse-native']

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

interface Counted {
  requests: number
  bytesWritten: number
  openFiles: number
  driver: string
}
const status = (drive: Drive): Counted =>
  (JSON.parse(drive.must('status', '--json')) as [Counted])[0]

void t.test('64 MiB in and out, in writes of 128 KiB', (t) => {
  if (needs(t, 'fuse')) {
    const drive = new Drive(t, scratch(t, 'large'))
    drive.mount(...NATIVE)
    const content = randomBytes(64 * 2 ** 20 + 12_345)
    const before = status(drive)
    t.equal(before.driver, 'fuse-native')
    const fd = openSync(join(drive.mountpoint, 'large'), 'w')
    for (let at = 0; at < content.length; at += 2 ** 20) {
      writeSync(fd, content, at, Math.min(2 ** 20, content.length - at))
    }
    const written = status(drive)
    closeSync(fd)
    t.equal(written.bytesWritten - before.bytesWritten, content.length)
    const size = content.length / (written.requests - before.requests)
    // the kernel asks a few other things in between, such as security.capability
    t.ok(size > 100_000 && size <= 131_072, `${size.toFixed(0)} bytes a request`)
    t.equal(sha256(readFileSync(join(drive.mountpoint, 'large'))), sha256(content))
    drive.unmount()
    drive.mount()
    t.equal(
      sha256(readFileSync(join(drive.mountpoint, 'large'))),
      sha256(content),
      'also by the other driver',
    )
  }
  t.end()
})

/** Seconds, kind and name of all that is below a folder. */
function times(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => `${name} ${String(lstatSync(join(folder, name)).mtimeMs)}`)
}

void t.test('cp -p, tar and rsync keep times', (t) => {
  if (needs(t, 'fuse', 'rsync')) {
    const home = scratch(t, 'times')
    const source = join(home, 'source')
    mkdirSync(join(source, 'sub'), { recursive: true })
    writeFileSync(join(source, 'file'), 'x')
    writeFileSync(join(source, 'sub', 'file'), 'y')
    symlinkSync('file', join(source, 'link'))
    for (const [i, name] of ['file', 'link', 'sub/file', 'sub'].entries()) {
      const time = { sec: 1_000_000_000 + i, nsec: 123_000_000 + i * 1_000_000 }
      utimesAt(AT_FDCWD, join(source, name), { ...time, sec: time.sec + 10 }, time)
    }
    const drive = new Drive(t, home)
    drive.mount(...NATIVE)
    const script = `mkdir cp tar rsync
      cp -a ${source}/. cp
      tar -C ${source} --format=pax -cf - . | tar -C tar -xpf -
      rsync -a ${source}/ rsync/
      rsync -ai --delete ${source}/ rsync/ | (! grep .)`
    const { status, stderr } = spawnSync('sh', ['-euc', script], {
      cwd: drive.mountpoint,
      encoding: 'utf8',
    })
    t.equal(status, 0, stderr)
    const wanted = times(source)
    const kinds = ['cp', 'tar', 'rsync']
    for (const kind of kinds) t.same(times(join(drive.mountpoint, kind)), wanted, kind)
    drive.unmount()
    drive.mount(...NATIVE)
    for (const kind of kinds) t.same(times(join(drive.mountpoint, kind)), wanted, `${kind}, later`)
  }
  t.end()
})

/** A process that writes to a file until it is told to end, a line each time. */
async function writer(t: Test, path: string): Promise<{ end(): Promise<number> }> {
  const code = `const fs = require('node:fs'), fd = fs.openSync(process.argv[1], 'w')
    let lines = 0, on = true
    process.stdin.on('data', () => (on = false))
    const write = () => {
      if (!on) { fs.closeSync(fd); console.log(lines); process.exit() }
      fs.writeSync(fd, 'x'.repeat(999) + '\\n'); lines++; setImmediate(write)
    }
    write(); console.log('begun')`
  const child = spawn(process.execPath, ['-e', code, path], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  while (!text.startsWith('begun')) await once(child.stdout, 'data')
  return {
    async end() {
      child.stdin.write('end')
      await once(child, 'close')
      return Number(text.split('\n')[1])
    },
  }
}

void t.test('an unmount waits for a file that is being written', async (t) => {
  if (!needs(t, 'fuse')) return
  const home = scratch(t, 'unmount')
  const drive = new Drive(t, home)
  drive.mount(...NATIVE)
  const writing = await writer(t, join(drive.mountpoint, 'x'))
  const busy = drive.run('unmount', drive.mountpoint, '--wait', '1s')
  t.equal(busy.status, 16)
  t.match(busy.stderr, /is in use by (node|MainThread) /)
  const { pid } = drive
  process.kill(pid, 'SIGTERM')
  later(200)
  t.equal(drive.pid, pid, 'nor does a signal take it away')
  const lines = await writing.end()
  drive.unmount()
  t.equal(drive.pid, 0)
  const password = join(home, 'password')
  drive.must('get', drive.vault, '/x', join(home, 'out'), '--passfile', password)
  t.equal(readFileSync(join(home, 'out')).length, lines * 1000, 'and every byte is in the vault')
})

void t.test('a killed process leaves no mount', (t) => {
  if (needs(t, 'fuse')) {
    const drive = new Drive(t, scratch(t, 'killed'))
    drive.mount(...NATIVE)
    writeFileSync(join(drive.mountpoint, 'x'), 'kept')
    const fd = openSync(join(drive.mountpoint, 'x'), 'r')
    process.kill(drive.pid, 'SIGKILL')
    for (let i = 0; i < 100 && mountedAt(drive.mountpoint) !== null; i++) later(50)
    t.equal(mountedAt(drive.mountpoint), null)
    t.throws(() => {
      closeSync(fd)
    })
    drive.mount(...NATIVE)
    t.equal(readFileSync(join(drive.mountpoint, 'x'), 'utf8'), 'kept')
  }
  t.end()
})

void t.test('open files that lose their name', async (t) => {
  if (!needs(t, 'fuse')) return
  const home = scratch(t, 'hidden')
  const drive = new Drive(t, home)
  drive.mount(...NATIVE)
  const at = (name: string) => join(drive.mountpoint, name)
  const text = (fd: number): string => {
    const room = Buffer.alloc(100)
    return room.toString('utf8', 0, readSync(fd, room, 0, 100, 0))
  }

  const removed = openSync(at('removed'), 'w+')
  writeSync(removed, 'still here')
  unlinkSync(at('removed'))
  t.same(readdirSync(drive.mountpoint), [], 'no .fuse_hidden is shown')
  t.equal(text(removed), 'still here')
  t.equal(fstatSync(removed).nlink, 0)
  // open to the end, with another under a second name
  writeFileSync(at('one'), 'linked')
  const linked = openSync(at('one'), 'r')
  spawnSync('ln', [at('one'), at('two')])
  unlinkSync(at('one'))
  t.equal(fstatSync(linked).nlink, 1)
  t.equal(lstatSync(at('two')).nlink, 1)
  closeSync(linked)
  t.equal(readFileSync(at('two'), 'utf8'), 'linked')

  // a name that looks like one of libfuse's is the user's own
  writeFileSync(at('mine'), 'mine')
  const mine = openSync(at('mine'), 'r')
  renameSync(at('mine'), at('.fuse_hidden00000007000000ff'))
  closeSync(mine)
  t.equal(readFileSync(at('.fuse_hidden00000007000000ff'), 'utf8'), 'mine')

  // a file that somebody reads is replaced again and again: the name is there at every moment
  writeFileSync(at('name'), '0'.padEnd(40_000))
  const code = `const fs = require('node:fs'), end = Date.now() + 1500
    let missing = 0, looked = 0
    for (; Date.now() < end; looked++) {
      try { if (fs.readFileSync(process.argv[1]).length !== 40000) missing++ } catch { missing++ }
    }
    console.log(JSON.stringify([looked > 50, missing]))`
  const reader = spawn(process.execPath, ['-e', code, at('name')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => reader.kill('SIGKILL'))
  let found = ''
  reader.stdout.setEncoding('utf8').on('data', (chunk: string) => (found += chunk))
  const held: number[] = []
  while (reader.exitCode === null) {
    writeFileSync(at('new'), String(held.length).padEnd(40_000))
    held.push(openSync(at('name'), 'r'))
    renameSync(at('new'), at('name'))
    await new Promise((done) => setTimeout(done, 1))
  }
  t.same(JSON.parse(found), [true, 0])
  t.same(
    held.map((fd) => Number(text(fd))).filter((number, i) => number !== Math.max(0, i - 1)),
    [],
    'whoever had it open has what he opened',
  )
  for (const fd of held) closeSync(fd)
  rmSync(at('.fuse_hidden00000007000000ff'))
  t.same(readdirSync(drive.mountpoint), ['name', 'two'])
  closeSync(removed)
  drive.unmount()
  t.equal(readdirSync(join(drive.vault, 'data')).filter((name) => name.endsWith('.cff')).length, 2)
})

void t.test('four programs at once for three seconds', async (t) => {
  if (!needs(t, 'fuse')) return
  const drive = new Drive(t, scratch(t, 'busy'))
  drive.mount(...NATIVE)
  const worked = await fourAtOnce(t, drive.mountpoint, 3000)
  t.equal(status(drive).openFiles, 0)
  drive.unmount()
  drive.mount(...NATIVE)
  isAllThere(t, worked)
})

void t.test('when it cannot be used', (t) => {
  const home = scratch(t, 'absent')
  const drive = new Drive(t, home)
  const block = join(home, 'block.cjs')
  writeFileSync(
    block,
    `const { Module } = require('node:module'), resolve = Module._resolveFilename
     Module._resolveFilename = function (name, ...rest) {
       if (name.startsWith('fuse-native')) throw new Error("Cannot find module '" + name + "'")
       return resolve.call(this, name, ...rest)
     }`,
  )
  const before = process.env.NODE_OPTIONS
  t.teardown(() => {
    if (before === undefined) delete process.env.NODE_OPTIONS
    else process.env.NODE_OPTIONS = before
  })
  process.env.NODE_OPTIONS = `--require ${block}`
  // so that the folder can be removed
  const kept = ['--passfile', join(home, 'password'), '--keep-mountpoint']
  const words = [drive.vault, drive.mountpoint, ...kept]
  if (needs(t, 'fuse')) {
    const absent = drive.run('mount', ...words, ...NATIVE)
    t.equal(absent.status, 15)
    t.match(absent.stderr, /^coffer: the package fuse-native cannot be loaded: Cannot find module/)
    t.match(drive.run('doctor').stdout, /NO {4}driver fuse-native: the package/)
    t.equal(drive.run('doctor').status, 0, 'the default driver does without it')
    t.equal(drive.run('mount', ...words).status, 0)
    drive.unmount()
  }
  t.equal(drive.run('mount', ...words, '--driver', 'nfs').status, 2, 'no such driver')
  t.end()
})
