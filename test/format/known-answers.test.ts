// Every known answer of the object format, built and parsed by lib/format on both engines. The inputs
// are those of FORMAT.md §12; vault.coffer has a file of its own.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { openEngine } from '../../lib/crypto/choose-engine.js'
import { ChunkCipher } from '../../lib/format/chunk.js'
import { buildStatic, parseStatic, unwrapFileKey } from '../../lib/format/header.js'
import { Keyring, ObjectKeys } from '../../lib/format/keys.js'
import { Layout } from '../../lib/format/layout.js'
import { decodeName, encodeName } from '../../lib/format/name.js'
import {
  currentSeal,
  openTicket,
  previousTag,
  sealInto,
  ticketInto,
  type Seal,
} from '../../lib/format/seal.js'

const KAT = JSON.parse(
  readFileSync(new URL('../../../test/vectors/format-v1-kat.json', import.meta.url), 'utf8'),
) as Record<string, string> & { name_127_len: number; file_len: number }

const fill = (n: number, a: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => a + i)
const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex')
const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex')
const known = (name: string): Buffer => Buffer.from(KAT[name]!, 'hex')

const vaultId = fill(16, 0x10)
const keyId = fill(8, 0x40)
const seed = fill(32, 0x20)
const rootDirId = fill(16, 0xd0)
const dirId = fill(16, 0xc0)
const writer = fill(16, 0xe0)
const zero16 = new Uint8Array(16)
const long = 'a'.repeat(144)
const layout = new Layout(15)
const C = layout.chunkSize

const seal: Seal = {
  sealSeq: 1,
  length: 65540,
  acc: known('acc'),
  parentDirId: rootDirId,
  mtimeSec: 1700000000,
  mtimeNsec: 123456789,
  mode: 0o100644,
  rdev: 0,
  name: 'Grüße.txt',
  writer,
  chunkWrites: 2,
  absent: 1,
  prevTag: zero16,
}

for (const engineName of ['openssl', 'portable'] as const) {
  t.test(engineName, async (t) => {
    const { engine } = await openEngine(engineName)
    t.equal(engine.name, engineName)
    const ring = new Keyring(engine, vaultId, new Map([[hex(keyId), Uint8Array.from(seed)]]))
    const { name: siv, wrap } = ring.generation(keyId)
    const file = { kind: 1, suite: 1, chunkLog2: 15, objectId: fill(16, 0x90), keyId } as const
    const keys = new ObjectKeys(engine, fill(32, 0x70), vaultId, file.objectId, 1, 1, 15)
    const header = new Uint8Array(1024)
    buildStatic(header, file, fill(32, 0x70), fill(24, 0x01), wrap, vaultId)

    t.test('keys', async (t) => {
      const label = (text: string): Buffer => Buffer.from(`coffer/v1/${text}`)
      t.equal(hex(engine.hkdf(seed, vaultId, label('name'), 64)), KAT['Kname'])
      t.equal(hex(engine.hkdf(seed, vaultId, label('wrap'), 32)), KAT['Kwrap'])
      const info = Buffer.concat([label('object'), Buffer.from([1, 1, 15])])
      const salt = Buffer.concat([vaultId, file.objectId])
      const okm = hex(engine.hkdf(fill(32, 0x70), salt, info, 128))
      t.equal(okm, KAT['Kcontent']! + KAT['Kseal']! + KAT['Kacc']! + KAT['Kxattr']!)
      // the keyed objects hold those keys: what they seal opens under the known ones
      const record = new Uint8Array(40)
      keys.content.seal(record, 0, record, 0, 0, zero16)
      t.ok(engine.xaes(known('Kcontent')).open(record, 0, new Uint8Array(0), 0, 0, zero16))
      keys.xattr.seal(record, 0, record, 0, 0, zero16)
      t.ok(engine.xaes(known('Kxattr')).open(record, 0, new Uint8Array(0), 0, 0, zero16))
      const [ours, theirs] = [new Uint8Array(16), new Uint8Array(16)]
      keys.acc.mac(header, ours, 0)
      engine.cmac(known('Kacc')).mac(header, theirs, 0)
      t.same(ours, theirs)
    })

    t.test('names', async (t) => {
      t.equal(`${encodeName(engine, siv, rootDirId, 'Grüße.txt').base}.cff`, KAT['name_short'])
      t.equal(`${encodeName(engine, siv, dirId, 'Grüße.txt').base}.cff`, KAT['name_in_dir'])
      const base = KAT['name_short']!.slice(0, -4)
      t.equal(decodeName(engine, siv, rootDirId, base, null), 'Grüße.txt')
      t.equal(decodeName(engine, siv, dirId, base, null), null, 'not in another directory')
      const name127 = encodeName(engine, siv, rootDirId, 'a'.repeat(127))
      t.equal(`${name127.base}.cff`.length, KAT.name_127_len)
      const name144 = encodeName(engine, siv, rootDirId, long)
      t.equal(`${name144.base}.cff`, KAT['name_144'])
      t.equal(name144.sidecar?.length, 176)
      t.equal(
        decodeName(engine, siv, rootDirId, name144.base, name144.sidecar),
        long,
        'from its sidecar',
      )
    })

    t.test('the static block', async (t) => {
      t.equal(hex(header.subarray(0, 128)), KAT['static'])
      const parsed = parseStatic(header, 15, [1])
      t.match(parsed, { kind: 1, suite: 1, chunkLog2: 15 })
      t.equal(hex(parsed.objectId), hex(file.objectId))
      t.equal(hex(parsed.keyId), hex(keyId))
      t.same(unwrapFileKey(header, wrap, vaultId), fill(32, 0x70))
    })

    const cipher = new ChunkCipher(keys)
    const chunk = (index: number, nonce: Uint8Array, plain: Uint8Array): Uint8Array => {
      const record = new Uint8Array(plain.length + 40)
      record.set(nonce)
      cipher.seal(index, record, 0, plain, 0, plain.length)
      return record
    }
    const chunk0 = chunk(0, fill(24, 0x81), fill(C, 7))
    const chunk2 = chunk(2, fill(24, 0x33), Buffer.from('tail'))

    t.test('chunks', async (t) => {
      t.equal(sha256(chunk0), KAT['chunk0_sha256'])
      t.equal(hex(chunk0.subarray(24 + C)), KAT['chunk0_tag'])
      t.equal(hex(chunk2), KAT['chunk2'])
      const empty = chunk(0, fill(24, 0x05), new Uint8Array(0))
      t.equal(hex(empty), KAT['empty_final_chunk0'])
      const plain = new Uint8Array(C)
      t.ok(cipher.open(0, chunk0, 0, plain, 0, C))
      t.same(plain, fill(C, 7))
      t.notOk(cipher.open(1, chunk0, 0, plain, 0, C), 'a chunk opens at its own index alone')
      t.same(plain, new Uint8Array(C), 'and leaves nothing behind')
      const tail = new Uint8Array(4)
      t.ok(cipher.open(2, known('chunk2'), 0, tail, 0, 4))
      t.equal(Buffer.from(tail).toString(), 'tail')
      t.ok(cipher.open(0, known('empty_final_chunk0'), 0, tail, 0, 0))
      t.notOk(cipher.open(1, known('empty_final_chunk0'), 0, tail, 0, 0))
    })

    t.test('the accumulator', async (t) => {
      const acc = new Uint8Array(16)
      cipher.toggleRecord(acc, 2, chunk2, 0, 4)
      cipher.toggleRecord(acc, 0, chunk0, 0, C)
      t.equal(hex(acc), KAT['acc'])
      cipher.toggle(acc, 0, chunk0, 0, chunk0, 24 + C)
      cipher.toggle(acc, 2, chunk2, 0, chunk2, 28)
      t.same(acc, zero16, 'what was added is taken out again')
    })

    t.test('seal, tickets and the tag of a name that is left', async (t) => {
      const slot = new Uint8Array(448)
      slot.set(fill(24, 0x61))
      sealInto(slot, 0, seal, 1, header, keys.seal)
      t.equal(hex(slot), KAT['seal_slot1'])
      const whole = Uint8Array.from(header)
      whole.set(slot, 576)
      t.same(plainly(currentSeal(whole, 1, keys.seal)), plainly(seal))

      const rename = { sealSeq: 2, parentDirId: dirId, name: 'moved', writer }
      const link = { sealSeq: 1, parentDirId: rootDirId, name: 'second name', writer }
      const record = new Uint8Array(448)
      record.set(fill(24, 0x62))
      ticketInto(record, rename, 2, header, keys.seal)
      t.equal(hex(record), KAT['rename_ticket'])
      record.set(fill(24, 0x63))
      ticketInto(record, link, 3, header, keys.seal)
      t.equal(hex(record), KAT['link_ticket'])
      t.match(openTicket(known('rename_ticket'), 2, header, keys.seal), { name: 'moved' })
      t.match(openTicket(known('link_ticket'), 3, header, keys.seal), { name: 'second name' })
      t.equal(openTicket(known('rename_ticket'), 3, header, keys.seal), null, 'not as the other')
      t.equal(openTicket(known('link_ticket'), 2, header, keys.seal), null)
    })

    t.test('the meta of a directory', async (t) => {
      const meta = known('dir_meta')
      const block = parseStatic(meta, 15, [1])
      const metaKeys = new ObjectKeys(
        engine,
        unwrapFileKey(meta, wrap, vaultId),
        vaultId,
        block.objectId,
        block.kind,
        block.suite,
        block.chunkLog2,
      )
      const prevTag = previousTag(rootDirId, 'alt', metaKeys.acc)
      t.equal(hex(prevTag), KAT['prevTag_alt'])
      const expected: Seal = {
        ...seal,
        length: 0,
        acc: dirId,
        mtimeNsec: 0,
        mode: 0o40755,
        name: 'Ordner',
        chunkWrites: 0,
        absent: 0,
        prevTag,
      }
      t.same(plainly(currentSeal(meta, 3, metaKeys.seal)), plainly(expected))
      const built = new Uint8Array(1024)
      const own = { kind: 3, suite: 1, chunkLog2: 0, objectId: fill(16, 0xa0), keyId } as const
      buildStatic(built, own, fill(32, 0xb0), fill(24, 0x02), wrap, vaultId)
      built.set(fill(24, 0x64), 576)
      sealInto(built, 576, expected, 1, built, metaKeys.seal)
      t.equal(hex(built), KAT['dir_meta'])
    })

    t.test('a whole file', async (t) => {
      const blob = Buffer.alloc(layout.backingSize(65540))
      t.equal(blob.length, KAT.file_len)
      blob.set(header)
      blob.set(known('seal_slot1'), 576)
      blob.set(chunk0, layout.recordOffset(0))
      blob.set(chunk2, layout.recordOffset(2))
      t.equal(sha256(blob), KAT['file_sha256'])
      t.equal(layout.plainSize(blob.length), 65540)
    })
  })
}

/** Byte fields as hex, whatever kind of array they are. */
function plainly(seal: Seal): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(seal).map(([key, value]: [string, unknown]) => [
      key,
      value instanceof Uint8Array ? hex(value) : value,
    ]),
  )
}
