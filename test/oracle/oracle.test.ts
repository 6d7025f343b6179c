// The judge is judged: the oracle reads the known answers, a config that lib/ built, and a vault with
// one of everything; and it sees what was done to that vault.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openEngine } from '../../lib/crypto/choose-engine.js'
import { buildConfig } from '../../lib/format/config.js'
import { passwordSlot } from '../../lib/format/slot-password.js'
import { parseObject, readContent, standing } from './object.js'
import { unlock } from './vault.js'
import { TestVault } from '../fs/session.js'

const KAT = JSON.parse(
  readFileSync(new URL('../../../test/vectors/format-v1-kat.json', import.meta.url), 'utf8'),
) as Record<string, string>
const known = (name: string): Buffer => Buffer.from(KAT[name]!, 'hex')

t.test('the known config and the known objects', async (t) => {
  const folder = t.testdir({})
  writeFileSync(join(folder, 'vault.coffer'), known('config_seq7'))
  const vault = unlock(folder, 'correct horse')
  t.throws(() => unlock(folder, 'wrong horse'))
  t.equal(vault.rootKeyId, '4041424344454647')
  const header = Buffer.concat([known('static'), Buffer.alloc(448), known('seal_slot1')])
  const object = parseObject(vault, header, 1)
  t.match(object.current, { name: 'Grüße.txt', length: 65540, mtime: 1700000000123456789n })
  t.equal(standing(object, vault.rootDirId, 'Grüße.txt', null), 'current')
  t.equal(standing(object, vault.rootDirId, 'other', null), 'elsewhere')
  t.equal(standing(object, known('dirId'), 'moved', known('rename_ticket')), 'ticket')
  t.equal(standing(object, vault.rootDirId, 'second name', known('link_ticket')), 'ticket')
  const meta = parseObject(vault, known('dir_meta'), 3)
  t.equal(standing(meta, vault.rootDirId, 'Ordner', null), 'current')
  t.equal(standing(meta, vault.rootDirId, 'alt', null), 'leaving')
  const record = Buffer.alloc(32768 + 40)
  const short = Buffer.concat([header, record, known('chunk2')])
  t.throws(() => readContent(vault, object, short), /cut short/)
})

t.test('a vault with one of everything', async (t) => {
  const vault = new TestVault(12)
  t.teardown(() => {
    vault.remove()
  })
  const session = vault.open()
  const big = Buffer.alloc(3 * 4096 + 5, 'x')
  session.mkdir('/d', 0o750)
  session.write('/d/file', big)
  session.write(`/d/${'ü'.repeat(100)}`, 'long')
  session.write('/empty', '')
  session.write('/odd', 'mode', 0o4511)
  session.symlink('/link', 'd/file')
  session.mknod('/fifo', 0o010640)
  const sparse = session.create('/sparse')
  sparse.write(5 * 4096 + 1, Buffer.from('end'))
  sparse.close()
  session.setattr('/d/file', { mtime: { sec: 1234567890, nsec: 987654321 } })
  session.close()
  const { engine } = await openEngine('openssl')
  const { keys } = vault
  const secret = { password: Buffer.from('pw'), vaultId: keys.vaultId, vrk: Buffer.alloc(32, 5) }
  const slot = passwordSlot(engine, {
    ...secret,
    salt: Buffer.alloc(32, 6),
    slotId: Buffer.alloc(8),
    logN: 10,
  })
  const config = buildConfig(engine, {
    ...secret,
    configSeq: 1n,
    bodyNonce: Buffer.alloc(24, 7),
    slots: [slot],
    body: {
      v: 1,
      chunkLog2: 12,
      rootDirId: keys.rootDirId,
      rootKeyId: Buffer.from(keys.rootKeyId, 'hex'),
      current: Buffer.from(keys.rootKeyId, 'hex'),
      seeds: keys.seeds,
      suites: [1],
      policy: { strictMax: keys.strictMax, integrity: 'auto', unknown: {} },
      devices: [],
      label: '',
      unknown: {},
    },
  })
  writeFileSync(join(vault.folder, 'vault.coffer'), config)
  t.same(unlock(vault.folder, 'pw'), keys, 'by password it has the same keys')
  const tree = vault.judge()
  const expected: [string, object][] = [
    ['/d', { type: 'directory', mode: 0o750 }],
    ['/d/file', { type: 'file', content: big, mtime: 1234567890987654321n, mode: 0o644 }],
    [`/d/${'ü'.repeat(100)}`, { content: Buffer.from('long') }],
    ['/empty', { size: 0 }],
    ['/fifo', { type: 'special', mode: 0o640 }],
    ['/link', { type: 'symlink', content: Buffer.from('d/file') }],
    ['/odd', { mode: 0o4511 }],
    ['/sparse', { size: 5 * 4096 + 4 }],
  ]
  t.same([...tree.keys()].sort(), expected.map(([path]) => path).sort())
  for (const [path, node] of expected) t.match(tree.get(path), { problem: null, ...node }, path)
  const blob = vault.blob('/d/file')
  const bytes = readFileSync(blob)
  for (const at of [3, 20, 100, 1024, 1100, bytes.length - 1]) {
    const bad = Buffer.from(bytes)
    bad[at]! ^= 1
    writeFileSync(blob, bad)
    t.not(vault.judge().get('/d/file')?.problem, null, `byte ${at}`)
  }
})
