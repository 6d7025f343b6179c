// Backing names as sync clients have been seen to rename them, and the names that they are shown under.

import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { openEngine } from '../../lib/crypto/choose-engine.js'
import {
  conflictForms,
  conflictName,
  isConflictShaped,
  originOf,
  readConflictName,
} from '../../lib/format/conflict.js'
import { decodeName, encodeName, metaName, parseBackingName } from '../../lib/format/name.js'

const { engine } = await openEngine('openssl')
const siv = engine.siv(randomBytes(64))
const dirId = randomBytes(16)
const encode = (name: string) => encodeName(engine, siv, dirId, name)

/** What the client made of "B.cff", and what can be told of it. */
const PATTERNS: [client: string, name: string, by: string | null, date: string | null][] = [
  ['Dropbox', "B (Anna's conflicted copy 2026-11-23).cff", 'Anna', '2026-11-23'],
  ['Dropbox', "B (Anna's Mac's conflicted copy 2026-11-23).cff", "Anna's Mac", '2026-11-23'],
  ['Dropbox', 'B (DESKTOP-1’s conflicted copy 2026-11-23).cff', 'DESKTOP-1', '2026-11-23'],
  ['Dropbox', "B (James' conflicted copy 2026-11-23 (1)).cff", 'James', '2026-11-23'],
  ['Dropbox', 'B (conflicted copy 2026-11-23).cff', null, '2026-11-23'],
  ['Dropbox', 'B (Case Conflict).cff', null, null],
  ['Dropbox', 'B (Case Conflict 1).cff', null, null],
  ['Dropbox', 'B (Selective Sync Conflict).cff', null, null],
  [
    'Dropbox, German',
    'B (In Konflikt stehende Kopie von Anna 2026-11-23).cff',
    'Anna',
    '2026-11-23',
  ],
  [
    'Dropbox, French',
    'B (Copie en conflit de Mac de Léa 2026-11-23).cff',
    'Mac de Léa',
    '2026-11-23',
  ],
  ['Dropbox, Spanish', 'B (Copia en conflicto de Ana 2026-11-23).cff', 'Ana', '2026-11-23'],
  ['Dropbox, Portuguese', 'B (Cópia em conflito de Ana 2026-11-23).cff', 'Ana', '2026-11-23'],
  ['Dropbox, Italian', 'B (copia in conflitto di Ugo 2026-11-23).cff', 'Ugo', '2026-11-23'],
  ['Dropbox, Dutch', 'B (conflicterende kopie van Jan 2026-11-23).cff', 'Jan', '2026-11-23'],
  ['Dropbox, Japanese', 'B (花子の競合コピー 2026-11-23).cff', '花子', '2026-11-23'],
  ['Dropbox, Chinese', 'B (小明 的冲突副本 2026-11-23).cff', '小明', '2026-11-23'],
  [
    'Dropbox, Russian',
    'B (конфликтующая копия с компьютера Анна 2026-11-23).cff',
    'Анна',
    '2026-11-23',
  ],
  [
    'words that nobody knows',
    'B (ristiriitainen kopio Aino 2026-11-23).cff',
    'ristiriitainen kopio Aino',
    '2026-11-23',
  ],
  ['iCloud Drive', 'B 2.cff', null, null],
  ['iCloud Drive', 'B 13.cff', null, null],
  ['Google Drive', 'B (1).cff', null, null],
  ['Google Drive', 'B.cff (1)', null, null],
  ['Google Drive', 'B (1) (2).cff', null, null],
  ['OneDrive', 'B-DESKTOP-ABC1234.cff', 'DESKTOP-ABC1234', null],
  ['OneDrive', 'B-Annas-MacBook.cff', 'Annas-MacBook', null],
  ['Box', 'B (Anna).cff', 'Anna', null],
  ['Nextcloud', 'B (conflicted copy 2026-11-23 101010).cff', null, '2026-11-23 10.10.10'],
  ['Nextcloud', 'B (conflicted copy anna 2026-11-23 101010).cff', 'anna', '2026-11-23 10.10.10'],
  ['Nextcloud', 'B (case clash from anna).cff', 'anna', null],
  ['Nextcloud before 2.6', 'B_conflict-20261123-101010.cff', null, '2026-11-23 10.10.10'],
  ['ownCloud', 'B_conflict-anna-20261123-101010.cff', 'anna', '2026-11-23 10.10.10'],
  ['Syncthing', 'B.sync-conflict-20261123-101010-ABCDEFG.cff', 'ABCDEFG', '2026-11-23 10.10.10'],
  ['Resilio', 'B.Conflict.cff', null, null],
  ['Resilio', 'B.cff.Conflict', null, null],
  ['pCloud', 'B (DESKTOP-1 conflict 2026-11-23).cff', 'DESKTOP-1', '2026-11-23'],
  ['Unison', 'B (copy: conflict on 2026-11-23).cff', null, '2026-11-23'],
  ['Unison', 'B (copy: conflict #2 on 2026-11-23).cff', null, '2026-11-23'],
  ['Unison 2.52', 'B (conflict_on_2026-11-23).cff', null, '2026-11-23'],
  ['Unison 2.52', 'B (conflict_on_2026-11-23_was_deleted).cff', null, '2026-11-23'],
  ['rclone bisync', 'B.cff.conflict1', null, null],
  ['rclone bisync', 'B.conflict2.cff', null, null],
  ['rclone bisync', 'B.cff..path1', 'path1', null],
  ['rclone bisync', 'B.cff.path2', 'path2', null],
  ['a file manager', 'B - Copy.cff', null, null],
  ['a file manager', 'B (Kopie).cff', null, null],
  ['a file manager', 'B copy 2.cff', null, null],
  ['Dropbox, German', 'B (Konfliktkopie von Anna 2026-11-23).cff', 'Anna', '2026-11-23'],
  ['words behind a dash', 'B – Konflikt.cff', null, null],
  ['coffer', 'B (conflict a1b2c3d4-5).cff', 'a1b2c3d4-5', null],
  ['coffer, like a day', 'B (conflict 20261123-5).cff', '20261123-5', null],
  ['coffer, like a time', 'B (conflict 20261123-101010).cff', '20261123-101010', null],
  ['coffer, all digits', 'B (conflict 12345678-3).cff', '12345678-3', null],
  ['coffer, six digits', 'B (conflict 4187341f-5).cff', '4187341f-5', null],
  ['coffer, renamed by a client', 'B (conflict 4187341f-5) (1).cff', '4187341f-5', null],
  ['no day', 'B (2026-13-45).cff', '2026-13-45', null],
]

/** As a drive reads it: the longest base that decodes. */
function read(backing: string, sidecar: Uint8Array | null) {
  for (const form of conflictForms(backing)) {
    const name = decodeName(engine, siv, dirId, form.base, sidecar)
    if (name !== null) return { ...form, name }
  }
  return null
}

const NAMES = [
  'a',
  'report.pdf',
  ...[15, 16, 31, 47, 63, 79, 95, 111, 126, 127, 128, 143, 255].map((n) => 'n'.repeat(n)),
]

t.test('the patterns of each client, over names of every length', async (t) => {
  const lengths = new Set<number>()
  for (const name of NAMES) {
    const { base, sidecar } = encode(name)
    lengths.add(base.length - 1)
    for (const [client, pattern, by, date] of PATTERNS) {
      const backing = pattern.replace('B', () => base)
      const found = read(backing, sidecar)
      const what = `${client}: ${pattern}`
      if (found?.name !== name || found.base !== base || found.extension !== '.cff')
        t.fail(`${what}, ${String(base.length - 1)} characters`, { found })
      if (parseBackingName(backing).what !== 'copy' && base.length !== 44) t.fail(what)
      if (name === 'a') t.same(originOf(found?.added ?? ''), { by, date }, what)
    }
  }
  t.equal(lengths.size, 8, 'all eight lengths')
})

t.test('every extension', async (t) => {
  const { base } = encode('a')
  for (const extension of ['.cfd', '.cff', '.cfl', '.cfs'])
    for (const backing of [`${base} (1)${extension}`, `${base}${extension} (1)`])
      t.match(read(backing, null), { base, extension, added: ' (1)', name: 'a' })
})

t.test('the longest base that is one', async (t) => {
  const { base } = encode('a')
  // 43 characters and 21 of a host's name are as long as another base
  const host = '-HOST56789012345678_X'
  t.equal(host.length, 21)
  t.equal(parseBackingName(`${base}${host}.cff`).what, 'object', 'by its form')
  t.match(read(`${base}${host}.cff`, null), { base, added: host, name: 'a' })
  const longer = encode('n'.repeat(16)).base
  t.match(read(`${longer} 2.cff`, null), { base: longer, name: 'n'.repeat(16) })
})

t.test('not a conflict copy', async (t) => {
  const { base } = encode('a')
  for (const backing of [
    `${base}.cff`,
    `${base}.cfx (1)`,
    `${base} (1)`,
    `${base}.cffx`,
    `.${base} (1).cff`,
    `Copy of ${base}.cff`,
    `${base.slice(0, -1)} (1).cff`,
  ])
    t.equal(read(backing, null), null, backing)
  const [a, b] = [encode('a').base, encode('b').base]
  t.equal(read(`${a.slice(0, 20)}${b.slice(20)} (1).cff`, null), null, 'half of each')
  t.equal(
    decodeName(engine, siv, randomBytes(16), base, null),
    null,
    'in another directory it is none',
  )
  for (const half of [
    `${base}.cff.partial`,
    `${base}.cff.1a2b3c4d.partial`,
    `${base}.cff.part`,
    `${base}.cff.tmp`,
    `${base}.cff.!sync`,
    `${base}.cff.crdownload`,
    `${base}.cff.nextcloud`,
    `${base}.cff~`,
  ])
    t.equal(parseBackingName(half).what, 'foreign', half)
})

t.test('small files that were renamed', async (t) => {
  const { base, sidecar } = encode('n'.repeat(200))
  const id = '00112233445566ff'
  t.type(sidecar, Uint8Array)
  for (const put of [
    ' (1)',
    "(Anna's conflicted copy 2026-11-23)",
    '.sync-conflict-20261123-101010-ABCDEFG',
    '-HOST',
  ]) {
    t.same(parseBackingName(`${base}${put}.cfn`), { what: 'sidecar', base }, put)
    t.same(parseBackingName(`${base}-${id}${put}.cfr`), { what: 'ticket', base, objectId8: id })
    t.same(parseBackingName(`dir-${id}${put}.cfm`), { what: 'meta', objectId8: id })
  }
  t.same(parseBackingName(`${base}.cfn (1)`), { what: 'sidecar', base })
  t.same(parseBackingName(`${base}-${id}.cfr (1)`), { what: 'ticket', base, objectId8: id })
  t.same(parseBackingName(`${metaName(Buffer.from(id, 'hex'))}.Conflict`), {
    what: 'meta',
    objectId8: id,
  })
})

t.test('the shown name', async (t) => {
  const origin = { by: "Anna's Mac", date: '2026-11-23' }
  t.equal(conflictName('report.pdf', origin), "report (conflict, Anna's Mac, 2026-11-23).pdf")
  t.equal(conflictName('report.pdf', origin, 2), "report (conflict, Anna's Mac, 2026-11-23, 2).pdf")
  t.equal(conflictName('report.pdf', { by: null, date: null }), 'report (conflict).pdf')
  t.equal(conflictName('report', { by: 'x', date: null }), 'report (conflict, x)')
  t.equal(conflictName('.bashrc', { by: null, date: null }), '.bashrc (conflict)')
  t.equal(conflictName('a.b', { by: 'a/b\0c\n\u202ed', date: null }), 'a (conflict, abcd).b')
  const umlauts = conflictName(`x${'ü'.repeat(124)}.pdf`, origin)
  t.equal(Buffer.byteLength(umlauts), 254, 'cut between two characters')
  t.match(umlauts, /^xü+ \(conflict, Anna's Mac, 2026-11-23\)\.pdf$/)
})

t.test('a version that coffer brought home is its writer’s', async (t) => {
  const name = (prefix: string): string | null => (prefix === '20261123' ? "Anna's Mac" : null)
  t.same(originOf(' (conflict 20261123-5)', name), { by: "Anna's Mac", date: null })
  t.same(originOf(' (conflict 20261124-5)', name), { by: '20261124-5', date: null })
})

t.test('the shown name, read again', async (t) => {
  for (const name of ['report.pdf', 'report', '.bashrc', 'v1.2 (final)', 'a (conflict).txt'])
    for (const by of [null, "Anna's Mac", 'Bob, of sales', 'PC (2)'])
      for (const date of [null, '2026-11-23', '2026-11-23 10.10.10'])
        for (const number of [1, 2]) {
          const shown = conflictName(name, { by, date }, number)
          t.same(readConflictName(shown), { of: name, by, date }, shown)
        }
  for (const other of [
    'report.pdf',
    'on (conflict of interest).pdf',
    'a (conflict, x).tar.gz',
    ' (conflict)',
    'a (conflict,x)',
  ])
    t.equal(readConflictName(other), null, other)
})

t.test('whatever the client wrote, the shown name is a name', async () => {
  const text = fc.string({ unit: 'binary', maxLength: 255 })
  fc.assert(
    fc.property(text, text, fc.integer({ min: 1, max: 5 }), (added, plain, number) => {
      const name = plain.toWellFormed().replace(/[/\0]/g, '') || 'x'
      if (Buffer.byteLength(name) > 255) return
      const shown = conflictName(name, originOf(added.toWellFormed()), number)
      if (Buffer.byteLength(shown) > 255) throw new Error('too long')
      if (/[/\0]/.test(shown) || !shown.isWellFormed()) throw new Error('no name')
      if (!isConflictShaped(shown)) throw new Error('not of the shape')
      encode(shown)
    }),
    { numRuns: 500 },
  )
})
