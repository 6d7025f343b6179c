// A drive that does not come to its end, and what the next one makes of it. The machine stops for us
// by a copy of the vault and the state folder as they lie on the disk: what waits in memory is gone.

import { randomBytes } from 'node:crypto'
import {
  constants,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ROOT_NODEID } from '../../lib/fs/inode.js'
import { needs } from '../needs.js'
import { FaultBacking, soundBacking } from './fault-backing.js'
import { TestVault, type OpenFile, type Session } from './session.js'

const { O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = constants
const C = 32768

class Machine {
  readonly vault = new TestVault()
  readonly journal: string
  session: Session
  readonly #t: Test

  constructor(t: Test) {
    this.#t = t
    this.journal = mkdtempSync(join(this.vault.state, 'journal-'))
    this.session = this.vault.open({ journalFolder: this.journal })
    t.teardown(() => {
      this.vault.remove()
    })
  }

  /** Power off, power on. `meanwhile` finds the folder of the vault, as a cloud would. */
  stop(meanwhile: (vault: TestVault) => void = () => undefined): Session {
    const vault = new TestVault()
    this.#t.teardown(() => {
      vault.remove()
    })
    Object.assign(vault.keys, this.vault.keys)
    cpSync(this.vault.folder, vault.folder, { recursive: true, force: true })
    const journalFolder = join(vault.state, 'journal')
    cpSync(this.journal, journalFolder, { recursive: true })
    meanwhile(vault)
    const session = vault.open({ journalFolder })
    for (const [path, { problem }] of vault.judge())
      this.#t.equal(problem, null, `the oracle reads ${path}`)
    return session
  }

  /** The same on the folder itself, whose inodes stay. */
  here(meanwhile: (vault: TestVault) => void): Session {
    const journalFolder = mkdtempSync(join(this.vault.state, 'copy-'))
    cpSync(this.journal, journalFolder, { recursive: true })
    meanwhile(this.vault)
    return this.vault.open({ journalFolder })
  }

  made(path: string, content: Uint8Array): OpenFile {
    this.session.write(path, content)
    return this.session.open(path, O_RDWR)
  }
}

const warnings = ({ log }: Session): string[] =>
  log.filter(({ level }) => level !== 'info').map(({ event }) => event)

t.setTimeout(120_000)

for (const size of [100, 3 * C, 140 * C + 5]) {
  t.test(`a file of ${String(size)} bytes`, async (t) => {
    const acts: Record<string, (file: OpenFile) => void> = {
      'is written over': (file) => {
        file.write(10, Buffer.from('over'))
      },
      'is written over whole': (file) => {
        file.write(0, randomBytes(size))
      },
      grows: (file) => {
        file.write(size, randomBytes(5 * C + 7))
      },
      'grows far away': (file) => {
        file.write(size + 20 * C, randomBytes(5 * C + 7))
      },
      'is cut': (file) => {
        file.truncate(size >> 1)
      },
      'is made longer': (file) => {
        file.truncate(size + 40 * C + 1)
      },
      'is emptied and written anew': (file) => {
        file.truncate(0)
        file.write(0, randomBytes(2 * C))
      },
      'is emptied and grows by far': (file) => {
        file.truncate(0)
        for (let i = 0; i < 20; i++) file.write(i * 33 * C, randomBytes(33 * C))
      },
      'is cut and grows with a gap': (file) => {
        file.truncate(size >> 1)
        file.write(size + 3 * C + 9, randomBytes(C))
      },
      'gets a hole': (file) => {
        file.fallocate(3, 0, size)
      },
      'is made zero': (file) => {
        file.fallocate(16, 3, size)
      },
      'is allocated': (file) => {
        file.fallocate(0, 0, size + 9 * C)
      },
    }
    for (const [what, act] of Object.entries(acts)) {
      t.test(what, async (t) => {
        if (!needs(t, 'linux')) return
        const machine = new Machine(t)
        const old = randomBytes(size)
        const file = machine.made('/f', old)
        act(file)
        const between = machine.stop().read('/f')
        // growing and holes take their seals in between
        if (!/far$|hole|zero/.test(what))
          t.ok(between.equals(old), 'before it is sealed it is the old one')
        const changed = file.read(0, machine.session.stat('/f').size)
        file.sync()
        const synced = machine.stop()
        t.ok(synced.read('/f').equals(changed), 'after fsync it is the new one')
        t.same(warnings(synced), [])
        act(file)
        const again = file.read(0, machine.session.stat('/f').size)
        file.close()
        t.ok(machine.stop().read('/f').equals(again), 'and after close')
      })
    }
  })
}

t.test('an entry whose blob has its records only in part', async (t) => {
  if (!needs(t, 'linux')) return
  const machine = new Machine(t)
  const old = randomBytes(10 * C + 9)
  const file = machine.made('/f', old)
  const blob = machine.vault.blob('/f')
  const before = readFileSync(blob)
  const change = randomBytes(3 * C)
  file.write(2 * C + 1, change)
  file.sync()
  const after = readFileSync(blob)
  const expected = Buffer.from(old)
  change.copy(expected, 2 * C + 1)
  for (let sector = 0; sector * 512 < after.length; sector += 17) {
    const session = machine.stop((vault) => {
      const torn = Buffer.from(before)
      after.copy(torn, 0, 0, sector * 512)
      writeFileSync(vault.blob('/f'), torn)
    })
    t.ok(session.read('/f').equals(expected), `${String(sector)} sectors had reached the disk`)
  }
})

t.test('a file that grew, whose last bytes had not reached the disk', async (t) => {
  if (!needs(t, 'linux')) return
  const machine = new Machine(t)
  const content = randomBytes(60 * C + 11)
  machine.vault.skew += 10_000
  const file = machine.made('/f', content.subarray(0, C + 1))
  file.write(C + 1, content.subarray(C + 1))
  file.close()
  const session = machine.stop((vault) => {
    const blob = vault.blob('/f')
    const { size } = statSync(blob)
    const lost = readFileSync(blob)
    lost.fill(0, 1024 + 41 * (C + 40) + 100, 1024 + 41 * (C + 40) + 612)
    writeFileSync(blob, lost)
    t.equal(statSync(blob).size, size)
  })
  t.ok(
    session.read('/f').equals(content.subarray(0, 41 * C)),
    'it ends before the first torn chunk',
  )
  t.same(warnings(session), ['cut-back'])
  t.match(session.drive.counters.recovered, [/had not reached the disk/], 'status will tell')
})

t.test('a file that is cut back keeps the name that a ticket gave it', async (t) => {
  if (!needs(t, 'linux')) return
  const machine = new Machine(t)
  const content = randomBytes(60 * C + 11)
  machine.vault.skew += 10_000
  const file = machine.made('/f', content.subarray(0, C + 1))
  file.write(C + 1, content.subarray(C + 1))
  file.close()
  machine.vault.skew += 3000
  machine.session.rename('/f', '/g')
  const session = machine.here((vault) => {
    truncateSync(vault.blob('/g'), 1024 + 41 * (C + 40))
  })
  t.equal(machine.vault.judge().get('/g')?.problem, null)
  t.ok(session.read('/g').equals(content.subarray(0, 41 * C)))
  t.same(warnings(session), ['cut-back'])
  const again = session.open('/g', O_RDWR)
  again.write(0, Buffer.from('written after'))
  again.close()
  t.equal(session.read('/g').subarray(0, 13).toString(), 'written after')
})

t.test('a new file of which only the name had reached the disk is empty', async (t) => {
  if (!needs(t, 'linux')) return
  const machine = new Machine(t)
  machine.session.write('/f', randomBytes(5 * C))
  machine.session.write('/renamed', randomBytes(9))
  machine.vault.skew += 4500
  machine.session.drive.tend()
  const lost = (vault: TestVault, path: string, size: number): void => {
    truncateSync(vault.blob(path), 0)
    truncateSync(vault.blob(path), size)
  }
  for (const size of [0, 5000]) {
    // the same inodes, as after a stop, are those of a folder that was not copied
    const session = machine.here((vault) => {
      const blob = vault.blob('/f')
      lost(vault, '/f', size)
      t.equal(statSync(blob).size, size)
    })
    t.equal(session.read('/f').length, 0)
    t.equal(session.read('/renamed').length, 9, 'what had reached it is whole')
    t.same(warnings(session), [])
    t.equal(machine.vault.judge().get('/f')?.problem, null)
  }
})

t.test('what was renamed in between is found', async (t) => {
  if (!needs(t, 'linux')) return
  const machine = new Machine(t)
  machine.session.mkdir('/d')
  const file = machine.made('/d/f', randomBytes(5 * C))
  const change = randomBytes(C)
  file.write(7, change)
  file.sync()
  machine.session.mkdir('/e')
  machine.session.rename('/d', '/e/d')
  machine.session.rename('/e/d/f', '/g')
  const expected = file.read(0, 5 * C)
  const session = machine.here(() => undefined)
  t.ok(session.read('/g').equals(expected))
  t.same(warnings(session), [])
})

t.test('a file that is synced after a rename keeps its name', async (t) => {
  if (!needs(t, 'linux')) return
  for (const seed of [0, 1]) {
    const vault = new TestVault()
    const faulty = new FaultBacking({ kind: 'forgets', seed }, Infinity)
    const journalFolder = mkdtempSync(join(vault.state, 'journal-'))
    const session = vault.open({ backing: faulty.backing, journalFolder, holdInodes: true })
    session.write('/f', 'content')
    vault.skew += 3000
    session.rename('/f', '/g')
    const file = session.open('/g', O_RDONLY)
    file.sync()
    file.close()
    faulty.next(1)
    t.throws(() => {
      session.close()
    })
    const next = vault.open({ backing: soundBacking(), journalFolder })
    t.equal(next.read('/g').toString(), 'content')
    next.close()
    faulty.close()
    vault.remove()
  }
})

t.test(
  'a new folder or link that is renamed opens there, once the folder above is synced',
  async (t) => {
    if (!needs(t, 'linux')) return
    for (const seed of [0, 1, 2]) {
      const vault = new TestVault()
      const faulty = new FaultBacking({ kind: 'forgets', seed }, Infinity)
      const journalFolder = mkdtempSync(join(vault.state, 'journal-'))
      const session = vault.open({ backing: faulty.backing, journalFolder, holdInodes: true })
      session.mkdir('/folder')
      session.symlink('/link', 'to somewhere')
      session.rename('/folder', '/renamed folder')
      session.rename('/link', '/renamed link')
      session.drive.fsyncdir(ROOT_NODEID)
      faulty.next(1)
      t.throws(() => {
        session.write('/more', 'of it')
      })
      t.throws(() => {
        session.close()
      })
      const next = vault.open({ backing: soundBacking(), journalFolder })
      t.same([...next.list('/renamed folder').keys()], [])
      t.equal(next.readlink('/renamed link'), 'to somewhere')
      next.close()
      faulty.close()
      vault.remove()
    }
  },
)

t.test('what was removed is not missed', async (t) => {
  if (!needs(t, 'linux')) return
  const machine = new Machine(t)
  const file = machine.made('/f', randomBytes(5 * C))
  file.write(7, randomBytes(C))
  file.sync()
  machine.session.unlink('/f')
  file.write(0, randomBytes(9 * C))
  t.equal(file.read(0, 20 * C).length, 9 * C)
  const session = machine.stop()
  t.same([...session.list('/').keys()], [])
  t.same(warnings(session), [])
  file.close()
})

t.test('a blob that the cloud has replaced is left alone, and the change is kept', async (t) => {
  if (!needs(t, 'linux')) return
  const machine = new Machine(t)
  const file = machine.made('/f', randomBytes(5 * C))
  file.close()
  const older = readFileSync(machine.vault.blob('/f'))
  const again = machine.session.open('/f', O_WRONLY)
  again.write(0, randomBytes(C))
  again.close()
  machine.session.drive.sync()
  const third = machine.session.open('/f', O_WRONLY)
  third.write(0, randomBytes(C))
  third.sync()
  let state = ''
  const session = machine.stop((vault) => {
    state = vault.state
    writeFileSync(vault.blob('/f'), older)
  })
  t.equal(session.read('/f').length, 5 * C)
  t.same(warnings(session), ['replay', 'journal-kept'])
  t.match(
    session.log.find(({ event }) => event === 'journal-kept')?.message,
    / to one file are kept /,
  )
  t.ok(readdirSync(join(state, 'journal')).some((name) => name.startsWith('journal-kept-')))
})

t.test('a torn entry does not count, and those before it do', async (t) => {
  if (!needs(t, 'linux')) return
  const machine = new Machine(t)
  const old = randomBytes(3 * C)
  const file = machine.made('/f', old)
  const blob = machine.vault.blob('/f')
  file.write(0, randomBytes(C))
  file.sync()
  const first = file.read(0, 3 * C)
  const onDisk = readFileSync(blob)
  const end = readFileSync(join(machine.journal, 'journal')).findLastIndex((byte) => byte !== 0)
  file.write(0, randomBytes(2 * C))
  file.sync()
  const vaultBefore = (vault: TestVault): void => {
    writeFileSync(vault.blob('/f'), onDisk)
    const journal = join(vault.state, 'journal', 'journal')
    const bytes = readFileSync(journal)
    bytes[end + 5000] = (bytes[end + 5000] ?? 0) ^ 1
    writeFileSync(journal, bytes)
  }
  const session = machine.stop(vaultBefore)
  t.ok(session.read('/f').equals(first))
})

t.test('without a journal', async (t) => {
  const killed = (sealed: number, written: number): { session: Session; content: Buffer } => {
    const machine = new Machine(t)
    const content = randomBytes(written)
    const file = machine.made('/f', content.subarray(0, sealed))
    file.write(sealed, content.subarray(sealed))
    const vault = new TestVault()
    t.teardown(() => {
      vault.remove()
    })
    Object.assign(vault.keys, machine.vault.keys)
    cpSync(machine.vault.folder, vault.folder, { recursive: true, force: true })
    return { session: vault.open(), content }
  }
  t.test(
    'a strict file that is longer than its seal is refused, and can be written anew',
    async (t) => {
      if (!needs(t, 'linux')) return
      const { session } = killed(3 * C, 40 * C)
      t.throws(() => session.open('/f', O_RDONLY), { code: 'OBJECT_UNSEALED' })
      t.throws(() => session.open('/f', O_RDWR), { code: 'OBJECT_UNSEALED' })
      t.throws(() => {
        session.setattr('/f', { size: 5 })
      })
      session.setattr('/f', { size: 0 })
      const file = session.open('/f', O_RDWR | O_TRUNC)
      file.write(0, Buffer.from('again'))
      file.close()
      t.equal(session.read('/f').toString(), 'again')
    },
  )
  t.test('of a large one what is sealed can be read, but not written on', async (t) => {
    if (!needs(t, 'linux')) return
    const sealed = 150 * C
    const { session, content } = killed(sealed, 200 * C)
    const file = session.open('/f', O_RDWR)
    t.ok(file.read(0, 300 * C).equals(content.subarray(0, sealed)))
    t.throws(() => {
      file.write(0, Buffer.from('x'))
    }, /beyond its seal/)
    file.close()
    session.open('/f', O_RDWR | O_TRUNC).close()
    t.equal(session.read('/f').length, 0)
  })
})
