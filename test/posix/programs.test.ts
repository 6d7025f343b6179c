// Real programs in a drive, each as its users run it, and what they left after the next mount.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { utimesAt } from '../../lib/native/files.js'
import { needs } from '../needs.js'
import { fourAtOnce, isAllThere } from './four-at-once.js'
import { AT_FDCWD } from './calls.js'
import { Drive, scratch } from './drive.js'
import { noise } from './folder.js'

t.setTimeout(280_000)

const REAL_TREE = fileURLToPath(new URL('../../../node_modules/yargs', import.meta.url))
const PATIENCE_MS = 120_000

/** Runs a shell script in `cwd`; fails the test where it fails. Its output. */
function sh(t: Test, cwd: string, script: string): string {
  const { status, signal, stdout, stderr } = spawnSync('/bin/sh', ['-euc', script], {
    cwd,
    encoding: 'utf8',
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
    env: { ...process.env, LC_ALL: 'C.UTF-8', TZ: 'UTC', HOME: cwd },
  })
  t.equal(status, 0, `${script.split('\n')[0] ?? ''}: ${signal ?? ''} ${stdout}${stderr}`)
  return stdout
}

/** A tree with everything in it that a copy may lose. */
function oddTree(folder: string): string {
  mkdirSync(folder)
  const at = (name: string) => join(folder, name)
  mkdirSync(at('sub'))
  mkdirSync(at('sub/deep'))
  mkdirSync(at('empty'))
  mkdirSync(at('n'.repeat(255)))
  for (const [i, size] of [0, 1, 4096, 32768, 32769, 1_000_000].entries()) {
    writeFileSync(at(`sub/size${String(size)}`), noise(size, i + 1))
  }
  for (const mode of [0o600, 0o640, 0o444, 0o755, 0o4755, 0o2711, 0o1666, 0o400]) {
    const path = at(`mode${mode.toString(8)}`)
    writeFileSync(path, mode.toString(8))
    chmodSync(path, mode)
  }
  for (const name of ['😀.txt', 'caf\u00e9', 'cafe\u0301', 'a\nb', ' ', '-x', 'é'.repeat(127)]) {
    writeFileSync(at(`sub/deep/${name}`), name)
  }
  symlinkSync('sub/size1', at('link'))
  symlinkSync('/nowhere/at/all', at('dangling'))
  symlinkSync('l'.repeat(3000), at('longlink'))
  for (const [i, name] of [
    'link',
    'mode600',
    'sub/deep/😀.txt',
    'sub/size0',
    'sub',
    'empty',
  ].entries()) {
    const time = { sec: 1_000_000_000 + i, nsec: 123_456_789 + i }
    utimesAt(AT_FDCWD, at(name), time, time)
  }
  chmodSync(at('empty'), 0o1777)
  return folder
}

void t.test('programs', async (t) => {
  if (!needs(t, 'fuse')) return
  const home = scratch(t, 'programs')
  const source = oddTree(join(home, 'source'))
  const drive = new Drive(t, home)
  const remount = (): void => {
    drive.unmount()
    drive.mount()
  }
  const folder = (name: string): string => {
    mkdirSync(join(drive.mountpoint, name))
    return join(drive.mountpoint, name)
  }
  drive.mount()

  await t.test('cp -a, there and back', (t) => {
    const at = folder('cp')
    sh(t, at, `cp -a ${source} odd && cp -a ${REAL_TREE} real`)
    const list = `find . -printf '%P %y %m %s %T@ %l\\n' | grep -v '^sub.* d .*\\|^ d\\| d .* 4096' | sort`
    remount()
    sh(
      t,
      at,
      `diff -r --no-dereference ${source} odd && diff -r --no-dereference ${REAL_TREE} real`,
    )
    t.equal(sh(t, join(at, 'odd'), list), sh(t, source, list))
    sh(t, home, `cp -a ${at}/odd back`)
    t.equal(sh(t, join(home, 'back'), list), sh(t, source, list))
    t.end()
  })

  await t.test('rsync', (t) => {
    if (needs(t, 'rsync')) {
      const at = folder('rsync')
      sh(t, at, `rsync -a ${source}/ odd/ && rsync -a ${REAL_TREE}/ real/`)
      t.equal(sh(t, at, `rsync -ai --delete ${source}/ odd/`), '', 'the second run does nothing')
      remount()
      const same = (from: string, to: string): void => {
        t.equal(sh(t, at, `rsync -anic --delete ${from}/ ${to}/`), '', `${from} to ${to}`)
      }
      same(source, 'odd')
      same('odd', source)
      same(REAL_TREE, 'real')
      sh(t, at, `rsync -a --inplace --no-whole-file --ignore-times ${source}/ odd/`)
      same(source, 'odd')
    }
    t.end()
  })

  await t.test('tar', (t) => {
    const at = folder('tar')
    sh(t, home, `tar -C source --format=pax -cf source.tar .`)
    sh(t, at, `mkdir x && tar -C x -xpf ${home}/source.tar`)
    t.equal(sh(t, at, `tar -C x -df ${home}/source.tar`), '', 'what came out is what went in')
    t.equal(
      sh(t, at, `tar -C x --format=pax -cf ${home}/again.tar . 2>&1`),
      '',
      'nothing changes while it is read',
    )
    t.equal(sh(t, home, `tar -C source -df again.tar`), '')
    sh(t, at, `tar -C x -cf inside.tar . && tar -C x -df inside.tar && rm -r x`)
    t.end()
  })

  await t.test('hard links', (t) => {
    const at = folder('links')
    const inodes = `find . -type f -printf '%i %n %P\\n' | sort -k3 | awk '{ if (!($1 in k)) k[$1] = NR; print k[$1], $2, $3 }'`
    sh(t, at, `cp -a ${REAL_TREE} real && cp -al real linked && cp -al linked again`)
    const before = sh(t, at, inodes)
    t.match(before, / 3 /)
    sh(t, at, 'diff -r real again && tar -cf ../links.tar . && mkdir ../untarred')
    sh(t, at, 'tar -C ../untarred -xf ../links.tar && tar -C ../untarred -df ../links.tar')
    t.equal(sh(t, join(drive.mountpoint, 'untarred'), inodes), before, 'tar keeps them')
    if (needs(t, 'rsync')) {
      sh(t, at, `rsync -aH ./ ${drive.mountpoint}/synced/`)
      t.equal(sh(t, at, `rsync -aHi --delete ./ ${drive.mountpoint}/synced/`), '')
    }
    remount()
    t.equal(sh(t, at, inodes), before, 'after the next mount')
    sh(t, at, `diff -r ${REAL_TREE} again && diff -r ${REAL_TREE} ../untarred/linked`)
    sh(t, at, 'echo more >> again/package.json && cmp again/package.json real/package.json')
    sh(t, at, `rm -r real linked && tail -n 1 again/package.json | grep -qx more`)
    if (needs(t, 'rsync')) sh(t, at, `rsync -anHi --delete ../untarred/ ../synced/ | (! grep .)`)
    remount()
    sh(t, at, 'cat $(find again -type f | tr "\\n" " ") > /dev/null')
    t.end()
  })

  await t.test('extended attributes: setfattr, cp, rsync, tar, there and back', (t) => {
    if (needs(t, 'setfattr', 'rsync')) {
      const at = folder('attributes')
      const marked = join(home, 'marked')
      mkdirSync(join(marked, 'sub'), { recursive: true })
      for (const name of ['empty', 'sub/full']) {
        writeFileSync(join(marked, name), name === 'empty' ? '' : noise(40_000))
      }
      sh(
        t,
        marked,
        `setfattr -n user.note -v 'a value' empty sub/full sub .
         setfattr -n user.bytes -v 0x00ff0a00 sub/full
         setfattr -n user.ümlaut -v '' sub`,
      )
      const dump = (path: string) =>
        sh(t, path, 'find . -print0 | LC_ALL=C sort -z | xargs -0 getfattr -h -d -e hex 2>&1')
      const wanted = dump(marked)
      t.match(wanted, /user\.bytes=0x00ff0a00/)
      sh(t, at, `cp -a --preserve=xattr ${marked} cp && rsync -aX ${marked}/ rsync/`)
      sh(t, at, `mkdir tar && tar -C ${marked} --xattrs -cf - . | tar -C tar --xattrs -xpf -`)
      t.equal(sh(t, at, `rsync -aXi --delete ${marked}/ rsync/`), '', 'the second run does nothing')
      const kinds = ['cp', 'rsync', 'tar']
      for (const kind of kinds) t.equal(dump(join(at, kind)), wanted, kind)
      remount()
      for (const kind of kinds) t.equal(dump(join(at, kind)), wanted, `${kind}, after a mount`)
      sh(
        t,
        home,
        `cp -a --preserve=xattr ${at}/cp marked-back && rsync -aX ${at}/rsync/ marked-rsync/`,
      )
      t.equal(dump(join(home, 'marked-back')), wanted)
      t.equal(dump(join(home, 'marked-rsync')), wanted)
      sh(
        t,
        at,
        `mv cp/sub cp/moved && mv cp/moved/full cp/full && setfattr -x user.note cp/full
         ! getfattr --absolute-names -n user.note cp/full 2>/dev/null`,
      )
      t.equal(sh(t, at, 'getfattr --only-values -n user.note cp/moved'), 'a value')
      t.equal(sh(t, at, 'getfattr -e hex -n user.bytes cp/full').includes('0x00ff0a00'), true)
      sh(t, drive.mountpoint, 'setfattr -n user.note -v root .')
      remount()
      t.equal(sh(t, drive.mountpoint, 'getfattr --only-values -n user.note .'), 'root')
      sh(t, drive.mountpoint, 'setfattr -x user.note .')
    }
    t.end()
  })

  await t.test('git', (t) => {
    if (needs(t, 'git')) {
      const at = folder('git')
      const config =
        '-c user.name=A -c user.email=a@example.org -c init.defaultBranch=main -c protocol.file.allow=always'
      sh(
        t,
        at,
        `git ${config} init -q repo && cp -r ${REAL_TREE}/. repo && cd repo && git add -A && git ${config} commit -qm first`,
      )
      sh(
        t,
        join(at, 'repo'),
        `echo more >> package.json && git ${config} commit -qam second && git mv package.json moved.json && git ${config} commit -qm third`,
      )
      sh(
        t,
        join(at, 'repo'),
        'git fsck --full --strict && git gc -q && git fsck --full && git diff --quiet HEAD~1 HEAD~1',
      )
      t.equal(sh(t, join(at, 'repo'), 'git status --porcelain'), '')
      remount()
      sh(
        t,
        at,
        `git ${config} clone -q -l --bare repo linked && git -C linked gc -q && git -C linked fsck --full && git ${config} clone -q repo clone && cd clone && git fsck --full && git checkout -q HEAD~1 && test -f package.json`,
      )
      t.equal(sh(t, join(at, 'clone'), 'git status --porcelain'), '')
      t.equal(
        sh(t, join(at, 'repo'), 'git status --porcelain && git log --format=%s'),
        'third\nsecond\nfirst\n',
      )
    }
    t.end()
  })

  await t.test('sqlite', (t) => {
    if (needs(t, 'sqlite3')) {
      const at = folder('sqlite')
      for (const journal of ['delete', 'truncate', 'persist', 'wal']) {
        const file = `${journal}.db`
        const rows =
          'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) ' +
          'INSERT INTO t SELECT i, hex(randomblob(50)) FROM n'
        const statements = [
          `PRAGMA journal_mode = ${journal}`,
          'CREATE TABLE t (i INTEGER PRIMARY KEY, x TEXT)',
          `BEGIN; ${rows}; COMMIT`,
          'BEGIN; DELETE FROM t; ROLLBACK',
          'BEGIN; UPDATE t SET x = i WHERE i % 7 = 0; COMMIT',
          'CREATE INDEX k ON t (x)',
          'DELETE FROM t WHERE i % 3 = 0',
          'VACUUM',
        ]
        sh(t, at, `sqlite3 -bail ${file} ${statements.map((line) => `"${line};"`).join(' ')}`)
        const found = () =>
          sh(t, at, `sqlite3 ${file} "PRAGMA integrity_check; SELECT count(*) FROM t;"`)
        t.equal(found(), 'ok\n3334\n', journal)
        remount()
        t.equal(found(), 'ok\n3334\n', `${journal}, after the next mount`)
      }
    }
    t.end()
  })

  await t.test('sqlite, the writer killed', async (t) => {
    if (needs(t, 'sqlite3')) {
      const at = folder('killed')
      for (const journal of ['delete', 'wal']) {
        const file = `${journal}.db`
        sh(t, at, `sqlite3 ${file} "PRAGMA journal_mode = ${journal}; CREATE TABLE t (i, x);"`)
        const insert =
          'BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) ' +
          'INSERT INTO t SELECT i, hex(randomblob(60)) FROM n; COMMIT;'
        const writer = spawn('sqlite3', ['-bail', file], {
          cwd: at,
          stdio: ['pipe', 'ignore', 'inherit'],
        })
        t.teardown(() => writer.kill('SIGKILL'))
        writer.stdin.on('error', () => undefined) // it is killed while it is written to
        writer.stdin.write(`${insert}\n`.repeat(2000))
        await sleep(700)
        writer.kill('SIGKILL')
        await once(writer, 'exit')
        if (journal === 'wal') remount()
        const ask = `sqlite3 ${file} "PRAGMA integrity_check; SELECT count(*) % 500, count(*) > 0 FROM t;"`
        t.equal(sh(t, at, ask), 'ok\n0|1\n', `${journal}: no transaction in part`)
      }
    }
  })

  await t.test('compiling side by side', (t) => {
    if (needs(t, 'gcc', 'make')) {
      const at = folder('make')
      const parts = Array.from({ length: 8 }, (_, i) => `m${String(i)}`)
      for (const name of parts)
        writeFileSync(
          join(at, `${name}.c`),
          `#include "all.h"\nint ${name}(void) { return ALL; }\n`,
        )
      writeFileSync(join(at, 'all.h'), '#define ALL 3\n')
      const sum = parts.map((name) => `${name}()`).join(' + ')
      const declared = parts.map((name) => `int ${name}(void);`).join(' ')
      writeFileSync(join(at, 'main.c'), `${declared}\nint main(void) { return ${sum}; }\n`)
      const objects = ['main', ...parts].map((name) => `${name}.o`).join(' ')
      writeFileSync(
        join(at, 'Makefile'),
        `prog: ${objects}\n\tgcc -o $@ ${objects}\n${objects}: all.h\n%.o: %.c\n\tgcc -c -o $@ $<\n`,
      )
      sh(t, at, 'make -s -j2')
      t.equal(sh(t, at, './prog || echo $?'), '24\n')
      t.match(sh(t, at, 'make'), 'up to date')
      remount()
      t.match(sh(t, at, 'make'), 'up to date', 'after the next mount')
    }
    t.end()
  })

  await t.test(
    'nothing seems changed: at once, after the seal timer, after the next mount',
    async (t) => {
      if (needs(t, 'git', 'rsync')) {
        const at = folder('unchanged')
        const source = join(home, 'linked')
        sh(t, home, `cp -a ${REAL_TREE} linked && cp -al linked/build linked/again`)
        const git = 'git -c user.name=A -c user.email=a@example.org'
        sh(t, at, `rsync -aHAX ${source}/ copy/ && git init -q repo && cp -a copy/. repo/`)
        sh(t, join(at, 'repo'), `git add -A && ${git} commit -qm first`)
        const quiet = (when: string): void => {
          t.equal(sh(t, at, `rsync -aHAXi --delete ${source}/ copy/`), '', `rsync ${when}`)
          t.equal(sh(t, join(at, 'repo'), 'git diff-files --name-only'), '', `git ${when}`)
          t.equal(sh(t, at, 'tar -C copy -cf ../unchanged.tar . 2>&1'), '', `tar ${when}`)
        }
        quiet('at once')
        await sleep(6000)
        quiet('after the seal timer')
        remount()
        quiet('after the next mount')
      }
    },
  )

  await t.test('fio', (t) => {
    if (needs(t, 'fio')) {
      const at = folder('fio')
      for (const [engine, words] of [
        ['psync', '--rw=randrw --bsrange=512-70k --fsync=64'],
        ['psync', '--rw=randwrite --bs=4k --do_verify=1 --unlink=1'],
        ['mmap', '--rw=randwrite --bs=4k --do_verify=1'],
        ['psync', '--rw=randrw --bs=4k --direct=1'],
      ] as const) {
        sh(
          t,
          at,
          `fio --name=x --directory=. --size=12m --ioengine=${engine} ${words} --verify=crc32c --verify_fatal=1 ` +
            '--randseed=7 --minimal --output=/dev/null && rm -f x.*',
        )
      }
    }
    t.end()
  })

  await t.test('npm pack and install', (t) => {
    const at = folder('npm')
    const text = JSON.stringify({
      name: 'packed',
      version: '1.0.0',
      files: ['lib'],
      main: 'lib/a.js',
    })
    mkdirSync(join(at, 'p', 'lib'), { recursive: true })
    writeFileSync(join(at, 'p', 'package.json'), text)
    writeFileSync(join(at, 'p', 'lib', 'a.js'), 'module.exports = "it works"\n')
    const npm = `npm --cache ${home}/npm --offline --no-audit --no-fund --no-update-notifier --silent`
    sh(t, join(at, 'p'), `${npm} pack`)
    mkdirSync(join(at, 'q'))
    writeFileSync(join(at, 'q', 'package.json'), '{}')
    sh(t, join(at, 'q'), `${npm} install ../p/packed-1.0.0.tgz`)
    t.equal(sh(t, join(at, 'q'), `node -p 'require("packed")'`), 'it works\n')
    t.end()
  })

  await t.test('four programs at once for ten seconds', async (t) => {
    const at = folder('busy')
    const worked = await fourAtOnce(t, at, 10_000)
    for (const { done } of worked) t.ok(done > 100, `${String(done)} steps`)
    remount()
    isAllThere(t, worked)
  })

  drive.unmount()
})
