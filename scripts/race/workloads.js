// What is done on each drive, with the figures that come of it. Every one begins with an empty drive that
// is not mounted, and leaves one.

import { execFile } from 'node:child_process'
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { program } from '../proof/drive.js'
import { command, GaveUp, measure, remount, seconds } from './step.js'

const MEBI = 2 ** 20
const GIBI = 2 ** 30
const NAMES = join(import.meta.dirname, 'names.js')
const LIMIT_S = 120

async function open(contender) {
  await contender.mount()
  await contender.ready()
}

/** A dozen system calls of a program, and what it says of their time. */
async function names(...args) {
  try {
    const how = { timeout: LIMIT_S * 1000, killSignal: 'SIGKILL', maxBuffer: MEBI }
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [NAMES, ...args.map(String)],
      how,
    )
    return JSON.parse(stdout)
  } catch (error) {
    if (error.killed === true) throw new GaveUp(`${args[0]} took longer than ${LIMIT_S} s`)
    throw error
  }
}

/** Its own seconds until everything is in the folder behind, and the CPU seconds of the drive. */
async function timedNames(contender, ...args) {
  let said
  let later
  const { cpu } = await measure(contender, async () => {
    said = await names(...args)
    later = await seconds(() => contender.settled())
  })
  return { ...said, seconds: said.seconds + later, cpu }
}

/** Operations a second of one fio job, until its ciphertext is there. */
async function fio(contender, scratch, job) {
  const report = join(scratch, 'fio.json')
  const fixed = [
    '--name=job',
    '--bs=4k',
    '--ioengine=psync',
    '--output-format=json',
    '--randseed=7',
  ]
  const file = `--filename=${join(contender.mountpoint, 'random')}`
  await command('fio', [...fixed, file, `--output=${report}`, ...job], { limit: LIMIT_S })
  const later = await seconds(() => contender.settled())
  const { read, write } = JSON.parse(readFileSync(report)).jobs[0]
  rmSync(report)
  const done = read.total_ios > 0 ? read : write
  return done.total_ios / (done.runtime / 1000 + later)
}

async function stream(contender, kit) {
  const file = join(contender.mountpoint, 'stream')
  const size = kit.size
  const mount = await seconds(() => contender.mount())
  await contender.ready()
  const dd = (from, to) => command('dd', [`if=${from}`, `of=${to}`, 'bs=1M', 'status=none'])
  const write = await measure(contender, async () => {
    await dd(kit.source(), file)
    await contender.settled()
  })
  const memoryIn = contender.memory()
  const { unmount } = await remount(contender)
  const read = await measure(contender, () => dd(file, '/dev/null'))
  const memory = Math.max(memoryIn, contender.memory())
  if (kit.first && contender.discards !== true) program('cmp', [kit.source(), file])
  rmSync(file)
  await contender.unmount()
  return {
    write: size / MEBI / write.seconds,
    read: size / MEBI / read.seconds,
    cpuIn: write.cpu / (size / GIBI),
    cpuOut: read.cpu / (size / GIBI),
    mount,
    unmount,
    memory,
  }
}

async function random(contender, kit) {
  await open(contender)
  const file = join(contender.mountpoint, 'random')
  await command('dd', [`if=${kit.source()}`, `of=${file}`, 'bs=1M', 'count=256', 'status=none'])
  await remount(contender)
  const read = await fio(contender, kit.scratch, ['--rw=randread', '--size=256M', '--io_size=64M'])
  await remount(contender)
  const write = await fio(contender, kit.scratch, [
    ...['--rw=randwrite', '--size=256M', '--io_size=64M', '--end_fsync=1'],
  ])
  await remount(contender)
  const synced = await fio(contender, kit.scratch, [
    ...['--rw=randwrite', '--size=256M', '--number_ios=1000', '--fsync=1'],
  ])
  const memory = contender.memory()
  rmSync(file)
  await contender.unmount()
  return { read, write, synced, memory }
}

async function files(contender) {
  await open(contender)
  const folder = join(contender.mountpoint, 'files')
  mkdirSync(folder)
  const create = await timedNames(contender, 'create', folder, 10_000, 4096)
  const memory = contender.memory()
  rmSync(folder, { recursive: true })
  await contender.unmount()
  return { create: create.seconds, cpu: create.cpu, memory }
}

async function tree(contender, kit) {
  await open(contender)
  const at = { cwd: contender.mountpoint, limit: LIMIT_S }
  const sh = (script) => () => command('sh', ['-ec', script], at)
  const untar = await measure(contender, async () => {
    await command('tar', ['xf', kit.tree()], at)
    await contender.settled()
  })
  const memoryIn = contender.memory()
  await remount(contender, false)
  const list = await measure(contender, sh('ls -lR . > /dev/null'))
  await remount(contender)
  const pack = await measure(contender, sh('tar cf - . | cat > /dev/null'))
  // what it finds out at the first time it does not have to ask again
  await command('git', ['-C', 'tree', 'status', '--porcelain'], at)
  await remount(contender)
  const git = await measure(contender, () =>
    command('git', ['-C', 'tree', 'status', '--porcelain'], at),
  )
  const memory = Math.max(memoryIn, contender.memory())
  await remount(contender, false)
  const remove = await measure(contender, async () => {
    await command('rm', ['-rf', 'tree'], at)
    await contender.settled()
  })
  await contender.unmount()
  return {
    untar: untar.seconds,
    untarCpu: untar.cpu,
    list: list.seconds,
    pack: pack.seconds,
    packCpu: pack.cpu,
    git: git.seconds,
    remove: remove.seconds,
    memory,
  }
}

async function stats(contender) {
  const COUNT = 50_000
  await open(contender)
  const folder = join(contender.mountpoint, 'names')
  mkdirSync(folder)
  await timedNames(contender, 'create', folder, COUNT, 0)
  await remount(contender, false)
  const missing = await names('stat', folder, COUNT, 'missing')
  await remount(contender, false)
  const existing = await names('stat', folder, COUNT, 'name')
  await command('rm', ['-rf', folder], { limit: LIMIT_S })
  await contender.unmount()
  return { missing: missing.seconds, existing: existing.seconds }
}

async function directory(contender) {
  const COUNT = 200_000
  await open(contender)
  const folder = join(contender.mountpoint, 'names')
  mkdirSync(folder)
  const create = await timedNames(contender, 'create', folder, COUNT, 0)
  const memoryIn = contender.memory()
  await remount(contender, false)
  const list = await names('list', folder)
  const lookup = await names('stat', folder, COUNT, 'name')
  const remove = await timedNames(contender, 'remove', folder, COUNT)
  const memory = Math.max(memoryIn, contender.memory())
  rmSync(folder, { recursive: true })
  await contender.unmount()
  return {
    create: create.seconds,
    list: list.seconds,
    lookup: lookup.seconds,
    remove: remove.seconds,
    growth: (create.parts.at(-1) ?? 0) / (create.parts[0] ?? 1),
    memory,
  }
}

/** Seconds for changing a file of that size, a hole but for what is changed, a block at a time. */
function changing(path, size) {
  const COUNT = 200
  const block = Buffer.alloc(4096, 'block ')
  writeFileSync(path, '')
  truncateSync(path, size)
  return seconds(() => {
    for (let i = 0; i < COUNT; i++) {
      const at = (i * 7919 * block.length) % size
      const fd = openSync(path, 'r+')
      fstatSync(fd)
      writeSync(fd, block, 0, block.length, at)
      readSync(fd, block, 0, block.length, at)
      closeSync(fd)
    }
  })
}

/** Whether it matters how large a file is. */
async function sparse(contender) {
  await open(contender)
  const [small, large] = ['small', 'large'].map((name) => join(contender.mountpoint, name))
  const least = await changing(small, MEBI)
  const most = await changing(large, 100 * GIBI)
  const memory = contender.memory()
  for (const path of [small, large]) rmSync(path)
  await contender.unmount()
  return { growth: most / least, memory }
}

async function sqlite(contender) {
  const COUNT = 300
  await open(contender)
  const insert = 'insert into t(v) values (hex(randomblob(50)));\n'
  const input = `create table t(k integer primary key, v text);\n${insert.repeat(COUNT)}`
  const file = join(contender.mountpoint, 'data.sqlite')
  const took = await seconds(async () => {
    await command('sqlite3', [file], { input, limit: LIMIT_S })
    await contender.settled()
  })
  rmSync(file)
  await contender.unmount()
  return { inserts: COUNT / took }
}

async function idle(contender) {
  const LENGTH_S = 60
  await open(contender)
  await sleep(3000)
  const { cpu } = await measure(contender, () => sleep(LENGTH_S * 1000))
  await contender.unmount()
  return { share: (100 * cpu) / LENGTH_S }
}

/** `rounds`: at most. `only`: where others have nothing to be compared with. */
export const WORKLOADS = {
  stream: { run: stream },
  random: { run: random },
  files: { run: files },
  tree: { run: tree },
  stats: { run: stats },
  directory: { run: directory, rounds: 3 },
  sparse: { run: sparse, only: ['coffer24', 'coffer'] },
  sqlite: { run: sqlite },
  idle: { run: idle, rounds: 1 },
}
