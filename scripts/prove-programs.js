#!/usr/bin/env node
// Proof with real programs, each at the size of real work, inside a drive: git, sqlite3 with a writer that
// is killed, rsync, tar, npm and the build of this project, make, fio, a directory of 100 000 names that is
// read while others come and go, and four programs at once. Every step says how long it took.
//
// scripts/prove-programs.js [--only git,sqlite] [--names 100000] [--seconds 30] [--scratch /tmp]
//                           [--unprivileged] [--node PATH]

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  openSync,
  opendirSync,
  readdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import {
  atEnd,
  caller,
  Drive,
  must,
  program,
  run,
  scratchFolder,
  timed,
  unprivilegedUser,
} from './proof/drive.js'

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    names: { type: 'string', default: '100000' },
    seconds: { type: 'string', default: '30' },
    scratch: { type: 'string', default: tmpdir() },
    unprivileged: { type: 'boolean', default: false },
    node: { type: 'string', default: process.execPath },
  },
})
const ROOT = join(import.meta.dirname, '..')
const SEAL_TIMER_MS = 5000
const GIT =
  'git -c user.name=A -c user.email=a@example.org -c init.defaultBranch=main -c protocol.file.allow=always'

/** @param {Drive} drive */
const tools = (drive) => ({
  /** A folder of the drive. */
  folder(name) {
    const path = join(drive.mountpoint, name)
    drive.run('mkdir', path)
    return path
  },
  /** Runs a shell script in a folder as the drive's user; what it printed. */
  sh: (cwd, script) =>
    program('/bin/sh', ['-euc', script], {
      ...drive.user.spawn,
      cwd,
      env: { ...drive.environment, LC_ALL: 'C.UTF-8', TZ: 'UTC' },
    }),
  /** The same, still running; in a group of its own. */
  start(cwd, command, ...args) {
    const child = spawn(command, args, {
      ...drive.user.spawn,
      cwd,
      env: drive.environment,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    atEnd(() => child.kill('SIGKILL'))
    return child
  },
  remount() {
    drive.unmount()
    drive.mount()
  },
})

const STEPS = {
  async git({ folder, sh, remount }) {
    const at = folder('git')
    sh(at, `${GIT} clone -q --no-local ${ROOT} clone`)
    const repo = join(at, 'clone')
    sh(repo, `echo more >> README.md && ${GIT} commit -qam more && git gc -q && git fsck --full`)
    must(sh(repo, 'git status --porcelain') === '', 'git status sees a change after gc')
    sh(repo, `for i in $(seq 200); do echo $i > n$i; done && git add -A && ${GIT} commit -qm many`)
    must(sh(repo, 'git status --porcelain') === '', 'git status sees a change straight after')
    await sleep(SEAL_TIMER_MS + 1500)
    must(sh(repo, 'git status --porcelain') === '', 'git status sees a change after the seal timer')
    must(
      sh(repo, 'GIT_TRACE_INDEX=1 git diff-files --name-only') === '',
      'git finds stat data changed after the seal timer',
    )
    remount()
    must(sh(repo, 'git status --porcelain') === '', 'git status sees a change after the next mount')
    sh(repo, 'git fsck --full --strict && git checkout -q HEAD~1 && git checkout -q main')
  },

  async sqlite({ folder, sh, start, remount }) {
    const at = folder('sqlite')
    for (const journal of ['delete', 'truncate', 'persist', 'wal']) {
      for (let kill = 0; kill < 3; kill++) {
        const file = `${journal}${kill}.db`
        sh(
          at,
          `sqlite3 ${file} "PRAGMA journal_mode=${journal}; CREATE TABLE t (i, x); CREATE INDEX k ON t (x);"`,
        )
        const insert =
          'BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) ' +
          'INSERT INTO t SELECT i, hex(randomblob(60)) FROM n; COMMIT;'
        const writer = start(at, '/bin/sh', '-c', `yes "${insert}" | exec sqlite3 -bail ${file}`)
        await sleep(600 + 400 * kill)
        // the one that writes, not the shell alone
        const [pid] = program('pgrep', ['-P', String(writer.pid), 'sqlite3']).split('\n')
        process.kill(Number(pid), 'SIGKILL')
        await once(writer, 'exit')
        if (kill === 1) remount()
        const found = sh(
          at,
          `sqlite3 ${file} "PRAGMA integrity_check; SELECT count(*) % 2000, count(*) FROM t;"`,
        )
        const [verdict, count] = found.trim().split('\n')
        must(verdict === 'ok', `${file}: ${found}`)
        must(count?.startsWith('0|') === true, `${file}: a transaction is there in part: ${count}`)
        console.log(`  ${file}: ${count.slice(2)} rows, whole`)
      }
    }
  },

  async rsync({ folder, sh, remount }, scratch) {
    const at = folder('rsync')
    const tree = join(scratch, 'tree')
    const attributes = `find . -type f -size +4k | head -500 | while read -r f; do setfattr -n user.note -v "$f" "$f"; done`
    sh(
      scratch,
      `mkdir -p tree && cp -a ${join(ROOT, 'node_modules/typescript')}/. tree/ && cp -al tree/lib tree/linked`,
    )
    sh(tree, attributes)
    const flags = sh(at, 'rsync --version').includes('no ACLs') ? '-aHX' : '-aHAX'
    sh(at, `rsync ${flags} ${tree}/ copy/`)
    const same = (when) =>
      must(
        sh(at, `rsync ${flags}i --delete ${tree}/ copy/`) === '',
        `rsync ${flags} finds a difference ${when}`,
      )
    same('at once')
    await sleep(SEAL_TIMER_MS + 1500)
    same('after the seal timer')
    remount()
    same('after the next mount')
    must(sh(at, `rsync ${flags}inc --delete copy/ ${tree}/`) === '', 'a difference on the way back')
  },

  async tar({ folder, sh, remount }, scratch) {
    const at = folder('tar')
    sh(scratch, `tar -C ${join(ROOT, 'node_modules/typescript')} -cf tree.tar .`)
    sh(at, `mkdir x && tar -C x -xpf ${scratch}/tree.tar && tar -C x -df ${scratch}/tree.tar`)
    const quiet = (when) =>
      must(
        sh(at, 'tar -C x -cf /dev/shm/coffer-proof.tar . 2>&1; rm /dev/shm/coffer-proof.tar') ===
          '',
        `tar sees files change ${when}`,
      )
    quiet('straight after writing')
    await sleep(SEAL_TIMER_MS + 1500)
    quiet('after the seal timer')
    remount()
    sh(at, `tar -C x -df ${scratch}/tree.tar`)
  },

  async npm({ folder, sh, remount }) {
    const at = folder('npm')
    sh(at, `${GIT} clone -q --no-local ${ROOT} project`)
    const project = join(at, 'project')
    const cache = program('npm', ['config', 'get', 'cache']).trim()
    const npm = `npm --cache ${cache} --prefer-offline --no-audit --no-fund --no-update-notifier`
    sh(project, `${npm} ci && npm run build && node dist/test/format/layout.test.js > /dev/null`)
    remount()
    sh(project, 'node bin/coffer.js --version && node_modules/.bin/tsc -p tsconfig.json --noEmit')
  },

  async make({ folder, sh, remount }) {
    const at = folder('make')
    const names = Array.from({ length: 120 }, (_, i) => `m${i}`)
    for (const [i, name] of names.entries()) {
      writeFileSync(
        join(at, `${name}.c`),
        `#include <stdio.h>\n#include "all.h"\nint ${name}(int x) { return x + ${i} + ALL; }\n`,
      )
    }
    writeFileSync(join(at, 'all.h'), '#define ALL 1\n')
    writeFileSync(
      join(at, 'main.c'),
      `#include <stdio.h>\n${names.map((n) => `int ${n}(int);`).join('\n')}\nint main(void) { int s = 0; ${names.map((n) => `s += ${n}(0);`).join(' ')} printf("%d\\n", s); }\n`,
    )
    writeFileSync(
      join(at, 'Makefile'),
      `o = main.o ${names.map((n) => `${n}.o`).join(' ')}\nprog: $o\n\tcc -o $@ $o\n$o: all.h\n%.o: %.c\n\tcc -O1 -c -o $@ $<\n`,
    )
    sh(at, 'make -s -j2')
    const sum = (names.length * (names.length - 1)) / 2 + names.length
    must(sh(at, './prog') === `${sum}\n`, 'the program is not what was compiled')
    must(sh(at, 'make -j2').includes('up to date'), 'make finds something to do')
    await sleep(SEAL_TIMER_MS + 1500)
    must(
      sh(at, 'make -j2').includes('up to date'),
      'make finds something to do after the seal timer',
    )
    remount()
    must(
      sh(at, 'make -j2').includes('up to date'),
      'make finds something to do after the next mount',
    )
    sh(at, 'touch all.h && make -s -j2 && ./prog')
  },

  async fio({ folder, sh }) {
    const at = folder('fio')
    for (const [engine, words] of [
      ['psync', '--rw=randrw --bsrange=512-100k'],
      ['psync', '--rw=randrw --bs=4k --direct=1'],
      ['libaio', '--rw=randrw --bsrange=4k-128k --blockalign=4k --iodepth=8 --direct=1'],
      ['mmap', '--rw=randrw --bs=4k'],
      ['psync', '--rw=randrw --bs=16k --fsync=32 --numjobs=3'],
    ]) {
      console.log(`  ${engine} ${words}`)
      sh(
        at,
        `fio --name=x --directory=. --size=96m --ioengine=${engine} ${words} --verify=crc32c --verify_fatal=1 ` +
          '--randseed=11 --minimal --output=/dev/null && rm -f x.*',
      )
    }
  },

  /** Names that stay are seen once each in every reading, whatever comes and goes meanwhile. */
  async names({ folder }) {
    const at = folder('names')
    const count = Number(options.names)
    const stays = (i) => `stays ${i}`
    await timed(`  make ${count} names`, () => {
      for (let i = 0; i < count; i++) closeSync(openSync(join(at, stays(i)), 'w'))
    })
    const seen = new Uint8Array(count)
    let others = 0
    const directory = opendirSync(at, { bufferSize: 512 })
    for (let read = 0; ; read++) {
      const entry = directory.readSync()
      if (entry === null) break
      if (entry.name.startsWith('stays ')) seen[Number(entry.name.slice(6))]++
      else others++
      if (read % 50 === 0) {
        closeSync(openSync(join(at, `comes ${read}`), 'w'))
        if (read % 100 === 0) unlinkSync(join(at, `comes ${read}`))
      }
    }
    directory.closeSync()
    const lost = seen.reduce((n, times) => n + (times === 0), 0)
    const repeated = seen.reduce((n, times) => n + (times > 1), 0)
    console.log(`  ${lost} lost, ${repeated} seen twice, ${others} that came were seen`)
    must(lost === 0 && repeated === 0, 'a reading lost or repeated a name')
    await timed('  list and remove', () => {
      must(readdirSync(at).length >= count, 'a listing is short')
      rmSync(at, { recursive: true })
    })
  },

  async together({ folder, start, remount }, scratch, drive) {
    const at = folder('together')
    const busy = join(drive.user.project, 'dist/test/posix/busy.js')
    const running = [1, 2, 3, 4].map((seed) => {
      const own = join(at, String(seed))
      drive.run('mkdir', own)
      return start(
        own,
        options.node,
        busy,
        own,
        String(seed),
        String(Number(options.seconds) * 1000),
      )
    })
    const codes = await Promise.all(running.map(async (child) => (await once(child, 'exit'))[0]))
    must(
      codes.every((code) => code === 0),
      `exit codes ${codes.join()}`,
    )
    remount()
    drive.run('cp', '-r', at, join(scratch, 'home', 'together'))
  },
}

await run(async () => {
  const scratch = scratchFolder(options.scratch)
  const user = options.unprivileged ? unprivilegedUser(scratch) : caller()
  const drive = new Drive(scratch, user, options.node)
  drive.create('--scrypt-logn', '10')
  drive.mount()
  const wanted = options.only === '' ? Object.keys(STEPS) : options.only.split(',')
  for (const [number, name] of wanted.entries()) {
    must(name in STEPS, `there is no step ${name}`)
    console.log(`${number + 1} of ${wanted.length}: ${name}`)
    await timed(name, () => STEPS[name](tools(drive), scratch, drive))
  }
  console.log(`peak memory of the agent ${drive.peakMemory()} MiB`)
  drive.unmount()
  console.log('everything held')
})
