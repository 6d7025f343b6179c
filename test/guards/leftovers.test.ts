// The suite fails when a test leaves something on the machine; here something is left on purpose.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { needs } from '../needs.js'

const SCRIPT = new URL('../../../scripts/leftovers.js', import.meta.url).href
const { clearLeftovers } = (await import(SCRIPT)) as {
  clearLeftovers: (folder: string, graceMs?: number) => Promise<string[]>
}

const GRACE_MS = 300

function scratch(t: { testdir: () => string }): string {
  const folder = join(t.testdir(), 'scratch')
  mkdirSync(folder)
  return folder
}

t.test('nothing left, nothing said', async (t) => {
  const folder = scratch(t)
  t.same(await clearLeftovers(folder, GRACE_MS), [])
  t.notOk(existsSync(folder))
})

t.test('a file', async (t) => {
  const folder = scratch(t)
  writeFileSync(join(folder, 'x'), '')
  t.same(await clearLeftovers(folder, GRACE_MS), [`file or folder left: ${join(folder, 'x')}`])
  t.notOk(existsSync(folder))
})

t.test('a process, known by its environment', async (t) => {
  if (!needs(t, 'linux')) return
  const folder = scratch(t)
  const child = spawn('sleep', ['60'], { env: { ...process.env, COFFER_TEST_TMP: folder } })
  const end = once(child, 'exit')
  const lines = await clearLeftovers(folder, GRACE_MS)
  t.same(lines, [`process ${String(child.pid)} is still there: sleep 60`])
  t.same(await end, [null, 'SIGKILL'])
})

t.test('a mount', async (t) => {
  if (!needs(t, 'linux', 'root')) return
  const folder = scratch(t)
  const mountpoint = join(folder, 'a b')
  mkdirSync(mountpoint)
  await once(spawn('mount', ['-t', 'tmpfs', 'tmpfs', mountpoint]), 'exit')
  const lines = await clearLeftovers(folder, GRACE_MS)
  t.match(lines, [`still mounted: ${mountpoint}`, `file or folder left: ${mountpoint}`])
  t.notOk(existsSync(folder))
})
