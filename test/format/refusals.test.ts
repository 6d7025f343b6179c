// What a header or a seal must not say, FORMAT.md §3. The seals of this test verify: the oracle
// forges them with the right keys, so only the rule itself can refuse them.

import { readFileSync } from 'node:fs'
import t from 'tap'
import { openEngine } from '../../lib/crypto/choose-engine.js'
import type { ErrorCode } from '../../lib/errors.js'
import type { Kind } from '../../lib/format/constants.js'
import { parseStatic, unwrapFileKey } from '../../lib/format/header.js'
import { Keyring, ObjectKeys } from '../../lib/format/keys.js'
import { currentSeal, nextSealSeq, openTicket, type Seal } from '../../lib/format/seal.js'
import { fieldsOf, forge, withSeal, type ForgedSeal } from '../oracle/forge.js'
import { parseObject, type VaultKeys } from '../oracle/object.js'

const KAT = JSON.parse(
  readFileSync(new URL('../../../test/vectors/format-v1-kat.json', import.meta.url), 'utf8'),
) as Record<string, string>
const known = (name: string): Buffer => Buffer.from(KAT[name]!, 'hex')
const fill = (n: number, a: number): Buffer =>
  Buffer.from(Array.from({ length: n }, (_, i) => a + i))
const { engine } = await openEngine('openssl')
const vaultId = fill(16, 0x10)
const seeds = new Map([['4041424344454647', fill(32, 0x20)]])
const vault: VaultKeys = {
  vaultId,
  rootDirId: fill(16, 0xd0),
  rootKeyId: '4041424344454647',
  seeds,
  chunkLog2: 15,
  strictMax: 4194304,
}

const fileHeader = Buffer.concat([known('static'), Buffer.alloc(448), known('seal_slot1')])
const meta = known('dir_meta')

/** Checks 2 and 3 as a drive makes them. */
function read(header: Buffer, kind: Kind): Seal {
  const block = parseStatic(header, 15, [1])
  const ring = new Keyring(engine, vaultId, seeds)
  const fk = unwrapFileKey(header, ring.generation(block.keyId).wrap, vaultId)
  const { objectId, suite, chunkLog2 } = block
  const keys = new ObjectKeys(engine, fk, vaultId, objectId, block.kind, suite, chunkLog2)
  return currentSeal(header, kind, keys.seal)
}

t.test('the forge makes what the format makes', async (t) => {
  const object = parseObject(vault, fileHeader, 1)
  const same = { ...fieldsOf(object), sealSeq: 3n }
  t.match(read(withSeal(fileHeader, object, same, 1), 1), { sealSeq: 3, name: 'Grüße.txt' })
})

t.test('every byte of the static block', async (t) => {
  t.equal(read(fileHeader, 1).sealSeq, 1)
  const codes = (at: number): ErrorCode[] =>
    at >= 8 && at < 16 ? ['NEWER_VERSION', 'OBJECT_DAMAGED'] : ['OBJECT_DAMAGED']
  for (const [header, kind] of [
    [fileHeader, 1],
    [meta, 3],
  ] as const) {
    for (let at = 0; at < 128; at++) {
      for (const flip of [0x01, 0x80]) {
        const bad = Buffer.from(header)
        bad[at]! ^= flip
        let code: unknown
        try {
          read(bad, kind)
        } catch (error) {
          code = (error as { code: unknown }).code
        }
        t.ok(codes(at).includes(code as ErrorCode), `byte ${at}, kind ${kind}: ${String(code)}`)
      }
    }
  }
})

t.test('what another version wrote says so', async (t) => {
  const changed = (at: number, value: number): Buffer => {
    const header = Buffer.from(fileHeader)
    header[at] = value
    return header
  }
  for (const [at, value] of [
    [8, 2],
    [9, 2],
    [10, 5],
    [14, 1],
    [15, 1],
  ] as const)
    t.throws(() => read(changed(at, value), 1), { code: 'NEWER_VERSION' }, `byte ${at}`)
  t.throws(() => parseStatic(fileHeader, 15, [2]), { code: 'NEWER_VERSION' }, 'a suite not allowed')
  t.throws(() => parseStatic(fileHeader, 16, [1]), { code: 'OBJECT_DAMAGED' }, 'another chunk size')
  t.throws(() => parseStatic(fileHeader.subarray(0, 1023), 15, [1]), { code: 'OBJECT_DAMAGED' })
  const ring = new Keyring(engine, vaultId, new Map())
  t.throws(() => ring.generation(fill(8, 0x40)), { code: 'OBJECT_DAMAGED' }, 'an unknown key')
})

const name = (text: string): Buffer =>
  Buffer.concat([Buffer.from(text), Buffer.alloc(256)]).subarray(0, 256)
const at = (n: number, i: number): Buffer => Buffer.alloc(n).fill(1, i, i + 1)
const rules: Record<string, Partial<ForgedSeal>> = {
  flags: { flags: 1 },
  'a high flag': { flags: 0x80000000 },
  'reserved bytes': { reserved: 1 },
  'the first byte of the end': { end: at(32, 0) },
  'the last byte of the end': { end: at(32, 31) },
  'no name': { nameLength: 0, name: Buffer.alloc(256) },
  'a name of 256 bytes': { nameLength: 256, name: Buffer.alloc(256, 0x61) },
  'bytes behind the name': { name: name('Grüße.txtX') },
  'the last byte of the field of the name': { name: Buffer.from(at(256, 255)) },
  'a name that is not UTF-8': {
    nameLength: 2,
    name: Buffer.concat([fill(2, 0xc3), Buffer.alloc(254)]),
  },
  'a sealSeq beyond all numbers': { sealSeq: 2n ** 63n + 1n },
  'a length beyond all numbers': { length: 2n ** 60n },
  'a device number of a file': { rdev: 1 },
}

t.test('a slot that verifies and breaks a rule refuses the object', async (t) => {
  const object = parseObject(vault, fileHeader, 1)
  const good = fieldsOf(object)
  const refused = (header: Buffer, kind: Kind, what: string): void => {
    t.throws(() => read(header, kind), { name: 'CofferError' }, what)
    // how large a number may be is this program's rule, not the format's
    if (!what.includes('beyond all numbers'))
      t.throws(() => parseObject(vault, header, kind), `${what}, says the oracle`)
  }
  for (const [what, change] of Object.entries(rules)) {
    const sealSeq = change.sealSeq ?? 3n
    const broken = withSeal(fileHeader, object, { ...good, ...change, sealSeq }, 1)
    refused(broken, 1, what)
    // an older slot with a broken rule is no better, the newer good one does not save it
    const newer = withSeal(broken, object, { ...good, sealSeq: 4n }, 0)
    refused(newer, 1, `${what}, in the older slot`)
    t.equal(read(withSeal(fileHeader, object, { ...good, sealSeq: 4n }, 0), 1).sealSeq, 4)
  }
  refused(withSeal(fileHeader, object, { ...good, sealSeq: 3n }, 0), 1, 'parity, slot 0')
  refused(withSeal(fileHeader, object, { ...good, sealSeq: 2n }, 1), 1, 'parity, slot 1')
  const both = withSeal(fileHeader, object, { ...good, sealSeq: 3n }, 0)
  refused(withSeal(both, object, { ...good, sealSeq: 5n }, 1), 1, 'parity, beside a newer one')
})

t.test('a directory’s meta has no length, no holes and no device', async (t) => {
  const object = parseObject(vault, meta, 3)
  const good = { ...fieldsOf(object), sealSeq: 3n }
  t.equal(read(withSeal(meta, object, good, 1), 3).sealSeq, 3)
  for (const change of [{ length: 1n }, { absent: 1n }, { rdev: 1 }]) {
    t.throws(() => read(withSeal(meta, object, { ...good, ...change }, 1), 3), {
      code: 'OBJECT_DAMAGED',
    })
  }
})

t.test('slots that do not verify are absent, not a rule broken', async (t) => {
  const object = parseObject(vault, fileHeader, 1)
  const two = withSeal(fileHeader, object, { ...fieldsOf(object), sealSeq: 2n, length: 9n }, 0)
  t.match(read(two, 1), { sealSeq: 2, length: 9 })
  for (let i = 0; i < 448; i += 7) {
    const torn = Buffer.from(two)
    torn[128 + i]! ^= 0x10
    t.match(read(torn, 1), { sealSeq: 1, length: 65540 }, `a torn newer slot, byte ${i}`)
    torn[576 + i]! ^= 0x10
    t.throws(() => read(torn, 1), { code: 'OBJECT_DAMAGED' }, 'none is left')
  }
  const moved = Buffer.from(fileHeader)
  moved.copy(moved, 128, 576, 1024)
  moved.fill(0, 576)
  t.throws(() => read(moved, 1), { code: 'OBJECT_DAMAGED' }, 'a seal is bound to its slot')
})

t.test('tickets', async (t) => {
  const object = parseObject(vault, fileHeader, 1)
  const { seal } = ticketKeys()
  const zero = Buffer.alloc(16)
  const plain: ForgedSeal = {
    ...fieldsOf(object),
    sealSeq: 2n,
    length: 0n,
    acc: zero,
    mtime: 0n,
    mode: 0,
    chunkWrites: 0n,
    absent: 0n,
    prevTag: zero,
  }
  t.match(openTicket(forge(object, plain, 2), 2, fileHeader, seal), { sealSeq: 2 })
  for (const change of [
    { length: 1n },
    { acc: fill(16, 1) },
    { mtime: 1n },
    { mtime: -1_000_000_000n },
    { mtime: -999_999_999n },
    { mode: 0o100644 },
    { rdev: 1 },
    { chunkWrites: 1n },
    { absent: 1n },
    { prevTag: fill(16, 1) },
    { flags: 1 },
    { end: at(32, 5) },
  ])
    t.throws(
      () => openTicket(forge(object, { ...plain, ...change }, 2), 2, fileHeader, seal),
      { name: 'CofferError' },
      Object.keys(change)[0]!,
    )
  const good = forge(object, plain, 2)
  for (const bytes of [good.subarray(1), good.subarray(0, 447), Buffer.concat([good, zero]), zero])
    t.equal(openTicket(bytes, 2, fileHeader, seal), null, `${bytes.length} bytes`)
  t.equal(openTicket(Buffer.alloc(448), 2, fileHeader, seal), null)
  t.equal(openTicket(good, 2, meta, seal), null, 'not beside another object')
})

function ticketKeys(): ObjectKeys {
  const { objectId } = parseStatic(fileHeader, 15, [1])
  return new ObjectKeys(engine, fill(32, 0x70), vaultId, objectId, 1, 1, 15)
}

t.test('the next sealSeq lies in the other slot and above the floor', async (t) => {
  for (let current = 0; current < 12; current++) {
    for (let floor = 0; floor < 12; floor++) {
      const next = nextSealSeq(current, floor)
      t.ok(next > current && next > floor && next % 2 !== current % 2)
      t.ok(next <= Math.max(current, floor) + 2, 'and is the smallest such')
    }
  }
})
