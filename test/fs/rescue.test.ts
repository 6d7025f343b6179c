// The cloud replaces, moves or deletes a blob that is open for writing here: what was written is kept.

import { join } from 'node:path'
import {
  copyFileSync,
  cpSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import t, { type Test } from 'tap'
import { CofferError } from '../../lib/errors.js'
import { SEAL_EVERY_MS } from '../../lib/fs/file-body.js'
import { emptyAttributes } from '../../lib/fs/filesystem.js'
import { Later } from '../../lib/fs/later.js'
import { numberedByName } from '../../lib/store/backing-by-name.js'
import { openBacking, type Backing } from '../../lib/store/backing.js'
import { needs } from '../needs.js'
import { noise } from '../posix/folder.js'
import { TestVault, type OpenFile, type Session } from './session.js'

const CONFLICT = /^a \(conflict, \d{4}-\d\d-\d\d\)\.txt$/

function prepare(t: Test): { vault: TestVault; blob: string; older: Buffer } {
  const vault = new TestVault()
  t.teardown(() => {
    vault.remove()
  })
  const session = vault.open()
  session.write('/a.txt', 'what the other machine has')
  session.close()
  const blob = vault.blob('/a.txt')
  const older = readFileSync(blob)
  return { vault, blob, older }
}

/** Opens /a.txt, writes to it, lets the cloud act, closes; then what a new drive shows. */
function edit(vault: TestVault, cloud: () => void, backing?: Backing): Map<string, string> {
  const session = vault.open(backing === undefined ? {} : { backing })
  const file = session.open('/a.txt')
  file.write(0, Buffer.from('WHAT'))
  cloud()
  file.write(4, Buffer.from(' WE WROTE'))
  file.close()
  session.close()
  const again = vault.open()
  const shown = new Map<string, string>()
  for (const name of again.list('/').keys()) shown.set(name, again.read(`/${name}`).toString())
  again.close()
  return shown
}

const OURS = 'WHAT WE WROTEr machine has'

t.test('replaced by another version', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, blob, older } = prepare(t)
  const shown = edit(vault, () => {
    writeFileSync(`${blob}.new`, older)
    renameSync(`${blob}.new`, blob)
  })
  t.equal(shown.size, 2)
  t.equal(shown.get('a.txt'), 'what the other machine has')
  const ours = [...shown.keys()].find((name) => CONFLICT.test(name))
  t.equal(shown.get(ours ?? ''), OURS)
})

t.test('deleted', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, blob } = prepare(t)
  const shown = edit(vault, () => {
    rmSync(blob)
  })
  t.same([...shown], [['a.txt', OURS]])
})

t.test('replaced or deleted after the drive has sealed by itself', async (t) => {
  if (!needs(t, 'linux')) return
  for (const deleted of [false, true]) {
    for (const way of ['sync', 'close'] as const) {
      const { vault, blob, older } = prepare(t)
      const session = vault.open()
      const file = session.open('/a.txt')
      file.write(0, Buffer.from('WHAT WE WROTE'))
      vault.skew += SEAL_EVERY_MS + 1
      session.drive.tend()
      t.not(readFileSync(blob).equals(older), true, 'it is sealed')
      if (deleted) rmSync(blob)
      else {
        writeFileSync(`${blob}.new`, older)
        renameSync(`${blob}.new`, blob)
      }
      file[way]()
      const names = [...session.list('/').keys()]
      const ours = names.find((name) => deleted || CONFLICT.test(name))
      t.equal(names.length, deleted ? 1 : 2, way)
      t.equal(session.read(`/${ours ?? ''}`).toString(), OURS)
      if (way === 'sync') file.close()
      session.close()
    }
  }
})

t.test('replaced after a program has synced what it wrote', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, blob, older } = prepare(t)
  const session = vault.open()
  const file = session.open('/a.txt')
  file.write(0, Buffer.from('WHAT WE WROTE'))
  file.sync()
  // as with any version that the client has had its time to see
  writeFileSync(`${blob}.new`, older)
  renameSync(`${blob}.new`, blob)
  file.sync()
  file.close()
  t.same([...session.list('/').keys()], ['a.txt'])
  t.equal(session.read('/a.txt').toString(), 'what the other machine has')
  session.close()
})

const engines: Record<string, Backing> = {
  'no files without a name': { ...openBacking(), createUnnamed: () => -1 },
  'no inodes': numberedByName(openBacking()),
}

for (const [what, backing] of Object.entries(engines)) {
  t.test(`deleted on an engine that has ${what}`, async (t) => {
    if (!needs(t, 'linux')) return
    const { vault, blob } = prepare(t)
    const litter = (): string[] =>
      readdirSync(`${vault.folder}/data`).filter((name) => name.startsWith('~$'))
    const shown = edit(
      vault,
      () => {
        rmSync(blob)
      },
      backing,
    )
    t.same([...shown], [['a.txt', OURS]])
    t.same(litter(), [])

    let names: string[] = []
    const failing = {
      ...backing,
      rename: () => {
        names = litter()
        throw new CofferError('EIO', 'planted')
      },
    }
    const session = vault.open({ backing: failing })
    const file = session.open('/a.txt')
    file.write(0, Buffer.from('WHAT'))
    rmSync(vault.blob('/a.txt'))
    t.throws(
      () => {
        file.close()
      },
      { code: 'EIO' },
    )
    t.equal(names.length, 1, 'it has a name of its own meanwhile')
    session.close()
    t.same(litter(), [], 'which ends with the file')
  })
}

/** As SSHFS: of an open file it tells the size of what bears its name now, here a shorter one, until it is cut. */
function namesakes(): Backing {
  const inner = openBacking()
  const cut = new Set<number>()
  return {
    ...inner,
    statFd: (fd, out) => {
      inner.statFd(fd, out)
      if (!cut.has(fd) && out.nlink === 0) out.size = 1030
    },
    truncate: (fd, length) => {
      cut.add(fd)
      inner.truncate(fd, length)
    },
    close: (fd) => {
      cut.delete(fd)
      inner.close(fd)
    },
  }
}

for (const what of [...Object.keys(engines), 'no inodes, and attributes by name']) {
  t.test(`replaced on an engine that has ${what}`, async (t) => {
    if (!needs(t, 'linux')) return
    const { vault, blob, older } = prepare(t)
    const shown = edit(
      vault,
      () => {
        writeFileSync(`${blob}.new`, older)
        renameSync(`${blob}.new`, blob)
      },
      engines[what] ?? numberedByName(namesakes()),
    )
    const ours = [...shown.keys()].find((name) => CONFLICT.test(name))
    t.equal(shown.get('a.txt'), 'what the other machine has')
    t.equal(shown.get(ours ?? ''), OURS)
  })
}

t.test('written over in place, on an engine that has no inodes: no copy', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, blob, older } = prepare(t)
  const session = vault.open({ backing: numberedByName(openBacking()) })
  const file = session.open('/a.txt')
  file.write(0, Buffer.from('what was here'))
  file.sync()
  file.write(0, Buffer.from('WHAT'))
  writeFileSync(blob, older)
  t.throws(
    () => {
      file.close()
    },
    { code: 'OBJECT_SUPERSEDED' },
  )
  t.same([...session.list('/').keys()], ['a.txt'])
  t.equal(session.read('/a.txt').toString(), 'what the other machine has')
  session.close()
})

t.test('the log names the blob', async (t) => {
  if (!needs(t, 'linux')) return
  const vault = new TestVault()
  t.teardown(() => {
    vault.remove()
  })
  const session = vault.open()
  session.mkdir('/d')
  session.mkdir('/d/e')
  session.write('/d/e/a.txt', 'what the other machine has')
  const [folder, blob] = ['/d/e', '/d/e/a.txt'].map((path) => vault.blob(path)) as [string, string]
  const told = () =>
    session.log
      .splice(0)
      .filter(({ event }) => event === 'conflict')
      .map(({ message, ...where }) => [message.split(' ').slice(0, 4).join(' '), where])
  const where = (file: string, path: string) => ({
    level: 'warn',
    event: 'conflict',
    blob: file.slice(vault.folder.length + 1),
    path,
  })
  const file = session.open('/d/e/a.txt')
  file.write(0, Buffer.from('WHAT'))
  copyFileSync(blob, `${blob}.new`)
  renameSync(`${blob}.new`, blob)
  file.close()
  t.same(told(), [
    ['the blob of an', where(blob, '/d/e/a.txt')],
    ['a file of the', where(blob, '/d/e/a.txt')],
  ])
  const again = session.open('/d/e/a.txt')
  again.write(0, Buffer.from('WHAT'))
  rmSync(folder, { recursive: true })
  again.close()
  t.same(told()[0], ['a directory was deleted', where(folder, '/d/e')])
  session.close()
})

t.test('taken away and another put there, twice', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, blob, older } = prepare(t)
  const replace = () => {
    writeFileSync(`${blob}.new`, older)
    renameSync(`${blob}.new`, blob)
  }
  edit(vault, replace)
  const shown = edit(vault, replace)
  t.equal(shown.size, 3, 'each conflict copy has a name of its own')
  t.equal([...shown.values()].filter((content) => content === OURS).length, 2)
})

t.test('changed in place by nobody: no copy', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, blob } = prepare(t)
  const shown = edit(vault, () => {
    copyFileSync(blob, `${vault.folder}/elsewhere`)
  })
  t.same([...shown], [['a.txt', OURS]])
})

t.test('extended attributes come along', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, blob, older } = prepare(t)
  const session = vault.open()
  const file = session.open('/a.txt')
  session.drive.setxattr(file.nodeid, 'colour', Buffer.from('red'), 0)
  file.write(0, Buffer.from('WHAT'))
  writeFileSync(`${blob}.new`, older)
  renameSync(`${blob}.new`, blob)
  file.close()
  const ours = [...session.list('/').keys()].find((name) => CONFLICT.test(name)) ?? ''
  const colour = session.at(`/${ours}`, (nodeid) => session.drive.getxattr(nodeid, 'colour'))
  t.equal(Buffer.from(colour).toString(), 'red')
  session.close()
})

t.test('one of two names replaced: the other one keeps the file', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, older } = prepare(t)
  const before = vault.open()
  before.mkdir('/d')
  before.link('/a.txt', '/d/b.txt')
  before.close()
  for (const seen of ['/d/b.txt', '/a.txt']) {
    const blob = vault.blob('/a.txt')
    const session = vault.open()
    session.stat(seen)
    const file = session.open('/a.txt')
    session.stat('/d/b.txt')
    file.write(0, Buffer.from('WHAT'))
    writeFileSync(`${blob}.new`, older)
    renameSync(`${blob}.new`, blob)
    file.write(4, Buffer.from(' WE WROTE'))
    file.close()
    t.equal(session.read('/d/b.txt').toString(), OURS)
    t.equal(session.read('/a.txt').toString(), 'what the other machine has')
    session.unlink('/a.txt')
    session.link('/d/b.txt', '/a.txt')
    session.close()
  }
  const shown = [...vault.judge()].map(([path, { content }]) => [path, content.toString()])
  t.same(Object.fromEntries(shown), { '/d': '', '/d/b.txt': OURS, '/a.txt': OURS })
})

t.test('two of three names replaced, the third not seen: no copy', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, older } = prepare(t)
  const before = vault.open()
  for (const path of ['/b.txt', '/c.txt']) before.link('/a.txt', path)
  before.close()
  const shown = edit(vault, () => {
    const blob = vault.blob('/a.txt')
    writeFileSync(`${blob}.new`, older)
    renameSync(`${blob}.new`, blob)
  })
  t.same(Object.fromEntries(shown), {
    'a.txt': 'what the other machine has',
    'b.txt': OURS,
    'c.txt': OURS,
  })
})

t.test('every known name replaced: the file goes on beside them', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, older } = prepare(t)
  const session = vault.open()
  session.mkdir('/d')
  session.link('/a.txt', '/d/b.txt')
  const blobs = ['/a.txt', '/d/b.txt'].map((path) => vault.blob(path))
  const file = session.open('/a.txt')
  file.write(0, Buffer.from('WHAT WE WROTE'))
  for (const blob of blobs) {
    writeFileSync(`${blob}.new`, older)
    renameSync(`${blob}.new`, blob)
  }
  file.close()
  session.close()
  const again = vault.open()
  const paths = ['', '/d'].flatMap((at) =>
    [...again.list(at).keys()].map((name) => `${at}/${name}`),
  )
  const ours = paths.filter((path) => path.includes(' (conflict'))
  t.equal(ours.length, 1)
  t.equal(again.read(ours[0] ?? '').toString(), OURS)
  again.close()
})

const LARGE = noise(9 * 1024 * 1024, 3)

/** An open large file whose blob was replaced, with a change that is not sealed, and the drive that has it. */
function largeRescue(t: Test): { vault: TestVault; session: Session; file: OpenFile } {
  const vault = new TestVault()
  t.teardown(() => {
    vault.remove()
  })
  const before = vault.open()
  before.write('/a.txt', LARGE)
  before.write('/b.txt', 'another')
  before.at('/a.txt', (nodeid) => {
    before.drive.setxattr(nodeid, 'colour', Buffer.from('red'), 0)
  })
  before.close()
  const session = vault.open({ parks: true })
  const file = session.open('/a.txt')
  file.write(5, Buffer.from('OURS'))
  const blob = vault.blob('/a.txt')
  copyFileSync(blob, `${blob}.new`)
  renameSync(`${blob}.new`, blob)
  return { vault, session, file }
}

function laterOf(act: () => unknown): Later {
  try {
    act()
  } catch (error) {
    if (error instanceof Later) return error
    throw error
  }
  throw new Error('it did not wait')
}

t.test('a large one is copied aside, and others are served meanwhile', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, session, file } = largeRescue(t)
  const { drive } = session
  const later = laterOf(() => {
    drive.flush(file.fh)
  })
  t.match(later.job, { what: 'copy', durable: true })
  session.write('/c.txt', 'new')
  t.equal(session.read('/b.txt').toString(), 'another')
  t.equal(file.read(5, 4).toString(), 'OURS', 'the file itself can be read')
  for (const change of [
    () => {
      file.write(0, Buffer.from('later'))
    },
    () => {
      drive.setattr(file.nodeid, { size: 100 }, emptyAttributes())
    },
    () => {
      drive.fsync(file.fh)
    },
    () => {
      drive.fallocate(file.fh, 3, 0, 100)
    },
    () => {
      drive.release(file.fh)
    },
  ])
    t.equal(laterOf(change), later, 'whoever changes it waits for the same')
  later.now()
  file.write(0, Buffer.from('then'))
  file.close()
  session.close()
  const ours = Buffer.from(LARGE)
  ours.write('then')
  ours.write('OURS', 5)
  const shown = vault.judge()
  const name = [...shown.keys()].find((path) => CONFLICT.test(path.slice(1))) ?? ''
  t.ok(shown.get(name)?.content.equals(ours), 'what was written')
  t.ok(shown.get('/a.txt')?.content.equals(LARGE), 'what the cloud has')
  const again = vault.open()
  const colour = again.at(name, (nodeid) => again.drive.getxattr(nodeid, 'colour'))
  t.equal(Buffer.from(colour).toString(), 'red')
  again.close()
})

t.test(
  'what nobody closes is copied when its seal is due; the end of the drive waits',
  async (t) => {
    if (!needs(t, 'linux')) return
    const { vault, session } = largeRescue(t)
    t.not(session.drive.tend(), undefined)
    vault.skew += 6000
    const later = laterOf(() => session.drive.tend())
    t.equal(
      laterOf(() => session.drive.tend()),
      later,
    )
    session.drive.sync()
    t.not(later.outcome, null)
    session.close()
    t.equal([...vault.judge().keys()].filter((path) => CONFLICT.test(path.slice(1))).length, 1)
  },
)

t.test('a copy that fails is told, and tried again', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, session, file } = largeRescue(t)
  const flush = (): void => {
    session.drive.flush(file.fh)
  }
  laterOf(flush).settle({ error: new CofferError('ENOSPC', 'no room') })
  t.throws(flush, { code: 'ENOSPC' })
  laterOf(flush).now()
  flush()
  file.close()
  session.close()
  t.equal([...vault.judge().keys()].filter((path) => CONFLICT.test(path.slice(1))).length, 1)
})

t.test('holes of what is copied stay holes', async (t) => {
  if (!needs(t, 'linux')) return
  const vault = new TestVault()
  t.teardown(() => {
    vault.remove()
  })
  const session = vault.open()
  session.write('/a.txt', 'begin')
  const file = session.open('/a.txt')
  file.write(2 ** 31, Buffer.from('end'))
  session.drive.fsync(file.fh)
  file.write(0, Buffer.from('BEGIN'))
  const blob = vault.blob('/a.txt')
  renameSync(blob, join(vault.folder, 'elsewhere'))
  file.close()
  const { size, blocks } = session.stat('/a.txt')
  t.equal(size, 2 ** 31 + 3)
  t.ok(blocks * 512 < 2 ** 20, 'and take no room')
  t.equal(session.open('/a.txt').read(0, 5).toString(), 'BEGIN')
  session.close()
})

t.test('what waits in memory and what lies beyond the seal come along', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, older, blob } = prepare(t)
  const before = vault.open()
  const long = noise(100_000, 5)
  before.write('/long', long)
  before.close()
  const { size } = statSync(vault.blob('/long'))
  const session = vault.open()
  const file = session.open('/long')
  const more = noise(300_000, 6)
  file.write(100_000, more)
  file.write(40_000, Buffer.from('inside'))
  const old = vault.blob('/long')
  const elsewhere = join(vault.folder, 'elsewhere')
  renameSync(old, elsewhere)
  session.drive.flush(file.fh)
  t.equal(statSync(elsewhere).size, size, 'the old blob ends where its seal says')
  file.write(400_000, Buffer.from('end'))
  file.write(0, Buffer.from('start'))
  session.drive.fsync(file.fh)
  file.close()
  session.close()
  const whole = Buffer.concat([long, more, Buffer.from('end')])
  whole.write('inside', 40_000)
  whole.write('start')
  t.ok(vault.judge().get('/long')?.content.equals(whole))
  t.ok(readFileSync(blob).equals(older))
})

t.test('an empty file is sealed when its last handle goes', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault } = prepare(t)
  const session = vault.open({ parks: true })
  session.create('/empty').close()
  t.ok(session.exists('/empty'))
  session.close()
  t.ok(vault.judge().has('/empty'))
})

/** A machine that remembers, with /d/sub/f open and changed while the cloud acts. */
function editBelow(
  t: Test,
  cloud: (vault: TestVault, session: Session) => void,
): { vault: TestVault; session: Session } {
  const vault = new TestVault()
  t.teardown(() => {
    vault.remove()
  })
  const session = vault.open({ journalFolder: vault.state, watched: true })
  session.mkdir('/d', 0o750)
  session.mkdir(`/d/${LONG}`)
  session.write(`/d/${LONG}/f`, 'what the other machine has')
  const file = session.open(`/d/${LONG}/f`)
  file.write(0, Buffer.from('WHAT'))
  const made = session.create(`/d/${LONG}/new`)
  made.write(0, Buffer.from('made here'))
  cloud(vault, session)
  session.drive.tend()
  file.write(4, Buffer.from(' WE WROTE'))
  file.close()
  made.close()
  return { vault, session }
}

const LONG = 'x'.repeat(200)

t.test('deleted with the directories above it', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, session } = editBelow(t, (vault) => {
    rmSync(vault.blob('/d'), { recursive: true })
  })
  for (const at of [session, vault.open()]) {
    t.equal(at.read(`/d/${LONG}/f`).toString(), OURS)
    t.equal(at.read(`/d/${LONG}/new`).toString(), 'made here')
    t.equal(at.stat('/d').mode & 0o777, 0o750)
  }
  const left = readdirSync(`${vault.folder}/data`, { recursive: true, encoding: 'utf8' })
  t.same(
    left.filter((name) => name.startsWith('~$')),
    [],
  )
  t.ok(
    left.some((name) => name.endsWith('.cfn')),
    'the sidecar of the long one, too',
  )
})

t.test(
  'in a directory that another machine has renamed, and a client has brought anew',
  async (t) => {
    if (!needs(t, 'linux')) return
    const { vault, session } = editBelow(t, (vault, session) => {
      const other = vault.open({ device: 2 })
      other.rename('/d', '/e')
      other.close()
      const folder = vault.blob('/e')
      cpSync(folder, `${folder}.new`, { recursive: true })
      rmSync(folder, { recursive: true })
      renameSync(`${folder}.new`, folder)
      session.list(`/e/${LONG}`)
    })
    t.notOk(session.exists('/d'))
    for (const at of [session, vault.open()]) {
      const names = [...at.list(`/e/${LONG}`).keys()].sort()
      t.match(names, ['f', /^f \(conflict, /, 'new'])
      const read = (name = ''): string => at.read(`/e/${LONG}/${name}`).toString()
      t.same(names.map(read), ['what the other machine has', OURS, 'made here'])
    }
  },
)
