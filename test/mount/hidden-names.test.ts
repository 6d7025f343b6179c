// The files of a self-test in a mounted drive: who sees them, who does not, and that reading them back
// asks the drive. The kernel is the real one, the drives keep their files in memory.

import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { selfTest, testFiles } from '../../lib/agent/self-test.js'
import { needs } from '../needs.js'
import { sh, startDrive, type Drive } from './drive.js'
import { fileURLToPath } from 'node:url'

t.setTimeout(60_000)

const files = testFiles('quick')
const names = files.map(({ name }) => name)
const BYTES = 1 + 14 + 15 + 4097

/** What the drive says it was asked for. */
async function served(drive: Drive): Promise<number> {
  drive.order('wake')
  return (await drive.heard('woken')).hiddenBytesRead
}

const start = (t: Test, pids: number[], keepCache = false): Promise<Drive> =>
  startDrive(t, { hidden: { names, pids, keepCache } })

void t.test('passes, and the drive was asked for every byte', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  const drive = await start(t, [process.pid])
  let bytes = 0
  const ms = await selfTest(drive.mountpoint, files, false, async () => {
    bytes = await served(drive)
    return bytes
  })
  t.comment(`${ms.toFixed(1)} ms`)
  t.ok(bytes >= BYTES, `${String(bytes)} bytes`)
  t.same(
    files.map(({ content }) => content.length),
    [1, 14, 15, 4097],
  )
})

void t.test('what comes out of the memory of the kernel does not count', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  const drive = await start(t, [process.pid], true)
  await t.rejects(
    selfTest(drive.mountpoint, files, false, () => served(drive)),
    { code: 'SELF_TEST', message: /4127 bytes came back, but only \d+ of them from the drive$/ },
  )
})

void t.test('nobody else sees them, and the names are free', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  const drive = await start(t, [process.pid])
  const at = drive.mountpoint
  const [name = ''] = names
  const path = join(at, name)
  writeFileSync(path, 'hidden', { flag: 'r+' })
  t.equal(readFileSync(path, 'utf8'), 'hidden')
  t.same(readdirSync(at), [], 'not listed, not even here')
  t.match(sh(at, `cat ${name}`).stderr, 'No such file')
  t.ok(existsSync(path))
  t.match(sh(at, `stat ${name}`).stderr, 'No such file', 'though the kernel has just looked it up')
  const other = sh(at, `set -C; echo ordinary > ${name}; cat ${name}; ls -A`)
  t.equal(other.stdout, `ordinary\n${name}\n`, other.stderr)
  t.equal(readFileSync(path, 'utf8'), 'hidden', 'two files of one name')
  t.equal(sh(at, `cat ${name}`).stdout, 'ordinary\n')
  sh(at, `mv ${name} moved; rm moved`)
  t.match(sh(at, `cat ${name}`).stderr, 'No such file')
  t.equal(readFileSync(path, 'utf8'), 'hidden')
})

void t.test('without its pid a tester fails, and makes nothing', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  const drive = await start(t, [])
  await t.rejects(
    selfTest(drive.mountpoint, files, false, () => served(drive)),
    { code: 'SELF_TEST', message: /could not be written: no such file/ },
  )
  t.same(readdirSync(drive.mountpoint), [])
})

void t.test('a process of its own may test', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  const program = fileURLToPath(new URL('self-tester.js', import.meta.url))
  const child = spawn(process.execPath, [program], { cwd: '/', stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const said = new Promise<string>((resolve) => {
    child.stdout.setEncoding('utf8').once('data', resolve)
  })
  const drive = await start(t, [child.pid ?? 0])
  const job = {
    mountpoint: drive.mountpoint,
    files: files.map(({ name, content }) => ({
      name,
      base64: Buffer.from(content).toString('base64'),
    })),
  }
  child.stdin.write(`${JSON.stringify(job)}\n`)
  t.equal(await said, 'passed\n')
  t.notOk(existsSync(join(drive.mountpoint, names[0] ?? '')), 'not this one')
  t.ok((await served(drive)) >= BYTES)
})
