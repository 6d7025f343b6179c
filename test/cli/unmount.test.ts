// What an unmount says and waits for: transcripts.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { isAlive, mountsBelow, PROGRAM, says, until, World } from './coffer.js'

t.setTimeout(240_000)

/** A program with that script in the drive, which has said that it is ready. */
async function program(t: Test, script: string, ...args: string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', script, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  return child
}

/** Opens its argument as told, and has it until its standard input ends. */
const HOLDS = (flags: string): string =>
  `require('fs').openSync(process.argv[1], '${flags}'); console.log(); process.stdin.resume().on('end', () => process.exit())`

interface Status {
  filesStored: number
  bytesStored: number
}

t.test('files and bytes that went out since the mount', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount()
  for (const name of ['a', 'b', 'c'])
    writeFileSync(join(world.mountpoint, name), 'x'.repeat(100_000))
  writeFileSync(join(world.mountpoint, 'a'), 'once more')
  const [status] = JSON.parse(world.run(['status', '--json']).out) as [Status]
  t.equal(status.filesStored, 3, 'a file counts once')
  t.ok(status.bytesStored > 300_000 && status.bytesStored < 320_000, String(status.bytesStored))
  t.match(world.run(['status']).out, /encrypted: 3 files, 29\d KiB since the mount/)
  // open until the unmount, which stores it
  const fd = openSync(join(world.mountpoint, 'd'), 'w')
  writeSync(fd, 'y'.repeat(100_000))
  const forced = world.run(['unmount', '--force', world.mountpoint])
  // nobody is there to be told
  t.throws(() => {
    closeSync(fd)
  })
  t.match(
    forced.err,
    /^4 files, 39\d KiB encrypted since \d\d:\d\d\.\n.* is locked; everything is in /,
  )
  world.mount('--read-only')
  t.equal(
    world.run(['unmount', world.mountpoint]).err,
    `${world.mountpoint} is locked; everything is in ${world.vault}.\n`,
    'nothing went out',
  )
})

t.test('busy: names the program, waits, and unmounts when it lets go', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount()
  const path = join(world.mountpoint, 'f')
  writeFileSync(path, 'x')
  const user = await program(t, HOLDS('r'), path)
  const unmount = world.start(['unmount', world.mountpoint, '--wait', '60s'])
  let err = ''
  unmount.stderr.on('data', (data: Buffer) => (err += data.toString()))
  t.ok(await until(() => err.includes('waiting')))
  const waiting = (by: string): string =>
    `${world.mountpoint} is in use by ${by}; waiting for that to end. Ctrl-C leaves it as it is.\n`
  const first = `node (${String(user.pid)})`
  t.equal(err, waiting(first))
  t.equal(mountsBelow(world.folder).length, 1)
  // who comes and goes meanwhile is told
  const other = spawn('sleep', ['1000'], { cwd: world.mountpoint, stdio: 'ignore' })
  t.teardown(() => other.kill())
  const both = new RegExp(`is in use by .*sleep \\(${String(other.pid)}\\).*; waiting`)
  t.ok(await until(() => both.test(err)))
  other.kill()
  t.ok(await until(() => err.endsWith(waiting(first)) && both.test(err)))
  const exit = new Promise((resolve) => unmount.once('close', resolve))
  user.stdin?.end()
  t.equal(await exit, 0)
  t.match(err, /as it is\.\n1 file, .* encrypted since .*\n.* is locked; everything is in .*\n$/)
  t.same(mountsBelow(world.folder), [])
})

t.test('busy: the wait ends by its limit or by Ctrl-C, and nothing has changed', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount()
  const { pid } = world
  const path = join(world.mountpoint, 'f')
  writeFileSync(path, 'x')
  await program(t, HOLDS('r'), path)
  const busy = /is in use by node \(\d+\); nothing was changed\nhint: .*--force/
  says(t, world.run(['unmount', world.mountpoint, '--wait', '0']), 16, busy)
  const start = Date.now()
  says(t, world.run(['unmount', world.mountpoint, '--wait', '1s']), 16, busy)
  t.ok(Date.now() - start >= 1000, 'it has waited')
  says(
    t,
    world.run(['unmount', world.mountpoint, '--wait', 'long']),
    2,
    /--wait long is not a time/,
  )

  if (spawnSync('script', ['--version']).status === 0) {
    // at a terminal it waits for as long as it takes; 3 is Ctrl-C. Without "exec", a shell that stays above the
    // program (dash, where SHELL is not set) gets it, too, and ends by it, whatever the program's exit code
    const command = ['exec', process.execPath, PROGRAM, 'unmount', world.mountpoint].join(' ')
    const terminal = spawn('script', ['-qec', command, '/dev/null'], { env: world.env })
    let said = ''
    terminal.stdout.on('data', (data: Buffer) => (said += data.toString()))
    const exit = new Promise((resolve) => terminal.once('close', resolve))
    t.ok(await until(() => said.includes('waiting'), 10_000))
    await new Promise((resolve) => setTimeout(resolve, 11_000))
    t.equal(terminal.exitCode, null, 'longer than without a terminal')
    terminal.stdin.write('\u0003')
    t.equal(await exit, 16)
    t.match(said, /nothing was changed\r\nhint: /)
    t.equal(said.split('waiting').length, 2, 'who uses it is told once')
  }
  t.ok(isAlive(pid))
  t.equal(readFileSync(path, 'utf8'), 'x')
  const waited = world.run(['unmount', world.mountpoint, '--force', '--wait', '1s'])
  t.equal(waited.code, 0, waited.err)
  t.match(waited.err, /waiting[^]*is locked/)
  t.notOk(isAlive(pid))
})

t.test('--force stores what was written, mapped too, and names what was cut', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount()
  const at = (name: string): string => join(world.mountpoint, name)
  writeFileSync(at('read'), 'x')
  const user = await program(
    t,
    `const fs = require('fs'); fs.writeSync(fs.openSync(process.argv[1], 'w'), 'half a letter');
     fs.openSync(process.argv[2]); console.log(); process.stdin.resume()`,
    at('letter'),
    at('read'),
  )
  const mapped = `import mmap, sys
f = open(sys.argv[1], 'w+b'); f.write(b'.' * 5000); f.flush()
m = mmap.mmap(f.fileno(), 5000); f.close(); m[10:16] = b'mapped'
print(flush=True); sys.stdin.read()`
  const python = spawnSync('/usr/bin/python3', ['--version']).status === 0
  if (python) {
    const child = spawn('/usr/bin/python3', ['-c', mapped, at('map')])
    t.teardown(() => child.kill('SIGKILL'))
    await new Promise((resolve) => child.stdout.once('data', resolve))
  }
  const forced = world.run(['unmount', '--force', world.mountpoint])
  t.equal(forced.code, 0, forced.err)
  const [, cut = ''] = forced.err.split('not in the vault:\n')
  t.match(cut, `  ${at('letter')}, open in node (${String(user.pid)})\n`)
  t.notMatch(cut, '/read')
  if (python) t.match(cut, new RegExp(`  ${at('map')}, open in python3\\S* \\(\\d+\\)\n`))
  world.mount()
  t.equal(readFileSync(at('letter'), 'utf8'), 'half a letter')
  if (python) t.equal(readFileSync(at('map'), 'utf8').slice(8, 18), '..mapped..')
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
})

t.test('--idle: a working directory in the drive is use', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount('--idle', '1s')
  const { pid } = world
  const user = spawn('sleep', ['100'], { cwd: world.mountpoint, stdio: 'ignore' })
  t.teardown(() => user.kill())
  await new Promise((resolve) => setTimeout(resolve, 3000))
  t.ok(isAlive(pid))
  user.kill()
  t.ok(await until(() => !isAlive(pid)))
  t.same(mountsBelow(world.folder), [])
})
