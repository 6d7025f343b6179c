// The file of a machine's memory: what is in it, what becomes of a damaged one, and how large it gets.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openEngine } from '../../lib/crypto/choose-engine.js'
import { Keyring } from '../../lib/format/keys.js'
import { Memory } from '../../lib/fs/memory.js'
import { Nonces } from '../../lib/fs/nonces.js'
import { openBacking } from '../../lib/store/backing.js'
import { randomFillSync } from 'node:crypto'
import { TestVault, type Session } from './session.js'

const { engine } = await openEngine('openssl')
const MINUTE = 60_000
// bytes of a frame's head and nonce and tag, of an entry, and of a meta
const HEAD = 16 + 40
const ENTRY = 80
const META = 1024

class Machine extends TestVault {
  readonly journalFolder = join(this.state, 'machine')
  boot = 'one boot'
  readonly file = join(this.journalFolder, 'memory')

  constructor(t: Test) {
    super(12)
    mkdirSync(this.journalFolder)
    t.teardown(() => {
      this.remove()
    })
  }

  mount(): ReturnType<TestVault['open']> {
    return this.open({ journalFolder: this.journalFolder, boot: this.boot })
  }

  /** What the memory says by itself, without a drive. */
  memory(readOnly = false): Memory {
    const { vaultId, rootKeyId, rootDirId, seeds } = this.keys
    const keyId = Buffer.from(rootKeyId, 'hex')
    const clock = (): number => Date.now() + this.skew
    const random = (into: Uint8Array): void => void randomFillSync(into)
    const copies = new Map([...seeds].map(([id, seed]) => [id, Buffer.from(seed)]))
    const policy = { strictMax: 0, integrity: 'auto', unknown: {} } as const
    const body = {
      v: 1 as const,
      chunkLog2: 12,
      rootDirId,
      rootKeyId: keyId,
      current: keyId,
      policy,
    }
    return new Memory(
      {
        engine,
        keyring: new Keyring(engine, vaultId, copies),
        body: { ...body, seeds, suites: [1], devices: [], label: '', unknown: {} },
        deviceId: Buffer.alloc(16, 0xe0),
        backing: openBacking(),
        nonces: new Nonces(random, clock),
        clock,
        log: ({ message }) => {
          t.comment(message)
        },
        readOnly,
      },
      this.journalFolder,
      this.boot,
    )
  }

  get size(): number {
    return statSync(this.file).size
  }

  /** Does the next drive know a directory without its meta? */
  remembers(path: string): boolean {
    const session = this.mount()
    try {
      return knows(session, path)
    } finally {
      session.close()
    }
  }
}

/** Is it read from memory, or shown as empty because nobody knows what it is? */
function knows(session: Session, path: string): boolean {
  session.list(path)
  const state = session.drive.counters.late.find((late) => late.path === path)?.state
  if (state === undefined) throw new Error(`${path} has its meta`)
  return state === 'remembered'
}

t.test(
  'a private file without plain names, which is not there before something is to be kept',
  async (t) => {
    const machine = new Machine(t)
    machine.mount().close()
    t.notOk(existsSync(machine.file))
    const session = machine.mount()
    session.mkdir('/a plain name')
    session.mkdir('/a plain name/another one')
    session.close()
    t.equal(machine.size, HEAD + 3 * ENTRY + 2 * META)
    t.equal(statSync(machine.file).mode & 0o7777, 0o600)
    const bytes = readFileSync(machine.file)
    for (const word of ['plain', 'another']) t.notOk(bytes.includes(word), word)
    const again = machine.mount()
    again.list('/a plain name/another one')
    again.close()
    t.equal(bytes.length, machine.size, 'what is known is not written again')
    const reading = machine.open({ readOnly: true, journalFolder: machine.journalFolder })
    reading.list('/a plain name')
    reading.close()
    t.same(readFileSync(machine.file), bytes)
  },
)

t.test(
  'what is not settled counts in its own boot, and from a minute later on in all',
  async (t) => {
    const machine = new Machine(t)
    const session = machine.mount()
    session.mkdir('/d')
    t.ok(session.drive.tend() <= MINUTE)
    const young = readFileSync(machine.file)
    t.equal(young.length, HEAD + 3 * ENTRY + META)
    machine.skew += MINUTE + 1000
    session.drive.tend()
    const settled = readFileSync(machine.file)
    t.equal(settled.length, young.length + HEAD + ENTRY)
    t.equal(session.drive.tend(), Infinity, 'nothing is left to be done')
    session.close()

    /** Metas that are remembered where the process ended with that file. */
    const after = (file: Buffer, boot: string): number => {
      writeFileSync(machine.file, file)
      machine.boot = boot
      const memory = machine.memory()
      const { length } = memory.keptAt(memory.place(machine.keys.rootDirId, 'd'))
      memory.close()
      return length
    }
    t.equal(after(young, 'one boot'), 1, 'the end of a process takes nothing from the disk')
    t.equal(after(young, 'another boot'), 0, 'the disk of the vault may not have it')
    t.equal(machine.size, 0, 'nor may it count later')
    t.equal(after(young, ''), 0, 'nobody knows which boot this is')
    t.equal(after(settled, 'another boot'), 1)
    t.equal(after(settled, ''), 1)

    writeFileSync(machine.file, young)
    machine.boot = 'one boot'
    const next = machine.memory()
    next.keptAt('')
    next.tend()
    t.equal(machine.size, young.length, 'the next process waits as long')
    machine.skew += MINUTE + 1000
    next.tend()
    t.equal(next.tend(), Infinity)
    next.close()
    t.equal(after(readFileSync(machine.file), 'another boot'), 1)
  },
)

t.test('a torn end, a file of something else, and none at all', async (t) => {
  const machine = new Machine(t)
  const before = (): ReturnType<Machine['mount']> => machine.mount()
  let session = before()
  session.mkdir('/one')
  session.close()
  const whole = machine.size
  session = before()
  session.mkdir('/two')
  session.close()
  truncateSync(machine.file, whole + 100)
  rmMetas(machine, '/one')
  rmMetas(machine, '/two')
  t.ok(machine.remembers('/one'), 'what was whole')
  t.notOk(machine.remembers('/two'), 'what was torn')
  session = before()
  session.mkdir('/three')
  session.close()
  rmMetas(machine, '/three')
  t.ok(machine.remembers('/three'), 'it goes on behind what was whole')
  t.ok(machine.remembers('/one'))
  for (const spoil of [
    () => {
      writeFileSync(machine.file, Buffer.alloc(5000, 3))
    },
    () => {
      writeFileSync(machine.file, '')
    },
    () => {
      rmSync(machine.file)
    },
    () => {
      rmSync(machine.file, { force: true })
      mkdirSync(machine.file)
    },
  ]) {
    spoil()
    t.notOk(machine.remembers('/one'))
    session = before()
    if (!session.exists('/four')) session.mkdir('/four')
    session.write('/four/f', 'works')
    t.equal(session.read('/four/f').toString(), 'works')
    session.unlink('/four/f')
    session.close()
  }
  rmSync(machine.file, { recursive: true })
  session = before()
  session.list('/four')
  session.close()
  rmMetas(machine, '/four')
  t.ok(machine.remembers('/four'), 'and begins anew')
})

function rmMetas(machine: Machine, path: string): void {
  const folder = machine.blob(path)
  for (const name of readdirSync(folder)) if (name.endsWith('.cfm')) rmSync(join(folder, name))
}

t.test("another machine's memory, and one that was changed, say nothing", async (t) => {
  const machine = new Machine(t)
  const session = machine.mount()
  session.mkdir('/d')
  session.close()
  rmMetas(machine, '/d')
  const stranger = machine.open({ journalFolder: machine.journalFolder, device: 9, readOnly: true })
  t.notOk(knows(stranger, '/d'))
  stranger.close()
  const bytes = readFileSync(machine.file)
  for (const at of [5, 20, 60, bytes.length - 900]) {
    const changed = Buffer.from(bytes)
    changed[at]! ^= 1
    writeFileSync(machine.file, changed)
    const session = machine.open({ journalFolder: machine.journalFolder, readOnly: true })
    t.notOk(knows(session, '/d'), `byte ${String(at)}`)
    session.close()
  }
  writeFileSync(machine.file, bytes)
  t.ok(machine.remembers('/d'))
})

t.test('a memory that cannot be written', async (t) => {
  const machine = new Machine(t)
  const real = openBacking()
  const backing = {
    ...real,
    createNew: (dirfd: number, name: string, mode: number) => {
      if (name === 'memory') return real.openWrite(dirfd, 'there is no such file')
      return real.createNew(dirfd, name, mode)
    },
  }
  const session = machine.open({ journalFolder: machine.journalFolder, backing })
  session.mkdir('/d')
  session.drive.sync()
  t.same(
    session.log.map(({ event }) => event),
    ['memory'],
    'told once',
  )
  session.mkdir('/d/e')
  session.drive.sync()
  session.close()
  t.equal(session.log.length, 1)
  t.same([...machine.mount().list('/d').keys()], ['e'])
})

t.test('it stays as small as what it knows', async (t) => {
  const machine = new Machine(t)
  const session = machine.mount()
  session.mkdir('/kept')
  session.close()
  const seal = { parentDirId: Buffer.alloc(16, 1), acc: Buffer.alloc(16, 2) }
  const of = { ...blank, ...seal, writer: Buffer.alloc(16, 3) }
  const [objectId, header] = [Buffer.alloc(16, 4), Buffer.alloc(1024, 5)]
  let memory = machine.memory()
  let largest = 0
  for (let sealSeq = 1; sealSeq <= 4000; sealSeq++) {
    const name = `name ${String(sealSeq % 2)}`
    memory.noteMeta(objectId, header, { ...of, sealSeq, name }, 0)
    memory.left(objectId, memory.place(seal.parentDirId, `name ${String((sealSeq + 1) % 2)}`))
    memory.store()
    largest = Math.max(largest, machine.size)
  }
  memory.close()
  t.ok(largest < 1.5 * 1024 * 1024, `${String(largest)} bytes`)
  memory = machine.memory()
  t.equal(memory.highest(objectId), 4000)
  t.notOk(memory.counts(objectId, { ...of, sealSeq: 3999, name: 'name 1' }))
  t.ok(memory.counts(objectId, { ...of, sealSeq: 4000, name: 'name 0' }))
  const [kept] = memory.keptAt(memory.place(seal.parentDirId, 'name 0'))
  t.same(kept === undefined ? null : memory.bytes(kept), header)
  memory.close()
  rmMetas(machine, '/kept')
  t.ok(machine.remembers('/kept'))
})

const blank = {
  length: 0,
  mtimeSec: 0,
  mtimeNsec: 0,
  mode: 0o40755,
  rdev: 0,
  chunkWrites: 0,
  absent: 0,
  prevTag: Buffer.alloc(16),
}

t.test('sizes of files', async (t) => {
  const machine = new Machine(t)
  const [one, two] = [Buffer.alloc(16, 1), Buffer.alloc(16, 2)]
  let memory = machine.memory()
  t.equal(memory.sizeOf(one, 'a'), null)
  memory.noteSize(one, 'a', 5)
  memory.noteSize(one, 'a', 2 ** 40)
  memory.noteSize(two, 'a', 0)
  t.equal(memory.sizeOf(one, 'a'), 2 ** 40)
  t.notOk(existsSync(machine.file), 'buffered')
  memory.tend()
  const { size } = machine
  t.equal(size, HEAD + 2 * ENTRY, 'the last of each')
  memory.close()
  memory = machine.memory()
  t.equal(memory.sizeOf(one, 'a'), 2 ** 40)
  t.equal(memory.sizeOf(two, 'a'), 0)
  t.equal(memory.sizeOf(two, 'b'), null)
  memory.noteSize(two, 'a', 0)
  memory.store()
  t.equal(machine.size, size, 'nothing new')
  for (let i = 0; i < 140_000; i++) memory.noteSize(one, `base ${String(i)}`, i)
  memory.store()
  t.equal(memory.sizeOf(two, 'a'), null, 'the oldest is forgotten')
  t.equal(memory.sizeOf(one, 'base 139999'), 139_999)
  memory.close()
  memory = machine.memory(true)
  t.equal(memory.sizeOf(one, 'base 100000'), 100_000)
  memory.noteSize(one, 'a', 1)
  t.equal(memory.sizeOf(one, 'a'), null, 'a drive that only reads notes nothing')
  memory.close()
})
