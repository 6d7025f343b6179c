// Names, FORMAT.md §7: every length there and back, one backing name for one name, and nothing else
// taken for a name.

import fc from 'fast-check'
import t from 'tap'
import { openEngine } from '../../lib/crypto/choose-engine.js'
import type { ErrorCode } from '../../lib/errors.js'
import {
  decodeName,
  encodeName,
  longBase,
  metaName,
  nameBytes,
  parseBackingName,
  ticketName,
} from '../../lib/format/name.js'

const { engine } = await openEngine('openssl')
const key = Uint8Array.from({ length: 64 }, (_, i) => i)
const siv = engine.siv(key)
const dirId = new Uint8Array(16).fill(1)
const otherDir = new Uint8Array(16).fill(2)
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

const encode = (name: string): ReturnType<typeof encodeName> => encodeName(engine, siv, dirId, name)
const decode = (base: string, sidecar: Uint8Array | null = null): string | null =>
  decodeName(engine, siv, dirId, base, sidecar)
/** The base of a ciphertext over exactly these bytes, padded or not. */
const baseOver = (padded: Uint8Array): string =>
  `c${Buffer.from(siv.seal(padded, [dirId])).toString('base64url')}`

t.test('every length', async (t) => {
  const lengths = new Set<number>()
  for (let n = 1; n <= 255; n++) {
    const name = 'ä'.repeat(n >> 1) + (n % 2 === 1 ? 'x' : '')
    const { base, sidecar } = encode(name)
    if (n <= 127) {
      lengths.add(base.length - 1)
      t.equal(sidecar, null)
    } else {
      t.equal(base.length, 44)
      t.equal(sidecar?.length, 16 + 16 * (Math.floor(n / 16) + 1))
      t.equal(decode(base), null, 'a long name needs its sidecar')
    }
    t.equal(decode(base, sidecar), name)
    t.equal(decodeName(engine, siv, otherDir, base, sidecar), null)
    t.match(parseBackingName(`${base}.cff`), { what: 'object', base, extension: '.cff' })
  }
  t.same([...lengths], [43, 64, 86, 107, 128, 150, 171, 192])
  t.same(encode('once').base, encode('once').base, 'always the same')
})

t.test('a sync client can name a version beside the longest', async (t) => {
  const { base } = encode('n'.repeat(127))
  const names = [`${base}.cff`, ticketName(base, new Uint8Array(16))]
  t.same(
    names.map((name) => name.length),
    [197, 214],
  )
  for (const name of names) {
    const [stem, extension] = [name.slice(0, -4), name.slice(-4)]
    const version = `${stem}.sync-conflict-20261129-162021-ECCJUFW${extension}`
    t.ok(version.length <= 255, version)
    t.match(parseBackingName(version), { what: /copy|ticket/ })
  }
})

t.test('only the canonical base64url is a name', async (t) => {
  let refused = 0
  for (const name of ['a', 'bb', 'a name of twenty-one ', 'x'.repeat(100)]) {
    const { base } = encode(name)
    const bits = ((base.length - 1) * 6) % 8
    const last = BASE64URL.indexOf(base.at(-1)!)
    for (let junk = 1; junk < 2 ** bits; junk++) {
      const variant = base.slice(0, -1) + BASE64URL[last ^ junk]!
      t.same(Buffer.from(variant.slice(1), 'base64url'), Buffer.from(base.slice(1), 'base64url'))
      t.equal(decode(variant), null, variant)
      refused++
    }
    for (const variant of [
      `${base}=`,
      `${base}==`,
      `${base} `,
      `${base}\n`,
      `${base}+`,
      `c ${base.slice(1)}`,
    ])
      t.equal(decode(variant), null)
    for (const [from, to] of [
      ['-', '+'],
      ['_', '/'],
    ] as const)
      if (base.includes(from)) t.equal(decode(base.replaceAll(from, to)), null)
  }
  t.equal(refused, 9)
})

t.test('only the canonical padding is a name', async (t) => {
  const padded = (...parts: (string | number[])[]): Uint8Array =>
    Buffer.concat(parts.map((part) => Buffer.from(part as string)))
  const zeros = (n: number): number[] => Array.from({ length: n }, () => 0)
  t.equal(decode(baseOver(padded('abc', [0x80], zeros(12)))), 'abc')
  const wrong: Record<string, Uint8Array> = {
    'no 0x80': padded('abc', zeros(13)),
    'something after 0x80': padded('abc', [0x80], zeros(11), [1]),
    'a block too many': padded('abc', [0x80], zeros(28)),
    'an empty name': padded([0x80], zeros(15)),
    'all zero': padded(zeros(16)),
    'not UTF-8': padded([0xc3, 0x28, 0x80], zeros(13)),
    'a lone surrogate in UTF-8': padded([0xed, 0xa0, 0x80, 0x80], zeros(12)),
    'overlong UTF-8': padded([0xc0, 0xaf, 0x80], zeros(13)),
    'a slash': padded('a/b', [0x80], zeros(12)),
    'a NUL': padded('a', [0], 'b', [0x80], zeros(12)),
    dot: padded('.', [0x80], zeros(14)),
    dotdot: padded('..', [0x80], zeros(13)),
    'a long name as a short one': padded('a'.repeat(128), [0x80], zeros(15)),
    'not whole blocks': padded('abc', [0x80]),
    nothing: new Uint8Array(0),
  }
  for (const [what, bytes] of Object.entries(wrong)) {
    t.equal(decode(baseOver(bytes)), null, what)
    const ct = siv.seal(bytes, [dirId])
    if (what !== 'a long name as a short one')
      t.equal(decode(longBase(engine, ct), ct), null, `${what}, in a sidecar`)
  }
  const short = siv.seal(padded('abc', [0x80], zeros(12)), [dirId])
  t.equal(decode(longBase(engine, short), short), null, 'a short name as a long one')
  t.equal(decode(baseOver(padded('\u{feff}a', [0x80], zeros(11)))), '\u{feff}a', 'a BOM is a name')
})

t.test('what cannot be a name is refused with the system’s word for it', async (t) => {
  const refused: [string, ErrorCode][] = [
    ['', 'ENOENT'],
    ['.', 'EINVAL'],
    ['..', 'EINVAL'],
    ['a/b', 'EINVAL'],
    ['a\0', 'EINVAL'],
    ['a'.repeat(256), 'ENAMETOOLONG'],
    ['ä'.repeat(128), 'ENAMETOOLONG'],
    ['lone \ud800', 'EILSEQ'],
    ['\udc00 lone', 'EILSEQ'],
  ]
  for (const [name, code] of refused) {
    t.throws(() => nameBytes(name), { code })
    t.throws(() => encode(name), { code })
  }
  for (const name of ['...', '.a', ' ', '-', 'ä'.repeat(127), '😀', 'e\u0301'])
    t.equal(decode(encode(name).base, encode(name).sidecar), name)
})

t.test('random names, and backing names with one character changed', async (t) => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
      fc.nat(),
      (raw, n) => {
        const name = raw.replaceAll(/[/\0]/g, '_')
        if (name === '.' || name === '..' || Buffer.byteLength(name) > 255) return
        const { base, sidecar } = encode(name)
        t.equal(decode(base, sidecar), name)
        const at = 1 + (n % (base.length - 1))
        const other = BASE64URL[(BASE64URL.indexOf(base[at]!) + 1 + (n % 63)) % 64]!
        t.equal(decode(base.slice(0, at) + other + base.slice(at + 1), sidecar), null)
      },
    ),
    { numRuns: 200 },
  )
})

t.test('what lies in a backing directory', async (t) => {
  const { base } = encode('a')
  const long = encode('a'.repeat(200)).base
  const objectId = Buffer.from('00112233445566778899aabbccddeeff', 'hex')
  t.same(parseBackingName(`${long}.cfn`), { what: 'sidecar', base: long })
  for (const b of [base, long])
    t.same(parseBackingName(ticketName(b, objectId)), {
      what: 'ticket',
      base: b,
      objectId8: '0011223344556677',
    })
  t.same(parseBackingName(metaName(objectId)), { what: 'meta', objectId8: '0011223344556677' })
  t.equal(parseBackingName('dir-0011223344556677 (conflict).cfm').what, 'meta')
  t.equal(parseBackingName(`~$${'A'.repeat(22)}.tmp`).what, 'temporary')
  for (const extension of ['.cfd', '.cff', '.cfl', '.cfs'])
    t.same(parseBackingName(base + extension), { what: 'object', base, extension })
  for (const copy of [`c${'A'.repeat(44)}.cff`, `c${'A'.repeat(215)}.cff`, `${base}.cff (1)`])
    t.equal(parseBackingName(copy).what, 'copy', copy)
  for (const foreign of [
    '.DS_Store',
    'desktop.ini',
    base,
    `${base}.cfx`,
    `${base}.cff.part`,
    `.${base}.cff`,
    `${base}.cff\n`,
    `c${'A'.repeat(42)}.cff`,
    `${base}-0011.cfr`,
    `${base}.cfn`,
    'dir-.cfm',
    '~$short.tmp',
  ])
    t.equal(parseBackingName(foreign).what, 'foreign', foreign)
})
