// The files of a self-test in a mounted drive: who sees them, who does not, and that reading them back
// asks the drive. The kernel is the real one, the drives keep their files in memory.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Tester } from '../../lib/agent/tester.js'
import { needs } from '../needs.js'
import { sh, startDrive, type Drive } from './drive.js'

t.setTimeout(60_000)

const BYTES = 1 + 14 + 15 + 4097

/** What the drive says it was asked for. */
async function served(drive: Drive): Promise<number> {
  drive.order('wake')
  return (await drive.heard('woken')).hiddenBytesRead
}

function startTester(t: Test): Tester {
  const tester = new Tester('quick', false)
  t.teardown(() => {
    tester.end()
  })
  return tester
}

/** A drive with the tester's files, which these processes see. */
const start = (t: Test, tester: Tester, pids: number[], keepCache = false): Promise<Drive> =>
  startDrive(t, { hidden: { names: tester.hidden.files.map(({ name }) => name), pids, keepCache } })

void t.test('passes, and the drive was asked for every byte', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  const tester = startTester(t)
  t.same(
    tester.hidden.files.map(({ size }) => size),
    [1, 14, 15, 4097],
  )
  const drive = await start(t, tester, tester.hidden.pids)
  let bytes = 0
  await tester.test(drive.mountpoint, async () => {
    for (const { name } of tester.hidden.files)
      t.notOk(existsSync(join(drive.mountpoint, name)), 'not for this process')
    bytes = await served(drive)
    return bytes
  })
  t.ok(bytes >= BYTES, `${String(bytes)} bytes`)
})

void t.test('what comes out of the memory of the kernel does not count', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  const tester = startTester(t)
  const drive = await start(t, tester, tester.hidden.pids, true)
  await t.rejects(
    tester.test(drive.mountpoint, () => served(drive)),
    { code: 'SELF_TEST', message: /4127 bytes came back, but only \d+ of them from the drive$/ },
  )
})

void t.test('a tester that ends or does not begin is a failure, too', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  const tester = startTester(t)
  tester.end()
  await t.rejects(
    tester.test('/', () => Promise.resolve(Infinity)),
    { code: 'AGENT', message: /the process of the self-test ended without a word \(SIGKILL\)/ },
  )
})

void t.test('nobody else sees them, and the names are free', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  const tester = startTester(t)
  const drive = await start(t, tester, [process.pid])
  const at = drive.mountpoint
  const name = tester.hidden.files[0]?.name ?? ''
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
  const tester = startTester(t)
  const drive = await start(t, tester, [])
  await t.rejects(
    tester.test(drive.mountpoint, () => served(drive)),
    { code: 'SELF_TEST', message: /could not be written: no such file/ },
  )
  t.same(readdirSync(drive.mountpoint), [])
})
