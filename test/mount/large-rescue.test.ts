// The cloud replaces a large blob that is open for writing here: COFFER_RESCUE_MIB, or 256, and where a disk
// copies that before anybody can ask for something, a larger one. Its copy is made aside: others are served
// before it is done, and its writer's close succeeds when it is.

import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  closeSync,
  copyFileSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { until, World } from '../cli/coffer.js'
import { needs } from '../needs.js'
import { noise } from '../posix/folder.js'

t.setTimeout(280_000)

const FIRST_MIB = Number(process.env['COFFER_RESCUE_MIB'] ?? 256)
const LARGEST = 16
const block = noise(2 ** 20, 4)
const WRITER = 'exec 3<>"$0"; echo open; read go; printf ours >&3; exec 3>&-; echo closed $?'

function hashOf(path: string): string {
  const hash = createHash('sha256')
  const fd = openSync(path, 'r')
  const bytes = Buffer.alloc(2 ** 20)
  for (let n = 1; n > 0;) {
    n = readSync(fd, bytes)
    hash.update(bytes.subarray(0, n))
  }
  closeSync(fd)
  return hash.digest('hex')
}

function readStart(path: string): Buffer {
  const fd = openSync(path, 'r')
  const bytes = Buffer.alloc(block.length)
  readSync(fd, bytes)
  closeSync(fd)
  return bytes
}

function wanted(start: string, size: number): string {
  const hash = createHash('sha256')
  const first = Buffer.from(block)
  first.write(start)
  hash.update(first)
  for (let at = block.length; at < size; at += block.length) hash.update(block)
  return hash.digest('hex')
}

/** What was asked of the drive, and done, before the copy was. */
async function rescued(t: Test, world: World, size: number): Promise<number> {
  const at = (name: string): string => join(world.mountpoint, name)
  const fd = openSync(at('large'), 'w')
  for (let done = 0; done < size; done += block.length) writeSync(fd, block)
  closeSync(fd)
  const writer = spawn('sh', ['-c', WRITER, at('large')], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => writer.kill('SIGKILL'))
  let out = ''
  writer.stdout.on('data', (text: Buffer) => (out += text.toString()))
  t.ok(await until(() => out === 'open\n'))
  const data = join(world.vault, 'data')
  const blob = join(
    data,
    readdirSync(data).find((name) => statSync(join(data, name)).size > size) ?? '',
  )
  copyFileSync(blob, join(world.folder, 'new'))
  renameSync(join(world.folder, 'new'), blob)
  writer.stdin.write('go\n')
  let served = 0
  let slowest = 0
  while (!out.includes('closed')) {
    const start = performance.now()
    writeFileSync(at('small'), String(served))
    if (readFileSync(at('small'), 'utf8') !== String(served)) t.fail('the small file is another')
    unlinkSync(at('small'))
    slowest = Math.max(slowest, performance.now() - start)
    await new Promise((resolve) => setImmediate(resolve))
    served++
  }
  t.comment(
    `${String(served)} others were served meanwhile, the slowest in ${slowest.toFixed()} ms`,
  )
  t.equal(out, 'open\nclosed 0\n', 'its writer sees no error')
  const ours = readdirSync(world.mountpoint).find((name) => name.startsWith('large (conflict'))
  t.equal(hashOf(at(ours ?? '')), wanted('ours', size), 'what we have')
  t.equal(statSync(at('large')).size, size, 'the size of what the cloud has')
  t.ok(readStart(at('large')).equals(block), 'what the cloud has')
  for (const name of readdirSync(world.mountpoint)) unlinkSync(at(name))
  return served
}

t.test('others are served while the copy of a large blob is made', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  world.mount()
  const probe = join(world.folder, 'probe')
  writeFileSync(probe, block)
  // that which a system shares blocks for is done before anybody could be served
  const shared = spawnSync('cp', ['--reflink=always', probe, `${probe} 2`]).status === 0
  let served = 0
  for (let times = 1; served <= 3 && times <= (shared ? 1 : LARGEST); times *= 4)
    served = await rescued(t, world, times * FIRST_MIB * 2 ** 20)
  t.ok(shared || served > 3, 'others were served')
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
})
