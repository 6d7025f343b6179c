// A vault on a mount of rclone, which sends what was written some time later.

import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { Drive, scratch } from '../posix/drive.js'
import { Engine } from './engine.js'

t.setTimeout(180_000)

async function started(t: Test, ...options: string[]): Promise<Engine & { home: string }> {
  const home = scratch(t, 'on-rclone')
  const engine = new Engine(home)
  await engine.start(
    (undo) => {
      t.teardown(undo)
    },
    ...options,
  )
  return Object.assign(engine, { home })
}

t.test('directories that have not been sent yet', async (t) => {
  if (!needs(t, 'linux', 'fuse', 'rclone')) return
  const engine = await started(t, '--vfs-cache-mode=writes', '--vfs-write-back=4s')
  const drive = new Drive(t, engine.home, join(engine.mountpoint, 'vault'))
  drive.mount()
  const deep = join(drive.mountpoint, 'a/b/c')
  mkdirSync(deep, { recursive: true })
  writeFileSync(join(deep, 'file'), 'content')
  t.equal(readFileSync(join(deep, 'file'), 'utf8'), 'content', 'are read at once')
  mkdirSync(join(deep, 'for a moment'))
  rmdirSync(join(deep, 'for a moment'))
  t.same(readdirSync(deep), ['file'])
  drive.unmount()
  await engine.sent()
  const paths = readdirSync(engine.remote, { recursive: true }).map(String)
  t.same(
    paths.filter((path) => path.includes('~$')),
    [],
  )
  drive.mount()
  t.equal(readFileSync(join(deep, 'file'), 'utf8'), 'content')
  drive.unmount()
})

t.test('doctor says what cannot be done there', async (t) => {
  if (!needs(t, 'linux', 'fuse', 'rclone')) return
  const engine = await started(t, '--vfs-cache-mode=writes', '--vfs-write-back=1s')
  const says = (folder: string): Record<string, string> => {
    const { stdout } = spawnSync(
      process.execPath,
      [join(import.meta.dirname, '../../../bin/coffer.js'), 'doctor', folder, '--json'],
      { encoding: 'utf8', env: { ...process.env, COFFER_STATE_DIR: join(engine.home, 'state') } },
    )
    const findings = JSON.parse(stdout) as { what: string; ok: boolean | null; says: string }[]
    const at = findings.findIndex(({ what }) => what === 'vault folder')
    return Object.fromEntries(
      findings.slice(at).map(({ what, ok, says }) => [what, `${String(ok)} ${says}`]),
    )
  }
  const found = says(engine.mountpoint)
  t.match(found, {
    'vault folder': /FUSE \(rclone\)/,
    'changes by others there': /^null .*FUSE/,
    sending: /^null .*cache/,
    'files without a name (O_TMPFILE)': /^null /,
    'hard links there': /^false /,
    'extended attributes there': /^false /,
  })
  t.notOk('changing files there' in found)
  await engine.sent()
  t.same(readdirSync(engine.remote), [], 'nothing of the trial is left')
  t.same(Object.keys(says(engine.home)), ['vault folder'], 'a disk can do all of it')
})

t.test('the config and its neighbours are sent under their own names', async (t) => {
  if (!needs(t, 'linux', 'fuse', 'rclone')) return
  // sent at once: rclone forgets a rename of what it is just sending
  const engine = await started(t, '--vfs-cache-mode=writes', '--vfs-write-back=0s')
  const drive = new Drive(t, engine.home, join(engine.mountpoint, 'vault'))
  const passfile = join(engine.home, 'password')
  writeFileSync(join(engine.home, 'new'), 'another password\n')
  drive.must(
    ...['passwd', drive.vault, '--passfile', passfile],
    ...['--new-passfile', join(engine.home, 'new'), '--scrypt-logn', '10'],
  )
  await engine.sent()
  const names = readdirSync(join(engine.remote, 'vault')).filter((name) => name !== 'data')
  t.same(names.sort(), ['README.txt', 'vault.coffer', 'vault.coffer.bak'])
})

t.test('doctor on a mount that cannot change files', async (t) => {
  if (!needs(t, 'linux', 'fuse', 'rclone')) return
  const engine = await started(t)
  const { stdout } = spawnSync(
    process.execPath,
    [join(import.meta.dirname, '../../../bin/coffer.js'), 'doctor', engine.mountpoint],
    {
      encoding: 'utf8',
      env: { ...process.env, COFFER_STATE_DIR: join(engine.home, 'state') },
    },
  )
  t.match(stdout, /^NO +changing files there: .*\n +mount rclone with --vfs-cache-mode writes/m)
  rmSync(join(engine.home, 'state'), { recursive: true, force: true })
})
