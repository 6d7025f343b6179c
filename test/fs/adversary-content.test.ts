// A cloud that rewrites the inside of blobs: chunks reordered, repeated, dropped, erased, taken from
// an older version, headers on other bodies, ends cut off. FORMAT.md §4 and §5, checks 5 to 7.

import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import t from 'tap'
import { needs } from '../needs.js'
import type { OpenFile } from './session.js'
import { attack, AttackedVault, C, RECORD } from './attacked.js'

const { O_RDONLY } = constants

if (!needs(t, 'linux')) process.exit(0)

const record = (blob: Buffer, index: number): Buffer =>
  blob.subarray(1024 + index * RECORD, 1024 + (index + 1) * RECORD)

/** The blob of `path` with its records replaced by those that `pick` makes of them. */
function rearranged(
  vault: AttackedVault,
  path: string,
  pick: (records: Buffer[]) => Buffer[],
): void {
  const blob = vault.bytes(path)
  const records: Buffer[] = []
  for (let i = 0; 1024 + i * RECORD < blob.length; i++) records.push(Buffer.from(record(blob, i)))
  vault.put(path, Buffer.concat([blob.subarray(0, 1024), ...pick(records)]))
}

const edits: Record<string, (records: Buffer[]) => Buffer[]> = {
  'two chunks are swapped': ([a, b, ...rest]) => [b!, a!, ...rest],
  'a chunk is repeated in place of the next': ([a, , ...rest]) => [a!, a!, ...rest],
  'a chunk is repeated': ([a, ...rest]) => [a!, a!, ...rest],
  'the first chunk is dropped': ([, ...rest]) => rest,
  'a middle chunk is dropped': ([a, , ...rest]) => [a!, ...rest],
  'the last chunk is dropped': (records) => records.slice(0, -1),
  'two chunks are dropped': (records) => records.slice(0, -2),
  'a chunk is erased': ([, ...rest]) => [Buffer.alloc(RECORD), ...rest],
  'all full chunks are erased': (records) =>
    records.map((r, i) => (i === records.length - 1 ? r : Buffer.alloc(RECORD))),
  'the last chunk is erased': (records) =>
    records.map((r, i) => (i === records.length - 1 ? Buffer.alloc(r.length) : r)),
  'nonce and tag of a chunk are erased': ([a, ...rest]) => [
    Buffer.concat([Buffer.alloc(24), a!.subarray(24, -16), Buffer.alloc(16)]),
    ...rest,
  ],
  'the last byte is cut off': (records) =>
    records.map((r, i) => (i === records.length - 1 ? r.subarray(0, -1) : r)),
  'a byte is added': (records) => [...records, Buffer.alloc(1)],
  'a record is added': (records) => [...records, Buffer.alloc(RECORD)],
  'an empty chunk is added': (records) => [...records, Buffer.alloc(40)],
  'the first chunk is put at the end': (records) => [...records.slice(1), records[0]!],
}

for (const path of ['/a', '/whole', '/sparse']) {
  t.test(`records of ${path}`, async (t) => {
    for (const [name, edit] of Object.entries(edits)) {
      attack(t, name, (vault) => {
        rearranged(vault, path, edit)
        return { refused: [path] }
      })
    }
  })
}

t.test('holes', async (t) => {
  attack(t, 'a hole is filled with a chunk', (vault) => {
    rearranged(vault, '/sparse', ([a, , ...rest]) => [a!, a!, ...rest])
    return { refused: ['/sparse'] }
  })
  attack(t, 'a hole is filled with noise', (vault) => {
    rearranged(vault, '/sparse', ([a, , ...rest]) => [a!, Buffer.alloc(RECORD, 7), ...rest])
    return { refused: ['/sparse'] }
  })
  attack(t, 'a hole is half filled', (vault) => {
    const noise = Buffer.concat([Buffer.alloc(24), Buffer.alloc(C, 7), Buffer.alloc(16)])
    rearranged(vault, '/sparse', ([a, , ...rest]) => [a!, noise, ...rest])
    return { refused: ['/sparse'] }
  })
  attack(t, 'a chunk and a hole change places', (vault) => {
    rearranged(vault, '/sparse', ([a, hole, ...rest]) => [hole!, a!, ...rest])
    return { refused: ['/sparse'] }
  })
})

t.test('lengths', async (t) => {
  for (const length of [0, 1, 100, 1023, 1024, 1063, 1064, 1024 + RECORD, 1024 + RECORD + 40]) {
    attack(t, `cut to ${length} bytes`, (vault, t) => {
      vault.put('/a', vault.bytes('/a').subarray(0, length))
      const session = vault.open()
      const q = Math.max(0, Math.floor((length - 1024) / RECORD))
      const size = Math.max(0, q * C + (length - 1024 - q * RECORD) - 40)
      t.equal(session.stat('/a').size, size, 'its size is shown')
      t.ok(session.list('').has('a'), 'and it is listed')
      session.close()
      return { refused: ['/a'] }
    })
  }
  attack(t, 'everything is cut to nothing', (vault) => {
    const files = [...vault.truth].filter(([, stored]) => stored !== null).map(([path]) => path)
    for (const path of files) vault.put(path, Buffer.alloc(0))
    // the name of a long one is in its sidecar
    return { refused: files }
  })
})

/** A vault in which /a has a second version: as long, and with another first chunk and tail. */
function rewritten(vault: AttackedVault): { old: Buffer; now: Buffer } {
  const old = vault.bytes('/a')
  const session = vault.open()
  const file = session.open('/a')
  file.write(10, Buffer.from('second version'))
  file.write(3 * C, Buffer.from('second version'))
  file.close()
  session.close()
  const plain = Buffer.from(vault.truth.get('/a')!)
  plain.write('second version', 10)
  plain.write('second version', 3 * C)
  vault.truth.set('/a', plain)
  return { old, now: vault.bytes('/a') }
}

t.test('versions', async (t) => {
  const mixes: Record<string, (old: Buffer, now: Buffer) => Buffer> = {
    'an old first chunk in the new version': (old, now) =>
      Buffer.concat([now.subarray(0, 1024), record(old, 0), now.subarray(1024 + RECORD)]),
    'an old tail in the new version': (old, now) =>
      Buffer.concat([now.subarray(0, 1024 + 3 * RECORD), old.subarray(1024 + 3 * RECORD)]),
    'the new header on the old body': (old, now) =>
      Buffer.concat([now.subarray(0, 1024), old.subarray(1024)]),
    'the old header on the new body': (old, now) =>
      Buffer.concat([old.subarray(0, 1024), now.subarray(1024)]),
    'the newer seal is erased over the new body': (_old, now) =>
      Buffer.concat([now.subarray(0, 576), Buffer.alloc(448), now.subarray(1024)]),
    'the old version, longer by a chunk': (old, now) => Buffer.concat([now, old.subarray(-40)]),
  }
  for (const [name, mix] of Object.entries(mixes)) {
    attack(t, name, (vault) => {
      const { old, now } = rewritten(vault)
      vault.put('/a', mix(old, now))
      return { refused: ['/a'] }
    })
  }
  attack(t, 'the newer seal is erased over the old body: the old version', (vault, t) => {
    const { old, now } = rewritten(vault)
    const back = Buffer.concat([now.subarray(0, 576), Buffer.alloc(448)])
    vault.put('/a', Buffer.concat([back, old.subarray(1024)]))
    // a whole older version is a rollback, which only a memory of the newer one could show
    const session = vault.open()
    t.not(session.read('/a').indexOf('second version'), 10)
    session.close()
    vault.truth.delete('/a')
    return {}
  })
  attack(t, 'the header of another file', (vault) => {
    const [a, b] = [vault.bytes('/a'), vault.bytes('/b')]
    vault.put('/a', Buffer.concat([b.subarray(0, 1024), a.subarray(1024)]))
    vault.put('/b', Buffer.concat([b.subarray(0, 1024), a.subarray(1024)]))
    return { refused: ['/a', '/b'] }
  })
  attack(t, 'the chunk of another file', (vault) => {
    const [a, b] = [vault.bytes('/a'), vault.bytes('/b')]
    vault.put('/a', Buffer.concat([a.subarray(0, 1024), b.subarray(1024)]))
    return { refused: ['/a'] }
  })
})

t.test('a file that is not checked whole', async (t) => {
  const big = (name: string, edit: (records: Buffer[]) => Buffer[], bad: number[]): void => {
    t.test(name, async (t) => {
      const vault = new AttackedVault(t)
      const stored = vault.truth.get('/big')!
      rearranged(vault, '/big', edit)
      const session = vault.open()
      const file = session.open('/big', 0)
      for (let i = 0; i <= 20; i++) {
        const read = (): Buffer => file.read(i * C, C)
        if (bad.includes(i)) t.throws(read, { code: 'CHUNK_DAMAGED' }, `chunk ${i}`)
        else t.same(read(), stored.subarray(i * C, (i + 1) * C))
      }
      file.close()
      t.throws(() => session.read('/big'), { code: 'CHUNK_DAMAGED' })
      session.close()
    })
  }
  big('two chunks are swapped', ([a, b, ...rest]) => [b!, a!, ...rest], [0, 1])
  big('a chunk is erased', ([, ...rest]) => [Buffer.alloc(RECORD), ...rest], [0])
  big('the tail is erased', (r) => [...r.slice(0, 20), Buffer.alloc(r[20]!.length)], [20])
  attack(t, 'it is cut at a chunk boundary', (vault) => {
    rearranged(vault, '/big', (records) => records.slice(0, 19))
    return { refused: ['/big'] }
  })
  attack(t, 'it is cut to the shape of a shorter file', (vault) => {
    rearranged(vault, '/big', (records) => [...records.slice(0, 19), records[19]!.subarray(0, 47)])
    return { refused: ['/big'] }
  })
})

t.test('more holes than the seal counts, in a file that is not checked whole', async (t) => {
  const acts: Record<string, (file: OpenFile) => void> = {
    'it is cut': (file) => {
      file.truncate(C)
    },
    'they are written over': (file) => {
      file.write(0, Buffer.alloc(30 * C))
      file.sync()
    },
    'they are erased': (file) => {
      file.fallocate(3, 0, 30 * C)
    },
    'they are made zero': (file) => {
      file.fallocate(16, 0, 30 * C)
    },
  }
  for (const counted of [0, 1]) {
    for (const [name, act] of Object.entries(acts)) {
      t.test(`${counted} counted, ${name}`, async (t) => {
        const vault = new AttackedVault(t)
        const session = vault.open()
        const made = session.create('/holes')
        made.write(0, Buffer.alloc(40 * C, 'x'))
        made.fallocate(3, 5 * C, counted * C)
        made.close()
        rearranged(vault, '/holes', (records) =>
          records.map((r, i) => (i > 7 && i < 12 ? Buffer.alloc(RECORD) : r)),
        )
        const file = session.open('/holes')
        t.throws(
          () => {
            act(file)
          },
          { code: 'OBJECT_DAMAGED' },
        )
        t.equal(session.statNode(file.nodeid).size, 40 * C)
        // what was written is told again at close, and given up
        const waits = name === 'they are written over'
        const close = (): void => {
          file.close()
        }
        if (waits) t.throws(close, { code: 'OBJECT_DAMAGED' })
        else file.close()
        const again = session.open('/holes', O_RDONLY)
        t.same(again.read(0, C), Buffer.alloc(C, 'x'), 'nothing has changed')
        again.close()
        t.equal(vault.bytes('/holes').length, 1024 + 40 * RECORD + 40)
        session.close()
      })
    }
  }
})

t.test('a chunk is exchanged while the file is open', async (t) => {
  for (const fresh of [false, true]) {
    t.test(fresh ? 'since it was made' : 'since it was opened', async (t) => {
      const vault = new AttackedVault(t)
      const session = vault.open()
      if (fresh) session.unlink('/a')
      const file = fresh ? session.create('/a') : session.open('/a')
      const page = (letter: string): void => {
        file.write(0, Buffer.alloc(3 * C, letter))
        file.sync()
      }
      page('1')
      const fd = openSync(vault.blob('/a'), 'r+')
      const old = Buffer.alloc(RECORD)
      readSync(fd, old, 0, RECORD, 1024)
      page('2')
      t.same(file.read(0, C), Buffer.alloc(C, '2'))
      writeSync(fd, old, 0, RECORD, 1024)
      closeSync(fd)
      t.throws(() => file.read(0, C), { code: 'CHUNK_DAMAGED' }, 'the old chunk is not read')
      t.throws(() => file.read(0, 10), { code: 'CHUNK_DAMAGED' })
      t.same(file.read(C, C), Buffer.alloc(C, '2'))
      file.close()
      session.close()
    })
  }
})
