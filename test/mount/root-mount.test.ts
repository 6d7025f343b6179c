// A drive that root mounts, under real programs.

import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join, relative } from 'node:path'
import { spawn } from 'node:child_process'
import t, { type Test } from 'tap'
import { usersOf } from '../../lib/mount/mount-users.js'
import { mountedAt, mountpointPath } from '../../lib/mount/mountinfo.js'
import { unmount } from '../../lib/mount/unmount.js'
import { needs } from '../needs.js'
import { emptyFolder, gone, launch, NOBODY, sh, startDrive } from './drive.js'

const okay = (t: Test, result: ReturnType<typeof sh>): string => {
  t.equal(result.status, 0, result.stderr)
  return result.stdout.trim()
}

void t.test('programs find an ordinary file system', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  const drive = await startDrive(t)
  const at = drive.mountpoint
  okay(t, sh(at, 'mkdir -p a/b && cp -a /etc/. a/b && diff -r --no-dereference /etc a/b'))
  okay(t, sh(at, 'mv a/b c && rm -r c a && [ -z "$(ls -A)" ]'))
  okay(t, sh(at, 'printf hello > f && printf " you" >> f && ln f g && ln -s f s && rm f'))
  t.equal(readFileSync(join(at, 'g'), 'utf8'), 'hello you')
  t.equal(readlinkSync(join(at, 's')), 'f')
  t.equal(
    okay(t, sh(at, 'umask 027; touch u; mkdir v; mknod p p; stat -c %A u v p')),
    ['-rw-r-----', 'drwxr-x---', 'prw-r-----'].join('\n'),
  )
  okay(
    t,
    sh(at, 'truncate -s 3 g; [ "$(cat g)" = hel ]; dd if=/dev/zero of=g bs=1 count=0 seek=9 2>&1'),
  )
  t.same(readFileSync(join(at, 'g')), Buffer.from('hel\0\0\0\0\0\0'))
  t.equal(okay(t, sh(at, 'stat -f -c "%s %b %f %l" .')), '4096 8589934592 4294967303 255')
  t.equal(sh(at, 'getfattr -d g').stdout, '')
  t.equal(okay(t, sh(at, 'mv -n g v/g; mv v/g h; ls -A')), 'h\np\ns\nu\nv')
  t.match(sh(at, 'rmdir h').stderr, 'Not a directory')
  okay(t, sh(at, 'exec 3<> h; rm h; echo kept >&3; [ "$(cat /proc/self/fd/3)" = kept ]'))
})

void t.test('many requests at once, big and small', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  const drive = await startDrive(t)
  const at = drive.mountpoint
  okay(
    t,
    sh(
      at,
      'dd if=/dev/urandom of=/dev/shm/coffer-$$ bs=1M count=9 2>&1; cp /dev/shm/coffer-$$ big;' +
        'rm /dev/shm/coffer-$$; for i in 1 2 3 4; do cp big big$i & done; wait; for i in 1 2 3 4; do cmp big big$i; done',
    ),
  )
  okay(
    t,
    sh(at, 'for i in 1 2 3 4; do (for j in $(seq 100); do echo $i$j > x$i.$j; done) & done; wait'),
  )
  t.equal(okay(t, sh(at, 'cat x*.* | wc -l; ls | wc -l')), '400\n405')
  unmount(at)
  await drive.ended
})

void t.test('a write of 1 MiB comes as one, and is counted', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  const drive = await startDrive(t)
  okay(t, sh(drive.mountpoint, 'dd if=/dev/zero of=f bs=1M count=8 2>&1'))
  okay(t, sh(drive.mountpoint, 'echo 1 > /proc/sys/vm/drop_caches; cat f | wc -c'))
  unmount(drive.mountpoint)
  const { seen, bytesWritten, bytesRead, requests, unmounted } = await drive.ended
  t.ok(unmounted)
  t.same(seen.writes, { 1048576: 8 })
  t.equal(bytesWritten, 8 << 20)
  t.equal(bytesRead, 8 << 20)
  t.ok(
    Object.keys(seen.reads).some((size) => Number(size) >= 1 << 20),
    'and reads: read-ahead is 1 MiB',
  )
  t.ok(requests > 16)
  await drive.exited
})

void t.test('times: one alone, nanoseconds, before 1970', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  const drive = await startDrive(t)
  const path = join(drive.mountpoint, 'f')
  writeFileSync(path, '')
  okay(t, sh(drive.mountpoint, 'touch -d "2001-02-03 04:05:06.123456789 UTC" f'))
  const time = () => statSync(path, { bigint: true })
  t.equal(time().mtimeNs, 981173106123456789n)
  t.equal(time().atimeNs, 981173106123456789n)
  okay(t, sh(drive.mountpoint, 'touch -m -d "1969-12-31 23:59:58.000000001 UTC" f'))
  t.equal(time().mtimeNs, -1999999999n)
  t.equal(time().atimeNs, 981173106123456789n)
  okay(t, sh(drive.mountpoint, 'touch -a f'))
  t.equal(time().mtimeNs, -1999999999n)
  t.ok(time().atimeNs > 1600000000n * 10n ** 9n)
  const now = Date.now()
  okay(t, sh(drive.mountpoint, 'touch -m f'))
  t.ok(Math.abs(Number(time().mtimeNs / 1_000_000n) - now) < 5000)
  okay(t, sh(drive.mountpoint, 'truncate -s 5 f; touch -d @4000000000 f'))
  t.equal(time().mtimeNs, 4000000000n * 10n ** 9n)
})

void t.test('set-user-ID bits go when somebody else writes, truncates or takes over', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  const drive = await startDrive(t, { allowOther: true })
  const at = drive.mountpoint
  const mode = (name: string) => lstatSync(join(at, name)).mode & 0o7777
  const set = (name: string) => okay(t, sh(at, `echo x > ${name}; chmod 6777 ${name}`))
  set('w')
  okay(t, sh(at, 'echo y >> w'))
  t.equal(mode('w'), 0o6777, 'root may keep them')
  okay(t, sh(at, 'echo y >> w', NOBODY))
  t.equal(mode('w'), 0o777)
  set('o')
  okay(t, sh(at, ': > o', NOBODY))
  t.equal(mode('o'), 0o777)
  set('t')
  okay(t, sh(at, 'truncate -s 0 t', NOBODY))
  t.equal(mode('t'), 0o777)
  set('c')
  okay(t, sh(at, 'chown 1:1 c'))
  t.equal(mode('c'), 0o777)
  t.match(sh(at, 'touch new', NOBODY).stderr, 'Permission denied', 'the kernel checks permissions')
})

void t.test('names: 255 bytes, not UTF-8, 5000 of them', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  const drive = await startDrive(t)
  const at = drive.mountpoint
  const long = 'ä'.repeat(127) + 'x'
  mkdirSync(join(at, long))
  t.same(readdirSync(at), [long])
  t.throws(() => statSync(join(at, `${long}x`)), { code: 'ENAMETOOLONG' })
  const bad = Buffer.concat([Buffer.from(`${at}/`), Buffer.from([0x61, 0xff])])
  t.throws(
    () => {
      writeFileSync(bad, '')
    },
    { code: 'EILSEQ' },
  )
  t.throws(() => statSync(bad), { code: 'EILSEQ' })

  const many = join(at, 'many')
  mkdirSync(many)
  const names = Array.from({ length: 5000 }, (_, i) => `${'n'.repeat(i % 60)}${String(i)}`)
  for (const name of names) closeSync(openSync(join(many, name), 'w'))
  t.same(new Set(readdirSync(many)), new Set(names))
  t.equal(
    okay(t, sh(many, 'ls -f | wc -l; ls -l | wc -l; find . -type f | wc -l')),
    '5002\n5001\n5000',
  )
  okay(t, sh(at, 'rm -r many'))
  t.same(readdirSync(at), [long])
})

void t.test('read-only', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  const drive = await startDrive(t, { readOnly: true, fsname: 'coffer:a b,c\n' })
  t.match(sh(drive.mountpoint, 'touch f').stderr, 'Read-only file system')
  t.equal(mountedAt(drive.mountpoint)?.source, 'coffer:a_b_c_')
  t.equal(mountedAt(drive.mountpoint)?.type, 'fuse.coffer')
})

void t.test('the loop hears other threads, ends when asked, and survives defects', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  const drive = await startDrive(t)
  drive.order('defect')
  await drive.heard('woken')
  t.match(sh('/', `stat ${drive.mountpoint}`).stderr, 'Input/output error')
  await drive.heard('defect')
  okay(t, sh(drive.mountpoint, 'echo x > f'))

  // also while requests leave it no rest
  const busy = spawn('/bin/sh', ['-c', 'while :; do cat "$0/f"; done', drive.mountpoint], {
    stdio: 'ignore',
  })
  t.teardown(() => busy.kill('SIGKILL'))
  const woken = drive.events.length
  const start = performance.now()
  drive.order('wake')
  while (drive.events.length === woken) await new Promise((resolve) => setTimeout(resolve, 2))
  t.ok(performance.now() - start < 500)
  busy.kill('SIGKILL')

  drive.order('stop')
  t.equal((await drive.ended).unmounted, false)
  await drive.exited
  await gone(drive.mountpoint)
})

for (const command of ['umount', 'umount -l', 'umount -f', 'fusermount3 -u'] as const) {
  void t.test(`"${command}" ends the loop`, async (t) => {
    if (
      !needs(t, 'root', 'fuse', ...(command === 'fusermount3 -u' ? ['fusermount3' as const] : []))
    ) {
      return
    }
    const drive = await startDrive(t)
    okay(t, sh(drive.mountpoint, `echo x > f; cd /; ${command} "$0"`))
    t.ok((await drive.ended).unmounted)
    t.same(readdirSync(drive.mountpoint), [])
    await drive.exited
  })
}

void t.test('a busy drive stays, and says who uses it; lazily it goes', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  const drive = await startDrive(t)
  const at = drive.mountpoint
  writeFileSync(join(at, 'f'), 'text')
  const sleeper = spawn('sleep', ['60'], { cwd: at, stdio: 'ignore' })
  const holder = spawn('sleep', ['60'], {
    stdio: [openSync(join(at, 'f'), 'r'), 'ignore', 'ignore'],
  })
  t.teardown(() => {
    sleeper.kill()
    holder.kill()
  })
  t.throws(
    () => {
      unmount(at)
    },
    { code: 'BUSY' },
  )
  t.match(okay(t, sh(at, 'cat f')), 'text', 'nothing has changed')
  const pids = usersOf(at).map(({ pid }) => pid)
  t.same(new Set(pids), new Set([sleeper.pid, holder.pid, process.pid]))
  t.equal(usersOf(at).find(({ pid }) => pid === sleeper.pid)?.command, 'sleep')
  t.same(usersOf(`${at}x`.slice(0, -2)), [], 'a path that merely begins the same')

  unmount(at, { lazy: true })
  t.equal(mountedAt(at), null)
  t.throws(
    () => {
      unmount(at)
    },
    { code: 'NOT_MOUNTED' },
  )
  t.notOk(
    drive.events.some(({ event }) => event === 'ended'),
    'still served to those who use it',
  )
  sleeper.kill()
  holder.kill()
})

void t.test('killed, it is gone within 2 s, and the watcher too', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  for (let round = 0; round < 3; round++) {
    const drive = await startDrive(t, { name: 'ü \\ kill' })
    t.ok(drive.mountpoint.includes('\\'))
    const sleeper = spawn('sleep', ['60'], { cwd: drive.mountpoint, stdio: 'ignore' })
    t.teardown(() => sleeper.kill())
    const watchers = () =>
      sh(
        '/',
        `ps -eo pid=,sid=,args= | grep -F 'coffer-watch ${drive.mountpoint} ' | grep -vF grep`,
      ).stdout
    t.match(watchers(), /^ *(\d+) +\1 /, 'in a session of its own')
    const watcher = /\d+/.exec(watchers())?.[0] ?? ''
    okay(t, sh('/', `kill -INT ${watcher}; kill -TERM ${watcher}; kill -HUP ${watcher}`))
    // what whoever started the tests left open is not ours to close
    const inherited = new Set(sh('/', 'ls /proc/self/fd').stdout.trim().split('\n'))
    const held = readdirSync(`/proc/${watcher}/fd`).filter((fd) => !inherited.has(fd))
    t.same(held, [])
    t.equal(readlinkSync(`/proc/${watcher}/cwd`), '/')
    drive.process.kill('SIGKILL')
    t.comment(`gone after ${(await gone(drive.mountpoint)).toFixed()} ms`)
    await new Promise((resolve) => setTimeout(resolve, 200))
    t.equal(watchers(), '')
    sleeper.kill()
  }
})

void t.test(
  'killed while it waits in the kernel for a lock of its own, it is gone too',
  async (t) => {
    if (!needs(t, 'root', 'fuse')) return
    const drive = await startDrive(t, { stuck: true })
    okay(t, sh(drive.mountpoint, 'mkdir folder'))
    const remover = spawn('rmdir', ['folder'], { cwd: drive.mountpoint, stdio: 'ignore' })
    const ended = new Promise((resolve) => remover.once('exit', resolve))
    await drive.heard('stuck')
    const waits = () => sh('/', `cat /proc/${String(drive.process.pid)}/task/*/status`).stdout
    for (let tries = 0; !/^State:\s+D/m.test(waits()) && tries < 100; tries++)
      await new Promise((resolve) => setTimeout(resolve, 50))
    t.match(waits(), /^State:\s+D/m, 'a thread waits in the kernel')
    drive.process.kill('SIGKILL')
    t.comment(`gone after ${(await gone(drive.mountpoint)).toFixed()} ms`)
    await drive.exited
    t.not(await ended, 0, 'whoever waited for an answer has an error')
  },
)

void t.test('a later mount at the same place is left alone', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  for (const later of ['tmpfs', 'drive'] as const) {
    const first = await startDrive(t)
    const at = first.mountpoint
    // so that the first learns of its end only when the second is there
    first.process.kill('SIGSTOP')
    unmount(at)
    if (later === 'tmpfs') okay(t, sh('/', `mount -t tmpfs coffer-test ${at}`))
    else await launch(t, at, { fsname: 'coffer-test' }).heard('mounted')
    first.process.kill('SIGKILL')
    await first.exited
    await new Promise((resolve) => setTimeout(resolve, 300))
    t.equal(mountedAt(at)?.source, 'coffer-test')
    t.equal(mountedAt(at)?.device, first.devNumber, 'or this has shown nothing')
    okay(t, sh(at, 'touch f'))
  }
})

void t.test('mount points that cannot be used say why', async (t) => {
  if (!needs(t, 'root', 'fuse')) return
  const failure = async (path: string) => launch(t, path, {}).heard('failed')
  t.match(await failure('/nowhere/at/all'), { code: 'MOUNTPOINT', message: /does not exist/ })
  t.match(await failure('/etc/passwd'), { code: 'MOUNTPOINT', message: /not a folder/ })
  const drive = await startDrive(t)
  t.match(await failure(drive.mountpoint), { code: 'ALREADY_MOUNTED' })
  const folder = emptyFolder(t)
  const roundabout = `${folder}/${relative(folder, drive.mountpoint)}`
  t.match(await failure(roundabout), { code: 'ALREADY_MOUNTED' })
  t.equal(mountpointPath(`${folder}/.`), folder)
})
