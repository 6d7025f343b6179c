// A vault on a mount of rclone, which sends what was written some time later. scripts/on-rclone plays more.

import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { needs } from '../needs.js'
import { Drive, scratch } from '../posix/drive.js'
import { Engine } from './engine.js'

// waiting until all was sent may take that long on a busy machine
t.setTimeout(150_000)

t.test('what is made, changed and renamed arrives under its own name', async (t) => {
  if (!needs(t, 'linux', 'fuse', 'rclone')) return
  const home = scratch(t, 'on-rclone')
  const engine = new Engine(home)
  t.teardown(() => engine.end())
  // sent at once: rclone forgets a rename of what it is just sending
  await engine.start(() => undefined, '--vfs-cache-mode=writes', '--vfs-write-back=0s')
  const drive = new Drive(t, home, join(engine.mountpoint, 'vault'))
  writeFileSync(join(home, 'new'), 'another password\n')
  drive.must(
    ...['passwd', drive.vault, '--passfile', join(home, 'password')],
    ...['--new-passfile', join(home, 'new'), '--scrypt-logn', '10'],
  )
  writeFileSync(join(home, 'password'), 'another password\n')
  drive.mount()
  const made = join(drive.mountpoint, 'made')
  const renamed = join(drive.mountpoint, 'renamed')
  mkdirSync(join(made, 'below'), { recursive: true })
  writeFileSync(join(made, 'below/file'), 'content')
  renameSync(made, renamed)
  t.same(readdirSync(renamed), ['below'], 'and is listed at once')
  drive.unmount()
  await engine.sent()
  const there = readdirSync(join(engine.remote, 'vault'), { recursive: true }).map(String)
  t.same(there.filter((path) => !path.startsWith('data')).sort(), [
    'README.txt',
    'vault.coffer',
    'vault.coffer.bak',
  ])
  t.same(
    there.filter((path) => path.includes('~$')),
    [],
  )
  drive.mount()
  t.equal(readFileSync(join(renamed, 'below/file'), 'utf8'), 'content')
  drive.unmount()
  await engine.sent()
})
