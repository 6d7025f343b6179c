// What doctor tries in a folder: each ability by itself, and nothing is left there.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { CofferError } from '../../lib/errors.js'
import { linuxBacking } from '../../lib/store/backing-linux.js'
import { emptyStat, type Backing } from '../../lib/store/backing.js'
import { folderAbilities } from '../../lib/store/folder-abilities.js'
import { needs } from '../needs.js'

if (!needs(t, 'linux')) process.exit(0)

const folder = mkdtempSync(join(tmpdir(), 'coffer-abilities-'))
t.teardown(() => {
  rmSync(folder, { recursive: true })
})

const ALL = {
  watchProblem: '',
  rewrites: true,
  links: true,
  unnamed: true,
  inodes: true,
  attributes: true,
}

const refuse = (): never => {
  throw new CofferError('EOPNOTSUPP', 'planted')
}

t.test('a disk can do everything', async (t) => {
  t.same(folderAbilities(folder), ALL)
  t.same(readdirSync(folder), [])
})

t.test('what it cannot, alone', async (t) => {
  /** An engine that only appends, as a mount of rclone without a cache. */
  const appends: Backing['write'] = (fd, from, offset, length, position) => {
    const stat = emptyStat()
    linuxBacking.statFd(fd, stat)
    if (position < stat.size) refuse()
    linuxBacking.write(fd, from, offset, length, position)
  }
  const lacks: [Partial<Backing>, Partial<typeof ALL>][] = [
    [{ link: refuse }, { links: false }],
    [{ createUnnamed: () => -1 }, { unnamed: false }],
    [{ setXattr: refuse }, { attributes: false }],
    [{ openWrite: refuse }, { rewrites: false }],
    [{ write: appends }, { rewrites: false }],
  ]
  for (const [calls, differs] of lacks) {
    const what = JSON.stringify(differs)
    t.same(folderAbilities(folder, { ...linuxBacking, ...calls }), { ...ALL, ...differs }, what)
    t.same(readdirSync(folder), [], what)
  }
})

t.test('a folder that takes no files', async (t) => {
  t.equal(folderAbilities(folder, { ...linuxBacking, createNew: refuse }), null)
})

t.test('a defect is none of the folder’s', async (t) => {
  const defect = (): never => {
    throw new RangeError('planted')
  }
  t.throws(() => folderAbilities(folder, { ...linuxBacking, link: defect }), RangeError)
  t.same(readdirSync(folder), [])
})
