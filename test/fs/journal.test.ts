// The journal where things go wrong around it: a blob that refuses its entry, cannot be opened, is
// removed, or leaves its inode to another; a file that cannot be sealed. And what it may cost.

import { randomBytes } from 'node:crypto'
import {
  copyFileSync,
  cpSync,
  fstatSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { CofferError } from '../../lib/errors.js'
import { openBacking, type Backing, type FileStat } from '../../lib/store/backing.js'
import { needs } from '../needs.js'
import { soundBacking } from './fault-backing.js'
import { descriptorsBelow, TestVault, type Session } from './session.js'

const C = 32768
const YOUNG = 6000
const QUIET = 41_000

/** The system's calls, some of them others. */
const backingWith = (others: Partial<Backing>): Backing => ({ ...openBacking(), ...others })

interface Place {
  vault: TestVault
  journal: string
  session: Session
}

function place(
  t: Test,
  backing: Backing = openBacking(),
  chunkLog2 = 15,
  strictMax = 1 << 22,
): Place {
  const vault = new TestVault(chunkLog2, strictMax)
  t.teardown(() => {
    vault.remove()
  })
  const journal = mkdtempSync(join(vault.state, 'journal-'))
  return { vault, journal, session: vault.open({ journalFolder: journal, backing }) }
}

/** What a machine that stops now leaves of the journal. */
function copyOf({ vault, journal }: Place): string {
  const copy = join(vault.state, 'copy')
  cpSync(journal, copy, { recursive: true })
  return copy
}

const events = ({ log }: Session): string[] => log.map(({ event }) => event)

t.test('a blob that refused its entry gets it before it is opened again', async (t) => {
  if (!needs(t, 'linux')) return
  let refusing = -1
  const backing = backingWith({
    write(fd, ...args) {
      if (fstatSync(fd).ino === refusing) throw new CofferError('EIO', 'refused')
      openBacking().write(fd, ...args)
    },
  })
  const { vault, journal, session } = place(t, backing)
  session.write('/f', randomBytes(5 * C))
  vault.skew += YOUNG
  const first = session.open('/f')
  first.write(0, Buffer.from('one'))
  refusing = statSync(vault.blob('/f')).ino
  t.throws(() => {
    first.close()
  })
  t.throws(() => session.open('/f'), { code: 'EIO' }, 'it would be torn')
  refusing = -1
  const second = session.open('/f')
  second.write(2 * C, Buffer.from('two'))
  second.close()
  const expected = session.read('/f')
  t.equal(expected.toString('latin1', 0, 3), 'one')
  session.close()
  const next = vault.open({ journalFolder: journal })
  t.ok(next.read('/f').equals(expected))
  t.same(next.log, [], 'nothing is left for a replay')
})

t.test('the inode of a removed file goes to a new one', async (t) => {
  if (!needs(t, 'linux')) return
  let free = -1
  const known = new Set<number>()
  const seen = (out: FileStat): void => {
    if (free >= 0 && !known.has(out.ino)) out.ino = free
    else known.add(out.ino)
  }
  const backing = backingWith({
    statFd(fd, out) {
      openBacking().statFd(fd, out)
      seen(out)
    },
    stat(dirfd, name, out) {
      const there = openBacking().stat(dirfd, name, out)
      if (there) seen(out)
      return there
    },
  })
  const at = place(t, backing)
  const { vault, session } = at
  for (const path of ['/old', '/busy']) session.write(path, randomBytes(3 * C))
  const change = (path: string): Buffer => {
    const file = session.open(path)
    file.write(5, randomBytes(100))
    file.sync()
    const content = file.read(0, 3 * C)
    file.close()
    return content
  }
  vault.skew += YOUNG
  change('/old')
  vault.skew += QUIET
  change('/busy')
  session.drive.tend()
  const { ino } = statSync(vault.blob('/old'))
  session.unlink('/old')
  free = ino
  session.write('/new', randomBytes(3 * C))
  vault.skew += YOUNG
  const blob = vault.blob('/new')
  const before = readFileSync(blob)
  const expected = change('/new')
  writeFileSync(blob, before)
  const next = vault.open({ journalFolder: copyOf(at), backing })
  t.ok(next.read('/new').equals(expected), 'what was synced is there')
  t.same(events(next), ['replay'])
})

t.test('a blob that cannot be opened keeps the drive from mounting, and its changes', async (t) => {
  if (!needs(t, 'linux')) return
  const at = place(t)
  const { vault, session } = at
  session.mkdir('/d')
  session.write('/d/f', randomBytes(5 * C))
  vault.skew += YOUNG
  const before = readFileSync(vault.blob('/d/f'))
  const file = session.open('/d/f')
  file.write(7, randomBytes(C))
  file.sync()
  const expected = file.read(0, 5 * C)
  const journalFolder = copyOf(at)
  writeFileSync(vault.blob('/d/f'), before)
  const backing = backingWith({
    openWrite(dirfd, name) {
      if (name.endsWith('.cff')) throw new CofferError('EMFILE', 'too many')
      return openBacking().openWrite(dirfd, name)
    },
  })
  t.throws(() => vault.open({ journalFolder, backing }), { code: 'EMFILE' })
  t.ok(vault.open({ journalFolder }).read('/d/f').equals(expected))
})

t.test('a file that was replaced, when only the journal knows of it', async (t) => {
  if (!needs(t, 'linux')) return
  const at = place(t)
  const { vault, session } = at
  session.write('/f', randomBytes(3 * C))
  session.write('/other', randomBytes(3 * C))
  vault.skew += YOUNG
  const blob = vault.blob('/f')
  const before = readFileSync(blob)
  const file = session.open('/f')
  file.write(0, randomBytes(9))
  file.write(2 * C, randomBytes(9))
  file.sync()
  const expected = file.read(0, 3 * C)
  file.close()
  const torn = Buffer.concat([readFileSync(blob).subarray(0, 2 * C), before.subarray(2 * C)])
  session.write('/new', 'new')
  const other = session.open('/other')
  session.rename('/new', '/f')
  other.write(0, randomBytes(9))
  other.sync()
  const journalFolder = copyOf(at)
  writeFileSync(blob, torn)
  const next = vault.open({ journalFolder })
  t.ok(next.read('/f').equals(expected))
  other.close()
})

t.test('a hole in a file whose blob the cloud replaces', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, session } = place(t)
  const old = randomBytes(6 * C)
  session.write('/f', old)
  const file = session.open('/f')
  const blob = vault.blob('/f')
  copyFileSync(blob, `${blob}.new`)
  renameSync(`${blob}.new`, blob)
  file.fallocate(3, C, 3 * C)
  const expected = Buffer.from(old).fill(0, C, 4 * C)
  t.ok(file.read(0, 6 * C).equals(expected))
  file.close()
})

t.test('a clock that is set back does not keep a file unsealed', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, session } = place(t)
  session.write('/f', randomBytes(3 * C))
  const before = readFileSync(vault.blob('/f'))
  const file = session.open('/f')
  file.write(0, Buffer.from('x'))
  vault.skew -= 3_600_000
  session.drive.tend()
  t.notOk(readFileSync(vault.blob('/f')).equals(before))
  file.close()
})

t.test(
  'a file that cannot be sealed does not stop the others, nor lets the journal grow',
  async (t) => {
    if (!needs(t, 'linux')) return
    const { vault, journal, session } = place(t, soundBacking(), 15, 0)
    for (const path of ['/bad', '/g']) session.write(path, randomBytes(320 * C))
    vault.skew += YOUNG
    const bad = session.open('/bad')
    bad.write(0, Buffer.from('one'))
    bad.sync()
    bad.write(100 * C, Buffer.from('two'))
    truncateSync(vault.blob('/bad'), 5 * C)
    const g = session.open('/g')
    let largest = 0
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 320; i += 20) g.write(i * C, Buffer.alloc(20 * C, round))
      largest = Math.max(largest, statSync(join(journal, 'journal')).size)
    }
    t.ok(largest < 160 * 1024 * 1024, `${String(largest)} bytes`)
    t.throws(() => {
      bad.close()
    })
    g.close()
    t.ok(session.read('/g').equals(Buffer.alloc(320 * C, 19)))
  },
)

t.test('changes of many closed files hold few descriptors, and so does their replay', async (t) => {
  if (!needs(t, 'linux')) return
  let most = 0
  const backing: Backing = {
    ...soundBacking(),
    openWrite(dirfd, name) {
      most = Math.max(most, descriptorsBelow(at.vault.folder, readlinkSync))
      return openBacking().openWrite(dirfd, name)
    },
  }
  const at = place(t, backing)
  const { vault, session } = at
  for (let i = 0; i < 250; i++) session.write(`/${String(i)}`, 'x')
  vault.skew += YOUNG
  for (let i = 0; i < 250; i++) session.setattr(`/${String(i)}`, { mode: 0 })
  t.ok(most < 120, `${String(most)} descriptors`)
  const journalFolder = copyOf(at)
  session.close()
  most = 0
  vault.open({ journalFolder, backing })
  t.ok(most < 10, `${String(most)} at the replay`)
})

t.test('a sparse file of 8 TiB is cut back at once', async (t) => {
  if (!needs(t, 'linux')) return
  const c = 4096
  const at = place(t, openBacking(), 12)
  const { vault, session } = at
  session.write('/f', randomBytes(3 * c))
  vault.skew += YOUNG
  const file = session.open('/f')
  file.write(10 * c, randomBytes(5 * c))
  file.write(8 * 2 ** 40 - 9 * c, randomBytes(3 * c))
  const blob = vault.blob('/f')
  vault.skew += YOUNG
  session.drive.tend()
  const journalFolder = copyOf(at)
  const backing = openBacking()
  const dirfd = backing.openRoot(join(blob, '..'))
  const fd = backing.openWrite(dirfd, blob.slice(blob.lastIndexOf('/') + 1))
  backing.write(fd, Buffer.alloc(500), 0, 500, 1024 + 12 * (c + 40) + 50)
  backing.close(fd)
  backing.closeDirectory(dirfd)
  const began = process.cpuUsage()
  const next = vault.open({ journalFolder })
  t.ok(process.cpuUsage(began).user < 5_000_000)
  t.equal(next.stat('/f').size, 12 * c)
  t.equal(next.read('/f').length, 12 * c)
})
