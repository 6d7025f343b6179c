// Names: every well-formed one up to 255 bytes, and no two taken for the same.

import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { Buffer } from 'node:buffer'
import type { Folder } from '../folder.js'
import { errorOf, type Row } from '../row.js'

const LONG = 'n'.repeat(255)
const EMOJI = '👩‍👩‍👧‍👦'

const STRANGE = [
  'plain',
  'Plain',
  'a b',
  ' lead',
  'trail ',
  'dot.',
  '...',
  '-rf',
  '*?"<>|:\\',
  'line\nbreak',
  'tab\there',
  '\x01\x1b[31m\x7f',
  "it's",
  '$(x) `y` %s ${z}',
  'CON',
  'desktop.ini',
  '.DS_Store',
  '.hidden',
  'x.tmp',
  '~$x',
  '~$x.tmp',
  'vault.coffer',
  'x.cff',
  'x.cfd',
  'dir-0123456789abcdef.cfm',
  'x (conflicted copy).cff',
  '.git',
  'caf\u00e9',
  'cafe\u0301',
  'K',
  '\u212a',
  '\u00df',
  'ss',
  '\u0130',
  'i\u0307',
  '\u0645\u0631\u062d\u0628\u0627',
  '\u202egnp.exe',
  '\ufeffbom',
  'zero\u200bwidth',
  EMOJI,
  '\u{10ffff}',
  '\uffff',
  '\ufffd',
  '漢字',
]

const ILL_FORMED = ['61ff', '80', 'c0af', 'eda080', 'edb080', 'f4908080', 'e282', 'f09f9880ff']

const raw = (f: Folder, hex: string): Buffer =>
  Buffer.concat([Buffer.from(`${f.path}/`), Buffer.from(hex, 'hex')])

const eachIllFormed = (f: Folder, act: (path: Buffer) => unknown) =>
  [...new Set(ILL_FORMED.map((hex) => errorOf(() => act(raw(f, hex)))))].join()

/** A name whose UTF-8 has `length` bytes. */
const ofLength = (length: number, unit: string): string => {
  const size = Buffer.byteLength(unit)
  return unit.repeat(Math.floor(length / size)) + 'x'.repeat(length % size)
}

export const rows: readonly Row[] = [
  [
    'strange names, each its own file',
    (f) => {
      for (const name of STRANGE) writeFileSync(f.at(name), name)
      return STRANGE.filter((name) => readFileSync(f.at(name), 'utf8') !== name)
    },
    [],
  ],
  [
    'strange names in a listing',
    (f) => {
      for (const name of STRANGE) mkdirSync(f.at(name))
      const seen = new Set(readdirSync(f.path))
      return [seen.size, STRANGE.filter((name) => !seen.has(name))]
    },
    [STRANGE.length, []],
  ],
  [
    'composed and decomposed are two',
    (f) => {
      f.put('caf\u00e9', 'nfc')
      return [f.has('cafe\u0301'), f.list().map((name) => name.length)]
    },
    [false, [4]],
  ],
  [
    'upper and lower case are two',
    (f) => {
      f.put('a')
      return f.has('A')
    },
    false,
  ],
  [
    '255 bytes',
    (f) => {
      f.put(LONG, 'long')
      return [f.list()[0] === LONG, f.text(LONG)]
    },
    [true, 'long'],
  ],
  [
    '255 bytes of emoji',
    (f) => {
      const name = ofLength(255, '😀')
      f.put(name, 'x')
      return f.list()[0] === name
    },
    true,
  ],
  ['256 bytes: open', (f) => f.put(LONG + 'x'), 'ENAMETOOLONG'],
  ['256 bytes: mkdir', (f) => f.dir(LONG + 'x'), 'ENAMETOOLONG'],
  [
    '256 bytes: symlink',
    (f) => {
      symlinkSync('a', f.at(LONG + 'x'))
    },
    'ENAMETOOLONG',
  ],
  [
    '256 bytes: stat',
    (f) => {
      statSync(f.at(LONG + 'x'))
    },
    'ENAMETOOLONG',
  ],
  [
    '256 bytes: unlink',
    (f) => {
      unlinkSync(f.at(LONG + 'x'))
    },
    'ENAMETOOLONG',
  ],
  [
    '256 bytes: rename to',
    (f) => {
      renameSync(f.put('a'), f.at(LONG + 'x'))
    },
    'ENAMETOOLONG',
  ],
  ['256 bytes in 128 characters', (f) => f.put('ä'.repeat(128)), 'ENAMETOOLONG'],
  [
    'every length from 1 to 255',
    (f) => {
      const names = Array.from({ length: 255 }, (_, i) => ofLength(i + 1, 'ö'))
      for (const name of names) f.put(name, String(name.length))
      const seen = new Set(readdirSync(f.path))
      return [
        seen.size,
        names.filter((name) => !seen.has(name) || f.text(name) !== String(name.length)),
      ]
    },
    [255, []],
  ],
  [
    'long names that differ in the last byte',
    (f) => {
      f.put(`${'n'.repeat(254)}1`, 'one')
      f.put(`${'n'.repeat(254)}2`, 'two')
      return [f.text(`${'n'.repeat(254)}1`), f.text(`${'n'.repeat(254)}2`)]
    },
    ['one', 'two'],
  ],
  [
    'a long directory with long names in it',
    (f) => {
      f.dir(LONG)
      f.put(`${LONG}/${LONG}`, 'in')
      mkdirSync(f.at(`${LONG}/d${LONG.slice(1)}`))
      return [f.text(`${LONG}/${LONG}`), f.list(LONG).length]
    },
    ['in', 2],
  ],
  [
    'a long name, removed and made again',
    (f) => {
      for (let i = 0; i < 5; i++) {
        f.put(LONG, String(i))
        if (i < 4) unlinkSync(f.at(LONG))
      }
      return [f.text(LONG), f.list().length]
    },
    ['4', 1],
  ],
  [
    'ill-formed UTF-8: open',
    (f) =>
      eachIllFormed(f, (path) => {
        writeFileSync(path, '')
      }),
    'done',
    { onDrive: 'EILSEQ' },
  ],
  [
    'ill-formed UTF-8: mkdir',
    (f) =>
      eachIllFormed(f, (path) => {
        mkdirSync(path)
      }),
    'done',
    { onDrive: 'EILSEQ' },
  ],
  [
    'ill-formed UTF-8: symlink',
    (f) =>
      eachIllFormed(f, (path) => {
        symlinkSync('a', path)
      }),
    'done',
    { onDrive: 'EILSEQ' },
  ],
  [
    'ill-formed UTF-8: stat',
    (f) => eachIllFormed(f, (path) => statSync(path)),
    'ENOENT',
    { onDrive: 'EILSEQ' },
  ],
  [
    'ill-formed UTF-8: rename to',
    (f) => {
      f.put('a')
      return errorOf(() => {
        renameSync(f.at('a'), raw(f, 'c0af'))
      })
    },
    'done',
    { onDrive: 'EILSEQ' },
  ],
]
