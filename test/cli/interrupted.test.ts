// A drive that was killed while it changed a file: whoever reads the vault beside the journal is told,
// and the next mount finishes what was interrupted, without leaving anything.

import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { needs } from '../needs.js'
import { isAlive, mountsBelow, until, World } from './coffer.js'

t.setTimeout(60_000)

t.test('ls and get tell of a journal that waits, and mount finishes it', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  const waiting = /mount it once without --read-only/
  world.create()
  world.mount()
  writeFileSync(join(world.mountpoint, 'f'), 'x'.repeat(100_000))
  const fd = openSync(join(world.mountpoint, 'f'), 'r+')
  writeSync(fd, 'changed', 50_000)
  closeSync(fd)
  t.notMatch(world.run(['ls', world.vault]).err, waiting, 'the drive is there to finish it')
  const { pid } = world
  process.kill(pid, 'SIGKILL')
  t.ok(await until(() => !isAlive(pid) && mountsBelow(world.folder).length === 0))
  const listed = world.run(['ls', world.vault])
  t.equal(listed.code, 0)
  t.match(listed.err, waiting)
  t.match(world.run(['get', world.vault, '/f', join(world.folder, 'copy')]).err, waiting)
  world.mount()
  const content = readFileSync(join(world.mountpoint, 'f'), 'utf8')
  t.equal(content.length, 100_000)
  t.equal(content.slice(50_000, 50_007), 'changed')
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
  t.notMatch(world.run(['ls', world.vault]).err, waiting)
  const [id] = readdirSync(join(world.state, 'vaults'))
  const journal = join(world.state, 'vaults', id ?? '', 'journal')
  t.ok(existsSync(journal))
  t.equal(statSync(journal).size, 0, 'nothing waits in it')
})
