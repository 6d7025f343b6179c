// Directories whose metas are late, lost or old ones, and what a machine's memory of them is good for.
// FORMAT.md §7. The folder is rewritten as a sync client, or a cloud, would rewrite it.

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { errnoOf } from '../../lib/errors.js'
import { openBacking } from '../../lib/store/backing.js'
import { TestVault, type Session } from './session.js'

const { EIO } = constants.errno
const TEN_MINUTES = 10 * 60_000

/** A vault, and the machines that have it: each with a memory of its own. */
class Shared extends TestVault {
  readonly #open = new Map<number, Session>()

  constructor(t: Test) {
    super(12)
    t.teardown(() => {
      this.remove()
    })
  }

  stateOf(device: number): string {
    const folder = join(this.state, `machine-${String(device)}`)
    mkdirSync(folder, { recursive: true })
    return folder
  }

  on(device: number): Session {
    const session = this.open({ device, journalFolder: this.stateOf(device) })
    this.#open.set(device, session)
    return session
  }

  /** The same machine after an unmount and a mount. */
  again(device: number): Session {
    this.#open.get(device)?.close()
    return this.on(device)
  }

  metas(path: string): string[] {
    const folder = this.blob(path)
    return readdirSync(folder)
      .filter((name) => name.endsWith('.cfm'))
      .sort()
      .map((name) => join(folder, name))
  }

  meta(path: string): string {
    const [one, ...others] = this.metas(path)
    if (one === undefined || others.length > 0) throw new Error(`${path} has not one meta`)
    return one
  }
}

const errno = (act: () => unknown): number => {
  try {
    act()
    return 0
  } catch (error) {
    return errnoOf(error)
  }
}

const events = (session: Session): string[] =>
  session.log.map(({ event }) => event).filter((event) => event.startsWith('meta-'))

function withDirectory(t: Test): Shared {
  const vault = new Shared(t)
  const session = vault.on(1)
  session.mkdir('/d')
  session.write('/d/f', 'one')
  session.mkdir('/d/sub')
  session.write('/d/sub/g', 'two')
  session.close()
  vault.skew += 10_000
  return vault
}

t.test(
  'a meta that is missing is replaced by the memory of it, until it is there again',
  async (t) => {
    const vault = withDirectory(t)
    const path = vault.meta('/d')
    const bytes = readFileSync(path)
    rmSync(path)
    const session = vault.on(1)
    t.equal(session.read('/d/f').toString(), 'one')
    t.same([...session.list('/d').keys()].sort(), ['f', 'sub'])
    session.write('/d/new', 'three')
    const file = session.open('/d/f')
    file.write(3, Buffer.from(' and more'))
    file.close()
    t.same(events(session), ['meta-remembered'])
    t.match(session.log, [{ level: 'warn', path: '/d' }])
    t.same(session.drive.counters.late, [{ path: '/d', state: 'remembered' }])
    t.same(session.drive.counters.damaged, [])
    t.notOk(existsSync(path), 'nothing is written back so soon')
    writeFileSync(path, bytes)
    vault.skew += 1500
    t.equal(session.read('/d/new').toString(), 'three')
    t.same(events(session), ['meta-remembered', 'meta-arrived'])
    t.same(session.drive.counters.late, [])
    session.close()
    t.equal(vault.open().read('/d/f').toString(), 'one and more', 'for others, too')
  },
)

t.test('one that goes away while the drive is in use', async (t) => {
  const vault = withDirectory(t)
  const session = vault.on(1)
  session.at('/d', (held) => {
    session.list('/d')
    rmSync(vault.meta('/d'))
    t.equal(session.read('/d/f').toString(), 'one')
    t.ok(session.statNode(held).mode)
    session.write('/d/x', 'x')
    // a rename has to seal it
    session.rename('/d', '/e')
  })
  t.equal(session.read('/e/x').toString(), 'x')
  session.close()
  t.equal(vault.open().read('/e/sub/g').toString(), 'two', 'the meta is there for everybody')
})

t.test('without a memory it waits, and comes back by itself', async (t) => {
  const vault = withDirectory(t)
  const path = vault.meta('/d')
  const bytes = readFileSync(path)
  for (const [what, spoil] of [
    [
      'missing',
      () => {
        rmSync(path)
      },
    ],
    [
      'empty',
      () => {
        truncateSync(path, 0)
      },
    ],
    [
      'half',
      () => {
        truncateSync(path, 512)
      },
    ],
    [
      'zeros',
      () => {
        writeFileSync(path, Buffer.alloc(1024))
      },
    ],
  ] as const) {
    spoil()
    const session = vault.open()
    t.equal(
      errno(() => session.list('/d')),
      EIO,
      what,
    )
    t.equal(
      errno(() => session.read('/d/f')),
      EIO,
    )
    t.equal(
      errno(() => {
        session.write('/d/z', 'z')
      }),
      EIO,
    )
    t.equal(
      errno(() => {
        session.rename('/d', '/e')
      }),
      EIO,
    )
    t.same(events(session), ['meta-waiting'], 'told once')
    t.same(
      session.log.filter(({ event }) => event === 'refused'),
      [],
    )
    t.same(session.drive.counters.late, [{ path: '/d', state: 'waiting' }])
    t.same(session.drive.counters.damaged, [], 'that is no damage')
    writeFileSync(path, bytes)
    t.equal(session.read('/d/f').toString(), 'one', 'at once')
    t.same(session.drive.counters.late, [])
    t.same(events(session), ['meta-waiting', 'meta-arrived'])
    session.close()
  }
  writeFileSync(path, Buffer.alloc(1024, 7))
  const session = vault.open()
  t.equal(
    errno(() => session.list('/d')),
    EIO,
  )
  t.match(session.drive.counters.damaged, [{ path: '/d', code: 'DIRECTORY_META' }], 'this is')
})

t.test('half a meta does not matter where it is remembered', async (t) => {
  const vault = withDirectory(t)
  truncateSync(vault.meta('/d'), 700)
  const session = vault.on(1)
  t.equal(session.read('/d/f').toString(), 'one')
  t.same(session.drive.counters.late, [{ path: '/d', state: 'remembered' }])
  session.mkdir('/d/more')
  session.rename('/d', '/moved')
  t.equal(statSync(vault.meta('/moved')).size, 1024)
  session.close()
  t.equal(vault.open().read('/moved/f').toString(), 'one')
})

t.test(
  'it is written back when the directory has been still, and something lies in it',
  async (t) => {
    const vault = withDirectory(t)
    const kept = readFileSync(vault.meta('/d'))
    rmSync(vault.meta('/d'))
    const session = vault.on(1)
    session.list('/d')
    vault.skew += TEN_MINUTES - 60_000
    session.list('/d')
    t.same(vault.metas('/d'), [], 'not before its time')
    vault.skew += 120_000
    t.type(session.drive.tend(), 'number')
    t.equal(vault.metas('/d').length, 1, 'without being asked for')
    t.notSame(readFileSync(vault.meta('/d')), kept, 'sealed anew')
    t.same(events(session), ['meta-remembered', 'meta-restored'])
    t.same(session.drive.counters.late, [])
    t.equal(vault.open().read('/d/f').toString(), 'one', 'every machine can read it')
  },
)

t.test('nothing is written back for what nobody needs', async (t) => {
  const vault = withDirectory(t)
  const folder = vault.blob('/d')
  const blobs = readdirSync(folder).filter((name) => name.endsWith('.cff'))
  rmSync(vault.meta('/d'))
  const sub = readdirSync(folder).find((name) => name.endsWith('.cfd'))!
  for (const name of readdirSync(join(folder, sub))) rmSync(join(folder, sub, name))
  for (const name of blobs) writeFileSync(join(folder, name), Buffer.alloc(2000, 1))
  writeFileSync(join(folder, 'foreign.txt'), 'x')
  const session = vault.on(1)
  vault.skew += 2 * TEN_MINUTES
  t.equal(
    errno(() => session.read('/d/f')),
    EIO,
  )
  t.same([...session.list('/d').keys()].sort(), ['f', 'sub'], 'it is shown')
  t.same(
    readdirSync(folder).filter((name) => name.endsWith('.cfm')),
    [],
  )
  const readOnly = vault.open({ readOnly: true, device: 1, journalFolder: vault.stateOf(1) })
  t.same([...readOnly.list('/d').keys()].sort(), ['f', 'sub'], 'to a drive that only reads, too')
})

t.test('a file far below brings all metas back', async (t) => {
  const vault = withDirectory(t)
  const sub = vault.blob('/d/sub')
  const metas = [vault.meta('/d'), vault.meta('/d/sub')]
  const [f] = [vault.blob('/d/f')]
  for (const path of [...metas, f]) rmSync(path)
  const session = vault.on(1)
  vault.skew += 2 * TEN_MINUTES
  t.equal(session.read('/d/sub/g').toString(), 'two')
  t.equal(vault.metas('/d').length, 1)
  t.equal(readdirSync(sub).filter((name) => name.endsWith('.cfm')).length, 1)
  session.close()
  t.equal(vault.open().read('/d/sub/g').toString(), 'two')
})

t.test('an old meta that is put back after a rename counts for nothing', async (t) => {
  const vault = withDirectory(t)
  const [old, folder] = [readFileSync(vault.meta('/d')), vault.blob('/d')]
  const name = vault.meta('/d').slice(folder.length + 1)
  const f = vault.blob('/d/f')
  const [fBytes, fName] = [readFileSync(f), f.slice(folder.length + 1)]
  let session = vault.on(1)
  session.rename('/d', '/e')
  mkdirSync(folder)
  writeFileSync(join(folder, name), old)
  for (const round of ['first', 'after a mount']) {
    t.comment(round)
    t.same([...session.list('/d').keys()], [], 'it is shown as empty')
    t.equal(session.read('/e/f').toString(), 'one')
    t.same(session.drive.counters.late, [{ path: '/d', state: 'waiting' }])
    session = vault.again(1)
  }
  writeFileSync(join(folder, fName), fBytes)
  t.equal(vault.open().read('/d/f').toString(), 'one', 'it is good where nobody knows')
  session = vault.again(1)
  t.equal(session.read('/d/f').toString(), 'one', 'what lay in it once is shown from memory')
  t.same(session.drive.counters.late, [{ path: '/d', state: 'remembered' }])
  t.same(events(session), ['meta-returned'])
  vault.skew += TEN_MINUTES + 1000
  session.drive.tend()
  t.notOk(existsSync(folder), 'and goes home, and nothing is left there')
  t.equal(readdirSync(vault.blob('/e')).filter((one) => one.includes('(conflict ')).length, 1)
  session.rename('/e', '/d')
  t.equal(session.read('/d/f').toString(), 'one', 'there and back')
  session.close()
  // the whole state from before, under the name where it was
  writeFileSync(vault.meta('/d'), old)
  session = vault.on(1)
  t.equal(session.read('/d/f').toString(), 'one')
  t.same(events(session).slice(0, 2), ['meta-remembered', 'meta-restored'])
})

t.test(
  'one that another machine has renamed does not count at its old place, either',
  async (t) => {
    const vault = withDirectory(t)
    const [old, folder] = [readFileSync(vault.meta('/d')), vault.blob('/d')]
    const name = vault.meta('/d').slice(folder.length + 1)
    const other = vault.on(2)
    other.rename('/d', '/e')
    other.close()
    const session = vault.on(1)
    t.equal(session.read('/e/f').toString(), 'one')
    mkdirSync(folder)
    writeFileSync(join(folder, name), old)
    t.same([...session.list('/d').keys()], [])
    t.same([...vault.again(1).list('/d').keys()], [])
    vault.skew += TEN_MINUTES + 1000
    const later = vault.again(1)
    later.list('/d')
    later.drive.tend()
    t.notOk(existsSync(folder), 'it is removed when it has been still')
  },
)

t.test('a removed directory comes back with what lies in it, and not without', async (t) => {
  const vault = withDirectory(t)
  const folder = vault.blob('/d/sub')
  const aside = join(vault.state, 'aside')
  cpSync(folder, aside, { recursive: true, preserveTimestamps: true })
  let session = vault.on(1)
  session.unlink('/d/sub/g')
  session.rmdir('/d/sub')
  cpSync(aside, folder, { recursive: true })
  for (const round of ['first', 'after a mount']) {
    t.comment(round)
    t.equal(session.read('/d/sub/g').toString(), 'two', 'as it may have been kept')
    t.same(events(session), ['meta-returned'])
    session = vault.again(1)
  }
  rmSync(vault.blob('/d/sub/g'))
  t.same([...vault.again(1).list('/d/sub').keys()], [])
  vault.skew += TEN_MINUTES + 1000
  session = vault.again(1)
  session.list('/d/sub')
  session.drive.tend()
  t.notOk(existsSync(folder))
  // another machine that had it too, and lost the meta to the removal
  cpSync(aside, folder, { recursive: true })
  const other = vault.on(2)
  other.list('/d/sub')
  rmSync(vault.meta('/d/sub'))
  vault.skew += TEN_MINUTES + 1000
  vault.again(2).list('/d/sub')
  t.equal(session.read('/d/sub/g').toString(), 'two', 'its edit is not lost')
  session.mkdir('/d/empty')
  session.rmdir('/d/empty')
  session.mkdir('/d/empty')
  t.equal(
    errno(() => vault.again(1).list('/d/empty')),
    0,
    'a new one of that name',
  )
})

/** A machine has removed /d/sub; the folder has it again, without its meta. */
function removed(t: Test): { vault: Shared; folder: string; aside: string } {
  const vault = withDirectory(t)
  const folder = vault.blob('/d/sub')
  const aside = join(vault.state, 'aside')
  cpSync(folder, aside, { recursive: true, preserveTimestamps: true })
  const session = vault.on(1)
  session.unlink('/d/sub/g')
  session.rmdir('/d/sub')
  session.close()
  mkdirSync(folder)
  return { vault, folder, aside }
}

t.test('a removed directory is read again where a child of it is there, and no meta', async (t) => {
  const { vault, folder, aside } = removed(t)
  let session = vault.on(1)
  const waits = (what: string): void => {
    t.equal(
      errno(() => session.list('/d/sub')),
      EIO,
      what,
    )
  }
  t.same([...session.list('/d/sub').keys()], [], 'an empty one is nobody’s')
  const blob = readdirSync(aside).find((name) => name.endsWith('.cff'))!
  const bytes = readFileSync(join(aside, blob))
  writeFileSync(join(folder, blob), Buffer.alloc(bytes.length, 1))
  waits('a child must be whole')
  rmSync(join(folder, blob))
  cpSync(vault.blob('/d/f'), join(folder, blob))
  waits('and of that directory')
  cpSync(vault.blob('/d/f'), join(folder, vault.blob('/d/f').split('/').at(-1)!))
  waits('under its name, too')
  writeFileSync(join(folder, blob), bytes)
  for (const round of ['first', 'after a mount', 'and another']) {
    t.equal(session.read('/d/sub/g').toString(), 'two', round)
    t.same([...session.list('/d/sub').keys()], ['g'])
    t.same(events(session).slice(-1), ['meta-returned'])
    session = vault.again(1)
  }
  const meta = readdirSync(aside).find((name) => name.endsWith('.cfm'))!
  cpSync(join(aside, meta), join(folder, meta))
  t.equal(session.read('/d/sub/g').toString(), 'two', 'an old meta beside it says nothing')
  vault.skew += TEN_MINUTES + 1000
  session.drive.tend()
  t.notSame(readFileSync(join(folder, meta)), readFileSync(join(aside, meta)), 'it is sealed anew')
  session.close()
  t.equal(vault.on(1).read('/d/sub/g').toString(), 'two')
  t.same(vault.on(1).drive.counters.late, [])
})

t.test('what a client leaves that removes files and no directories', async (t) => {
  const vault = withDirectory(t)
  const two = vault.on(2)
  t.equal(two.read('/d/sub/g').toString(), 'two')
  const sub = vault.blob('/d/sub')
  for (const name of readdirSync(sub)) rmSync(join(sub, name))
  t.same([...two.list('/d/sub').keys()], [])
  vault.skew += TEN_MINUTES - 60_000
  two.drive.tend()
  t.ok(existsSync(sub), 'not before its time')
  vault.skew += 120_000
  two.drive.tend()
  t.notOk(existsSync(sub))
  t.same([...two.list('/d').keys()], ['f'])
  t.same(two.drive.counters.late, [])
})

t.test('what a client is still delivering stays', async (t) => {
  const vault = withDirectory(t)
  const two = vault.on(2)
  two.list('/d/sub')
  const folder = vault.blob('/d/sub')
  const blob = vault.blob('/d/sub/g').slice(folder.length + 1)
  for (const name of readdirSync(folder)) rmSync(join(folder, name))
  two.list('/d/sub')
  // the folder itself lies still while a client writes half of a large file, or makes something far below
  const half = join(folder, `.syncthing.${blob}.tmp`)
  const below = join(folder, `c${'A'.repeat(43)}.cfd`, `c${'B'.repeat(43)}.cfd`)
  writeFileSync(half, 'some')
  mkdirSync(below, { recursive: true })
  let last = two
  for (const path of [half, below]) {
    vault.skew += 2 * TEN_MINUTES
    const now = new Date(Date.now() + vault.skew)
    utimesSync(path, now, now)
    last = vault.again(2)
    t.same([...last.list('/d/sub').keys()], [])
    last.drive.tend()
    t.ok(existsSync(half), path)
    t.ok(existsSync(below), path)
  }
  vault.skew += TEN_MINUTES + 60_000
  last.drive.tend()
  t.notOk(existsSync(folder), 'what was given up does not')
})

/** A machine that has seen /d/sub, of which a client has left the folder alone. */
function emptied(t: Test): { vault: Shared; folder: string } {
  const vault = withDirectory(t)
  const two = vault.on(2)
  two.list('/d/sub')
  two.close()
  const folder = vault.blob('/d/sub')
  for (const name of readdirSync(folder)) rmSync(join(folder, name))
  return { vault, folder }
}

t.test('what may count stays, and the directories above it', async (t) => {
  const { vault, folder } = emptied(t)
  const one = vault.on(1)
  one.mkdir('/fresh')
  const fresh = vault.meta('/fresh')
  const name = fresh.split('/').at(-1)!
  const bytes = readFileSync(fresh)
  const below = join(folder, `c${'A'.repeat(43)}.cfd`)
  mkdirSync(below)
  for (const [what, file, content] of [
    ['a meta that nobody here has seen', name, bytes],
    ['half a meta', name, bytes.subarray(0, 512)],
    ['a meta that is damaged', name, Buffer.alloc(1024, 7)],
    ['a file of somebody', 'notes.txt', bytes],
    ['a blob', `c${'B'.repeat(43)}.cff`, bytes],
  ] as const) {
    for (const at of [folder, below]) {
      const path = join(at, file)
      writeFileSync(path, content)
      vault.skew += TEN_MINUTES + 60_000
      const session = vault.again(2)
      errno(() => session.list('/d/sub'))
      session.drive.tend()
      t.ok(existsSync(path), what)
      if (at === below)
        t.equal(
          errno(() => vault.open().list('/d/sub')),
          EIO,
          'and it is not shown as empty where nothing is remembered',
        )
      rmSync(path)
    }
  }
  vault.skew += TEN_MINUTES + 60_000
  const session = vault.again(2)
  errno(() => session.list('/d/sub'))
  t.notOk(existsSync(folder), 'nothing else')
})

t.test('what names a file that has gone keeps nobody from the directory', async (t) => {
  const end = 'B'.repeat(43)
  for (const name of [`c${end}-0123456789abcdef.cfr`, `l${end}.cfn`]) {
    const { vault, folder } = emptied(t)
    writeFileSync(join(folder, name), 'of a file that has gone')
    const stranger = vault.open()
    t.same([...stranger.list('/d/sub').keys()], [], name)
    stranger.write('/d/sub/new', 'made here')
    const two = vault.on(2)
    t.equal(two.read('/d/sub/new').toString(), 'made here')
    for (const file of readdirSync(folder)) if (file !== name) rmSync(join(folder, file))
    vault.skew += 2000
    t.same([...two.list('/d/sub').keys()], [])
    vault.skew += TEN_MINUTES + 60_000
    two.drive.tend()
    t.notOk(existsSync(folder), 'nor does it keep the directory')
  }
})

t.test('what arrives while a directory is removed stays', async (t) => {
  const { vault, folder } = emptied(t)
  const arriving = join(folder, `c${'B'.repeat(43)}.cff`)
  const backing = openBacking()
  let arrives = false
  const session = vault.open({
    device: 2,
    journalFolder: vault.stateOf(2),
    backing: {
      ...backing,
      openDirectory: (dirfd, name) => {
        if (arrives && name === folder.split('/').at(-1)) writeFileSync(arriving, 'new')
        return backing.openDirectory(dirfd, name)
      },
    },
  })
  session.list('/d/sub')
  arrives = true
  vault.skew += TEN_MINUTES + 60_000
  session.drive.tend()
  t.ok(existsSync(arriving))
  t.same(session.drive.counters.late, [{ path: '/d/sub', state: 'remembered' }])
})

t.test('and what it leaves where a directory was renamed', async (t) => {
  const vault = withDirectory(t)
  const two = vault.on(2)
  t.equal(two.read('/d/sub/g').toString(), 'two')
  const folder = vault.blob('/d')
  const below = vault.blob('/d/sub').slice(folder.length + 1)
  const one = vault.on(1)
  one.rename('/d', '/e')
  mkdirSync(join(folder, below), { recursive: true })
  vault.skew += 10_000
  t.same([...two.list('/e').keys()].sort(), ['f', 'sub'])
  t.same([...two.list('/d/sub').keys()], [], 'it may have been kept')
  for (const session of [one, vault.on(3)]) {
    t.same([...session.list('/d').keys()], [], 'nothing lies in it')
    t.notOk(session.exists('/d/sub'))
  }
  writeFileSync(join(folder, 'foreign.txt'), 'x')
  vault.skew += TEN_MINUTES + 60_000
  for (const session of [two, one]) session.drive.tend()
  t.ok(existsSync(folder), 'what is not ours keeps it')
  rmSync(join(folder, 'foreign.txt'))
  const three = vault.again(3)
  t.same([...three.list('/d').keys()], [])
  vault.skew += TEN_MINUTES + 60_000
  three.drive.tend()
  t.ok(existsSync(folder), 'it may be on its way to who never knew it')
  two.exists('/d')
  two.drive.tend()
  t.notOk(existsSync(folder))
  t.same([...two.list('/e').keys()].sort(), ['f', 'sub'])
})

t.test('one that was made and removed since the mount is known after the next, too', async (t) => {
  const vault = withDirectory(t)
  const session = vault.on(1)
  session.mkdir('/n')
  session.write('/n/f', 'of n')
  const [folder, blob] = [vault.blob('/n'), vault.blob('/n/f')]
  const bytes = readFileSync(blob)
  session.unlink('/n/f')
  session.rmdir('/n')
  mkdirSync(folder)
  writeFileSync(blob, bytes)
  t.equal(vault.again(1).read('/n/f').toString(), 'of n')
  t.equal(
    errno(() => vault.on(2).list('/n')),
    EIO,
    'whoever has never seen it waits',
  )
})

t.test('a new directory in its place shows the children of both', async (t) => {
  const { vault, folder, aside } = removed(t)
  rmSync(folder, { recursive: true })
  const session = vault.on(1)
  session.mkdir('/d/sub')
  session.write('/d/sub/new', 'new')
  const blob = readdirSync(aside).find((name) => name.endsWith('.cff'))!
  cpSync(join(aside, blob), join(folder, blob))
  vault.skew += 1500
  t.same([...session.list('/d/sub').keys()].sort(), ['g', 'new'])
  t.equal(session.read('/d/sub/g').toString(), 'two')
  t.equal(session.read('/d/sub/new').toString(), 'new')
  session.write('/d/sub/h', 'h')
  session.close()
  t.equal(vault.open().read('/d/sub/h').toString(), 'h', 'what is made is of the new one')
})

t.test('a long name of the old one is told after its blob has come', async (t) => {
  const LONG = 'long'.repeat(50)
  for (const last of ['.cfn', '.cfr']) {
    const vault = withDirectory(t)
    const folder = vault.blob('/d/sub')
    const aside = join(vault.state, 'aside')
    const before = vault.on(1)
    before.rename('/d/sub/g', `/d/sub/${LONG}`)
    cpSync(folder, aside, { recursive: true, preserveTimestamps: true })
    before.unlink(`/d/sub/${LONG}`)
    before.rmdir('/d/sub')
    before.mkdir('/d/sub')
    before.write('/d/sub/new', 'new')
    before.close()
    const session = vault.open({ device: 1, journalFolder: vault.stateOf(1), watched: true })
    const names = (): string[] => {
      while (session.drive.tend() === 0);
      return [...session.list('/d/sub').keys()].sort()
    }
    const bring = (extension: string): void => {
      const file = readdirSync(aside).find((name) => name.endsWith(extension))!
      cpSync(join(aside, file), join(folder, file))
    }
    t.same(names(), ['new'])
    bring('.cff')
    t.same(names(), ['new'], 'nobody knows what it is called')
    bring(last === '.cfn' ? '.cfr' : '.cfn')
    names()
    bring(last)
    t.same(names(), [LONG, 'new'], `the last is ${last}`)
    t.equal(session.read(`/d/sub/${LONG}`).toString(), 'two')
    vault.remove()
  }
})

t.test('a child of the old one goes and comes while the drive is in use', async (t) => {
  const { vault, folder, aside } = removed(t)
  rmSync(folder, { recursive: true })
  const before = vault.on(1)
  before.mkdir('/d/sub')
  before.write('/d/sub/new', 'new')
  before.close()
  const journalFolder = vault.stateOf(1)
  const session = vault.open({ device: 1, journalFolder, watched: true, holdInodes: true })
  const names = (): string[] => {
    vault.skew += 2000
    while (session.drive.tend() === 0);
    return [...session.list('/d/sub').keys()].sort()
  }
  const blob = readdirSync(aside).find((name) => name.endsWith('.cff'))!
  cpSync(join(aside, blob), join(folder, blob))
  t.same(names(), ['g', 'new'])
  t.equal(session.read('/d/sub/g').toString(), 'two')
  rmSync(join(folder, blob))
  t.same(names(), ['new'])
  // the directory is read again, and needs its old id no more
  const meta = vault.meta('/d/sub')
  writeFileSync(meta, readFileSync(meta))
  t.same(names(), ['new'])
  cpSync(join(aside, blob), join(folder, blob))
  t.same(names(), ['g', 'new'], 'and once more')
  t.equal(session.read('/d/sub/g').toString(), 'two')
})

t.test('of two old ones, the second is known by a name', async (t) => {
  const vault = withDirectory(t)
  const folder = vault.blob('/d/sub')
  const [first, second] = ['first', 'second'].map((name) => join(vault.state, name)) as [
    string,
    string,
  ]
  const before = vault.on(1)
  cpSync(folder, first, { recursive: true })
  before.unlink('/d/sub/g')
  before.rmdir('/d/sub')
  before.mkdir('/d/sub')
  before.mkdir('/d/sub/deep')
  cpSync(folder, second, { recursive: true })
  before.rmdir('/d/sub/deep')
  before.rmdir('/d/sub')
  before.close()
  const session = vault.open({ device: 1, journalFolder: vault.stateOf(1), watched: true })
  const names = (): string[] => {
    vault.skew += 2000
    while (session.drive.tend() === 0);
    return [...session.list('/d/sub').keys()].sort()
  }
  const bring = (from: string, extension: string): void => {
    const file = readdirSync(from).find((name) => name.endsWith(extension))!
    cpSync(join(from, file), join(folder, file), { recursive: true })
  }
  mkdirSync(folder)
  bring(first, '.cff')
  t.same(names(), ['g'])
  const deep = readdirSync(second).find((name) => name.endsWith('.cfd'))!
  mkdirSync(join(folder, deep))
  t.same(names(), ['deep', 'g'])
})

t.test('a conflict copy of a directory that has lost its metas, too', async (t) => {
  const vault = withDirectory(t)
  const folder = vault.blob('/d/sub')
  const before = vault.on(1)
  before.mkdir('/d/sub/deep')
  before.write('/d/sub/deep/x', 'kept')
  const deep = vault.blob('/d/sub/deep').split('/').at(-1)!
  const x = vault.blob('/d/sub/deep/x').split('/').at(-1)!
  const bytes = readFileSync(vault.blob('/d/sub/deep/x'))
  before.unlink('/d/sub/deep/x')
  before.rmdir('/d/sub/deep')
  before.unlink('/d/sub/g')
  before.rmdir('/d/sub')
  before.close()
  const copy = join(folder, deep.replace('.cfd', ' (conflict 2bc4380a-3).cfd'))
  mkdirSync(copy, { recursive: true })
  writeFileSync(join(copy, x), bytes)
  for (const round of ['first', 'after a mount']) {
    const session = vault.again(1)
    t.same([...session.list('/d/sub').keys()], ['deep (conflict, 2bc4380a-3)'], round)
    t.equal(session.read('/d/sub/deep (conflict, 2bc4380a-3)/x').toString(), 'kept')
  }
})

t.test('a conflict copy of a directory that was two, with the meta of one', async (t) => {
  const vault = withDirectory(t)
  const folder = vault.blob('/d/sub')
  const aside = join(vault.state, 'aside')
  const one = vault.on(1)
  one.mkdir('/d/sub/deep')
  one.write('/d/sub/deep/x', 'kept')
  cpSync(folder, aside, { recursive: true })
  one.unlink('/d/sub/deep/x')
  one.rmdir('/d/sub/deep')
  one.unlink('/d/sub/g')
  one.rmdir('/d/sub')
  one.mkdir('/d/sub')
  one.write('/d/sub/new', 'new')
  // what the client has put beside it: the new one's meta, and a copy of what lay in the old one
  const copy = folder.replace(/\.cfd$/, ' (conflict_on_2026-11-29_was_deleted).cfd')
  cpSync(folder, copy, { recursive: true })
  const deep = readdirSync(aside).find((name) => name.endsWith('.cfd'))!
  const moved = deep.replace('.cfd', ' (conflict_on_2026-11-29_was_deleted).cfd')
  cpSync(join(aside, deep), join(copy, moved), { recursive: true })
  for (const round of ['first', 'after a mount']) {
    const session = vault.again(1)
    const name = [...session.list('/d').keys()].find((shown) => shown.startsWith('sub (conflict'))!
    const inner = [...session.list(`/d/${name}`).keys()].sort()
    t.match(inner, [/^deep \(conflict/, 'new'], round)
    t.equal(session.read(`/d/${name}/${inner[0] ?? ''}/x`).toString(), 'kept')
  }
})

t.test('swapped directories stay refused', async (t) => {
  const vault = withDirectory(t)
  let session = vault.on(1)
  session.mkdir('/other')
  session.write('/other/f', 'another')
  session = vault.again(1)
  const [a, b] = [vault.blob('/d'), vault.blob('/other')]
  renameSync(a, `${a}.swap`)
  renameSync(b, a)
  renameSync(`${a}.swap`, b)
  for (const path of ['/d', '/other']) {
    const outcome = errno(() => session.read(`${path}/f`))
    t.ok(outcome !== 0, `${path} gives ${String(outcome)}`)
  }
  // and without their metas, what lies there is not shown as what was there
  for (const folder of [a, b])
    for (const name of readdirSync(folder)) if (name.endsWith('.cfm')) rmSync(join(folder, name))
  session = vault.again(1)
  for (const path of ['/d', '/other']) t.ok(errno(() => session.read(`${path}/f`)) !== 0, path)
})

t.test('a conflict copy of a meta is as good', async (t) => {
  const vault = withDirectory(t)
  for (const end of [
    '.sync-conflict-20260101-120000-ABCDEFG.cfm',
    ' (1).cfm',
    ' (conflicted copy).cfm',
  ]) {
    const path = vault.meta('/d')
    renameSync(path, path.replace(/(dir-[0-9a-f]{16}).*\.cfm$/, `$1${end}`))
    const session = vault.open()
    t.equal(session.read('/d/f').toString(), 'one', end)
    session.rename('/d', '/e')
    session.rename('/e', '/d')
    t.equal(session.read('/d/f').toString(), 'one')
    session.close()
  }
})

/** The same directory, made on two machines apart, as a sync client lays the two together. */
function madeTwice(t: Test): { vault: Shared; metas: [string, string] } {
  const vault = new Shared(t)
  const made = (device: number): string => {
    const session = vault.on(device)
    session.mkdir('/d')
    session.write(`/d/of ${String(device)}`, String(device))
    session.write('/d/both', String(device))
    session.close()
    vault.skew += 10_000
    const aside = join(vault.state, `made-${String(device)}`)
    renameSync(vault.blob('/d'), aside)
    return aside
  }
  const [one, two] = [made(1), made(2)]
  const session = vault.open()
  session.mkdir('/d')
  session.close()
  const folder = vault.blob('/d')
  rmSync(folder, { recursive: true })
  for (const from of [one, two]) cpSync(from, folder, { recursive: true })
  const [first = '', second = ''] = vault.metas('/d')
  const isOfOne = existsSync(join(one, first.slice(folder.length + 1)))
  return { vault, metas: isOfOne ? [first, second] : [second, first] }
}

t.test('one directory made on two machines', async (t) => {
  const { vault, metas } = madeTwice(t)
  for (const device of [1, 2, 3]) {
    const session = vault.on(device)
    const shown = [...session.list('/d').keys()].filter((name) => !name.startsWith('new'))
    t.same(shown.sort(), ['both', 'both (conflict)', 'of 1', 'of 2'])
    t.equal(session.read('/d/of 1').toString(), '1')
    t.equal(session.read('/d/of 2').toString(), '2')
    t.equal(session.read('/d/both').toString(), '2', 'that of the directory that was made last')
    session.write(`/d/new ${String(device)}`, 'n')
    session.rename('/d', '/e')
    session.rename('/e', '/d')
    t.equal(session.list('/d').size, 4 + device)
    session.close()
    vault.skew += 10_000
  }
  // one of the two goes: what has its name under it is still there for whoever knows
  for (const meta of metas) {
    const bytes = readFileSync(meta)
    rmSync(meta)
    const session = vault.on(1)
    t.same([...session.list('/d').keys()].sort(), [
      'both',
      'both (conflict)',
      'new 1',
      'new 2',
      'new 3',
      'of 1',
      'of 2',
    ])
    t.equal(session.read('/d/of 1').toString(), '1')
    t.equal(session.read('/d/of 2').toString(), '2')
    t.same(session.drive.counters.late, [{ path: '/d', state: 'remembered' }])
    const stranger = vault.open()
    t.equal(stranger.list('/d').size < 7, true, 'and not for others')
    session.close()
    t.equal(vault.open().list('/d').size, 7, 'until that drive has ended')
    writeFileSync(meta, bytes)
  }
  const session = vault.on(1)
  // a conflict copy takes the name when that is free
  for (let names = [...session.list('/d').keys()]; names[0] !== undefined;) {
    session.unlink(`/d/${names[0]}`)
    names = [...session.list('/d').keys()]
  }
  session.rmdir('/d')
  t.notOk(session.exists('/d'))
})

t.test('an empty directory without a meta gets one when it is used', async (t) => {
  const vault = withDirectory(t)
  const folder = vault.blob('/d')
  const below = vault.blob('/d/sub').slice(folder.length + 1)
  const aside = join(vault.state, 'aside')
  cpSync(folder, aside, { recursive: true })
  const one = vault.on(1)
  one.rename('/d', '/e')
  const left = (): void => {
    mkdirSync(join(folder, below), { recursive: true })
    t.same([...one.list('/d').keys()], [])
  }
  left()
  t.throws(
    () => {
      one.rename('/d', '/k')
    },
    { code: 'EXDEV' },
    'what was in it has another name: `mv` makes a new one',
  )
  one.rmdir('/d/sub')
  one.rmdir('/d')
  mkdirSync(folder)
  one.rename('/d', '/k')
  one.mkdir('/k/m')
  const three = vault.on(3)
  t.same([...three.list('/k').keys()], ['m'])
  t.equal(three.read('/e/f').toString(), 'one')
  left()
  one.rmdir('/d')
  t.notOk(existsSync(folder), 'unused')
  left()
  one.mkdir('/x')
  one.rename('/x', '/d')
  one.write('/d/new', 'x')
  t.equal(vault.metas('/d').length, 1, 'something else took its name')
  one.unlink('/d/new')
  one.rmdir('/d')
  left()
  one.write('/d/new', 'x')
  t.equal(vault.metas('/d').length, 1)
  t.same([...one.list('/d').keys()].sort(), ['new', 'sub'])
  t.same([...one.list('/d/sub').keys()], [], 'it may be filled yet')
  t.same([...three.list('/d').keys()], ['new'], 'nobody else can name it')
  vault.skew += TEN_MINUTES + 1000
  one.drive.tend()
  for (const session of [one, three]) {
    t.same([...session.list('/d').keys()], ['new'])
    t.equal(session.read('/d/new').toString(), 'x')
  }
  t.same(one.drive.counters.late, [])
  cpSync(aside, folder, { recursive: true })
  t.same(
    [...vault.open().list('/d').keys()].sort(),
    ['f', 'new', 'sub'],
    'what was late counts, too',
  )
  for (const name of readdirSync(join(folder, below))) rmSync(join(folder, below, name))
  for (const name of readdirSync(aside))
    if (name !== below) rmSync(join(folder, name), { force: true })
  three.unlink('/d/new')
  three.rmdir('/d')
  t.notOk(existsSync(folder), 'with what it cannot name')
})

t.test('deleted on one machine, edited on the other', async (t) => {
  const vault = withDirectory(t)
  const two = vault.on(2)
  two.list('/d')
  two.list('/d/sub')
  two.close()
  // the client deletes what it may, and keeps the edited file
  const [folder, edited] = [vault.blob('/d'), vault.blob('/d/f')]
  const kept = readFileSync(edited)
  const one = vault.on(1)
  for (const path of ['/d/f', '/d/sub/g']) one.unlink(path)
  one.rmdir('/d/sub')
  one.rmdir('/d')
  mkdirSync(folder)
  writeFileSync(edited, kept)
  const late = vault.on(2)
  t.equal(late.read('/d/f').toString(), 'one', 'whoever edited it goes on')
  t.equal(one.read('/d/f').toString(), 'one', 'and whoever deleted it reads it')
  t.same(events(one), ['meta-returned'])
  t.same(one.drive.counters.late, [{ path: '/d', state: 'remembered' }])
  vault.skew += TEN_MINUTES + 1000
  late.drive.tend()
  t.equal(one.read('/d/f').toString(), 'one', 'and sees it when the meta is back')
  t.same([...one.list('/d').keys()], ['f'])
})

t.test('what comes into a directory that has lost its meta brings it back at once', async (t) => {
  for (const own of [true, false]) {
    const vault = withDirectory(t)
    const aside = join(vault.state, 'aside')
    const before = vault.on(1)
    before.write('/d/late', 'from elsewhere')
    const late = vault.blob('/d/late')
    before.close()
    renameSync(late, aside)
    const session = vault.open({
      ...{ device: 1, journalFolder: vault.stateOf(1), watched: true, holdInodes: true },
    })
    const tend = (): void => {
      while (session.drive.tend() === 0);
    }
    session.list('/d')
    session.list('/d/sub')
    const [meta, going] = [vault.meta('/d'), vault.blob('/d/sub')]
    rmSync(meta)
    tend()
    t.equal(session.read('/d/f').toString(), 'one')
    tend()
    rmSync(going, { recursive: true })
    tend()
    t.notOk(existsSync(meta), 'not where things go')
    if (own) session.write('/d/own', 'made here')
    else renameSync(aside, late)
    tend()
    t.ok(existsSync(meta), own ? 'made here' : 'come from elsewhere')
    session.close()
    const other = vault.on(2)
    t.equal(other.read('/d/f').toString(), 'one', 'others can read it')
    other.close()
  }
})

t.test('of two entries with one name the same has it when a meta has come back', (t) => {
  const vault = withDirectory(t)
  const aside = join(vault.state, 'aside')
  const first = vault.on(1)
  first.mkdir('/twin')
  first.write('/twin/f', 'older')
  const folder = vault.blob('/twin')
  renameSync(folder, aside)
  first.close()
  vault.skew += 5000
  const second = vault.on(2)
  second.mkdir('/twin')
  second.write('/twin/f', 'newer')
  const [newer] = vault.metas('/twin')
  for (const file of readdirSync(aside)) renameSync(join(aside, file), join(folder, file))
  second.close()
  const journalFolder = vault.stateOf(1)
  const session = vault.open({ device: 1, journalFolder, watched: true, holdInodes: true })
  const shown = (): string[] => {
    while (session.drive.tend() === 0);
    return [...session.list('/twin').keys()]
      .sort()
      .map((name) => session.read(`/twin/${name}`).toString())
  }
  t.same(shown(), ['newer', 'older'])
  for (const meta of vault.metas('/twin')) {
    rmSync(meta)
    t.same(shown(), ['newer', 'older'], 'while it is remembered')
    session.write('/twin/x', 'x')
    while (session.drive.tend() === 0);
    t.ok(existsSync(meta))
    session.unlink('/twin/x')
    t.same(shown(), ['newer', 'older'], meta === newer ? 'the newer is back' : 'the older is back')
  }
  t.end()
})

t.test(
  'an old conflict copy of its meta keeps nobody from a directory that is there again',
  async (t) => {
    const vault = withDirectory(t)
    const one = vault.on(1)
    const folder = vault.blob('/d')
    const aside = join(vault.state, 'aside')
    one.rename('/d', '/x')
    const old = readFileSync(vault.meta('/x'))
    one.rename('/x', '/d')
    cpSync(folder, aside, { recursive: true })
    for (const path of ['/d/f', '/d/sub/g']) one.unlink(path)
    for (const path of ['/d/sub', '/d']) one.rmdir(path)
    cpSync(aside, folder, { recursive: true })
    const [meta = ''] = readdirSync(folder).filter((name) => name.endsWith('.cfm'))
    writeFileSync(
      join(folder, meta.replace('.cfm', '.sync-conflict-20261129-201302-3IXBGHY.cfm')),
      old,
    )
    vault.skew += 2000
    t.equal(one.read('/d/f').toString(), 'one')
    t.same(events(one), ['meta-returned'])
  },
)

t.test('at the end of a drive what it has read from memory can be read by others', async (t) => {
  const vault = withDirectory(t)
  const meta = vault.meta('/d')
  const session = vault.on(1)
  session.list('/d')
  rmSync(meta)
  t.equal(session.read('/d/f').toString(), 'one')
  vault.skew = 0
  session.drive.sync()
  t.notOk(existsSync(meta), 'a client may be in the middle of something')
  vault.skew += 4000
  session.drive.sync()
  t.ok(existsSync(meta))
  session.close()
  t.equal(vault.on(2).read('/d/f').toString(), 'one')
})

t.test('one with a long name, of which the client has left what was edited alone', async (t) => {
  const vault = new Shared(t)
  const long = `/${'D'.repeat(200)}`
  const before = vault.on(1)
  before.mkdir(long)
  before.write(`${long}/b`, 'edited')
  const edited = vault.blob(`${long}/b`)
  const bytes = readFileSync(edited)
  const two = vault.on(2)
  two.list(long)
  two.close()
  // one has deleted it, and the other has edited a file in it
  before.unlink(`${long}/b`)
  before.rmdir(long)
  before.close()
  mkdirSync(dirname(edited))
  writeFileSync(edited, bytes)
  for (const device of [1, 2]) {
    const session = vault.on(device)
    t.same([...session.list('/').keys()], [long.slice(1)], `machine ${String(device)}`)
    t.equal(session.read(`${long}/b`).toString(), 'edited')
  }
})

t.test('renamed on both: each machine reads both, and goes on renaming', async (t) => {
  const vault = withDirectory(t)
  vault.on(2).list('/d')
  vault.on(2).close()
  const folder = vault.blob('/d')
  const aside = join(vault.state, 'aside')
  cpSync(folder, aside, { recursive: true })
  const one = vault.on(1)
  one.rename('/d', '/by one')
  const hidden = vault.blob('/by one')
  renameSync(hidden, `${aside}-one`)
  cpSync(aside, folder, { recursive: true })
  const two = vault.on(2)
  two.rename('/d', '/x')
  two.rename('/x', '/by two')
  renameSync(`${aside}-one`, hidden)
  let sessions = [one, two]
  const both = (message: string, paths: string[]): void => {
    for (const session of sessions)
      for (const path of paths) t.equal(session.read(`${path}/f`).toString(), 'one', message)
  }
  both('side by side', ['/by one', '/by two'])
  sessions = [vault.again(1), vault.again(2)]
  both('after a mount', ['/by two', '/by one'])
  sessions[1]!.rename('/by two', '/k')
  sessions[1]!.rename('/by one', '/m')
  both('after more renames', ['/k', '/m'])
  sessions = [vault.again(1), vault.again(2)]
  both('and a mount', ['/m', '/k'])
})

function renamedAndEdited(t: Test, by: 1 | 2): void {
  const vault = withDirectory(t)
  const long = 'ü'.repeat(100)
  let one = vault.on(1)
  one.write(`/d/${long}`, 'long')
  one.write('/d/to go', 'x')
  one.write('/came', 'from outside')
  one.close()
  let two = vault.on(2)
  for (const path of ['/d', '/d/sub']) two.list(path)
  two.close()
  const folder = vault.blob('/d')
  const aside = join(vault.state, 'aside')
  cpSync(folder, aside, { recursive: true })
  one = vault.on(1)
  one.rename('/d', '/e')
  one.unlink('/e/to go')
  one.unlink(`/e/${long}`)
  one.close()
  // meanwhile, on the other
  const hidden = vault.blob('/e')
  renameSync(hidden, `${aside}-renamed`)
  cpSync(aside, folder, { recursive: true })
  two = vault.on(2)
  const file = two.open('/d/f')
  file.write(0, Buffer.from('edited'))
  file.close()
  two.write('/d/sub/new', 'below')
  two.mkdir('/d/made')
  two.write('/d/made/in it', 'made')
  two.rename('/came', '/d/came')
  two.close()
  // the client removes what the other has renamed, and keeps what was changed or made
  for (const name of ['to go', 'sub/g']) rmSync(vault.blob(`/d/${name}`))
  for (const path of ['/d/sub', '/d']) rmSync(vault.meta(path))
  renameSync(`${aside}-renamed`, hidden)
  one = vault.on(1)
  two = vault.on(2)
  for (const session of [one, two]) {
    t.same([...session.list('/e').keys()].sort(), ['f', 'sub'])
  }
  t.equal(one.read('/d/f').toString(), 'edited', 'whoever renamed it reads it where it lies')
  t.equal(one.read('/d/sub/new').toString(), 'below')
  t.equal(one.read('/d/made/in it').toString(), 'made')
  t.equal(one.read('/e/f').toString(), 'one', 'and it is none of the new place yet')
  t.equal(two.read('/d/f').toString(), 'edited', 'whoever edited in it goes on')
  one.drive.tend()
  two.drive.tend()
  t.ok(existsSync(folder))
  vault.skew += TEN_MINUTES + 1000
  const [at, late] = by === 1 ? [one, 'meta-returned'] : [two, 'meta-remembered']
  at.drive.tend()
  t.notOk(existsSync(folder), 'nothing is left of the old one')
  t.match([at.log[0], at.log.at(-1)], [{ event: late }, { event: 'brought-home' }])
  t.same(at.drive.counters.late, [])
  for (const session of [one, two, vault.open()]) {
    t.notOk(session.exists('/d'))
    t.same([...session.list('/e').keys()].filter((name) => !name.includes('conflict')).sort(), [
      'came',
      'f',
      'made',
      'sub',
      long,
    ])
    t.equal(session.read('/e/f').toString(), 'one', 'the version that was there')
    t.equal(session.read('/e/sub/new').toString(), 'below')
    t.equal(session.read('/e/sub/g').toString(), 'two')
    t.equal(session.read('/e/made/in it').toString(), 'made')
    t.equal(session.read('/e/came').toString(), 'from outside')
    t.equal(session.read(`/e/${long}`).toString(), 'long')
  }
  const [copy, ...others] = readdirSync(vault.blob('/e')).filter((name) =>
    name.includes(' (conflict '),
  )
  t.same(others, [])
  rmSync(vault.blob('/e/f'))
  renameSync(join(vault.blob('/e'), copy!), join(vault.blob('/e'), copy!.replace(/ \(.*\)/, '')))
  t.equal(vault.open().read('/e/f').toString(), 'edited', 'and the other, beside it')
}

t.test('renamed on one machine, edited on the other: the edit goes where it is', async (t) => {
  renamedAndEdited(t, 1)
})

t.test('by the machine that has edited it, too', async (t) => {
  renamedAndEdited(t, 2)
})

t.test('renamed, and made anew: only what is of the old one goes home', async (t) => {
  const vault = withDirectory(t)
  vault.on(2).list('/d')
  const folder = vault.blob('/d')
  const edited = vault.blob('/d/f')
  const bytes = readFileSync(edited)
  const one = vault.on(1)
  one.rename('/d', '/e')
  const meta = vault.meta('/e')
  const sealed = readFileSync(meta)
  one.mkdir('/d')
  one.write('/d/mine', 'new')
  const metas = vault.metas('/d')
  // the client keeps what another machine has changed at the old place
  writeFileSync(edited, bytes)
  const again = vault.again(1)
  t.same([...again.list('/d').keys()].sort(), ['f', 'mine'])
  vault.skew += TEN_MINUTES + 1000
  again.drive.tend()
  t.same(vault.metas('/d'), metas, 'the old meta has not come back')
  t.same(readFileSync(meta), sealed, 'nor is it sealed anew where it is')
  t.equal(readdirSync(vault.blob('/e')).filter((name) => name.includes(' (conflict ')).length, 1)
  for (const session of [again, vault.on(2), vault.open()]) {
    t.same([...session.list('/d').keys()], ['mine'])
    t.equal(session.read('/d/mine').toString(), 'new')
    t.equal(session.read('/e/f').toString(), 'one')
    t.equal(session.read('/e/sub/g').toString(), 'two')
  }
  t.ok(existsSync(folder))
})

t.test('a conflict copy under an id that has gone is shown in the new directory', async (t) => {
  const vault = withDirectory(t)
  const f = vault.blob('/d/f')
  const bytes = readFileSync(f)
  const one = vault.on(1)
  one.unlink('/d/f')
  one.unlink('/d/sub/g')
  one.rmdir('/d/sub')
  one.rmdir('/d')
  one.mkdir('/d')
  one.write('/d/new', 'x')
  const session = vault.again(1)
  t.same([...session.list('/d').keys()], ['new'])
  writeFileSync(f.replace('.cff', ' (conflict_on_2026-11-29).cff'), bytes)
  vault.skew += 2000
  const shown = 'f (conflict, 2026-11-29)'
  t.same([...session.list('/d').keys()].sort(), [shown, 'new'])
  t.equal(session.read(`/d/${shown}`).toString(), 'one')
})
