// A drive that an ordinary user mounts through fusermount3. Root runs this as the user "nobody".

import { spawn } from 'node:child_process'
import t, { type Test } from 'tap'
import { mountedAt } from '../../lib/mount/mountinfo.js'
import { needs } from '../needs.js'
import { emptyFolder, gone, launch, NOBODY, openDevice, sh, startDrive } from './drive.js'

const root = process.getuid?.() === 0
const uid = root ? NOBODY : process.getuid?.()
const as = root ? { uid: NOBODY } : {}

function ready(t: Test): boolean {
  if (root) openDevice(t)
  return needs(t, 'fuse', 'fusermount3')
}

const helpersOf = (at: string): string[] =>
  sh('/', 'sleep 0.2; ps -eo args')
    .stdout.split('\n')
    .filter((line) => line.includes(at) && /^(fusermount3|.bin.sh -c)/.test(line))

void t.test('mounts, serves, unmounts', async (t) => {
  if (!ready(t)) return
  const drive = await startDrive(t, as)
  const at = drive.mountpoint
  const mount = mountedAt(at)
  t.match(mount, { type: 'fuse.coffer', source: 'coffer:memory', device: drive.devNumber })
  const script = 'mkdir -p d/a/b; seq 1000 > d/a/b/c; cp -r d e; diff -r d e; stat -c %u e'
  const result = sh(at, script, as.uid)
  t.equal(result.stdout.trim(), String(uid), result.stderr)
  t.equal(sh(at, 'dd if=/dev/zero of=f bs=1M count=4 2>&1', as.uid).status, 0)
  t.equal(sh('/', `fusermount3 -u ${at}`, as.uid).status, 0)
  const ended = await drive.ended
  t.ok(ended.unmounted)
  t.equal(ended.seen.writes[1048576], 4)
  await drive.exited
  t.same(helpersOf(at), [], 'no helper is left')
})

void t.test('killed, it is gone within 2 s', async (t) => {
  if (!ready(t)) return
  for (let round = 0; round < 5; round++) {
    const drive = await startDrive(t, as)
    const busy = spawn(
      '/bin/sh',
      ['-c', 'cd "$0"; while :; do echo x > f; done', drive.mountpoint],
      {
        stdio: 'ignore',
        ...(as.uid === undefined ? {} : { uid: as.uid, gid: as.uid }),
      },
    )
    t.teardown(() => busy.kill('SIGKILL'))
    await new Promise((resolve) => setTimeout(resolve, 50))
    drive.process.kill('SIGKILL')
    t.comment(`gone after ${(await gone(drive.mountpoint)).toFixed()} ms`)
    busy.kill('SIGKILL')
  }
})

void t.test('a later drive at the same place is left alone', async (t) => {
  if (!ready(t)) return
  const first = await startDrive(t, as)
  const at = first.mountpoint
  first.process.kill('SIGSTOP')
  t.equal(sh('/', `fusermount3 -u ${at}`, as.uid).status, 0)
  const second = launch(t, at, { fsname: 'coffer:second' }, as.uid)
  await second.heard('mounted')
  first.process.kill('SIGCONT')
  await first.exited
  await new Promise((resolve) => setTimeout(resolve, 300))
  t.equal(mountedAt(at)?.source, 'coffer:second')
  t.equal(sh(at, 'touch f', as.uid).status, 0)
})

void t.test('ended by its own side, it goes too', async (t) => {
  if (!ready(t)) return
  const drive = await startDrive(t, { ...as, readOnly: true })
  t.match(sh(drive.mountpoint, 'touch f', as.uid).stderr, 'Read-only')
  drive.order('stop')
  t.equal((await drive.ended).unmounted, false)
  await gone(drive.mountpoint)
})

void t.test('what fusermount3 refuses is told in its words', async (t) => {
  if (!ready(t)) return
  const failed = await launch(t, '/usr', {}, as.uid).heard('failed')
  t.match(failed, { code: 'MOUNTPOINT', message: /fusermount3 did not mount: .*no write access/ })
  const folder = emptyFolder(t, as.uid)
  const other = await launch(t, folder, { allowOther: true }, as.uid).heard('failed')
  t.match(other, { code: 'NO_FUSE', hint: /user_allow_other/ })
})
