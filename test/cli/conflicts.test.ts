// Conflict copies over a real drive, and the command that lists them.

import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { says, until, World } from './coffer.js'

t.setTimeout(120_000)

const SHOWN = "report (conflict, Anna's Mac, 2026-11-23).pdf"

interface Line {
  vault: string
  mountpoint: string | null
  path: string
  of: string
  type: string
  size: number
  mtime: string
  by: string | null
  date: string | null
  blob: string
}

const lines = (out: string): Line[] =>
  out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)

/** A drive with /d/report.pdf; `conflict` makes another version of it, as a client does. */
function drive(t: Test, ...options: string[]) {
  const world = new World(t)
  world.create()
  world.mount(...options)
  const at = (path: string): string => join(world.mountpoint, path)
  mkdirSync(at('d'))
  writeFileSync(at('d/report.pdf'), 'theirs')
  const only = (folder: string, end: string): string =>
    join(
      folder,
      readdirSync(folder).find((name) => name.endsWith(end))!,
    )
  const folder = only(join(world.vault, 'data'), '.cfd')
  const blob = only(folder, '.cff')
  const conflict = (added: string): string => {
    const copy = `${blob.slice(0, -4)}${added}.cff`
    copyFileSync(blob, copy)
    return copy
  }
  return { world, at, conflict, folder }
}

t.test('seen, read, kept, edited, deleted', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const { world, at, conflict } = drive(t)
  const shown = at(`d/${SHOWN}`)
  t.notOk(existsSync(shown))
  const copy = conflict(" (Anna's Mac's conflicted copy 2026-11-23)")
  writeFileSync(at('d/report.pdf'), 'ours')
  t.ok(await until(() => existsSync(shown)), 'it comes though it was looked for before')
  t.same(readdirSync(at('d')).sort(), [SHOWN, 'report.pdf'])
  t.equal(readFileSync(shown, 'utf8'), 'theirs')
  t.equal(readFileSync(at('d/report.pdf'), 'utf8'), 'ours')
  appendFileSync(shown, ', and more')
  t.equal(readFileSync(shown, 'utf8'), 'theirs, and more')
  t.notOk(existsSync(copy), 'it has a name of its own now')
  const second = conflict(' (1)')
  const other = at('d/report (conflict).pdf')
  t.ok(await until(() => existsSync(other)))
  renameSync(other, at('kept.pdf'))
  t.equal(readFileSync(at('kept.pdf'), 'utf8'), 'ours')
  t.notOk(existsSync(second))
  const third = conflict('-DESKTOP-1')
  const last = at('d/report (conflict, DESKTOP-1).pdf')
  t.ok(await until(() => existsSync(last)))
  rmSync(last)
  t.notOk(existsSync(third))
  t.same(readdirSync(at('d')).sort(), [SHOWN, 'report.pdf'])
  const [{ log } = { log: '' }] = world.entries()
  t.equal(world.run(['unmount', 'drive']).code, 0)
  const text = readFileSync(log, 'utf8')
  t.equal(text.match(/info conflict: /g)?.length, 3, 'the log says so once for each')
  t.notMatch(text, /report|warn|error/, 'without plain names, and without alarm')
  world.mount()
  t.same(readdirSync(at('d')).sort(), [SHOWN, 'report.pdf'])
  t.equal(readFileSync(shown, 'utf8'), 'theirs, and more')
})

t.test('a folder, removed with all that is in it', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const { at, folder, conflict } = drive(t)
  conflict(' 2')
  renameSync(folder, `${folder.slice(0, -4)} (1).cfd`)
  t.ok(await until(() => existsSync(at('d (conflict)/report (conflict).pdf'))))
  t.notOk(existsSync(at('d')))
  rmSync(at('d (conflict)'), { recursive: true })
  t.same(readdirSync(at('')), [])
})

t.test('coffer conflicts', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const { world, at, conflict } = drive(t)
  t.match(world.run(['conflicts']), { code: 0, out: '', err: 'There are no conflict copies.\n' })
  const copy = conflict(" (Anna's Mac's conflicted copy 2026-11-23)")
  const expected = {
    vault: world.vault,
    path: `/d/${SHOWN}`,
    of: '/d/report.pdf',
    type: 'file',
    size: 6,
    by: "Anna's Mac",
    date: '2026-11-23',
    blob: copy.slice(world.vault.length + 1),
  }
  for (const target of [[], ['drive'], ['vault'], [world.vault]]) {
    const { code, out, err } = world.run(['conflicts', '--json', ...target])
    t.same([code, err], [0, ''], target.join())
    t.match(lines(out), [{ ...expected, mountpoint: world.mountpoint }])
    t.match(out, /"mtime":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"/)
  }
  const { out } = world.run(['conflicts'])
  t.equal(out.split('\n')[0], at(`d/${SHOWN}`))
  t.match(out, / of: +\/d\/report\.pdf\n +from: +Anna's Mac, 2026-11-23\n +size: +6 B\n/)
  t.ok(out.includes(copy))
  t.equal(world.run(['unmount', 'drive']).code, 0)
  t.match(world.run(['conflicts']), { code: 0, out: '', err: 'No drive is mounted.\n' })
  const closed = world.run(['conflicts', '--json', 'vault'])
  t.equal(closed.code, 0)
  t.match(lines(closed.out), [{ ...expected, mountpoint: null }])
  says(t, world.run(['conflicts', 'vault'], { input: 'wrong\n' }), 12, /password/)
  says(t, world.run(['conflicts', 'drive']), 17, /no drive of yours is mounted/)
  t.match(world.run(['ls', 'vault', '/d']), { code: 0, out: `${SHOWN}\nreport.pdf\n`, err: '' })
  rmSync(join(world.vault, 'data'), { recursive: true })
  mkdirSync(join(world.vault, 'data'))
  t.match(world.run(['conflicts', 'vault']), { code: 0, out: '' })
})

t.test('coffer conflicts: one that coffer made, one that was edited', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const world = new World(t)
  world.create()
  t.equal(world.run(['device', '--name', 'Bob PC']).code, 0)
  world.mount()
  const at = (path: string): string => join(world.mountpoint, path)
  writeFileSync(at('doc.txt'), 'theirs')
  const data = join(world.vault, 'data')
  const blob = join(
    data,
    readdirSync(data).find((name) => name.endsWith('.cff'))!,
  )
  copyFileSync(blob, `${blob.slice(0, -4)} (Anna's conflicted copy 2026-11-23).cff`)
  const client = 'doc (conflict, Anna, 2026-11-23).txt'
  t.ok(await until(() => existsSync(at(client))))
  appendFileSync(at(client), ', and more')

  const fd = openSync(at('doc.txt'), 'r+')
  writeSync(fd, 'ours')
  copyFileSync(blob, join(world.folder, 'another'))
  renameSync(join(world.folder, 'another'), blob)
  closeSync(fd)
  const own = readdirSync(at('')).find((name) => name.includes('Bob PC'))
  const today = /\d{4}-\d\d-\d\d/.exec(own ?? '')?.[0]
  t.equal(own, `doc (conflict, Bob PC, ${String(today)}).txt`)

  const { code, out, err } = world.run(['conflicts', '--json'])
  t.same([code, err], [0, ''])
  const found = lines(out).sort((a, b) => (a.path < b.path ? -1 : 1))
  t.match(found, [
    { path: `/${client}`, of: '/doc.txt', size: 16, by: 'Anna', date: '2026-11-23' },
    { path: `/${String(own)}`, of: '/doc.txt', size: 6, by: 'Bob PC', date: today },
  ])
  t.equal(found.length, 2)
  for (const line of found) t.ok(existsSync(join(world.vault, line.blob)), line.blob)
  for (const line of found) rmSync(at(line.path))
  t.match(world.run(['conflicts']), { out: '', err: 'There are no conflict copies.\n' })
})

t.test('a folder that cannot be read', async (t) => {
  if (!needs(t, 'linux', 'fuse')) return
  const { world, folder, conflict } = drive(t)
  conflict(' 2')
  t.equal(world.run(['unmount', 'drive']).code, 0)
  for (const name of readdirSync(folder)) if (name.endsWith('.cfm')) rmSync(join(folder, name))
  // this machine remembers the folder, another does not
  const elsewhere = { env: { COFFER_STATE_DIR: join(world.folder, 'other') } }
  const { code, out, err } = world.run(['conflicts', 'vault'], elsewhere)
  t.equal(code, 26)
  t.equal(out, '')
  t.match(err, /warning: \/d cannot be read, so conflict copies may be missing here\n/)
})
