// What the two engines promise each other and their callers: the same bytes, no way around a tag,
// no use after wipe, no reach beyond a buffer.

import { cmac as oracleCmac } from '@noble/ciphers/aes.js'
import fc from 'fast-check'
import { spawnSync } from 'node:child_process'
import t from 'tap'
import { openEngine } from '../../lib/crypto/choose-engine.js'
import { opensslEngine } from '../../lib/crypto/engine-openssl.js'
import { portableEngine } from '../../lib/crypto/engine-portable.js'
import { BugError } from '../../lib/errors.js'

const fast = opensslEngine()
const engines = [fast, portableEngine]
const hex = (data: Uint8Array | null): string | null =>
  data === null ? null : Buffer.from(data).toString('hex')
const bytes = (max: number, min = 0): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: min, maxLength: max })
const key = bytes(32, 32)

void t.test('XAES: same records, open undoes seal, every flipped bit is refused', (t) => {
  fc.assert(
    fc.property(
      key,
      bytes(24, 24),
      bytes(600),
      bytes(80),
      fc.nat(),
      fc.nat(20),
      fc.nat(20),
      (k, nonce, plain, aad, bit, r, p) => {
        const { length } = plain
        const results = engines.map((engine) => {
          const xaes = engine.xaes(k)
          const record = new Uint8Array(r + length + 40 + 3).fill(0xaa)
          record.set(nonce, r)
          const source = new Uint8Array(p + length)
          source.set(plain, p)
          xaes.seal(record, r, source, p, length, aad)
          t.ok(
            record.subarray(0, r).every((b) => b === 0xaa) &&
              record.subarray(-3).every((b) => b === 0xaa),
            'stays inside',
          )
          const opened = new Uint8Array(p + length + 2).fill(0xbb)
          t.ok(xaes.open(record, r, opened, p, length, aad))
          t.same(opened.subarray(p, p + length), plain)
          t.ok(
            opened.subarray(0, p).every((b) => b === 0xbb) &&
              opened.subarray(-2).every((b) => b === 0xbb),
          )
          const sealed = record.slice()
          const at = bit % (8 * (length + 40))
          record[r + (at >> 3)]! ^= 1 << (at & 7)
          t.notOk(xaes.open(record, r, opened, p, length, aad), 'a flipped bit')
          t.ok(
            opened.subarray(p, p + length).every((b) => b === 0),
            'no plaintext without a tag',
          )
          t.notOk(
            xaes.open(sealed, r, opened, p, length, Buffer.concat([aad, new Uint8Array(1)])),
            'other aad',
          )
          t.ok(xaes.open(sealed, r, opened, p, length, aad), 'a refusal leaves the key usable')
          xaes.wipe()
          return hex(sealed)
        })
        t.equal(results[0], results[1])
      },
    ),
    { numRuns: 150 },
  )
  t.end()
})

void t.test('XAES: chunks of 32 KiB, keys interleaved', (t) => {
  const plain = Uint8Array.from({ length: 32768 }, (_, i) => i * 7)
  const aad = new Uint8Array(12).fill(5)
  const [a, b] = engines.map((engine) => {
    const one = engine.xaes(new Uint8Array(32).fill(1))
    const two = engine.xaes(new Uint8Array(32).fill(2))
    const first = new Uint8Array(32808)
    const second = new Uint8Array(32808)
    one.seal(first, 0, plain, 0, 32768, aad)
    two.seal(second, 0, plain, 0, 32768, aad)
    const opened = new Uint8Array(32768)
    t.notOk(two.open(first, 0, opened, 0, 32768, aad))
    t.ok(one.open(first, 0, opened, 0, 32768, aad))
    t.same(opened, plain)
    two.wipe()
    t.ok(one.open(first, 0, opened, 0, 32768, aad), 'wiping one key leaves the other')
    one.wipe()
    return Buffer.concat([first, second])
  })
  t.same(a, b)
  t.end()
})

void t.test('CMAC: same as the oracle at every length', (t) => {
  fc.assert(
    fc.property(key, bytes(1300), (k, data) => {
      for (const engine of engines) {
        const out = new Uint8Array(20)
        const cmac = engine.cmac(k)
        cmac.mac(data, out, 4)
        cmac.mac(data, out, 4)
        cmac.wipe()
        t.equal(hex(out.subarray(4)), hex(oracleCmac(data, k)))
      }
    }),
    {
      numRuns: 150,
      examples: [
        ...[0, 1, 15, 16, 17, 48, 511, 512, 513, 1024].map((n): [Uint8Array, Uint8Array] => [
          new Uint8Array(32).fill(n),
          new Uint8Array(n).fill(n),
        ]),
      ],
    },
  )
  t.end()
})

void t.test(
  'SIV: same bytes with any number of pieces, open undoes seal, flips are refused',
  (t) => {
    fc.assert(
      fc.property(
        bytes(64, 64),
        bytes(700),
        fc.array(bytes(40), { maxLength: 5 }),
        fc.nat(),
        (k, plain, ad, bit) => {
          const results = engines.map((engine) => {
            const siv = engine.siv(k)
            const sealed = siv.seal(plain, ad)
            t.equal(hex(siv.open(sealed, ad)), hex(plain))
            t.equal(siv.open(sealed, [...ad, new Uint8Array(0)]), null, 'an empty piece counts')
            const bad = sealed.slice()
            bad[(bit >> 3) % bad.length]! ^= 1 << (bit & 7)
            t.equal(siv.open(bad, ad), null)
            t.equal(siv.open(sealed.subarray(0, 15), ad), null)
            siv.wipe()
            return hex(sealed)
          })
          t.equal(results[0], results[1])
        },
      ),
      { numRuns: 100 },
    )
    t.end()
  },
)

void t.test('GCM and HKDF: same bytes', (t) => {
  fc.assert(
    fc.property(
      key,
      bytes(12, 12),
      bytes(300),
      bytes(50),
      fc.nat(),
      (k, nonce, plain, aad, bit) => {
        const [a, b] = engines.map((engine) => engine.gcmSeal(k, nonce, plain, aad))
        t.same(a, b)
        for (const engine of engines) {
          t.equal(hex(engine.gcmOpen(k, nonce, a!, aad)), hex(plain))
          const bad = a!.slice()
          bad[(bit >> 3) % bad.length]! ^= 1 << (bit & 7)
          t.equal(engine.gcmOpen(k, nonce, bad, aad), null)
        }
        t.same(fast.hkdf(k, nonce, aad, 128), portableEngine.hkdf(k, nonce, aad, 128))
      },
    ),
    { numRuns: 100 },
  )
  t.end()
})

for (const engine of engines) {
  void t.test(`misuse of ${engine.name}`, (t) => {
    const xaes = engine.xaes(new Uint8Array(32))
    const aad = new Uint8Array(0)
    const big = new Uint8Array(100)
    for (const [record, recordOffset, plain, plainOffset, length] of [
      [49, 0, 100, 0, 10],
      [50, 1, 100, 0, 10],
      [100, 0, 9, 0, 10],
      [100, 0, 10, 1, 10],
      [100, -1, 10, 0, 10],
      [100, 0, 10, -1, 10],
      [100, 0, 10, 0, -1],
      [100, 0.5, 10, 0, 1],
      [100, 0, 10, 0, NaN],
      [100, 0, 10, 0, 2 ** 32],
    ] as const) {
      const call = (verb: 'seal' | 'open') => () =>
        xaes[verb](
          big.subarray(0, record),
          recordOffset,
          big.subarray(0, plain),
          plainOffset,
          length,
          aad,
        )
      t.throws(call('seal'), RangeError)
      t.throws(call('open'), RangeError)
    }
    xaes.wipe()
    xaes.wipe()
    t.throws(() => {
      xaes.seal(big, 0, big, 0, 1, aad)
    }, BugError)
    t.throws(() => xaes.open(big, 0, big, 0, 1, aad), BugError)

    const cmac = engine.cmac(new Uint8Array(32))
    t.throws(() => {
      cmac.mac(big, big, 85)
    }, RangeError)
    cmac.wipe()
    cmac.wipe()
    t.throws(() => {
      cmac.mac(big, big, 0)
    }, BugError)

    const siv = engine.siv(new Uint8Array(64))
    siv.wipe()
    siv.wipe()
    t.throws(() => siv.seal(big, []), BugError)
    t.throws(() => siv.seal(aad, []), BugError)
    t.throws(() => siv.open(big, []), BugError)

    for (const length of [0, 16, 31, 33, 64])
      t.throws(() => engine.xaes(new Uint8Array(length)), RangeError)
    for (const length of [16, 31, 33])
      t.throws(() => engine.cmac(new Uint8Array(length)), RangeError)
    for (const length of [32, 63, 65])
      t.throws(() => engine.siv(new Uint8Array(length)), RangeError)
    t.throws(() => engine.gcmSeal(new Uint8Array(16), new Uint8Array(12), big, aad), RangeError)
    t.throws(() => engine.gcmSeal(new Uint8Array(32), new Uint8Array(16), big, aad), RangeError)
    t.throws(() => engine.gcmOpen(new Uint8Array(32), new Uint8Array(11), big, aad), RangeError)
    t.end()
  })

  void t.test(`${engine.name} copies its keys`, (t) => {
    const k = new Uint8Array(64).fill(7)
    const out = [new Uint8Array(16), new Uint8Array(16)] as const
    const cmac = engine.cmac(k.subarray(0, 32))
    const siv = engine.siv(k)
    const before = siv.seal(out[0], [])
    cmac.mac(k.subarray(0, 0), out[0], 0)
    k.fill(0)
    cmac.mac(k.subarray(0, 0), out[1], 0)
    t.same(out[0], out[1])
    t.same(siv.seal(new Uint8Array(16), []), before)
    cmac.wipe()
    siv.wipe()
    t.end()
  })
}

void t.test('asked for the portable engine, nobody is told of a problem', async (t) => {
  t.same(await openEngine('portable'), { engine: portableEngine, problem: '' })
})

void t.test('without koffi the portable engine takes over, and says why', (t) => {
  const folder = t.testdir({
    'no-koffi.cjs': `const { Module } = require('node:module')
      const load = Module._load
      Module._load = (name, ...rest) => {
        if (name === 'koffi') throw new Error('no binary for this machine')
        return load(name, ...rest)
      }`,
  })
  const chooser = new URL('../../lib/crypto/choose-engine.js', import.meta.url).href
  const program = `const { openEngine } = await import(${JSON.stringify(chooser)})
    const { engine, problem } = await openEngine()
    console.log(engine.name + ': ' + problem)`
  const args = ['--require', `${folder}/no-koffi.cjs`, '--input-type=module', '--eval', program]
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  t.match(stdout, /^portable: .*no binary for this machine/, stderr)
  t.end()
})
