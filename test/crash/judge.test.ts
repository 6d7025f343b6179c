// The judge of the crash test, on a plain folder: it finds nothing wrong with what a plain disk keeps
// of a load that was cut short, and sees each kind of damage done to it.

import { spawn } from 'node:child_process'
import { Buffer } from 'node:buffer'
import { mkdirSync, readFileSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { needs } from '../needs.js'
import { scratch } from '../posix/drive.js'
import { noise } from '../posix/folder.js'
import { Expected } from './expected.js'
import { judge } from './judge.js'
import { readLedger } from './ledger.js'
import { Versions } from './versions.js'

const LOAD = fileURLToPath(new URL('load.js', import.meta.url))
const CHUNK = 4096

void t.test('a load on the plain disk', async (t) => {
  if (!needs(t, 'linux')) return
  const home = scratch(t, 'judge')
  const folder = join(home, 'plain')
  mkdirSync(folder)
  writeFileSync(join(home, 'known'), '[]')
  const words = [LOAD, folder, join(home, 'ledger'), join(home, 'known'), '3', '1']
  const load = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit'] })
  const exited = new Promise((resolve) => load.once('exit', resolve))
  await sleep(1000)
  load.kill('SIGKILL')
  await exited
  const expected = new Expected()
  const operations = readLedger(join(home, 'ledger'))
  for (const operation of operations) expected.apply(operation)
  t.ok(operations.length > 100, 'it has worked')
  t.same(judge(folder, expected), [], 'a plain disk keeps everything')

  const [flipped, cut, gone, swapped] = [...expected.files.values()].filter(
    ({ versions }) => versions.size > 40_000,
  )
  const at = (file: typeof cut): string => join(folder, file?.path ?? '')
  const content = readFileSync(at(flipped))
  content[35_000]! ^= 1
  writeFileSync(at(flipped), content)
  truncateSync(at(cut), 32_768)
  unlinkSync(at(gone))
  writeFileSync(at(swapped), noise(swapped?.versions.size ?? 0, 9))
  writeFileSync(join(folder, 'stranger'), 'x')
  const kinds = judge(folder, expected).map(({ kind, path }) => `${path ?? ''}: ${kind}`)
  const wanted = [
    `${flipped?.path ?? ''}: rest chunk`,
    `${cut?.path ?? ''}: rest size`,
    `${gone?.path ?? ''}: rest missing`,
    `${swapped?.path ?? ''}: rest chunk`,
    'stranger: extra',
  ]
  t.same(kinds.sort(), wanted.sort(), 'each damage is seen')
  t.same(judge(folder, expected), [], 'and cleared away')
})

void t.test('versions of a file', async (t) => {
  const old = noise(3 * CHUNK, 1)
  const fresh = noise(3 * CHUNK, 2)
  const mixed = (...from: Buffer[]): Buffer =>
    Buffer.concat(from.map((one, i) => one.subarray(i * CHUNK, (i + 1) * CHUNK)))
  const versions = new Versions(CHUNK, old)
  versions.write(0, fresh)
  t.equal(versions.judge(mixed(fresh, old, fresh), true), null, 'chunk by chunk old or new')
  t.equal(versions.judge(mixed(fresh, old, fresh), false)?.kind, 'chunk', 'not where it is said')
  const torn: Buffer = mixed(fresh, old, fresh)
  fresh.copy(torn, CHUNK, CHUNK, CHUNK + 512)
  t.equal(versions.judge(torn, true)?.kind, 'chunk', 'no chunk in halves')
  versions.settle()
  t.equal(versions.judge(old, true)?.kind, 'chunk', 'nothing old after it was durable')

  versions.write(3 * CHUNK - 100, old.subarray(0, 2 * CHUNK))
  const grown: Buffer = Buffer.concat([
    fresh.subarray(0, 3 * CHUNK - 100),
    old.subarray(0, 2 * CHUNK),
  ])
  t.equal(versions.judge(grown, false), null)
  t.equal(versions.judge(grown.subarray(0, 4 * CHUNK), true), null, 'cut back to a chunk')
  t.equal(versions.judge(grown.subarray(0, 4 * CHUNK + 1), true)?.kind, 'size', 'to nothing else')
  t.equal(versions.judge(grown.subarray(0, 2 * CHUNK), true)?.kind, 'size', 'not below the old end')
  const hollow = Buffer.concat([grown])
  hollow.fill(0, 3 * CHUNK, 4 * CHUNK)
  t.equal(versions.judge(hollow, true)?.kind, 'chunk', 'zeros are not what was appended')

  versions.truncate(CHUNK + 5)
  versions.settle()
  versions.truncate(2 * CHUNK)
  const zeros = Buffer.concat([fresh.subarray(0, CHUNK + 5), Buffer.alloc(CHUNK - 5)])
  t.equal(versions.judge(zeros, false), null, 'zeros where it was cut and grew')

  versions.adopt(old)
  versions.write(0, fresh.subarray(0, CHUNK), false)
  versions.settle()
  t.equal(versions.judge(old, false), null, 'a write that was refused: not done')
  t.equal(versions.judge(mixed(fresh, old, old), false), null, 'or done')
})
