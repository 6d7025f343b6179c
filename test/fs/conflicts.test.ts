// Conflict copies of sync clients: shown under names of their own, and files like any other. FORMAT.md §7.

import {
  copyFileSync,
  cpSync,
  existsSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { constants } from 'node:os'
import { basename, dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { openBacking } from '../../lib/store/backing.js'
import { needs } from '../needs.js'
import { AttackedVault, LONG } from './attacked.js'
import { TestVault, type Session } from './session.js'

if (!needs(t, 'linux')) process.exit(0)

const { EIO } = constants.errno
const RENAME_EXCHANGE = 2
const SHOWN = "report (conflict, Anna's Mac, 2026-11-23).pdf"
const DROPBOX = "B (Anna's Mac's conflicted copy 2026-11-23)~"

/** The name that a client gives to a copy: "B" is the base, "~" the extension. */
const put = (blob: string, pattern: string): string => {
  const [base, extension] = [basename(blob).slice(0, -4), blob.slice(-4)]
  return join(dirname(blob), base + pattern.slice(1).replace('~', extension))
}

/** At rest: two versions of /report.pdf, the older one renamed by a client. */
function twoVersions(t: Test, pattern = DROPBOX, path = '/report.pdf') {
  const vault = new TestVault(12)
  t.teardown(() => {
    vault.remove()
  })
  const session = vault.open()
  session.write(path, 'theirs')
  const blob = vault.blob(path)
  const copy = put(blob, pattern)
  copyFileSync(blob, copy)
  session.setattr(path, { size: 0 })
  const file = session.open(path)
  file.write(0, Buffer.from('ours'))
  file.close()
  session.close()
  vault.skew += 10_000
  return { vault, blob, copy }
}

const content = (session: Session, path: string): string => session.read(path).toString()
const names = (session: Session, path = ''): string[] => [...session.list(path).keys()].sort()

/** What the drive shows is what the oracle reads, and nothing is a conflict any more. */
function settled(t: Test, vault: TestVault, expected: Record<string, string>): void {
  t.same(vault.judgeConflicts(), [], 'no conflict copy is left')
  const seen = [...vault.judge()].map(([path, node]) => [
    path,
    node.problem ?? node.content.toString(),
  ])
  t.same(Object.fromEntries(seen), expected, 'by the oracle')
  const session = vault.open()
  for (const [path, text] of Object.entries(expected)) {
    if (session.type(path) === 'file') t.equal(content(session, path), text, path)
  }
  session.close()
}

t.test('listed, looked up, read', async (t) => {
  for (const [pattern, shown] of [
    [DROPBOX, SHOWN],
    ['B 2~', 'report (conflict).pdf'],
    ['B~ (1)', 'report (conflict).pdf'],
    ['B-DESKTOP-1~', 'report (conflict, DESKTOP-1).pdf'],
    [
      'B.sync-conflict-20261123-101010-ABCDEFG~',
      'report (conflict, ABCDEFG, 2026-11-23 10.10.10).pdf',
    ],
    ['B~.Conflict', 'report (conflict).pdf'],
  ] as const) {
    const { vault, copy } = twoVersions(t, pattern)
    for (const options of [{}, { readOnly: true }, { portable: true }]) {
      const session = vault.open(options)
      t.equal(content(session, `/${shown}`), 'theirs', `${pattern}, before any listing`)
      t.equal(session.stat(`/${shown}`).size, 6)
      t.same(names(session), [shown, 'report.pdf'])
      t.equal(content(session, '/report.pdf'), 'ours')
      session.list('')
      const told = session.log.filter(({ event }) => event === 'conflict')
      t.match(told, [{ level: 'info', path: `/${shown}`, blob: `data/${basename(copy)}` }])
      t.equal(told.length, 1, 'said once')
      t.notOk(session.log.some(({ event }) => event === 'foreign-file'))
      t.equal(session.drive.counters.foreignFiles, 0)
      session.close()
    }
    t.match(vault.judgeConflicts(), [{ of: '/report.pdf', problem: null }])
    t.equal(vault.judgeConflicts()[0]?.content.toString(), 'theirs')
  }
})

t.test('a version that coffer brought home bears the name of its device', async (t) => {
  const { vault } = twoVersions(t, 'B (conflict 20261123-5)~')
  const shown = (): string[] => {
    const session = vault.open()
    const found = names(session)
    session.close()
    return found
  }
  t.same(shown(), ['report (conflict, 20261123-5).pdf', 'report.pdf'])
  for (const device of [`20261123${'0'.repeat(24)}`, 'e0'.repeat(16)]) {
    vault.devices.push({ id: device, name: `PC ${device.slice(0, 2)}`, since: '' })
    t.same(shown(), ['report (conflict, PC 20).pdf', 'report.pdf'])
  }
})

t.test('a name that is not there costs a listing only where it looks like a copy', async (t) => {
  const { vault } = twoVersions(t)
  let listings = 0
  const system = openBacking()
  const backing = Object.assign(Object.create(system) as typeof system, {
    list(dirfd: number): string[] {
      listings++
      return system.list(dirfd)
    },
  })
  const session = vault.open({ backing })
  t.ok(session.exists('/report.pdf'))
  listings = 0
  t.notOk(session.exists('/nothing.pdf'))
  t.notOk(session.exists('/nothing (1).pdf'))
  t.ok(session.exists('/report.pdf'))
  t.equal(listings, 0)
  t.notOk(session.exists('/nothing (conflict).pdf'))
  t.equal(listings, 1)
  t.ok(session.exists(`/${SHOWN}`))
  t.equal(listings, 1, 'what is known costs none')
  session.close()
})

t.test('shown names stay as they are when another copy comes', async (t) => {
  const { vault, blob, copy } = twoVersions(t, 'B (5)~')
  const session = vault.open()
  const first = 'report (conflict).pdf'
  t.same(names(session), [first, 'report.pdf'])
  const { ino } = session.stat(`/${first}`)
  copyFileSync(copy, put(blob, 'B (2)~'))
  t.ok(session.exists('/report (conflict, 2).pdf'), 'looked up before a listing')
  copyFileSync(copy, put(blob, 'B (1)~'))
  t.same(names(session), [
    first,
    'report (conflict, 2).pdf',
    'report (conflict, 3).pdf',
    'report.pdf',
  ])
  t.equal(session.stat(`/${first}`).ino, ino, 'the first is the first')
  rmSync(put(blob, 'B (2)~'))
  t.notOk(session.exists('/report (conflict, 2).pdf'))
  t.same(names(session), [first, 'report (conflict, 3).pdf', 'report.pdf'])
  t.throws(() => session.create(`/${first}`), { code: 'EEXIST' })
  session.close()
  const again = vault.open()
  const [one = '', two = ''] = names(again)
  t.same([one, two], ['report (conflict).pdf', 'report (conflict, 2).pdf'])
  again.write('/x', 'a real one')
  again.rename('/x', `/${one}`)
  t.equal(content(again, `/${one}`), 'a real one', 'a rename replaces the copy')
  t.equal(content(again, `/${two}`), 'theirs')
  t.same(names(again), [one, two, 'report.pdf'])
  again.close()
})

t.test('mv keeps it', async (t) => {
  const { vault, copy } = twoVersions(t)
  const session = vault.open()
  session.rename(`/${SHOWN}`, '/kept.pdf')
  t.notOk(existsSync(copy))
  t.equal(content(session, '/kept.pdf'), 'theirs')
  session.close()
  settled(t, vault, { '/report.pdf': 'ours', '/kept.pdf': 'theirs' })
})

t.test('mv into another folder, and straight after an edit', async (t) => {
  const { vault } = twoVersions(t)
  const session = vault.open()
  session.mkdir('/d')
  const file = session.open(`/${SHOWN}`)
  file.write(0, Buffer.from('THEIRS'))
  session.rename(`/${SHOWN}`, '/d/kept')
  file.close()
  session.close()
  settled(t, vault, { '/d': '', '/d/kept': 'THEIRS', '/report.pdf': 'ours' })
})

t.test('mv over the other version takes its place', async (t) => {
  const { vault, blob } = twoVersions(t)
  const session = vault.open()
  session.rename(`/${SHOWN}`, '/report.pdf')
  session.close()
  settled(t, vault, { '/report.pdf': 'theirs' })
  t.equal(vault.blob('/report.pdf'), blob, 'under the backing name of that')
  const again = vault.open()
  const file = again.open('/report.pdf')
  file.write(0, Buffer.from('edited'))
  file.close()
  again.close()
  settled(t, vault, { '/report.pdf': 'edited' })
})

t.test('a file that is moved over it replaces it', async (t) => {
  const { vault, copy } = twoVersions(t)
  const session = vault.open()
  session.rename('/report.pdf', `/${SHOWN}`)
  t.notOk(existsSync(copy))
  session.close()
  settled(t, vault, { [`/${SHOWN}`]: 'ours' })
})

t.test('rm deletes it', async (t) => {
  const { vault, copy } = twoVersions(t)
  const session = vault.open()
  session.unlink(`/${SHOWN}`)
  t.notOk(existsSync(copy))
  t.same(names(session), ['report.pdf'])
  session.close()
  settled(t, vault, { '/report.pdf': 'ours' })
})

t.test('an edit moves it to its shown name', async (t) => {
  const edits: [string, (session: Session) => void, string][] = [
    [
      'write',
      (session) => {
        const file = session.open(`/${SHOWN}`)
        const { nodeid } = file
        file.write(0, Buffer.from('T'))
        file.sync()
        file.write(1, Buffer.from('H'))
        t.equal(file.read(0, 10).toString(), 'THeirs')
        file.close()
        t.equal(
          session.at(`/${SHOWN}`, (again) => again),
          nodeid,
          'the same inode',
        )
      },
      'THeirs',
    ],
    [
      'truncate',
      (session) => {
        session.setattr(`/${SHOWN}`, { size: 2 })
      },
      'th',
    ],
    [
      'a name that is taken meanwhile',
      (session) => {
        const file = session.open(`/${SHOWN}`)
        file.write(0, Buffer.from('T'))
        file.close()
        t.same(names(session), [SHOWN, 'report.pdf'])
      },
      'Theirs',
    ],
  ]
  for (const [name, edit, expected] of edits)
    await t.test(name, async (t) => {
      const { vault, copy } = twoVersions(t)
      const session = vault.open({ holdInodes: true })
      edit(session)
      t.notOk(existsSync(copy))
      session.close()
      settled(t, vault, { '/report.pdf': 'ours', [`/${SHOWN}`]: expected })
    })
})

t.test('the shown name has come from elsewhere before the first commit', async (t) => {
  const { vault, copy } = twoVersions(t)
  const other = vault.open()
  const before = join(vault.folder, 'aside')
  renameSync(copy, before)
  other.write(`/${SHOWN}`, 'a real one')
  const arrived = vault.blob(`/${SHOWN}`)
  other.close()
  renameSync(arrived, `${before}-real`)
  renameSync(before, copy)
  const session = vault.open()
  const file = session.open(`/${SHOWN}`)
  renameSync(`${before}-real`, arrived)
  file.write(0, Buffer.from('T'))
  file.close()
  session.close()
  settled(t, vault, {
    '/report.pdf': 'ours',
    [`/${SHOWN}`]: 'a real one',
    "/report (conflict, Anna's Mac, 2026-11-23, 2).pdf": 'Theirs',
  })
})

t.test('chmod, attributes and reading leave it where it is', async (t) => {
  const { vault, copy } = twoVersions(t)
  const session = vault.open()
  session.setattr(`/${SHOWN}`, { mode: 0o600 })
  session.setattr(`/${SHOWN}`, { mode: 0o4700 })
  session.at(`/${SHOWN}`, (nodeid) => {
    session.drive.setxattr(nodeid, 'colour', Buffer.from('red'), 0)
  })
  t.equal(session.stat(`/${SHOWN}`).mode & 0o7777, 0o4700)
  t.equal(content(session, `/${SHOWN}`), 'theirs')
  t.ok(existsSync(copy))
  session.close()
  t.match(vault.judgeConflicts(), [{ problem: null, mode: 0o4700 }])
})

t.test('a hard link to it, and an exchange with it, keep it first', async (t) => {
  const linked = twoVersions(t)
  let session = linked.vault.open()
  session.link(`/${SHOWN}`, '/second')
  session.close()
  settled(t, linked.vault, {
    '/report.pdf': 'ours',
    [`/${SHOWN}`]: 'theirs',
    '/second': 'theirs',
  })
  const exchanged = twoVersions(t)
  session = exchanged.vault.open()
  session.rename(`/${SHOWN}`, '/report.pdf', RENAME_EXCHANGE)
  session.close()
  settled(t, exchanged.vault, { '/report.pdf': 'theirs', [`/${SHOWN}`]: 'ours' })
})

t.test('its blob is replaced while it is open for writing', async (t) => {
  const { vault, copy } = twoVersions(t)
  const session = vault.open()
  const file = session.open(`/${SHOWN}`)
  file.write(0, Buffer.from('T'))
  copyFileSync(copy, `${copy}.new`)
  renameSync(`${copy}.new`, copy)
  file.close()
  t.equal(content(session, `/${SHOWN}`), 'Theirs')
  t.equal(names(session).length, 3)
  session.close()
  t.match(vault.judgeConflicts(), [{ of: '/report.pdf', problem: null }])
  t.equal(vault.judge().get(`/${SHOWN}`)?.content.toString(), 'Theirs')
})

t.test('a blob that a client renames while it is open', async (t) => {
  const { vault, blob, copy } = twoVersions(t)
  rmSync(copy)
  const session = vault.open({ holdInodes: true })
  const file = session.open('/report.pdf')
  file.write(0, Buffer.from('O'))
  renameSync(blob, copy)
  session.list('')
  t.equal(content(session, `/${SHOWN}`), 'Ours')
  file.write(1, Buffer.from('U'))
  file.close()
  session.close()
  settled(t, vault, { [`/${SHOWN}`]: 'OUrs' })
})

t.test('long names: the sidecar stays as long as a version does', async (t) => {
  const path = `/${LONG}`
  const { vault, blob } = twoVersions(t, 'B (1)~', path)
  const sidecar = `${blob.slice(0, -4)}.cfn`
  const shown = `/${'ü'.repeat(100)} (conflict)`
  const session = vault.open()
  t.equal(content(session, shown), 'theirs')
  session.unlink(path)
  t.ok(existsSync(sidecar), 'for the copy')
  session.close()
  rmSync(sidecar)
  const again = vault.open()
  t.equal(content(again, shown), 'theirs', 'known from the seal')
  again.rename(shown, path)
  t.ok(existsSync(sidecar), 'for the file')
  again.unlink(path)
  t.same(readdirSync(join(vault.folder, 'data')), [], 'nothing is left')
  again.close()
})

t.test('a long name whose sidecar a client has removed is known from what bears it', async (t) => {
  const vault = new TestVault(12)
  t.teardown(() => {
    vault.remove()
  })
  const [file, folder] = [`/${LONG}`, `/${LONG.slice(2)}`]
  let session = vault.open()
  session.write('/before', 'text')
  session.mkdir(folder)
  session.write(`${folder}/inside`, 'below')
  vault.skew += 10_000
  session.rename('/before', file)
  session.close()
  for (const path of [file, folder]) rmSync(`${vault.blob(path).slice(0, -4)}.cfn`)
  session = vault.open()
  t.same(names(session), [file.slice(1), folder.slice(1)].sort())
  t.equal(content(session, file), 'text')
  t.equal(content(session, `${folder}/inside`), 'below')
  session.close()
  for (const path of [file, `${folder}/inside`])
    t.equal(vault.judge().get(path)?.problem, null, 'by the oracle')
})

t.test('tickets stay as long as a version needs them', async (t) => {
  const vault = new TestVault(12)
  t.teardown(() => {
    vault.remove()
  })
  const session = vault.open()
  session.write('/before', 'text')
  vault.skew += 10_000
  session.rename('/before', '/after')
  const copy = put(vault.blob('/after'), 'B (1)~')
  copyFileSync(vault.blob('/after'), copy)
  const tickets = (): string[] =>
    readdirSync(join(vault.folder, 'data')).filter((name) => name.endsWith('.cfr'))
  session.close()
  t.equal(tickets().length, 1)
  const again = vault.open()
  t.equal(content(again, '/after (conflict)'), 'text')
  again.unlink('/after')
  t.equal(content(again, '/after (conflict)'), 'text', 'it lives by the same ticket')
  again.rename('/after (conflict)', '/kept')
  t.equal(tickets().length, 1, 'its own')
  again.unlink('/kept')
  t.same(readdirSync(join(vault.folder, 'data')), [])
  again.close()
})

t.test('a directory that two devices have made', async (t) => {
  const vault = new TestVault(12)
  t.teardown(() => {
    vault.remove()
  })
  const journalFolder = vault.state
  const session = vault.open({ journalFolder })
  session.mkdir('/docs')
  session.write('/docs/a', 'of one')
  const blob = vault.blob('/docs')
  session.close()
  const copy = put(blob, 'B (1)~')
  renameSync(blob, copy)
  const other = vault.open()
  other.mkdir('/docs')
  other.write('/docs/a', 'of the other')
  other.close()
  vault.skew += 10_000
  let again = vault.open({ journalFolder })
  t.same(names(again), ['docs', 'docs (conflict)'])
  t.equal(content(again, '/docs (conflict)/a'), 'of one')
  t.equal(content(again, '/docs/a'), 'of the other')
  again.write('/docs (conflict)/new', 'written there')
  again.mkdir('/docs (conflict)/below')
  t.throws(
    () => {
      again.rmdir('/docs (conflict)')
    },
    { code: 'ENOTEMPTY' },
  )
  again.setattr('/docs (conflict)', { mode: 0o1777 })
  again.rename('/docs (conflict)', '/other')
  t.notOk(existsSync(copy))
  again.close()
  again = vault.open({ journalFolder })
  t.equal(content(again, '/docs/a'), 'of the other')
  t.equal(content(again, '/other/a'), 'of one')
  t.equal(again.stat('/other').mode & 0o7777, 0o1777)
  again.close()
  settled(t, vault, {
    '/docs': '',
    '/docs/a': 'of the other',
    '/other': '',
    '/other/a': 'of one',
    '/other/new': 'written there',
    '/other/below': '',
  })
})

t.test('a directory that was copied with its metas', async (t) => {
  const vault = new TestVault(12)
  t.teardown(() => {
    vault.remove()
  })
  const journalFolder = vault.state
  const session = vault.open({ journalFolder })
  session.mkdir('/docs')
  session.write('/docs/a', 'in both')
  const copy = put(vault.blob('/docs'), 'B (1)~')
  cpSync(vault.blob('/docs'), copy, { recursive: true })
  session.write('/docs/b', 'in one')
  // the first has newer metas than the copy
  session.setattr('/docs', { mode: 0o1777 })
  session.close()
  vault.skew += 10_000
  const again = vault.open({ journalFolder })
  t.equal(content(again, '/docs (conflict)/a'), 'in both')
  again.write('/docs (conflict)/new', 'written there')
  // what would make the first an old one
  t.throws(
    () => {
      again.rename('/docs (conflict)', '/other')
    },
    { code: 'EXDEV' },
    'mv copies it',
  )
  t.throws(
    () => {
      again.setattr('/docs (conflict)', { mode: 0o1777 })
    },
    { code: 'EOPNOTSUPP' },
  )
  again.rename('/docs (conflict)/new', '/docs/new')
  again.unlink('/docs (conflict)/a')
  again.rmdir('/docs (conflict)')
  t.notOk(existsSync(copy))
  again.close()
  const expected = { '/docs/a': 'in both', '/docs/b': 'in one', '/docs/new': 'written there' }
  // the first is what it was for a machine that remembers all of it
  const last = vault.open({ journalFolder })
  for (const [path, text] of Object.entries(expected)) t.equal(content(last, path), text, path)
  // and where it has another name by now
  cpSync(vault.blob('/docs'), copy, { recursive: true })
  last.rename('/docs', '/moved')
  t.throws(
    () => {
      last.rename('/docs (conflict)', '/other')
    },
    { code: 'EXDEV' },
  )
  t.equal(content(last, '/docs (conflict)/a'), 'in both')
  t.equal(content(last, '/moved/a'), 'in both')
  last.close()
})

t.test('a copy keeps its directory, and goes with rm -r', async (t) => {
  const { vault } = twoVersions(t)
  const session = vault.open()
  session.mkdir('/d')
  session.rename('/report.pdf', '/d/x.pdf')
  copyFileSync(vault.blob('/d/x.pdf'), put(vault.blob('/d/x.pdf'), DROPBOX))
  session.unlink('/d/x.pdf')
  t.throws(
    () => {
      session.rmdir('/d')
    },
    { code: 'ENOTEMPTY' },
  )
  for (const name of session.list('/d').keys()) session.unlink(`/d/${name}`)
  session.rmdir('/d')
  session.close()
})

t.test('one name with several extensions', async (t) => {
  const vault = new TestVault(12)
  t.teardown(() => {
    vault.remove()
  })
  const session = vault.open()
  session.write('/x', 'the file')
  const blob = vault.blob('/x')
  renameSync(blob, `${blob}.aside`)
  session.mkdir('/x')
  session.close()
  renameSync(`${blob}.aside`, blob)
  const again = vault.open()
  t.same(names(again), ['x', 'x (conflict)'])
  t.equal(again.type('/x'), 'directory')
  t.equal(content(again, '/x (conflict)'), 'the file')
  t.match(vault.judgeConflicts(), [{ of: '/x', type: 'file', problem: null }])
  again.rmdir('/x')
  t.equal(content(again, '/x'), 'the file', 'what hid it has gone')
  t.equal(content(again, '/x (conflict)'), 'the file', 'for whoever has listed it so')
  t.same(names(again), ['x'])
  t.notOk(again.exists('/x (conflict)'), 'and not after that')
  again.mkdir('/y')
  again.close()
  settled(t, vault, { '/x': 'the file', '/y': '' })
})

t.test('one name under two ids of a directory', async (t) => {
  const vault = new TestVault(12)
  t.teardown(() => {
    vault.remove()
  })
  const made: string[] = []
  for (const text of ['from one', 'from the other']) {
    const session = vault.open()
    session.mkdir('/d')
    session.write('/d/x', text)
    const blob = vault.blob('/d')
    session.close()
    made.push(`${vault.folder}/${String(made.length)}`)
    renameSync(blob, made.at(-1)!)
    vault.skew += 10_000
    if (made.length < 2) continue
    cpSync(made[0]!, made[1]!, { recursive: true })
    renameSync(made[1]!, blob)
  }
  const session = vault.open()
  t.same(names(session, '/d'), ['x', 'x (conflict)'])
  const both = [content(session, '/d/x'), content(session, '/d/x (conflict)')]
  t.same(both.sort(), ['from one', 'from the other'])
  t.match(vault.judgeConflicts(), [{ of: '/d/x', problem: null }])
  session.rename('/d/x (conflict)', '/d/y')
  session.close()
  t.same(vault.judgeConflicts(), [])
  t.equal(vault.judge().get('/d/y')?.problem, null)
})

t.test(
  'what hid a copy goes first, and the copy is removed under the name that was listed',
  async (t) => {
    const vault = new TestVault(12)
    t.teardown(() => {
      vault.remove()
    })
    const session = vault.open()
    session.mkdir('/d')
    for (const name of ['f', 'g']) {
      session.write(`/d/${name}`, 'the file')
      const blob = vault.blob(`/d/${name}`)
      renameSync(blob, `${blob}.aside`)
      session.mkdir(`/d/${name}`)
      renameSync(`${blob}.aside`, blob)
    }
    t.same(names(session, '/d'), ['f', 'f (conflict)', 'g', 'g (conflict)'])
    session.at('/d', () => {
      session.list('/d')
      for (const name of ['f', 'g']) session.rmdir(`/d/${name}`)
      session.rename('/d/g (conflict)', '/d/g')
      t.equal(content(session, '/d/g'), 'the file')
      for (const name of ['f (conflict)', 'g']) session.unlink(`/d/${name}`)
    })
    session.rmdir('/d')
    t.notOk(session.exists('/d'))
  },
)

t.test('links and special nodes', async (t) => {
  const vault = new TestVault(12)
  t.teardown(() => {
    vault.remove()
  })
  const session = vault.open()
  session.symlink('/link', 'target')
  session.mknod('/fifo', 0o010600)
  for (const path of ['/link', '/fifo'])
    copyFileSync(vault.blob(path), put(vault.blob(path), 'B 2~'))
  t.same(names(session), ['fifo', 'fifo (conflict)', 'link', 'link (conflict)'])
  t.equal(session.readlink('/link (conflict)'), 'target')
  t.equal(session.type('/fifo (conflict)'), 'special')
  session.rename('/link (conflict)', '/other')
  session.rename('/fifo (conflict)', '/node')
  t.equal(session.readlink('/other'), 'target')
  session.close()
  t.same(vault.judgeConflicts(), [])
})

t.test('every one of a drive, in steps', async (t) => {
  const { vault } = twoVersions(t)
  const session = vault.open()
  session.mkdir('/d')
  session.mkdir('/d/e')
  session.mkdir('/broken')
  session.write('/broken/in it', 'x')
  session.write('/d/e/deep', '12345')
  copyFileSync(vault.blob('/d/e/deep'), put(vault.blob('/d/e/deep'), 'B 2~'))
  cpSync(vault.blob('/d/e'), put(vault.blob('/d/e'), 'B 2~'), { recursive: true })
  const broken = vault.blob('/broken')
  for (const file of readdirSync(broken)) if (file.endsWith('.cfm')) rmSync(join(broken, file))
  session.close()
  const again = vault.open()
  const steps = [...again.drive.conflicts()]
  t.same(
    steps.flatMap(({ unread }) => unread ?? []),
    ['/broken'],
  )
  const copies = steps.flatMap((step) => step.copies)
  t.same(
    copies.map(({ path, of, size, by, date }) => [path, of, size, by, date]),
    [
      [`/${SHOWN}`, '/report.pdf', 6, "Anna's Mac", '2026-11-23'],
      ['/d/e (conflict)', '/d/e', 0, null, null],
      ['/d/e/deep (conflict)', '/d/e/deep', 5, null, null],
      ['/d/e (conflict)/deep (conflict)', '/d/e (conflict)/deep', 5, null, null],
    ],
  )
  for (const { blob } of copies) t.ok(existsSync(join(vault.folder, blob)), blob)
  again.close()
})

t.test('planted copies', async (t) => {
  const vault = new AttackedVault(t)
  // another file's blob, under the name of a copy of /a
  copyFileSync(vault.blob('/b'), put(vault.blob('/a'), 'B (1)~'))
  // a copy of /a in a directory where it is nobody's
  copyFileSync(vault.blob('/a'), join(vault.blob('/d'), basename(put(vault.blob('/a'), 'B (1)~'))))
  // a directory under the name of a copy of another
  cpSync(vault.blob('/e'), put(vault.blob('/d'), 'B (1)~'), { recursive: true })
  // a file as a copy of a link, and half a blob
  copyFileSync(vault.blob('/d/x'), put(vault.beside('/link', '.cfl'), 'B (1)~'))
  writeFileSync(put(vault.blob('/b'), 'B (1)~'), vault.bytes('/b').subarray(0, 2000))
  // half of a name
  const [one, two] = ['/a', '/b'].map((path) => basename(vault.blob(path)))
  writeFileSync(join(vault.backing(''), `${one!.slice(0, 20)}${two!.slice(20, -4)} (1).cff`), 'x')
  const session = vault.open()
  const shown = [...session.list('').keys()].filter((name) => name.includes('(conflict'))
  t.same(shown.sort(), ['a (conflict)', 'b (conflict)', 'd (conflict)', 'link (conflict)'])
  for (const name of shown) t.equal(vault.outcome(session, `/${name}`), EIO, name)
  t.same([...session.list('/d').keys()].sort(), ['a', 'x'], 'not shown where it is nobody’s')
  t.ok(session.log.some(({ event }) => event === 'foreign-file'))
  session.rename('/a (conflict)', '/moved')
  t.equal(vault.outcome(session, '/moved'), EIO, 'nor does a move make it anybody’s')
  t.throws(() => session.open('/b (conflict)', 2), { name: 'CofferError' })
  for (const { of, problem, type } of vault.judgeConflicts())
    if (type !== 'directory') t.not(problem, null, of)
  session.close()
  vault.verdict(t, {})
})
