// Extended attributes: known answers from a derivation that shares no line with lib/format, on both
// engines, and what must not decode. FORMAT.md §7; inputs in §12.

import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { openEngine } from '../../lib/crypto/choose-engine.js'
import { Keyring, ObjectKeys } from '../../lib/format/keys.js'
import { decodeXattrName, encodeXattrName, openXattr, sealXattr } from '../../lib/format/xattr.js'
import type { VaultKeys } from '../oracle/object.js'
import { cat, sivSeal, text, unhex, zeros } from '../oracle/primitives.js'
import { rootBearer, xattrName, xattrValue } from '../oracle/xattr.js'

const KAT = JSON.parse(
  readFileSync(new URL('../../../test/vectors/format-v1-kat.json', import.meta.url), 'utf8'),
) as Record<string, string>

const fill = (n: number, a: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: n }, (_, i) => a + i))
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const keyId = fill(8, 0x40)
const vault: VaultKeys = {
  vaultId: fill(16, 0x10),
  rootDirId: fill(16, 0xd0),
  rootKeyId: hex(keyId),
  seeds: new Map([[hex(keyId), fill(32, 0x20)]]),
  chunkLog2: 15,
  strictMax: 4194304,
}
const file = { objectId: fill(16, 0x90), xattr: unhex(KAT['Kxattr']!) }
const root = rootBearer(vault)
const NAME = 'note'
const VALUE = text('an attribute')
const nonce = fill(24, 0x65)

t.test('the oracle gives the known answers', async (t) => {
  t.equal(xattrName(vault, file, NAME), KAT['xattr_name'])
  t.equal(hex(xattrValue(file, KAT['xattr_name']!, nonce, VALUE)), KAT['xattr_value'])
  t.equal(hex(root.xattr), KAT['root_Kxattr'])
  t.equal(xattrName(vault, root, NAME), KAT['root_xattr_name'])
  t.equal(hex(xattrValue(root, KAT['root_xattr_name']!, nonce, VALUE)), KAT['root_xattr_value'])
})

for (const engineName of ['openssl', 'portable'] as const) {
  t.test(engineName, async (t) => {
    const { engine } = await openEngine(engineName)
    t.equal(engine.name, engineName)
    const ring = new Keyring(engine, vault.vaultId, new Map([[hex(keyId), fill(32, 0x20)]]))
    const { name: siv } = ring.generation(keyId)
    const keys = new ObjectKeys(engine, fill(32, 0x70), vault.vaultId, file.objectId, 1, 1, 15)
    const ours = { objectId: file.objectId, key: keys.xattr }
    const ofRoot = { objectId: vault.vaultId, key: ring.rootXattr(keyId) }

    t.test('known answers', async (t) => {
      for (const [{ objectId, key }, prefix] of [
        [ours, ''],
        [ofRoot, 'root_'],
      ] as const) {
        const backing = encodeXattrName(siv, objectId, NAME)
        t.equal(backing, KAT[`${prefix}xattr_name`])
        t.equal(decodeXattrName(siv, objectId, backing), NAME)
        const record = cat(nonce, zeros(VALUE.length + 16))
        sealXattr(key, record, backing, VALUE)
        t.equal(hex(record), KAT[`${prefix}xattr_value`])
        t.same(Buffer.from(openXattr(key, backing, record)!), VALUE)
      }
    })

    t.test('every name and value as the oracle has it', async () => {
      const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      fc.assert(
        fc.property(name, fc.uint8Array({ maxLength: 100 }), (name, value) => {
          fc.pre(!name.includes('\0') && Buffer.byteLength(name) <= 143)
          const backing = encodeXattrName(siv, ours.objectId, name)
          const record = cat(nonce, zeros(value.length + 16))
          sealXattr(ours.key, record, backing, value)
          return (
            backing === xattrName(vault, file, name) &&
            decodeXattrName(siv, ours.objectId, backing) === name &&
            record.equals(xattrValue(file, backing, nonce, value))
          )
        }),
        { numRuns: 200 },
      )
    })

    t.test('names that cannot be', async (t) => {
      const encode = (name: string) => () => encodeXattrName(siv, ours.objectId, name)
      t.throws(encode(''), { code: 'EINVAL' })
      t.throws(encode('a\0b'), { code: 'EINVAL' })
      t.throws(encode('\ud800'), { code: 'EILSEQ' })
      t.throws(encode('n'.repeat(144)), { code: 'ERANGE' })
      t.throws(encode('ü'.repeat(72)), { code: 'ERANGE' })
      t.equal(encode('n'.repeat(143))().length, 226)
      for (const odd of ['.', '..', 'a/b', ' ', 'ü']) {
        t.equal(decodeXattrName(siv, ours.objectId, encode(odd)()), odd)
      }
    })

    t.test('backing names that are not canonical, or another’s', async (t) => {
      const nameKey = unhex(KAT['Kname']!)
      const sealed = (plain: Uint8Array, ...ad: Uint8Array[]) =>
        `user.coffer.${sivSeal(nameKey, ad, plain).toString('base64url')}`
      const padded = cat(text(NAME), unhex('80'), zeros(11))
      const at = [file.objectId, text('xattr')]
      const decode = (backing: string) => decodeXattrName(siv, ours.objectId, backing)
      const good = sealed(padded, ...at)
      t.equal(decode(good), NAME)
      for (const [what, bad] of Object.entries({
        'another object’s': encodeXattrName(siv, vault.vaultId, NAME),
        'without a purpose': sealed(padded, file.objectId),
        'padded twice': sealed(cat(padded, zeros(16)), ...at),
        'not padded': sealed(text('0123456789abcdef'), ...at),
        'bytes behind the padding': sealed(cat(text(NAME), unhex('8001'), zeros(10)), ...at),
        'an empty name': sealed(cat(unhex('80'), zeros(15)), ...at),
        'a NUL': sealed(cat(text('a\0b'), unhex('80'), zeros(12)), ...at),
        'no UTF-8': sealed(cat(unhex('ff80'), zeros(14)), ...at),
        'too long': sealed(cat(text('n'.repeat(144)), unhex('80'), zeros(15)), ...at),
        'another prefix': good.replace('user.coffer.', 'user.cofferx'),
        'no prefix': good.slice(12),
        'junk behind': `${good}A`,
        'junk in it': `${good.slice(0, 20)}!${good.slice(20)}`,
        'base64 padding': `${good}=`,
        'a line end': `${good}\n`,
        nothing: 'user.coffer.',
        cut: good.slice(0, -1),
      })) {
        t.equal(decode(bad), null, what)
      }
    })

    t.test('values that are not this attribute’s', async (t) => {
      const backing = KAT['xattr_name']!
      const record = unhex(KAT['xattr_value']!)
      const opened = (bytes: Uint8Array, name = backing) => openXattr(ours.key, name, bytes)
      t.ok(opened(record))
      for (let at = 0; at < record.length; at++) {
        const bad = Buffer.from(record)
        bad[at]! ^= 1
        if (opened(bad) !== null) t.fail(`byte ${at}`)
      }
      t.equal(opened(record, encodeXattrName(siv, ours.objectId, 'other')), null, 'another name')
      t.equal(openXattr(ofRoot.key, backing, record), null, 'another object')
      for (const n of [0, 1, 39, record.length - 1]) t.equal(opened(record.subarray(0, n)), null)
      t.equal(opened(cat(record, zeros(1))), null)
      const empty = unhex('65'.repeat(24) + '00'.repeat(16))
      sealXattr(ours.key, empty, backing, zeros(0))
      t.equal(opened(empty)?.length, 0, 'an empty value is a value')
    })

    t.test('wiped keys', async (t) => {
      keys.wipe()
      ring.wipe()
      t.throws(() => openXattr(ours.key, KAT['xattr_name']!, unhex(KAT['xattr_value']!)))
      t.throws(() => openXattr(ofRoot.key, KAT['xattr_name']!, unhex(KAT['xattr_value']!)))
    })
  })
}
