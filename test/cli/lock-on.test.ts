// Locking at suspend, screen lock and logout: a bus of the test's own, with python3-dbusmock in place of
// logind, and the real gdbus, busctl, dbus-monitor and systemd-inhibit.

import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync, closeSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { SignalReader } from '../../lib/agent/lock-events.js'
import { needs } from '../needs.js'
import { isAlive, mountsBelow, says, until, World } from './coffer.js'

t.setTimeout(300_000)

const LOGIND = 'org.freedesktop.login1'
const PATH = '/org/freedesktop/login1'
const UID = String(process.getuid?.() ?? 0)

interface Lock {
  events: string[]
  watching: boolean
  problems: string[]
}

class Bus {
  readonly world: World
  readonly address: string

  private constructor(world: World, address: string) {
    this.world = world
    this.address = address
  }

  static async start(t: Test): Promise<Bus> {
    const world = new World(t)
    const bus = spawn('dbus-daemon', ['--session', '--nofork', '--print-address'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    t.teardown(() => bus.kill())
    const address = await new Promise<string>((resolve) =>
      bus.stdout.once('data', (line: Buffer) => {
        resolve(line.toString().trim())
      }),
    )
    const mock = spawn('/usr/bin/python3', ['-m', 'dbusmock', '--template', 'logind'], {
      env: { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: address },
      stdio: 'ignore',
    })
    t.teardown(() => mock.kill())
    const self = new Bus(world, address)
    const there = () => self.call(PATH, 'org.freedesktop.DBus.Peer.Ping') === 0
    if (!(await until(there, 20_000))) throw new Error('dbusmock does not answer')
    self.session('c1', UID)
    world.create()
    return self
  }

  get env(): Record<string, string> {
    return { DBUS_SYSTEM_BUS_ADDRESS: this.address }
  }

  call(path: string, method: string, ...args: string[]): number | null {
    const words = ['call', '--system', '--dest', LOGIND, '--object-path', path, '--method', method]
    const env = { ...process.env, ...this.env }
    return spawnSync('gdbus', [...words, '--', ...args], { env, stdio: 'ignore' }).status
  }

  must(t: Test, path: string, method: string, ...args: string[]): void {
    t.equal(this.call(path, method, ...args), 0, method)
  }

  session(id: string, uid: string): void {
    this.call(PATH, 'org.freedesktop.DBus.Mock.AddSession', id, 'seat0', uid, `user${uid}`, 'true')
  }

  signal(t: Test, path: string, member: string, type: string, ...args: string[]): void {
    const iface = path === PATH ? 'Manager' : 'Session'
    const values = `[${args.map((arg) => `<${arg}>`).join(', ')}]`
    const words = [`${LOGIND}.${iface}`, member, type, args.length === 0 ? '@av []' : values]
    this.must(t, path, 'org.freedesktop.DBus.Mock.EmitSignal', ...words)
  }

  inhibitors(): string {
    const env = { ...process.env, ...this.env }
    const words = ['--system', 'call', LOGIND, PATH, `${LOGIND}.Manager`, 'ListInhibitors']
    return spawnSync('busctl', words, { env, encoding: 'utf8' }).stdout
  }

  /** Mounts, and waits until the drive listens. The process that serves. */
  async mount(
    t: Test,
    events: string,
    env: Record<string, string> = {},
    ...more: string[]
  ): Promise<number> {
    const { world } = this
    const words = ['mount', world.vault, world.mountpoint, '--lock-on', events, ...more]
    const { code, err } = world.run(words, { env: { ...this.env, ...env } })
    t.equal(code, 0, err)
    t.ok(await until(() => this.status().watching, 10_000), 'it listens')
    t.same(this.status().problems, [])
    return world.pid
  }

  status(): Lock {
    const { out } = this.world.run(['status', '--json'])
    return (
      (JSON.parse(out) as { lockOn: Lock }[])[0]?.lockOn ?? {
        events: [],
        watching: false,
        problems: [],
      }
    )
  }
}

const can = (t: Test): boolean =>
  needs(t, 'linux', 'fuse', 'dbusmock', 'gdbus', 'busctl', 'dbus-monitor')

/** The drive is locked, and nothing of it is left. */
async function locked(t: Test, bus: Bus, pid: number): Promise<void> {
  // it waits for the disk, which others may keep busy
  t.ok(await until(() => !isAlive(pid), 90_000), 'the process has gone')
  t.ok(await until(() => mountsBelow(bus.world.folder).length === 0), 'no mount')
  t.ok(await until(() => listeners(bus).length === 0), 'nobody listens any more')
}

/** Processes with the bus in their environment: whatever a drive has started. */
function listeners(bus: Bus): string[] {
  const { stdout } = spawnSync(
    'grep',
    ['-lsa', bus.world.state, '-r', '/proc', '--include=environ'],
    {
      encoding: 'utf8',
    },
  )
  return stdout.split('\n').filter((line) => /^\/proc\/\d+\/environ$/.test(line))
}

/** The drive is not there any more to be told. */
function closeDead(fd: number): void {
  try {
    closeSync(fd)
  } catch {
    // closed all the same
  }
}

/** A folder with nothing but these programs of /usr/bin, and a shell's needs. */
function onlyWith(world: World, name: string, ...programs: string[]): Record<string, string> {
  const folder = join(world.folder, name)
  mkdirSync(folder)
  for (const program of [...programs, 'cat', 'umount', 'stat'])
    symlinkSync(
      spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).stdout.trim(),
      join(folder, program),
    )
  return { PATH: folder }
}

t.test('suspend: the machine waits, the drive is taken from programs at once', async (t) => {
  if (!can(t)) return
  const bus = await Bus.start(t)
  const { world } = bus
  const pid = await bus.mount(t, 'suspend')
  t.ok(await until(() => bus.inhibitors().includes('"sleep" "coffer"')), bus.inhibitors())
  const fd = openSync(join(world.mountpoint, 'open'), 'w')
  t.teardown(() => {
    closeDead(fd)
  })
  writeFileSync(fd, 'stored all the same')
  bus.signal(t, PATH, 'PrepareForSleep', 'b', 'false')
  bus.signal(t, `${PATH}/session/c1`, 'Lock', '')
  await new Promise((resolve) => setTimeout(resolve, 1000))
  t.ok(isAlive(pid), 'waking up and a locked screen are not meant')
  bus.signal(t, PATH, 'PrepareForSleep', 'b', 'true')
  await locked(t, bus, pid)
  t.ok(await until(() => !bus.inhibitors().includes('coffer')), 'the machine may sleep')
  world.mount()
  t.equal(readFileSync(join(world.mountpoint, 'open'), 'utf8'), 'stored all the same')
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
})

t.test('screen: as each of the programs tells it, but not of other people', async (t) => {
  if (!can(t) || !needs(t, 'root')) return
  const bus = await Bus.start(t)
  bus.session('c9', '4711')
  const tools: [string, Record<string, string>][] = [
    ['gdbus', {}],
    ['busctl', onlyWith(bus.world, 'with-busctl', 'busctl')],
    ['dbus-monitor', onlyWith(bus.world, 'with-dbus-monitor', 'dbus-monitor', 'busctl')],
  ]
  for (const [tool, env] of tools) {
    const pid = await bus.mount(t, 'screen', env)
    t.comment(tool)
    bus.must(t, `${PATH}/session/c9`, `${LOGIND}.Session.Lock`)
    bus.must(t, `${PATH}/session/c9`, `${LOGIND}.Session.SetLockedHint`, 'true')
    bus.must(t, `${PATH}/session/c1`, `${LOGIND}.Session.SetLockedHint`, 'false')
    await new Promise((resolve) => setTimeout(resolve, 1000))
    t.ok(isAlive(pid), `${tool}: somebody else has locked`)
    if (tool === 'busctl') bus.must(t, `${PATH}/session/c1`, `${LOGIND}.Session.Lock`)
    else bus.must(t, `${PATH}/session/c1`, `${LOGIND}.Session.SetLockedHint`, 'true')
    await locked(t, bus, pid)
    bus.must(t, `${PATH}/session/c9`, `${LOGIND}.Session.SetLockedHint`, 'false')
  }
})

t.test('screen: programs have time; unlocked before that is over, the drive stays', async (t) => {
  if (!can(t)) return
  const bus = await Bus.start(t)
  const { world } = bus
  const pid = await bus.mount(t, 'screen,logout', {}, '--grace', '4s')
  const fd = openSync(join(world.mountpoint, 'open'), 'w')
  t.teardown(() => {
    closeDead(fd)
  })
  const session = `${PATH}/session/c1`
  bus.must(t, session, `${LOGIND}.Session.Lock`)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  bus.must(t, session, `${LOGIND}.Session.Unlock`)
  await new Promise((resolve) => setTimeout(resolve, 5000))
  t.ok(isAlive(pid), 'unlocked in time')
  const start = Date.now()
  bus.must(t, session, `${LOGIND}.Session.Lock`)
  await locked(t, bus, pid)
  t.ok(Date.now() - start >= 4000, 'not before the time was over')
})

t.test('logout: when the last session has ended', async (t) => {
  if (!can(t)) return
  const bus = await Bus.start(t)
  bus.session('c2', UID)
  const pid = await bus.mount(t, 'logout', {}, '--grace', '1s')
  const path = (id: string): string => `${PATH}/session/${id}`
  const ends = (id: string): void => {
    const properties = '{"State": <"closing">}'
    bus.must(
      t,
      path(id),
      'org.freedesktop.DBus.Mock.UpdateProperties',
      `${LOGIND}.Session`,
      properties,
    )
    bus.signal(t, PATH, 'SessionRemoved', 'so', `"${id}"`, `objectpath "${path(id)}"`)
  }
  // it must have been seen logged in
  await new Promise((resolve) => setTimeout(resolve, 1000))
  ends('c1')
  await new Promise((resolve) => setTimeout(resolve, 2000))
  t.ok(isAlive(pid), 'another session is there')
  ends('c2')
  await locked(t, bus, pid)
})

t.test('killed: the listeners end with the process', async (t) => {
  if (!can(t)) return
  const bus = await Bus.start(t)
  const pid = await bus.mount(t, 'suspend,screen,logout')
  t.ok(listeners(bus).length >= 4, 'agent, shell, gdbus, systemd-inhibit')
  process.kill(pid, 'SIGKILL')
  await locked(t, bus, pid)
  t.ok(await until(() => !bus.inhibitors().includes('coffer')))
})

t.test('what is missing is said, and the drive is there all the same', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  const env = { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${join(world.folder, 'no-bus')}` }
  const mount = world.run(['mount', world.vault, world.mountpoint, '--lock-on', 'suspend,screen'], {
    env,
  })
  t.equal(mount.code, 0, mount.err)
  const warned = (): boolean =>
    /warning: +the (drive is not locked at suspend, screen|machine may sleep)/.test(
      world.run(['status']).out,
    )
  t.ok(await until(warned, 20_000))
  t.match(world.run(['status']).out, /locked at: suspend, screen\n/)
  t.equal(world.run(['unmount', world.mountpoint]).code, 0)
  const wrong = world.run(['mount', world.vault, world.mountpoint, '--lock-on', 'suspend,lunch'])
  says(t, wrong, 2, /a drive cannot be locked on "lunch"\nhint: there are suspend, screen, logout/)
  const doctor = world.run(['doctor'], { env })
  t.match(doctor.out, /^NO +locking at suspend, screen lock and logout: .*no-bus is missing$/m)
})

t.test('signals as each program writes them, in pieces', async (t) => {
  const outputs: [string, string[]][] = [
    [`${PATH}: ${LOGIND}.Manager.PrepareForSleep (true,)\n`, ['suspend null']],
    [`${PATH}: ${LOGIND}.Manager.PrepareForSleep (false,)\n`, []],
    [`${PATH}/session/_32: ${LOGIND}.Session.Lock ()\n`, [`screen ${PATH}/session/_32`]],
    [
      `${PATH}/session/c1: org.freedesktop.DBus.Properties.PropertiesChanged ('${LOGIND}.Session', {'LockedHint': <true>}, @as [])\n`,
      [`screen ${PATH}/session/c1`],
    ],
    [
      `${PATH}/session/c1: org.freedesktop.DBus.Properties.PropertiesChanged ('${LOGIND}.Session', {'LockedHint': <false>, 'Active': <true>}, @as [])\n`,
      [`unlocked ${PATH}/session/c1`],
    ],
    [
      `signal time=1.5 sender=:1.2 -> destination=(null destination) serial=5 path=${PATH}; interface=${LOGIND}.Manager; member=PrepareForSleep\n   boolean true\nsignal time=1.6 sender=:1.2 -> destination=(null destination) serial=6 path=${PATH}; interface=${LOGIND}.Manager; member=PrepareForSleep\n   boolean false\n`,
      ['suspend null'],
    ],
    [
      `{"type":"signal","path":"${PATH}/session/_31","interface":"${LOGIND}.Session","member":"Unlock","payload":{"type":"","data":[]}}\n`,
      [`unlocked ${PATH}/session/_31`],
    ],
  ]
  for (const [output, wanted] of outputs) {
    const reader = new SignalReader()
    const signals = output.split(/(?=[^])/).flatMap((letter) => reader.push(letter))
    t.same(
      signals.map(({ kind, session }) => `${kind} ${String(session)}`),
      wanted,
      output.slice(0, 90),
    )
  }
})
