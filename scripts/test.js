// `npm test [-- words]`: builds, checks style and layers, runs every test file on this Node and,
// with COFFER_NODE24=1 or in CI, on Node 24. Each file runs as a process of its own and is judged by
// its TAP output, its exit code and what it leaves on the machine. With words, only the files whose
// path contains one of them are run, without the checks of style.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Parser } from 'tap-parser'
import { clearLeftovers, drives, mountsBelow, processesOf } from './leftovers.js'
import { node24 } from './node24.js'

const ROOT = join(import.meta.dirname, '..')
const FILE_TIMEOUT_MS = 300_000
// What measures the kernel, or needs the disk for itself, runs with nothing beside it.
const ALONE = /^test\/(mount|posix|power-cut)\//
// What takes longest of all the rest, in that order: begun last, it would end with nothing beside it.
const LONG = [
  'two-machines/two-machines',
  'cli/mount',
  'cli/devices',
  'cli/lock-on',
  'cli/self-test',
  'crash/crash',
  'cli/silent-agent',
  'cli/vault',
  'cli/get',
  'cli/mountpoint',
  'cli/unmount',
  'fs/faults',
  'soak/soak',
].map((name) => `test/${name}.test.ts`)

// What is the same on every Node: proofs of what the drive does to a disk, judges, the plain disk, what
// sync clients and other devices do to a vault folder, and what the drive asks of other programs. So is the
// suite over fuse-native: what Node has to do with that driver, the file of its own ways shows on both. On
// the second Node they are left out, so that a run on both takes less than a quarter of an hour;
// COFFER_NODE24=all runs them there, too.
const ONCE = [
  /^test\/(crash|guards|live|oracle|power-cut|soak|two-machines)\//,
  /^test\/cli\/(conflicts|devices|interrupted|late-metas|lock-on|machine|mountpoint|quiet|restore-config|silent-agent|unmount|unmount-elsewhere)\./,
  /^test\/format\/(conflict|devices)\./,
  /^test\/fs\/(adversary-|arrived|clocks|conflicts|drive-model|faults|hard-links|killed|late-metas|memory|quiet|writers)/,
  /^test\/mount\/(large-rescue|placeholders)\./,
  /^test\/posix\/(disk|full-disk|fuse-native-suite|leaks|programs|table)\./,
]
const LANES = 2
const LAST_LINES = 400

const requireAll = process.env['COFFER_REQUIRE_ALL'] === '1'
const words = process.argv.slice(2)

/** @type {{ passed: number, failed: number, leftOut: string[], trouble: string[] }} */
const total = { passed: 0, failed: 0, leftOut: [], trouble: [] }

/** @param {string} what */
function fail(what) {
  total.failed++
  total.trouble.push(what)
}

/**
 * @param {string} name
 * @param {string[]} command a script of node_modules or of this folder, with its arguments
 */
async function step(name, command) {
  const started = Date.now()
  const child = spawn(process.execPath, command, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = []
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes) => output.push(bytes))
  const [status] = await once(child, 'close')
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'}  ${name}  ${seconds(started)}`)
  process.stdout.write(Buffer.concat(output))
  if (status !== 0) fail(name)
  return status === 0
}

/** What asks nothing but the sources. */
const STYLE = {
  eslint: ['node_modules/eslint/bin/eslint.js', '.'],
  prettier: ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.'],
  layers: ['scripts/check-layers.js'],
}

/** @param {number} started */
const seconds = (started) => `${((Date.now() - started) / 1000).toFixed(1)} s`

/** @returns {string[]} */
function testFiles() {
  return readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .map((path) => `test/${path.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.test.ts'))
    .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
    .sort()
}

/**
 * Counts assertions, not the test points that sum up a subtest; names what was left out.
 * @param {(leftOut: string) => void} onLeftOut
 */
function counter(onLeftOut) {
  const count = { passed: 0, failed: 0 }
  const parser = new Parser()
  /** @param {Parser} tap */
  const watch = (tap) => {
    tap.on('child', watch)
    tap.on('assert', (result) => {
      const reason = result.skip || result.todo
      if (reason) onLeftOut(`${result.fullname}: ${reason === true ? 'no reason given' : reason}`)
      else if (!result.ok && !result.closingTestPoint) count.failed++
      else if (result.ok && !result.closingTestPoint) count.passed++
    })
  }
  watch(parser)
  return { parser, count }
}

/**
 * @param {string} node
 * @param {string} label how the Node is called in the output
 * @param {string} file
 * @param {string} folder its scratch folder
 */
async function runFile(node, label, file, folder) {
  const started = Date.now()
  mkdirSync(folder)
  chmodSync(folder, 0o1777) // a test may become another user
  const leftOut = []
  const { parser, count } = counter((line) => leftOut.push(line))
  const child = spawn(node, [join(ROOT, 'dist', file.replace(/\.ts$/, '.js'))], {
    cwd: ROOT,
    detached: true, // a group of its own, so that a time-out ends its children too
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment(folder) },
  })
  const output = []
  child.stdout.on('data', (bytes) => output.push(bytes))
  child.stderr.on('data', (bytes) => output.push(bytes))
  child.stdout.pipe(parser)
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    process.kill(-child.pid, 'SIGKILL')
  }, FILE_TIMEOUT_MS)
  const results = new Promise((done) => parser.on('complete', done))
  // 'exit', not 'close': a process that the test left would hold the pipe open.
  const [code, signal] = await new Promise((done) => child.on('exit', (...how) => done(how)))
  clearTimeout(timer)
  const left = await clearLeftovers(folder)
  child.stdout.destroy()
  parser.end()
  const { ok, plan } = await results

  const empty = plan?.skipAll && plan.comment === 'no tests found'
  if (plan?.skipAll && !empty) leftOut.push(`whole file: ${plan.skipReason || plan.comment}`)
  const problems = left
  if (timedOut) problems.push(`ran longer than ${FILE_TIMEOUT_MS / 1000} s`)
  else if (signal !== null) problems.push(`ended by ${signal}`)
  else if ((code !== 0 || !ok) && count.failed === 0) problems.push(`exit code ${code}`)
  if (count.passed + count.failed + leftOut.length === 0) problems.push('asserted nothing')
  if (requireAll) problems.push(...leftOut.map((line) => `left out: ${line}`))
  else total.leftOut.push(...leftOut.map((line) => `${file} (${label}): ${line}`))

  total.passed += count.passed
  total.failed += count.failed
  const good = count.failed === 0 && problems.length === 0
  const skipped = leftOut.length > 0 ? `, ${leftOut.length} left out` : ''
  const verdict = good ? 'ok    ' : 'FAILED'
  console.log(`${verdict}  ${file}  ${count.passed} assertions${skipped}  ${seconds(started)}`)
  if (good) return
  if (count.failed > 0) total.trouble.push(`${file} (${label}): ${count.failed} assertions failed`)
  for (const problem of problems) fail(`${file} (${label}): ${problem}`)
  const lines = Buffer.concat(output).toString().split('\n')
  if (lines.length > LAST_LINES) console.log(`  … ${lines.length - LAST_LINES} lines before`)
  for (const line of lines.slice(-LAST_LINES)) console.log(`  ${line}`)
  for (const problem of problems) console.log(`  ${problem}`)
}

/**
 * Points everything that a test might write to its own folder. What coffer keeps for its user goes
 * to a place that is cleared without complaint: a test that cares sets its own.
 * @param {string} folder
 */
function environment(folder) {
  const home = `${folder}.home`
  mkdirSync(home, { mode: 0o700 })
  return {
    COFFER_TEST_TMP: folder,
    TMPDIR: folder,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_DATA_HOME: join(home, 'data'),
    XDG_STATE_HOME: join(home, 'state'),
    XDG_CACHE_HOME: join(home, 'cache'),
    XDG_RUNTIME_DIR: home,
    // tap's own limit of 30 s is too short for a busy machine; a file may set another
    TAP_TIMEOUT: String(FILE_TIMEOUT_MS / 1000 - 20),
  }
}

/** @param {string} file */
function rank(file) {
  const at = LONG.indexOf(file)
  return at < 0 ? LONG.length : at
}

/**
 * @param {string} node
 * @param {string} scratch
 * @param {boolean} again on another Node before
 * @param {(() => Promise<unknown>)[]} [first] what else is to be done, before all that
 */
async function runAll(node, scratch, again, first = []) {
  const label = `Node ${spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim()}`
  console.log(`\n${label}`)
  const all = testFiles()
  const files = again ? all.filter((file) => !ONCE.some((kind) => kind.test(file))) : all
  if (files.length < all.length)
    console.log(
      `${all.length - files.length} files are not run again: they do not depend on the Node`,
    )
  let number = 0
  /** @param {string} file */
  const test = (file) => () =>
    runFile(node, label, file, join(scratch, `${label.slice(6, 8)}-${++number}`))
  /** @param {(() => Promise<unknown>)[]} queue */
  const lane = async (queue) => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) await job()
  }
  const together = files.filter((file) => !ALONE.test(file)).sort((a, b) => rank(a) - rank(b))
  const queue = [...first, ...together.map(test)]
  await Promise.all(Array.from({ length: LANES }, () => lane(queue)))
  await lane(files.filter((file) => ALONE.test(file)).map(test))
  return label
}

async function main() {
  const started = Date.now()
  const styles = words.length > 0 ? [] : Object.entries(STYLE)
  const checks = styles.map(
    ([name, command]) =>
      () =>
        step(name, command),
  )
  const built = await step('build', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'])
  for (const file of LONG.filter((file) => !existsSync(join(ROOT, file))))
    fail(`there is no ${file}`)
  const nodes = []
  if (built || words.length > 0) {
    const scratch = mkdtempSync(join(tmpdir(), 'coffer-'))
    chmodSync(scratch, 0o755)
    const stop = () => {
      for (const name of existsSync(scratch) ? readdirSync(scratch) : []) {
        for (const { pid } of processesOf(join(scratch, name))) process.kill(pid, 'SIGKILL')
      }
      process.exit(130)
    }
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
    const before = new Set(drives())
    nodes.push(await runAll(process.execPath, scratch, false, checks))
    const more = process.env['COFFER_NODE24'] ?? (process.env['CI'] === 'true' ? '1' : '0')
    if (more !== '0' && more !== '' && !process.version.startsWith('v24.'))
      nodes.push(await runAll(node24(), scratch, more !== 'all' && words.length === 0))
    // A drive elsewhere may be the user's own, so it is told and left alone.
    for (const mountpoint of drives().filter((mountpoint) => !before.has(mountpoint))) {
      fail(`a drive was mounted during the run and still is: ${mountpoint}`)
    }
    if (mountsBelow(scratch).length === 0) rmSync(scratch, { recursive: true, force: true })
    if (total.passed + total.failed === 0) fail('no test was run')
  } else for (const check of checks) await check()
  report(nodes, started)
}

/**
 * @param {string[]} nodes
 * @param {number} started
 */
function report(nodes, started) {
  if (total.leftOut.length > 0) {
    console.log(`\nLeft out on this machine (${total.leftOut.length}):`)
    for (const line of total.leftOut) console.log(`  ${line}`)
    console.log('  .ci/run installs the Debian packages that the tests use, and runs them all.')
  }
  if (total.trouble.length > 0) {
    console.log('\nFailed:')
    for (const line of total.trouble) console.log(`  ${line}`)
  }
  const where = nodes.length === 0 ? 'nothing was run' : `on ${nodes.join(' and ')}`
  console.log(`\nAssertions, ${where}, in ${seconds(started)}. A failed build, check of style or`)
  console.log('of layers, a crash, and each thing left on the machine count as one failed.')
  console.log(`${total.passed} passed, ${total.failed} failed`)
  process.exitCode = total.failed === 0 ? 0 : 1
}

await main()
