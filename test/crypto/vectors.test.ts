// Published known answers, over both engines.
// XAES-256-GCM: c2sp.org/XAES-256-GCM. CMAC: SP 800-38B D.3. SIV: RFC 5297 A for the oracle (its
// keys are AES-128), Wycheproof for AES-256. GCM: McGrew and Viega. HKDF: RFC 5869. scrypt: RFC 7914.

import { aessiv } from '@noble/ciphers/aes.js'
import { createHash } from 'node:crypto'
import t from 'tap'
import { openEngine } from '../../lib/crypto/choose-engine.js'
import type { Engine } from '../../lib/crypto/engine.js'

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')
const text = (s: string): Buffer => Buffer.from(s)
const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex')
const NONE = new Uint8Array(0)

/** Seals, checks that it opens again, and returns ciphertext ‖ tag. */
function xaesRoundTrip(
  engine: Engine,
  key: Uint8Array,
  nonce: Uint8Array,
  plain: Uint8Array,
  aad: Uint8Array,
): Uint8Array {
  const xaes = engine.xaes(key)
  const { length } = plain
  const record = new Uint8Array(length + 40)
  record.set(nonce)
  xaes.seal(record, 0, plain, 0, length, aad)
  const opened = new Uint8Array(length)
  const ok = xaes.open(record, 0, opened, 0, length, aad)
  xaes.wipe()
  if (!ok || Buffer.compare(opened, plain) !== 0) throw new Error('what was sealed does not open')
  return record.subarray(24)
}

const MESSAGE =
  '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51' +
  '30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710'

const fast = await openEngine('openssl')
const portable = await openEngine('portable')
t.equal(fast.problem, '', 'the fast engine loads here')
t.equal(fast.engine.name, 'openssl')
t.equal(portable.engine.name, 'portable')

for (const { engine } of [fast, portable]) {
  void t.test(engine.name, (t) => {
    const nonce = text('ABCDEFGHIJKLMNOPQRSTUVWX')
    const plain = text('XAES-256-GCM')
    t.equal(
      hex(xaesRoundTrip(engine, new Uint8Array(32).fill(1), nonce, plain, NONE)),
      'ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271',
      'XAES, high bit of L clear',
    )
    t.equal(
      hex(
        xaesRoundTrip(
          engine,
          new Uint8Array(32).fill(3),
          nonce,
          plain,
          text('c2sp.org/XAES-256-GCM'),
        ),
      ),
      '986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d',
      'XAES, high bit of L set',
    )

    const iterations = 10_000
    const stream = createHash('shake128', {
      outputLength: iterations * (32 + 24 + 2 * 256),
    }).digest()
    t.equal(hex(stream.subarray(0, 16)), '7f9c2ba4e88f827d616045507605853e')
    let at = 0
    const take = (length: number): Buffer => stream.subarray(at, (at += length))
    const sum = createHash('shake128', { outputLength: 32 })
    for (let i = 0; i < iterations; i++) {
      const key = take(32)
      const n = take(24)
      const p = take(take(1)[0]!)
      const aad = take(take(1)[0]!)
      sum.update(xaesRoundTrip(engine, key, n, p, aad))
    }
    t.equal(
      sum.digest('hex'),
      'e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939',
      'XAES, 10 000 accumulated',
    )

    const cmac = engine.cmac(
      bytes('603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4'),
    )
    for (const [length, mac] of [
      [0, '028962f61b7bf89efc6b551f4667d983'],
      [16, '28a7023f452e8f82bd4bf28d8c37c35c'],
      [40, 'aaf3d8f1de5640c232f5b169b9c911e6'],
      [64, 'e1992190549f6ed5696a2c056c315410'],
    ] as const) {
      const out = new Uint8Array(18).fill(0xee)
      cmac.mac(bytes(MESSAGE).subarray(0, length), out, 1)
      t.equal(hex(out), `ee${mac}ee`, `CMAC of ${length} bytes`)
    }
    cmac.wipe()

    const siv = engine.siv(Uint8Array.from({ length: 64 }, (_, i) => i))
    for (const [msg, ct] of [
      ['', '6ff5b8ef53fc365606cd3ea047374885'],
      ['3031323334353637', '212e4a8f8b4c66788f3af230fb1c3ada5ead70c7f066d4df'],
      [
        '303132333435363738393a3b3c3d3e3f',
        '04b4e8166f28082987a32cdaf53deb61211dffad7562c4b924bb79fed73d9ce2',
      ],
      [
        '303132333435363738393a3b3c3d3e3f40414243',
        '305d6cf8eeb36a37849710e7d1f72940adfd10a7615d6515b999dbfc5a10f3ae9df5f19a',
      ],
    ] as const) {
      t.equal(hex(siv.seal(bytes(msg), [NONE])), ct, `SIV of ${String(msg.length / 2)} bytes`)
      t.equal(hex(siv.open(bytes(ct), [NONE])!), msg)
      for (const bit of [0, 1, 7, 8, 31, 32, 33, 63, 64, 71, 77, 127]) {
        const bad = bytes(ct)
        bad[bit >> 3]! ^= 1 << (bit & 7)
        t.equal(siv.open(bad, [NONE]), null, `bit ${bit} of V flipped`)
      }
    }
    siv.wipe()

    for (const [key, iv, p, aad, sealed] of [
      ['00'.repeat(32), '00'.repeat(12), '', '', '530f8afbc74536b9a963b4f1c4cb738b'],
      [
        '00'.repeat(32),
        '00'.repeat(12),
        '00'.repeat(16),
        '',
        'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919',
      ],
      [
        'feffe9928665731c6d6a8f9467308308'.repeat(2),
        'cafebabefacedbaddecaf888',
        'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
        'feedfacedeadbeeffeedfacedeadbeefabaddad2',
        '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b',
      ],
    ] as const) {
      t.equal(hex(engine.gcmSeal(bytes(key), bytes(iv), bytes(p), bytes(aad))), sealed, 'GCM')
      t.equal(hex(engine.gcmOpen(bytes(key), bytes(iv), bytes(sealed), bytes(aad))!), p)
      t.equal(
        engine.gcmOpen(bytes(key), bytes(iv), bytes(sealed).subarray(0, -12), bytes(aad)),
        null,
        'a tag of 4 bytes',
      )
      t.equal(
        engine.gcmOpen(bytes(key), bytes(iv), bytes(sealed).subarray(0, 15), bytes(aad)),
        null,
        'cut short',
      )
    }

    const ikm = new Uint8Array(22).fill(0x0b)
    t.equal(
      hex(engine.hkdf(ikm, bytes('000102030405060708090a0b0c'), bytes('f0f1f2f3f4f5f6f7f8f9'), 42)),
      '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
      'HKDF',
    )
    t.equal(
      hex(engine.hkdf(ikm, NONE, NONE, 42)),
      '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
      'HKDF without salt and info',
    )
    t.equal(
      hex(engine.sha256(text('abc'))),
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    )
    t.equal(
      hex(engine.scrypt(NONE, NONE, 4, 1, 1, 64)),
      '77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906',
      'scrypt',
    )
    t.equal(
      hex(engine.scrypt(text('password'), text('NaCl'), 10, 8, 16, 64)),
      'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640',
      'scrypt, many lanes',
    )
    t.end()
  })
}

void t.test('the oracle for SIV', (t) => {
  const a1 = aessiv(
    bytes('fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff'),
    bytes('101112131415161718191a1b1c1d1e1f2021222324252627'),
  )
  t.equal(
    hex(a1.encrypt(bytes('112233445566778899aabbccddee'))),
    '85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c',
    'RFC 5297 A.1',
  )
  const a2 = aessiv(
    bytes('7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f'),
    bytes('00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100'),
    bytes('102030405060708090a0'),
    bytes('09f911029d74e35bd84156c5635688c0'),
  )
  t.equal(
    hex(a2.encrypt(text('this is some plaintext to encrypt using SIV-AES'))),
    '7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d',
    'RFC 5297 A.2',
  )
  t.end()
})
