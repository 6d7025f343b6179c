// What a sync client finds to do after an edit: the bytes, inodes and times of the vault folder before
// and after. FORMAT.md §6.

import { createHash, randomBytes } from 'node:crypto'
import { constants, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openBacking, type Backing } from '../../lib/store/backing.js'
import { needs } from '../needs.js'
import { TestVault, type Session } from './session.js'

const { O_RDWR, O_TRUNC, O_WRONLY } = constants
const CHUNK = 32768
const RECORD = CHUNK + 40
const SECOND = 1_000_000_000n

/** Content by path below the vault folder, of everything in it. */
function snapshot({ folder }: TestVault): Map<string, string> {
  const found = new Map<string, string>()
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const content = entry.isFile()
      ? createHash('sha256').update(readFileSync(path)).digest('hex')
      : ''
    found.set(path.slice(folder.length + 1), content)
  }
  return found
}

/** Files and directories that are other ones now. */
function changed(before: Map<string, string>, after: Map<string, string>): string[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((path) => before.get(path) !== after.get(path))
    .sort()
}

/** Offsets of the first and last bytes that differ, in records; -1 is the header. */
function changedRecords(before: Buffer, after: Buffer): number[] {
  const found = new Set<number>()
  for (let i = 0; i < Math.max(before.length, after.length); i++)
    if (before[i] !== after[i]) found.add(i < 1024 ? -1 : Math.floor((i - 1024) / RECORD))
  return [...found].sort((a, b) => a - b)
}

function start(t: Test, strictMax?: number): { vault: TestVault; session: Session } {
  const vault = new TestVault(15, strictMax)
  t.teardown(() => {
    vault.remove()
  })
  return { vault, session: vault.open() }
}

/** Empties the file at open and writes it anew, in pieces as programs do. */
function save(session: Session, path: string, content: Buffer, piece = 65_536): void {
  const file = session.open(path, O_WRONLY | O_TRUNC)
  for (let at = 0; at < content.length; at += piece)
    file.write(at, content.subarray(at, at + piece))
  file.close()
}

/** In place, as a program does that reads and writes one descriptor. */
function saveInPlace(session: Session, path: string, content: Buffer): void {
  const file = session.open(path, O_RDWR)
  file.write(0, content)
  file.close()
}

function saveCut(session: Session, path: string, content: Buffer): void {
  const file = session.open(path, O_RDWR)
  file.truncate(0)
  file.write(0, content)
  file.close()
}

const WAYS = { O_TRUNC: save, ftruncate: saveCut, 'in place': saveInPlace }
const SIZES = [1, 5000, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 10 * CHUNK + 77, 4 * 1024 * 1024]

t.test('the same content again leaves the blob as it was, and moves its mtime', async (t) => {
  if (!needs(t, 'linux')) return
  for (const [way, again] of Object.entries(WAYS)) {
    for (const size of SIZES) {
      const { vault, session } = start(t)
      const content = randomBytes(size)
      session.write('/f', content)
      const path = vault.blob('/f')
      const then = { mtime: { sec: 1_700_000_000, nsec: 5 } }
      session.setattr('/f', then)
      const before = readFileSync(path)
      const stat = statSync(path, { bigint: true })
      const folder = statSync(join(vault.folder, 'data'), { bigint: true })
      again(session, '/f', content)
      const now = statSync(path, { bigint: true })
      t.ok(
        readFileSync(path).equals(before),
        `${way}, ${String(size)} bytes: not a byte is another`,
      )
      t.equal(now.ino, stat.ino, 'nor is the file')
      const age = BigInt(Date.now()) * 1_000_000n - now.mtimeNs
      t.ok(age < 60n * SECOND, 'its mtime is now')
      t.equal(session.stat('/f').mtimeSec, Number(now.mtimeNs / SECOND), 'as the drive shows')
      const after = statSync(join(vault.folder, 'data'), { bigint: true })
      t.same(
        [after.mtimeNs, after.ctimeNs],
        [folder.mtimeNs, folder.ctimeNs],
        'nothing of the folder',
      )
      t.ok(session.read('/f').equals(content), 'the content is there')
      session.close()
      t.ok(vault.open().read('/f').equals(content), 'also for the next drive')
      vault.remove()
    }
  }
})

t.test('an edit changes its chunk and the seal, however it is saved', async (t) => {
  if (!needs(t, 'linux')) return
  for (const [way, again] of Object.entries(WAYS)) {
    const { vault, session } = start(t)
    const content = randomBytes(6 * CHUNK + 100)
    session.write('/f', content)
    const path = vault.blob('/f')
    const step = (change: (content: Buffer) => Buffer, expected: number[], what: string): void => {
      const before = readFileSync(path)
      const next = change(Buffer.from(session.read('/f')))
      again(session, '/f', next)
      t.same(changedRecords(before, readFileSync(path)), expected, `${way}: ${what}`)
      t.ok(session.read('/f').equals(next), 'it reads as written')
      t.ok(vault.judge().get('/f')?.content.equals(next), 'and as another program reads it')
    }
    const flip = (at: number) => (old: Buffer) => {
      old[at] = (old[at] ?? 0) ^ 1
      return old
    }
    step(flip(2 * CHUNK + 5), [-1, 2], 'a byte in the midst')
    step(flip(6 * CHUNK + 5), [-1, 6], 'a byte of the last chunk')
    step((old) => Buffer.concat([old, Buffer.from('more')]), [-1, 6], 'some more')
    step((old) => Buffer.concat([old, randomBytes(CHUNK)]), [-1, 6, 7], 'a chunk more')
    if (again === saveInPlace) continue
    step((old) => old.subarray(0, 3 * CHUNK + 9), [-1, 3, 4, 5, 6, 7], 'less')
    step((old) => old.subarray(0, 2 * CHUNK), [-1, 2, 3], 'a multiple of a chunk')
    step((old) => old.subarray(0, 7), [-1, 0, 1, 2], 'much less')
    step(() => randomBytes(5 * CHUNK), [-1, 0, 1, 2, 3, 4, 5], 'all of it')
  }
})

t.test('damage under the seal is not kept because the content is the same', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, session } = start(t)
  const content = randomBytes(3 * CHUNK + 10)
  session.write('/f', content)
  const path = vault.blob('/f')
  const whole = readFileSync(path)
  const damages: Record<string, (blob: Buffer) => Buffer> = {
    'a byte of a chunk': (blob) => {
      blob[1024 + RECORD + 100]! ^= 1
      return blob
    },
    'a tag': (blob) => {
      blob[1024 + 2 * RECORD - 1]! ^= 1
      return blob
    },
    'cut short': (blob) => blob.subarray(0, blob.length - 1),
    'a tail': (blob) => Buffer.concat([blob, Buffer.from('tail')]),
    // it is authentic by itself, and has the same plaintext
    'an earlier version of a chunk': (blob) => {
      saveInPlace(session, '/f', Buffer.alloc(content.length))
      saveInPlace(session, '/f', content)
      const later = readFileSync(path)
      later.set(blob.subarray(1024 + RECORD, 1024 + 2 * RECORD), 1024 + RECORD)
      return later
    },
  }
  for (const [what, damage] of Object.entries(damages)) {
    writeFileSync(path, damage(Buffer.from(readFileSync(path))))
    save(session, '/f', content)
    t.ok(vault.judge().get('/f')?.content.equals(content), `${what}: it is whole again`)
    t.ok(session.read('/f').equals(content), 'and can be read')
  }
  t.notOk(readFileSync(path).equals(whole))
})

t.test('what was asked to be on the disk in between counts', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, session } = start(t)
  const content = randomBytes(2 * CHUNK)
  session.write('/f', content)
  const file = session.open('/f', O_WRONLY | O_TRUNC)
  const size = (): number | undefined => vault.judge().get('/f')?.content.length
  file.sync()
  t.equal(size(), 0, 'nothing')
  file.write(0, content.subarray(0, CHUNK))
  file.sync()
  t.equal(size(), CHUNK, 'half of it')
  file.write(CHUNK, content.subarray(CHUNK))
  file.close()
  t.ok(vault.judge().get('/f')?.content.equals(content), 'all of it')
})

t.test('holes are kept, and are not the same as zeros', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, session } = start(t)
  const part = randomBytes(CHUNK)
  const sparse = (zeros: boolean): void => {
    const file = session.open('/f', O_RDWR | O_TRUNC)
    file.write(0, part)
    if (zeros) file.write(CHUNK, Buffer.alloc(3 * CHUNK))
    file.write(4 * CHUNK, part)
    file.close()
  }
  const data = (): [number, number][] => {
    const file = session.open('/f', O_RDWR)
    try {
      return file.data()
    } finally {
      file.close()
    }
  }
  session.write('/f', '')
  const hole: [number, number][] = [
    // the chunk in which a file ended before it grew is filled
    [0, 2 * CHUNK],
    [4 * CHUNK, 5 * CHUNK],
  ]
  sparse(false)
  const path = vault.blob('/f')
  const before = readFileSync(path)
  t.same(data(), hole)
  sparse(false)
  t.ok(readFileSync(path).equals(before), 'the same content with the same hole')
  sparse(true)
  t.same(data(), [[0, 5 * CHUNK]], 'zeros in its place')
  t.same(changedRecords(before, readFileSync(path)), [-1, 2, 3], 'are all that is written')
  sparse(false)
  t.same(data(), hole, 'a hole in their place')
  const expected = Buffer.concat([part, Buffer.alloc(3 * CHUNK), part])
  t.ok(vault.judge().get('/f')?.content.equals(expected))
})

t.test('a file with two names, and one that was renamed', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, session } = start(t)
  const content = randomBytes(CHUNK + 3)
  session.write('/a', content)
  session.link('/a', '/b')
  save(session, '/b', Buffer.concat([content, content]))
  save(session, '/b', content)
  let before = snapshot(vault)
  save(session, '/a', content)
  save(session, '/b', content)
  t.same(changed(before, snapshot(vault)), [], 'two names')
  session.unlink('/a')
  vault.skew = 5000
  session.rename('/b', '/c')
  before = snapshot(vault)
  save(session, '/c', content)
  t.same(changed(before, snapshot(vault)).length, 1, 'the new name is sealed once')
  before = snapshot(vault)
  save(session, '/c', content)
  t.same(changed(before, snapshot(vault)), [], 'and then no more')
  t.ok(vault.judge().get('/c')?.content.equals(content))
})

t.test('a folder that is being made shows for as short as can be', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault } = start(t)
  const calls: string[] = []
  const backing = new Proxy(openBacking(), {
    get(target, name: keyof Backing): unknown {
      calls.push(name)
      return Reflect.get(target, name)
    },
  })
  const session = vault.open({ backing })
  calls.length = 0
  session.mkdir('/d')
  const shown = calls.slice(calls.indexOf('mkdir'), calls.indexOf('rename'))
  t.ok(shown.length > 0)
  t.same(
    shown.filter((name) => /write|sync|createNew/.test(name)),
    [],
    'nothing is written meanwhile, and nothing waits for the disk',
  )
  t.ok(calls.includes('datasync'), 'that was before')
})

t.test('random saves, half of them of what was there', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, session } = start(t, 12 * CHUNK)
  let state = 1
  const random = (n: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
  let content = Buffer.alloc(0)
  session.write('/f', content)
  for (let round = 0; round < 200; round++) {
    const file = session.open('/f', random(2) === 0 ? O_RDWR | O_TRUNC : O_RDWR)
    if (random(2) === 0) file.truncate(random(3) * CHUNK * random(2))
    const old = content
    content = Buffer.alloc(session.statNode(file.nodeid).size)
    file.read(0, content.length).copy(content)
    for (let step = random(12); step > 0; step--) {
      // 14 chunks: it becomes larger than what is strict, and smaller again
      const at = random(14) * CHUNK + (random(3) === 0 ? random(CHUNK) : 0)
      const length = random(3) === 0 ? random(3 * CHUNK) : CHUNK
      const bytes =
        random(3) > 0 && at < old.length
          ? Buffer.from(old.subarray(at, at + length))
          : random(2) === 0
            ? randomBytes(length)
            : Buffer.alloc(length)
      file.write(at, bytes)
      const end = Math.max(content.length, bytes.length > 0 ? at + bytes.length : 0)
      content = Buffer.concat([content, Buffer.alloc(end - content.length)])
      bytes.copy(content, at)
      if (random(15) === 0) file.sync()
    }
    if (random(4) === 0) {
      const size = random(content.length + 1)
      file.truncate(size)
      content = Buffer.from(content.subarray(0, size))
    }
    t.ok(file.read(0, content.length + 1).equals(content), 'before its seal')
    file.close()
    t.ok(session.read('/f').equals(content), 'after')
    if (round % 10 === 0)
      t.ok(vault.judge().get('/f')?.content.equals(content), 'the oracle agrees')
  }
})
