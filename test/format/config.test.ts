// vault.coffer, FORMAT.md §8: known answers over both engines, and what every kind of damage says.

import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { argon2id } from '../../lib/crypto/argon2id.js'
import { openEngine } from '../../lib/crypto/choose-engine.js'
import type { Engine } from '../../lib/crypto/engine.js'
import { CofferError, type ErrorCode } from '../../lib/errors.js'
import { decodeBody, encodeBody, type VaultBody } from '../../lib/format/config-body.js'
import {
  buildConfig,
  fingerprint,
  openBody,
  parseConfig,
  unlockWithPassword,
} from '../../lib/format/config.js'
import { passwordSlot } from '../../lib/format/slot-password.js'

const KAT = JSON.parse(
  readFileSync(new URL('../../../test/vectors/format-v1-kat.json', import.meta.url), 'utf8'),
) as Record<'Kbody' | 'fingerprint' | 'pwslot_logN10' | 'config_seq7' | 'config_sha256', string>

const fill = (n: number, a: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => a + i)
const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex')
const copy = (data: Uint8Array): Buffer => Buffer.from(data)

const vaultId = fill(16, 0x10)
const vrk = fill(32, 0x50)
const password = Buffer.from('correct horse')
const slotInput = { password, vaultId, vrk, salt: fill(32, 0x44), slotId: fill(8, 0x77), logN: 10 }
const body: VaultBody = {
  v: 1,
  chunkLog2: 15,
  rootDirId: fill(16, 0xd0),
  rootKeyId: fill(8, 0x40),
  current: fill(8, 0x40),
  seeds: new Map([['4041424344454647', fill(32, 0x20)]]),
  suites: [1],
  policy: { strictMax: 4194304, integrity: 'auto', unknown: {} },
  devices: [],
  label: '',
  unknown: {},
}
const known = Buffer.from(KAT.config_seq7, 'hex')
const SLOT = 72

/** `engine` with a scrypt that counts, remembers and never takes long: any logN costs as much as 10. */
function spied(engine: Engine): Engine & { calls: number } {
  const memory = new Map<string, Uint8Array>()
  return {
    ...engine,
    calls: 0,
    scrypt(pw, salt, logN, r, p, length) {
      this.calls++
      const id = [hex(pw), hex(salt), logN, r, p, length].join()
      let okm = memory.get(id)
      if (okm === undefined) {
        const other = logN === 10 ? salt : Buffer.concat([salt, Buffer.from([logN])])
        memory.set(id, (okm = engine.scrypt(pw, other, 10, r, p, length)))
      }
      return okm.slice()
    },
  }
}

/** The code that opening these bytes ends with; '' where they open. Anything but a CofferError fails. */
function outcome(engine: Engine, bytes: Uint8Array, pw: Uint8Array = password): ErrorCode | '' {
  try {
    unlockWithPassword(engine, parseConfig(bytes), pw)
    return ''
  } catch (error) {
    if (error instanceof CofferError) return error.code
    throw error
  }
}

const { engine: fast } = await openEngine('openssl')
const { engine: portable } = await openEngine('portable')

for (const engine of [fast, portable]) {
  void t.test(`known answers, ${engine.name}`, (t) => {
    const slot = passwordSlot(engine, slotInput)
    t.equal(hex(slot), KAT.pwslot_logN10)
    t.equal(hex(engine.hkdf(vrk, vaultId, Buffer.from('coffer/v1/config-body'), 32)), KAT.Kbody)
    t.equal(hex(fingerprint(engine, vrk, vaultId)), KAT.fingerprint)
    const config = buildConfig(engine, {
      vaultId,
      configSeq: 7n,
      bodyNonce: fill(24, 0x99),
      slots: [slot],
      vrk,
      body,
    })
    t.equal(hex(config), KAT.config_seq7)
    t.equal(hex(engine.sha256(config)), KAT.config_sha256)

    const parsed = parseConfig(known)
    t.equal(parsed.version, 1)
    t.equal(parsed.configSeq, 7n)
    t.equal(hex(parsed.vaultId), hex(vaultId))
    t.equal(parsed.slots.length, 1)
    t.match(parsed.slots[0], { type: 1, kdf: { name: 'scrypt', logN: 10, r: 8, p: 1 } })
    t.equal(hex(parsed.slots[0]!.slotId), hex(slotInput.slotId))
    const unlocked = unlockWithPassword(engine, parsed, password)
    t.equal(hex(unlocked.vrk), hex(vrk))
    t.equal(unlocked.slot, parsed.slots[0])
    t.same(unlocked.body, body)
    t.same(openBody(engine, parsed, vrk), body)
    t.throws(() => openBody(engine, parsed, fill(32, 0)), { code: 'CONFIG_DAMAGED' })
    t.equal(outcome(engine, known, Buffer.from('correct horsf')), 'WRONG_PASSWORD')
    t.equal(outcome(engine, known, new Uint8Array(0)), 'WRONG_PASSWORD')
    t.end()
  })
}

void t.test('a flipped bit anywhere is one clean error', (t) => {
  const engine = spied(fast)
  /** what the byte at `at`, now `value`, must lead to */
  const expected = (at: number, value: number): ErrorCode => {
    if (at === 8 || (at === 9 && value !== 0)) return 'NEWER_VERSION'
    if (at >= 24 && at < 40) return 'WRONG_PASSWORD'
    if (at === SLOT) return 'NEWER_VERSION'
    const payload = at - SLOT - 12
    if (payload === 0 && value >= 10 && value <= 20) return 'WRONG_PASSWORD'
    if (payload === 2 && value >= 1 && value <= 4) return 'WRONG_PASSWORD'
    if (payload >= 4 && payload < 68) return 'WRONG_PASSWORD'
    return 'CONFIG_DAMAGED'
  }
  const surprises: string[] = []
  for (let at = 0; at < known.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const bytes = copy(known)
      bytes[at]! ^= 1 << bit
      // type 1 with another bit is 3, 5, 9, 17, …: types this version does not open
      const want = expected(at, bytes[at]!)
      const got = outcome(engine, bytes)
      if (got !== want) surprises.push(`byte ${at} bit ${bit}: ${got}, not ${want}`)
    }
  }
  t.same(surprises, [])
  t.end()
})

void t.test('every truncation, and every appendix, is damage', (t) => {
  const engine = spied(fast)
  for (let length = 0; length < known.length; length++) {
    if (outcome(engine, known.subarray(0, length)) !== 'CONFIG_DAMAGED') t.fail(`${length} bytes`)
  }
  t.equal(outcome(engine, Buffer.concat([known, Buffer.alloc(1)])), 'CONFIG_DAMAGED')
  t.equal(engine.calls, 0, 'found out before any key was derived')
  t.end()
})

void t.test('other files and text-mode copies', (t) => {
  const code = (bytes: Uint8Array): string => outcome(fast, bytes)
  t.equal(code(Buffer.from('PK\x03\x04 some archive, quite another file')), 'NOT_A_VAULT')
  t.equal(code(Buffer.alloc(4096)), 'NOT_A_VAULT')
  t.equal(code(Buffer.from('x')), 'NOT_A_VAULT')
  const latin1 = known.toString('latin1')
  t.equal(code(Buffer.from(latin1, 'utf8')), 'CONFIG_DAMAGED', 'taken for Latin-1')
  t.equal(code(Buffer.from(known.toString('utf8'), 'utf8')), 'CONFIG_DAMAGED', 'taken for UTF-8')
  t.equal(
    code(Buffer.from(latin1.replaceAll('\r\n', '\n'), 'latin1')),
    'CONFIG_DAMAGED',
    'dos2unix',
  )
  t.equal(
    code(Buffer.from(latin1.replaceAll('\n', '\r\n'), 'latin1')),
    'CONFIG_DAMAGED',
    'unix2dos',
  )
  t.equal(code(known.map((byte) => byte & 0x7f)), 'CONFIG_DAMAGED', 'seven bits')
  t.equal(code(Buffer.concat([known, Buffer.alloc(256 * 1024)])), 'CONFIG_DAMAGED', 'huge')
  const newer = copy(known)
  newer[9] = 2
  t.throws(() => parseConfig(newer), { code: 'NEWER_VERSION', message: /version 2/ })
  t.end()
})

void t.test('an absurd cost is refused before anything is derived', (t) => {
  const engine = spied(fast)
  const withBytes = (at: number, ...values: number[]): Buffer => {
    const bytes = copy(known)
    bytes.set(values, at)
    return bytes
  }
  const cost = SLOT + 12
  for (const [logN, r, p] of [
    [21, 8, 1],
    [63, 8, 1],
    [255, 8, 1],
    [9, 8, 1],
    [0, 8, 1],
    [10, 7, 1],
    [10, 255, 1],
    [10, 0, 1],
    [10, 8, 0],
    [10, 8, 5],
    [20, 8, 255],
  ] as const) {
    const bytes = withBytes(cost, logN, r, p)
    t.throws(() => unlockWithPassword(engine, parseConfig(bytes), password), {
      code: 'CONFIG_DAMAGED',
      message: new RegExp(`scrypt.*logN ${logN}, r ${r}, p ${p}`),
    })
  }
  t.equal(engine.calls, 0)
  t.equal(outcome(engine, withBytes(cost, 20, 8, 4)), 'WRONG_PASSWORD', 'the cap itself is legal')
  t.equal(engine.calls, 1)

  const argon = (memory: number, passes: number, lanes: number): Buffer => {
    const slot = Buffer.alloc(12 + 9 + 32 + 32 + 48)
    slot[0] = 2
    slot.writeUInt16BE(slot.length - 12, 2)
    slot.writeUInt32BE(memory, 12)
    slot.writeUInt32BE(passes, 16)
    slot[20] = lanes
    return copy(
      buildConfig(fast, {
        vaultId,
        configSeq: 1n,
        bodyNonce: fill(24, 1),
        slots: [slot],
        vrk,
        body,
      }),
    )
  }
  for (const [memory, passes, lanes] of [
    [1024 * 1024 + 1, 1, 1],
    [2 ** 32 - 1, 1, 1],
    [64, 11, 1],
    [64, 2 ** 32 - 1, 1],
    [64, 0, 1],
    [64, 1, 0],
    [64, 1, 9],
    [0, 1, 1],
  ] as const) {
    t.throws(() => parseConfig(argon(memory, passes, lanes)), {
      code: 'CONFIG_DAMAGED',
      message: /argon2id/,
    })
  }
  t.equal(outcome(engine, argon(64, 1, 1)), 'WRONG_PASSWORD')

  const slots = (n: number): Uint8Array =>
    buildConfig(fast, {
      vaultId,
      configSeq: 1n,
      bodyNonce: fill(24, 1),
      slots: Array<Uint8Array>(n).fill(Buffer.from(KAT.pwslot_logN10, 'hex')),
      vrk,
      body,
    })
  t.doesNotThrow(() => parseConfig(slots(8)))
  t.throws(() => parseConfig(slots(9)), { code: 'CONFIG_DAMAGED', message: /more than 8/ })
  t.end()
})

void t.test('several slots: each password opens, unknown types are skipped and kept', (t) => {
  const alien = Buffer.concat([Buffer.from([200, 0, 0, 3]), fill(8, 1), Buffer.from('abc')])
  const empty = Buffer.concat([Buffer.from([4, 0, 0, 0]), fill(8, 9)])
  const second = passwordSlot(fast, {
    ...slotInput,
    password: Buffer.from('second'),
    salt: fill(32, 1),
    slotId: fill(8, 2),
  })
  const slots = [alien, passwordSlot(fast, slotInput), empty, second]
  const bytes = buildConfig(fast, {
    vaultId,
    configSeq: 2n ** 64n - 1n,
    bodyNonce: fill(24, 3),
    slots,
    vrk,
    body,
  })
  const parsed = parseConfig(bytes)
  t.equal(parsed.configSeq, 2n ** 64n - 1n)
  t.same(
    parsed.slots.map(({ bytes }) => hex(bytes)),
    slots.map(hex),
  )
  t.same(
    parsed.slots.map(({ kdf }) => kdf !== null),
    [false, true, false, true],
  )
  t.equal(unlockWithPassword(fast, parsed, password).slot, parsed.slots[1])
  t.equal(unlockWithPassword(portable, parsed, Buffer.from('second')).slot, parsed.slots[3])
  t.equal(outcome(fast, bytes, Buffer.from('third')), 'WRONG_PASSWORD')
  const again = buildConfig(portable, {
    vaultId,
    configSeq: parsed.configSeq,
    bodyNonce: fill(24, 3),
    slots: parsed.slots.map(({ bytes }) => bytes),
    vrk,
    body,
  })
  t.equal(hex(again), hex(bytes))

  // a slot dropped, with all lengths put right
  const dropped = Buffer.concat([
    bytes.subarray(0, SLOT),
    ...slots.slice(1),
    bytes.subarray(SLOT + slots.reduce((sum, { length }) => sum + length, 0)),
  ])
  dropped.writeUInt16BE(3, 10)
  dropped.writeUInt32BE(dropped.readUInt32BE(12) - alien.length, 12)
  t.equal(outcome(fast, dropped), 'CONFIG_DAMAGED')

  const keyless = buildConfig(fast, {
    vaultId,
    configSeq: 1n,
    bodyNonce: fill(24, 3),
    slots: [alien],
    vrk,
    body,
  })
  t.throws(() => unlockWithPassword(fast, parseConfig(keyless), password), {
    code: 'NEWER_VERSION',
    message: /200/,
  })
  t.end()
})

void t.test('a slot of argon2id, as another program may make it', (t) => {
  const known = argon2id(Buffer.from('password'), Buffer.from('somesalt'), 256, 2, 1, 32)
  t.equal(hex(known), '9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe')
  const salt = fill(32, 0x44)
  const prefix = Buffer.from('coffer/v1/argon2id')
  const okm = argon2id(password, Buffer.concat([prefix, vaultId, salt]), 64, 2, 2, 64)
  const head = Buffer.concat([
    Buffer.from('02000079', 'hex'),
    slotInput.slotId,
    Buffer.from('000000400000000202', 'hex'),
    salt,
    okm.subarray(32),
  ])
  const aad = Buffer.concat([Buffer.from('894346560d0a1a0a0001', 'hex'), vaultId, head])
  const wrapped = fast.gcmSeal(okm.subarray(0, 32), new Uint8Array(12), vrk, aad)
  const slots = [Buffer.concat([head, wrapped])]
  const bytes = buildConfig(fast, {
    vaultId,
    configSeq: 1n,
    bodyNonce: fill(24, 3),
    slots,
    vrk,
    body,
  })
  t.equal(hex(unlockWithPassword(fast, parseConfig(bytes), password).vrk), hex(vrk))
  t.equal(outcome(fast, bytes, Buffer.from('other')), 'WRONG_PASSWORD')
  t.end()
})

void t.test('the body keeps what it does not know and refuses what is wrong', (t) => {
  const base = JSON.parse(Buffer.from(encodeBody(body)).toString()) as Record<string, unknown>
  const encode = (changes: Record<string, unknown>): Buffer =>
    Buffer.from(JSON.stringify({ ...base, ...changes }))
  const rich = encode({
    chunkLog2: 16,
    policy: { strictMax: 0, integrity: 'full', colour: 'blue' },
    devices: [{ id: 1 }],
    label: 'Grüße',
    tomorrow: { a: [1] },
  })
  const decoded = decodeBody(rich)
  t.match(decoded, {
    chunkLog2: 16,
    policy: { strictMax: 0, integrity: 'full' },
    label: 'Grüße',
    devices: [{ id: 1 }],
  })
  t.same(JSON.parse(Buffer.from(encodeBody(decoded)).toString()), JSON.parse(rich.toString()))
  t.same(decodeBody(encode({ policy: undefined })).policy, body.policy, 'defaults')

  const seed = '00'.repeat(32)
  for (const changes of [
    { v: undefined },
    { v: 0 },
    { v: '1' },
    { v: null },
    { chunkLog2: 11 },
    { chunkLog2: 21 },
    { chunkLog2: 15.5 },
    { chunkLog2: '15' },
    { chunkLog2: null },
    { rootDirId: undefined },
    { rootDirId: 'd0' },
    { rootDirId: 'D'.repeat(32) },
    { rootDirId: 'g'.repeat(32) },
    { rootDirId: 7 },
    { rootKeyId: '0'.repeat(16) },
    { current: '0'.repeat(16) },
    { current: undefined },
    { seeds: undefined },
    { seeds: {} },
    { seeds: [] },
    { seeds: { '4041424344454647': 1 } },
    { seeds: { '4041424344454647': seed, short: seed } },
    { seeds: { '4041424344454647': `${seed}00` } },
    { suites: undefined },
    { suites: 1 },
    { suites: ['1'] },
    { suites: [1, 256] },
    { policy: null },
    { policy: [] },
    { policy: { strictMax: -1 } },
    { policy: { strictMax: 1e300 } },
    { policy: { integrity: 'never' } },
    { devices: {} },
    { label: 1 },
  ]) {
    t.throws(() => decodeBody(encode(changes)), { code: 'CONFIG_DAMAGED' }, JSON.stringify(changes))
  }
  t.throws(() => decodeBody(encode({ v: 2 })), { code: 'NEWER_VERSION' })
  t.throws(() => decodeBody(encode({ suites: [2, 3] })), { code: 'NEWER_VERSION' })
  for (const bytes of ['', 'null', '[]', '1', '{', `\ufeff${JSON.stringify(base)}`]) {
    t.throws(() => decodeBody(Buffer.from(bytes)), { code: 'CONFIG_DAMAGED' })
  }
  t.throws(() => decodeBody(Buffer.from([0x7b, 0xff, 0x7d])), { code: 'CONFIG_DAMAGED' })
  const secret = `{"seeds":{"4041424344454647":"${'ab'.repeat(32)}" oops`
  try {
    decodeBody(Buffer.from(secret))
    t.fail('that is no JSON')
  } catch (error) {
    t.notMatch(String((error as Error).stack), /abab/, 'errors quote no keys')
  }
  t.end()
})

void t.test('junk is answered quickly and with a CofferError', (t) => {
  const engine = spied(fast)
  const start = performance.now()
  const edits = fc.array(fc.tuple(fc.nat(known.length - 1), fc.nat(255)), {
    minLength: 1,
    maxLength: 6,
  })
  fc.assert(
    fc.property(edits, fc.nat(known.length), (changes, cut) => {
      const bytes = copy(known)
      for (const [at, value] of changes) bytes[at] = value
      outcome(engine, bytes)
      outcome(engine, bytes.subarray(0, cut))
    }),
    { numRuns: 1000 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (junk, withHead) => {
      const head = withHead ? known.subarray(0, SLOT) : known.subarray(0, 8)
      t.notSame(outcome(engine, Buffer.concat([head, junk])), '')
      const cutShort = Buffer.compare(junk, known.subarray(0, Math.min(8, junk.length))) === 0
      t.equal(outcome(engine, junk), cutShort ? 'CONFIG_DAMAGED' : 'NOT_A_VAULT')
    }),
    { numRuns: 500 },
  )
  t.ok(performance.now() - start < 10_000)
  t.end()
})

void t.test('what is built wrongly is refused', (t) => {
  const slot = passwordSlot(fast, slotInput)
  const input = { vaultId, configSeq: 1n, bodyNonce: fill(24, 1), slots: [slot], vrk, body }
  t.throws(() => buildConfig(fast, { ...input, slots: [] }), RangeError)
  t.throws(
    () => buildConfig(fast, { ...input, slots: Array<Uint8Array>(33).fill(slot) }),
    RangeError,
  )
  t.throws(() => buildConfig(fast, { ...input, vaultId: fill(15, 0) }), RangeError)
  t.throws(() => buildConfig(fast, { ...input, bodyNonce: fill(12, 0) }), RangeError)
  t.throws(() => buildConfig(fast, { ...input, vrk: fill(31, 0) }), RangeError)
  t.throws(
    () => buildConfig(fast, { ...input, body: { ...body, label: 'x'.repeat(300_000) } }),
    RangeError,
  )
  t.throws(() => passwordSlot(fast, { ...slotInput, salt: fill(16, 0) }), RangeError)
  t.throws(() => passwordSlot(fast, { ...slotInput, slotId: fill(16, 0) }), RangeError)
  t.end()
})
