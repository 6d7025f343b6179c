// Several devices and one vault: names, the list in the config, who wrote last, and what does not travel.

import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { needs } from '../needs.js'
import { CHEAP, PASSWORD, says, until, World, type Result } from './coffer.js'

t.setTimeout(240_000)

interface Listed {
  id: string
  name: string
  since: string
  this: boolean
}

/** A second machine, as far as a state folder makes one, with a copy of the vault that a client brings. */
class Machine {
  readonly vault: string
  readonly mountpoint: string
  readonly #world: World
  readonly #env: Record<string, string>

  constructor(world: World, name: string) {
    this.#world = world
    const home = join(world.folder, name)
    this.vault = join(home, 'vault')
    this.mountpoint = join(home, 'drive')
    mkdirSync(this.mountpoint, { recursive: true })
    this.#env = { COFFER_STATE_DIR: join(home, 'state'), COFFER_RUNTIME_DIR: join(home, 'run') }
    this.run('device', '--name', name)
  }

  run(...args: string[]): Result {
    return this.#world.run(args, { env: this.#env })
  }

  /** Mounted and unmounted; what `mount` said. */
  visit(...options: string[]): string {
    const { code, err } = this.run('mount', this.vault, this.mountpoint, ...options)
    if (code !== 0) throw new Error(err)
    const { code: end, err: problem } = this.run('unmount', this.mountpoint)
    if (end !== 0) throw new Error(problem)
    return err
  }

  listed(): Listed[] {
    const { code, out, err } = this.run('devices', this.vault, '--json')
    if (code !== 0) throw new Error(err)
    return JSON.parse(out) as Listed[]
  }

  names(): string[] {
    return this.listed().map(({ name }) => name)
  }

  get seq(): number {
    const { out } = this.run('info', this.vault, '--json')
    return (JSON.parse(out) as { configSeq: number }).configSeq
  }
}

const copyVault = (from: string, to: string): void => {
  rmSync(to, { recursive: true, force: true })
  cpSync(from, to, { recursive: true })
}

t.test('a device has a name and an id', async (t) => {
  const world = new World(t)
  const own = () => JSON.parse(world.run(['device', '--json']).out) as { id: string; name: string }
  const { id, name } = own()
  t.match(id, /^[0-9a-f]{32}$/)
  t.not(name, '')
  t.same(own(), { id, name }, 'both stay')
  t.equal(world.run(['device', '--name', "  Anna's   Mac "]).code, 0)
  t.same(own(), { id, name: "Anna's Mac" })
  const shown = world.run(['device'])
  t.equal(shown.out, `name:   Anna's Mac\nid:     ${id}\n`)
  for (const bad of ['', 'a/b', 'x'.repeat(65)])
    says(t, world.run(['device', '--name', bad]), 2, /cannot be the name of a device/)
  t.same(own(), { id, name: "Anna's Mac" })
  t.same(world.litter(), [])
})

t.test('the list of a vault: written once for each device and name', async (t) => {
  const world = new World(t)
  t.equal(world.run(['device', '--name', 'maker']).code, 0)
  world.create()
  const config = join(world.vault, 'vault.coffer')
  t.notOk(readFileSync(config).includes('maker'), 'the name is encrypted')
  const list = world.run(['devices', world.vault])
  t.match(list.out, /^\d{4}-\d\d-\d\d {2}[0-9a-f]{32} {2}maker \(this one\)\n$/)
  says(t, world.run(['devices', world.vault], { input: 'other\n' }), 12, /the password is wrong/)
  if (!needs(t, 'linux', 'fuse')) return
  const before = readFileSync(config)
  world.mount()
  world.run(['unmount', world.mountpoint])
  t.ok(readFileSync(config).equals(before), 'who made it stands in it')
  t.notOk(existsSync(`${config}.bak`))

  const second = new Machine(world, 'second')
  copyVault(world.vault, second.vault)
  second.visit('--read-only')
  second.visit('--config', config)
  t.same(second.names(), ['maker'], 'who only reads is none, and a copy is not put over the config')
  t.equal(second.seq, 1)
  second.visit()
  t.same(second.names(), ['maker', 'second'])
  t.same(
    second.listed().map((device) => device.this),
    [false, true],
  )
  t.equal(second.seq, 2)
  t.ok(readFileSync(join(second.vault, 'vault.coffer.bak')).equals(before))
  second.visit()
  t.equal(second.seq, 2, 'not at each mount')
  const since = second.listed()[1]?.since
  t.equal(second.run('device', '--name', 'laptop').code, 0)
  second.visit()
  t.same(second.names(), ['maker', 'laptop'])
  t.equal(second.listed()[1]?.since, since, 'it is the same device')
  t.equal(second.seq, 3)
  t.equal(second.run('get', second.vault, '/', join(world.folder, 'out')).code, 0)
})

t.test('two devices that come to a vault apart: both are in the list', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  t.equal(world.run(['device', '--name', 'maker']).code, 0)
  world.create()
  const [here, there] = [new Machine(world, 'here'), new Machine(world, 'there')]
  for (const machine of [here, there]) {
    copyVault(world.vault, machine.vault)
    machine.visit()
  }
  // the client keeps the config of one, and that of the other beside it
  const conflict = 'vault (conflicted copy).coffer'
  copyFileSync(join(there.vault, 'vault.coffer'), join(here.vault, conflict))
  t.same(here.names(), ['maker', 'here', 'there'], 'what lies beside it is read')
  copyVault(here.vault, there.vault)
  there.visit()
  t.equal(there.seq, 3)
  rmSync(join(there.vault, conflict))
  t.same(there.names(), ['maker', 'here', 'there'])
  copyVault(there.vault, here.vault)
  here.visit()
  t.equal(here.seq, 3, 'nothing is left to write')

  // a password that was changed apart from that must not be lost from sight
  const mover = new Machine(world, 'mover')
  copyVault(here.vault, mover.vault)
  const changed = world.run(['passwd', here.vault, ...CHEAP], { input: `${PASSWORD}\nnew one\n` })
  t.equal(changed.code, 0)
  mover.visit()
  renameSync(join(here.vault, 'vault.coffer'), join(here.vault, conflict))
  copyFileSync(join(mover.vault, 'vault.coffer'), join(here.vault, 'vault.coffer'))
  const refused = world.run(['ls', here.vault], { input: 'new one\n' })
  says(
    t,
    refused,
    12,
    /hint: there is a conflict copy of the config.*mount --config '.*\.coffer' \S+ <an empty folder>/,
  )
})

t.test('a config that cannot be written does not stop a mount', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  const other = new Machine(world, 'other')
  copyVault(world.vault, other.vault)
  mkdirSync(join(other.vault, 'vault.coffer.bak'))
  t.match(other.visit(), /warning: the vault does not know this device by name yet: the config/)
  t.equal(other.seq, 1)
  t.same(
    readdirSync(other.vault).filter((name) => name.startsWith('~$')),
    [],
  )
})

interface Status {
  writers: {
    own: string | null
    others: { id: string; name: string | null; last: string; files: number }[]
  }
  notCarried: string[]
}

t.test('status says who wrote last', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  const there = new Machine(world, "Anna's Mac")
  copyVault(world.vault, there.vault)
  there.visit()
  copyVault(there.vault, world.vault)
  world.mount()
  const status = (): Status => {
    const [drive] = JSON.parse(world.run(['status', '--json']).out) as Status[]
    if (drive === undefined) throw new Error('no drive')
    return drive
  }
  t.same(status().writers, { own: null, others: [] })
  readdirSync(world.mountpoint)
  const own = Date.now()
  writeFileSync(join(world.mountpoint, 'mine'), 'x')
  t.ok(Date.parse(status().writers.own ?? '') >= own - 1)

  t.equal(there.run('mount', there.vault, there.mountpoint).code, 0)
  for (let n = 0; n < 40; n++) writeFileSync(join(there.mountpoint, `theirs ${n}`), 'x')
  t.equal(there.run('unmount', there.mountpoint).code, 0)
  const came = Date.now()
  for (const blob of readdirSync(join(there.vault, 'data'))) {
    const part = join(world.vault, 'data', `${blob}.part`)
    copyFileSync(join(there.vault, 'data', blob), part)
    renameSync(part, part.slice(0, -5))
  }
  const files = () => status().writers.others.map((other) => other.files)
  t.ok(await until(() => files()[0] === 40), 'each file is counted')
  const [other] = status().writers.others
  t.equal(other?.name, "Anna's Mac")
  t.ok(Date.parse(other?.last ?? '') >= came - 1)
  t.match(
    world.run(['status']).out,
    /^ {2}stored: +last at 20.*\n {2}from: +Anna's Mac, 40 files since the mount, last at 20/m,
  )
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
})

t.test('what sync clients leave behind is said once for each vault', async (t) => {
  if (!needs(t, 'linux', 'fuse', 'setfattr')) return
  const world = new World(t)
  world.create()
  const session = (use: (file: string) => void): string => {
    world.mount()
    const file = join(world.mountpoint, 'file')
    writeFileSync(file, 'x')
    use(file)
    const { code, err } = world.run(['unmount', world.vault])
    t.equal(code, 0)
    return err
  }
  const attribute = (file: string): void => {
    t.equal(spawnSync('setfattr', ['-n', 'user.note', '-v', '1', file]).status, 0)
    t.match(world.run(['status']).out, /^ {2}not sent: +extended attributes/m)
  }
  t.notMatch(
    session((file) => {
      chmodSync(file, 0o600)
      linkSync(file, `${file}2`)
      rmSync(`${file}2`)
    }),
    /warning/,
    'nothing was left that does not travel',
  )
  const said = /warning: most sync clients do not carry (.*): on another machine .*\n.*said once/
  t.equal(said.exec(session(attribute))?.[1], 'extended attributes')
  t.notMatch(session(attribute), /warning/, 'once')
  const both = (file: string): void => {
    attribute(file)
    linkSync(file, `${file}2`)
    const { out } = world.run(['status', '--json'])
    const [drive] = JSON.parse(out) as Status[]
    t.same(drive?.notCarried, ['extended attributes', 'hard links'])
  }
  t.equal(said.exec(session(both))?.[1], 'hard links', 'another thing is another matter')
  const { out } = world.run(['doctor', '--json'])
  const findings = JSON.parse(out) as { what: string; says: string; advice: string }[]
  const finding = findings.find(({ what }) => what === 'sync clients')
  t.match(finding?.says, /owners, folder modes, extended attributes and hard links/)
  t.match(finding?.advice, /whoever runs the sync client.*not there.*files of their own/)
})
