// A vault that has come without `data/`, since most clients leave empty folders behind; and one that
// has lost it.

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { says, until, World } from './coffer.js'

t.setTimeout(120_000)

const MISSING = /folder data is missing in .*\/vault, and this device has seen files in it/

class Without extends World {
  readonly data = join(this.vault, 'data')

  unmount(): void {
    const { code, err } = this.run(['unmount', this.mountpoint])
    if (code !== 0) throw new Error(`unmount: ${String(code)} ${err}`)
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.mountpoint, name), text)
  }
}

t.test('it has never been there on this device', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new Without(t)
  world.create()
  rmdirSync(world.data)
  rmSync(world.state, { recursive: true })

  t.same(world.run(['ls', world.vault]), { code: 0, out: '', err: '' })
  t.equal(world.run(['get', world.vault, '/', 'out']).code, 0)
  t.same(readdirSync(join(world.folder, 'out')), [])
  t.same(world.run(['conflicts', world.vault]).code, 0)
  world.mount('--read-only')
  t.same(readdirSync(world.mountpoint), [])
  const warnings = (): string[] | undefined =>
    (JSON.parse(world.run(['status', '--json']).out) as { warnings: string[] }[])[0]?.warnings
  t.same(warnings(), [], 'what lies beside it is nobody’s concern')
  t.notOk(existsSync(world.data), 'nothing was made for reading')
  world.unmount()

  world.mount()
  world.write('file', 'content')
  world.unmount()
  const elsewhere = join(world.folder, 'elsewhere')
  renameSync(world.data, elsewhere)
  rmSync(world.state, { recursive: true })
  world.mount('--read-only')
  t.same(readdirSync(world.mountpoint), [])
  const isGone = (): boolean => {
    try {
      readdirSync(world.mountpoint)
      return false
    } catch {
      return true
    }
  }
  renameSync(world.vault, `${world.vault}.away`)
  t.ok(await until(isGone, 15_000), 'the vault folder itself is missed')
  t.match(warnings(), [/^the vault folder is not there: .*\/vault; bring the vault folder back/])
  renameSync(`${world.vault}.away`, world.vault)
  t.same(warnings(), [], 'it is back')
  cpSync(elsewhere, world.data, { recursive: true, preserveTimestamps: true })
  const arrived = (): boolean => readdirSync(world.mountpoint).includes('file')
  t.ok(await until(arrived, 15_000), 'it arrives under a drive')
  t.equal(readFileSync(join(world.mountpoint, 'file'), 'utf8'), 'content')
  renameSync(world.data, `${world.data}.away`)
  t.ok(await until(isGone, 15_000), 'and is missed when it goes again')
  t.match(warnings(), [/^the vault folder is not there: .*\/vault\/data; /])
  renameSync(`${world.data}.away`, world.data)
  world.unmount()
})

t.test('this device has seen files in it', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new Without(t)
  world.create()
  world.mount()
  world.write('file', 'content')
  world.unmount()
  const elsewhere = join(world.folder, 'elsewhere')
  renameSync(world.data, elsewhere)
  says(t, world.run(['ls', world.vault]), 25, MISSING)
  says(t, world.run(['get', world.vault, '/', 'out']), 25, MISSING)
  says(t, world.run(['mount', world.vault, world.mountpoint]), 25, MISSING)
  says(t, world.run(['mount', '--read-only', world.vault, world.mountpoint]), 25, MISSING)
  t.notOk(existsSync(world.data), 'nothing was made in its place')
  renameSync(elsewhere, world.data)
  t.equal(world.run(['ls', world.vault]).out, 'file\n')

  // it was another device's, and the drive is killed
  rmSync(world.state, { recursive: true })
  world.mount()
  t.same(readdirSync(world.mountpoint), ['file'])
  const vaults = join(world.state, 'vaults')
  const remembered = (): boolean =>
    readdirSync(vaults, { recursive: true })
      .map((path) => join(vaults, String(path)))
      .some((path) => path.endsWith('memory') && statSync(path).size > 0)
  t.ok(await until(remembered), 'it is stored at once')
  process.kill(world.pid, 'SIGKILL')
  renameSync(world.data, elsewhere)
  says(t, world.run(['ls', world.vault]), 25, MISSING)
  renameSync(elsewhere, world.data)
})

t.test('everything in it was deleted here', (t) => {
  if (needs(t, 'linux', 'fuse')) emptied(t)
  t.end()
})

function emptied(t: Test): void {
  const world = new Without(t)
  world.create()
  world.mount()
  world.write('file', 'content')
  mkdirSync(join(world.mountpoint, 'folder'))
  world.unmount()
  world.mount()
  rmSync(join(world.mountpoint, 'file'))
  rmdirSync(join(world.mountpoint, 'folder'))
  world.unmount()
  rmdirSync(world.data)
  t.same(world.run(['ls', world.vault]), { code: 0, out: '', err: '' })
  world.mount()
  world.write('file', 'content')
  world.unmount()
  t.equal(world.run(['ls', world.vault]).out, 'file\n')
}
