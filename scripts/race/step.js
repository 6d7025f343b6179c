// One timed step of a contender: wall time, CPU seconds of its processes, and a limit on how long it may
// take.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { statfsSync, writeFileSync } from 'node:fs'
import { freemem } from 'node:os'
import { Failure, atEnd, program } from '../proof/drive.js'
import { filesBelow } from '../proof/search.js'

const MEBI = 2 ** 20

/** A step took longer than its limit: nothing more is asked of that contender here. */
export class GaveUp extends Failure {}

/** Runs a program; what it prints goes nowhere unless it fails. `input` is written to it. */
export async function command(name, args, { cwd, input, limit = 300, env } = {}) {
  const child = spawn(name, args, { cwd, env, stdio: ['pipe', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (text) => (said = (said + text).slice(-2000)))
  child.stdin.on('error', () => undefined)
  child.stdin.end(input ?? '')
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, limit * 1000)
  const [code, signal] = await once(child, 'close')
  clearTimeout(timer)
  if (late) throw new GaveUp(`${name} took longer than ${limit} s`)
  if (code !== 0)
    throw new Failure(`${name} ${args.join(' ').slice(0, 200)}: ${signal ?? code}\n${said}`)
}

/** Seconds, and CPU seconds of the contender's processes, that a step takes. */
export async function measure(contender, step) {
  const cpu = contender.cpu()
  const took = await seconds(step)
  return { seconds: took, cpu: contender.cpu() - cpu }
}

export async function seconds(step) {
  const started = process.hrtime.bigint()
  await step()
  return Number(process.hrtime.bigint() - started) / 1e9
}

export function dropCaches() {
  program('sync', [])
  writeFileSync('/proc/sys/vm/drop_caches', '3')
}

/**
 * Takes the drive away, forgets all that the kernel knows, reads the folder behind it, so that the drive
 * is measured and not the disk, and mounts it again. `contents`: not the names alone.
 */
export async function remount(contender, contents = true) {
  const unmount = await seconds(() => contender.unmount())
  dropCaches()
  spawnSync('ls', ['-lR', contender.backing], { stdio: 'ignore' })
  if (contents) warm(contender.backing)
  const mount = await seconds(() => contender.mount())
  await contender.ready()
  return { mount, unmount }
}

function warm(folder) {
  const files = filesBelow(folder)
  for (let at = 0; at < files.length; at += 1000)
    spawnSync('cat', files.slice(at, at + 1000), { stdio: 'ignore' })
}

/** The first touch of a page of a virtual machine is many times slower than any later one. */
export function warmMemory() {
  const { bavail, bsize } = statfsSync('/dev/shm')
  const mebis = Math.floor(Math.min(freemem() * 0.85, bavail * bsize * 0.95) / MEBI)
  const file = `/dev/shm/coffer-bench-${process.pid}`
  atEnd(() => spawnSync('rm', ['-f', file]))
  console.error(`touching ${mebis} MiB of memory ...`)
  spawnSync('dd', ['if=/dev/zero', `of=${file}`, 'bs=1M', `count=${mebis}`], { stdio: 'ignore' })
  spawnSync('rm', ['-f', file])
}
