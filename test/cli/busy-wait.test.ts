// The wait of an unmount, and Ctrl-C at each moment of it: against an agent of the test's own, which chooses
// what it answers and what happens meanwhile. test/cli/unmount.test.ts has the real one.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { serveControl } from '../../lib/agent/control.js'
import { bootId, startTime } from '../../lib/agent/process.js'
import type { Done } from '../../lib/agent/running.js'
import { unmountPatiently, waitSeconds } from '../../lib/cli/busy-wait.js'
import { CofferError, type ErrorCode } from '../../lib/errors.js'
import { needs } from '../needs.js'

type Answer = 'busy' | 'done' | ErrorCode
type Question = 'asked' | 'forced'

interface Stage {
  /** what was asked for so far */
  readonly questions: Question[]
  readonly wait: (seconds: number, force: boolean) => Promise<Done | null>
}

/** `answer` to the question of that number, from 1 on. */
async function stage(t: Test, answer: (n: number) => Answer): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'coffer-wait-'))
  const agent = spawn('sleep', ['1000'], { stdio: 'ignore' })
  const questions: Question[] = []
  const server = await serveControl(join(folder, 's'), ({ op, ...rest }) => {
    if (op !== 'unmount') return Promise.resolve({ ok: true })
    questions.push('force' in rest && rest.force ? 'forced' : 'asked')
    const said = answer(questions.length)
    if (said === 'done') {
      agent.kill('SIGKILL')
      return Promise.resolve({ ok: true })
    }
    return Promise.reject(new CofferError(said === 'busy' ? 'BUSY' : said, 'it is in use by x (1)'))
  })
  t.teardown(() => {
    agent.kill('SIGKILL')
    server.close()
    rmSync(folder, { recursive: true })
  })
  others = process.listenerCount('SIGINT')
  const pid = agent.pid ?? 0
  const drive = {
    ...{ vaultId: '', vault: '/vault', mountpoint: '/drive', log: '', device: '' },
    ...{ pid, started: startTime(pid) ?? '', boot: bootId(), since: '', socket: join(folder, 's') },
  }
  return { questions, wait: (seconds, force) => unmountPatiently(drive, seconds, force) }
}

/** But for those of the test's own tools, which come and go. */
let others = 0
const listeners = (): number => process.listenerCount('SIGINT') - others

/** At once, so that no time passes between what a test does before and the signal. */
function ctrlC(t: Test): void {
  t.equal(listeners(), 1, 'Ctrl-C is heard')
  process.emit('SIGINT', 'SIGINT')
  t.equal(listeners(), 0, 'a second one ends the command')
}

t.test('how long it waits', async (t) => {
  const terminal = process.stderr.isTTY && process.stdin.isTTY
  t.equal(waitSeconds(undefined, false), terminal ? Infinity : 10)
  t.equal(waitSeconds(undefined, true), 0)
  t.equal(waitSeconds('1m', false), 60)
  t.equal(waitSeconds('1m', true), 60)
})

t.test('until it is done, and until it fails otherwise', async (t) => {
  if (!needs(t, 'linux')) return
  const freed = await stage(t, (n) => (n < 3 ? 'busy' : 'done'))
  t.match(await freed.wait(60, false), { error: null })
  t.same(freed.questions, ['asked', 'asked', 'asked'])
  const broken = await stage(t, (n) => (n < 2 ? 'busy' : 'VAULT_GONE'))
  await t.rejects(broken.wait(60, true), { code: 'VAULT_GONE' })
  t.same(broken.questions, ['asked', 'asked'])
  t.equal(listeners(), 0)
})

t.test('no wait: one question, and Ctrl-C is not heard', async (t) => {
  if (!needs(t, 'linux')) return
  for (const [force, question] of [
    [false, 'asked'],
    [true, 'forced'],
  ] as const) {
    const { questions, wait } = await stage(t, () => {
      t.equal(listeners(), 0)
      return force ? 'done' : 'busy'
    })
    if (force) t.match(await wait(0, true), { error: null })
    else await t.rejects(wait(0, false), { code: 'BUSY' })
    t.same(questions, [question])
  }
})

t.test('the limit: one attempt after it, then BUSY or force', async (t) => {
  if (!needs(t, 'linux')) return
  let last = 0
  const asked = await stage(t, () => {
    last = Date.now()
    return 'busy'
  })
  const start = Date.now()
  await t.rejects(asked.wait(0.7, false), { code: 'BUSY' })
  t.ok(last - start >= 700)
  t.notOk(asked.questions.includes('forced'))
  const heard: number[] = []
  const forced = await stage(t, () => {
    heard.push(listeners())
    return forced.questions.at(-1) === 'forced' ? 'done' : 'busy'
  })
  t.match(await forced.wait(0.7, true), { error: null })
  t.equal(forced.questions.filter((question) => question === 'forced').length, 1)
  t.equal(forced.questions[0], 'asked')
  t.equal(heard.at(-1), 0, 'Ctrl-C ends the command while it takes the drive away')
})

t.test('Ctrl-C between two attempts: at once, and there is no other', async (t) => {
  if (!needs(t, 'linux')) return
  for (const force of [false, true]) {
    let late = false
    const { questions, wait } = await stage(t, (n) => {
      // whoever used it lets go just then
      if (n > 1) return 'done'
      const look = setInterval(() => {
        if (listeners() === 0) return
        clearInterval(look)
        ctrlC(t)
        setImmediate(() => (late = true))
      }, 1)
      return 'busy'
    })
    const stopped = wait(60, force).finally(() => {
      t.notOk(late)
    })
    await t.rejects(stopped, { code: 'BUSY' })
    t.same(questions, ['asked'])
    t.equal(listeners(), 0)
  }
})

t.test('Ctrl-C during an attempt: its answer is the last', async (t) => {
  if (!needs(t, 'linux')) return
  for (const [seconds, limit] of [
    [60, 0],
    // an attempt after the limit, with force due
    [2, 2000],
  ] as const) {
    let start = Infinity
    let after = 0
    const { questions, wait } = await stage(t, (n) => {
      if (after > 0) after++
      else if (n > 1 && Date.now() - start >= limit) {
        ctrlC(t)
        after = 1
      }
      return 'busy'
    })
    start = Date.now()
    await t.rejects(wait(seconds, true), { code: 'BUSY' })
    t.equal(after, 1)
    t.notOk(questions.includes('forced'))
  }
  const freed = await stage(t, (n) => {
    if (n === 1) return 'busy'
    ctrlC(t)
    return 'done'
  })
  t.match(await freed.wait(60, false), { error: null }, 'what is done is told')
})
