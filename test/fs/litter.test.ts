// What file managers and sync clients leave in the vault folder keeps no directory. What else others put
// there does.

import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { isLitter } from '../../lib/format/litter.js'
import { parseBackingName } from '../../lib/format/name.js'
import { TestVault } from './session.js'

const BASE = `c${'A'.repeat(43)}`
const LITTER = [
  '.DS_Store',
  `._${BASE}.cff`,
  'Thumbs.db',
  'desktop.ini',
  'Icon\r',
  `.syncthing.${BASE}.cff.tmp`,
  `~syncthing~${BASE}.cfd.tmp`,
  `.syncthing.${'0123456789abcdef'.repeat(2)}.tmp`,
  `.unison.${BASE}.cff.0123456789.unison.tmp`,
  `${BASE}.cff.1a2b3c4d.partial`,
  `.${BASE}.cff.~1a2b3c4d`,
  `.${BASE}.cff.Xy12Zz`,
  `.syncthing.dir-0123456789abcdef.cfm.tmp`,
]
const KEPT = [
  'notes.txt',
  'download.part',
  '.hidden',
  `.${BASE}.cff.icloud`,
  `${BASE}.cff.nextcloud`,
  `Copy of ${BASE}.cff`,
  `${BASE.slice(0, 30)}.cff.tmp`,
]

t.test('by name', (t) => {
  for (const name of LITTER) {
    t.equal(parseBackingName(name).what, 'foreign', name)
    t.ok(isLitter(name), name)
  }
  for (const name of KEPT) {
    t.equal(parseBackingName(name).what, 'foreign', name)
    t.notOk(isLitter(name), name)
  }
  t.end()
})

const symlinkTo = (path: string): void => {
  symlinkSync('/etc', path)
}

t.test('a directory with nothing else in it is empty', (t) => {
  const vault = new TestVault(12)
  t.teardown(() => {
    vault.remove()
  })
  const session = vault.open()
  session.mkdir('/d')
  session.write('/d/f', 'x')
  const folder = vault.blob('/d')
  for (const name of LITTER) writeFileSync(join(folder, name), 'theirs')
  const refused = (): void => {
    t.throws(
      () => {
        session.rmdir('/d')
      },
      { code: 'ENOTEMPTY' },
    )
  }
  t.same([...session.list('/d').keys()], ['f'])
  refused()
  session.unlink('/d/f')
  t.ok(LITTER.every((name) => readdirSync(folder).includes(name)))
  t.notOk(
    session.log.some(({ event }) => event === 'foreign-file'),
    'nothing to speak of',
  )
  const at = join(folder, '.DS_Store')
  rmSync(at)
  for (const put of [mkdirSync, symlinkTo]) {
    put(at)
    refused()
    rmSync(at, { recursive: true })
  }
  for (const name of KEPT) {
    writeFileSync(join(folder, name), 'theirs')
    refused()
    rmSync(join(folder, name))
  }
  session.rmdir('/d')
  t.notOk(readdirSync(join(folder, '..')).includes(basename(folder)))
  session.close()
  t.end()
})
