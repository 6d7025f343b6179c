// What a sync client hears from the vault folder while programs work on a real drive, by inotify, which
// is what clients listen to. Reading a folder shows only what is left; this shows what came and went.

import { spawn, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { until, World } from './coffer.js'

interface Heard {
  event: string
  /** below the vault folder */
  path: string
}

/** Everything that happens below a folder while `act` runs, but looking. */
async function listen(folder: string, act: () => void): Promise<Heard[]> {
  const events = ['create', 'modify', 'attrib', 'move', 'delete', 'close_write']
  const args = ['-m', '-r', '--format', '%e\t%w%f', ...events.flatMap((e) => ['-e', e]), folder]
  const child = spawn('inotifywait', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = once(child, 'exit')
  try {
    let ready = false
    createInterface({ input: child.stderr }).on('line', (line) => {
      ready ||= line.includes('Watches established')
    })
    const heard: Heard[] = []
    let ended = false
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [event = '', path = ''] = line.split('\t')
      if (path.endsWith('/the-end')) ended = true
      else heard.push({ event, path: path.slice(folder.length + 1) })
    })
    if (!(await until(() => ready, 20_000))) throw new Error('inotifywait does not listen')
    act()
    // events come in order
    writeFileSync(join(folder, 'the-end'), '')
    if (!(await until(() => ended, 20_000))) throw new Error('inotifywait has heard nothing')
    rmSync(join(folder, 'the-end'))
    return heard
  } finally {
    child.kill()
    await exited
  }
}

function sh(cwd: string, script: string): void {
  const { status, stderr } = spawnSync('sh', ['-ec', script], { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${script}: ${stderr}`)
}

const events = (heard: Heard[], path: RegExp): string[] =>
  heard.filter((at) => path.test(at.path)).map(({ event }) => event)

/** Of every file. */
const contents = (folder: string): [string, string][] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .map((path) => [path, createHash('sha256').update(readFileSync(path)).digest('hex')])

const blobs = (folder: string): [string, string][] =>
  contents(folder).filter(([path]) => path.endsWith('.cff'))

const TEMPORARY = /~\$/
const BLOB = /\.cff$/
const DIRECTORY = /(^data|\.cfd)$/

function start(t: Test): World {
  const world = new World(t)
  world.create()
  world.mount('--self-test=off')
  return world
}

t.test('what programs do, as a sync client hears it', async (t) => {
  if (!needs(t, 'fuse', 'inotifywait')) return
  const world = start(t)
  const { mountpoint: drive, vault } = world
  const hear = (script: string): Promise<Heard[]> =>
    listen(vault, () => {
      sh(drive, script)
    })
  const small = join(world.folder, 'small')
  writeFileSync(small, randomBytes(3_000_000))

  let heard = await hear(`cp ${small} small`)
  let blob = events(heard, BLOB)
  t.equal(blob.filter((event) => event === 'CREATE').length, 1, 'a new file comes once')
  t.notOk(blob.includes('MODIFY'), 'and is complete when it comes')
  t.same(events(heard, TEMPORARY), [], 'under no other name')

  heard = await hear(`cat ${small} > other`)
  blob = events(heard, BLOB)
  t.equal(blob.filter((event) => event === 'CREATE').length, 1, 'from a shell, too')
  t.notOk(blob.includes('MODIFY'))

  const before = contents(vault)
  heard = await hear(`cat ${small} > small; cp small other; cat small 1<> other`)
  t.same(contents(vault), before, 'the same content again: not a byte')
  t.same(events(heard, DIRECTORY), [], 'nor the times of the folder')

  // what editors do: over it, moved aside, and as sed does it
  const saves = {
    'mv new small': 'cp small new; mv new small',
    'rm small~': 'mv small small~; cp small~ small; rm small~',
    'sed -i': 'sed -i s/nowhere-in-it// small',
  }
  for (const [way, save] of Object.entries(saves)) {
    sh(drive, 'sleep 2.1')
    const kept = blobs(vault)
    sh(drive, save)
    t.same(blobs(vault), kept, `by a new file, ${way}: not a byte of a blob`)
    const cmp = spawnSync('cmp', [small, join(drive, 'small')], { encoding: 'utf8' })
    t.equal(cmp.status, 0, cmp.stdout)
    const stat = spawnSync('stat', ['-c', '%h %s', join(drive, 'small')], { encoding: 'utf8' })
    t.equal(stat.stdout, '1 3000000\n')
  }

  // what became empty is stored when the drive hears of its close
  heard = await hear('touch empty && : > other; sleep 0.5')
  blob = events(heard, BLOB)
  t.equal(blob.filter((event) => event === 'CREATE').length, 1, 'an empty file comes')
  t.ok(blob.includes('MODIFY'), 'and one becomes empty')

  heard = await hear('printf x >> small')
  t.ok(events(heard, BLOB).includes('MODIFY'), 'an append')
  t.same(events(heard, DIRECTORY), [], 'changes nothing of the folder')
  t.same([...new Set(heard.map(({ path }) => path))].length, 1, 'and one file')

  heard = await hear('mkdir folder')
  t.match(events(heard, TEMPORARY)[0], 'CREATE,ISDIR', 'a folder is prepared under another name')
  t.notOk(/MODIFY|CLOSE_WRITE/.test(events(heard, TEMPORARY).join()), 'and nothing written there')
  t.ok(events(heard, /\.cfd$/).includes('MOVED_TO,ISDIR'))

  heard = await hear('mkfifo pipe && ln -s target link')
  t.same(events(heard, TEMPORARY), [], 'a fifo and a link')

  sh(drive, 'mkdir -p tree/a/b && for i in 1 2 3 4 5; do echo $i > tree/a/b/$i; done')
  heard = await hear('mv tree folder/tree2')
  t.same(events(heard, BLOB), [], 'a renamed tree: no file of it')
  t.same([...new Set(events(heard, /\.cfm$/))].sort(), ['CLOSE_WRITE,CLOSE', 'MODIFY'])
  const metas = heard.flatMap(({ path }) => /[^/]+\.cfm$/.exec(path) ?? [])
  t.equal(new Set(metas).size, 1, 'of its folders one, which is the renamed')
  t.same(events(heard, TEMPORARY), [])

  sh(drive, 'head -c 5000000 /dev/urandom > large; sleep 2.1')
  heard = await hear('mv large larger')
  blob = events(heard, BLOB)
  t.same(blob.sort(), ['MOVED_FROM', 'MOVED_TO'], 'a large file is renamed, and no more')
  t.same(events(heard, /\.cfr$/), ['CREATE'], 'with a ticket, which is complete when it comes')
  t.same(events(heard, TEMPORARY), [])

  heard = await hear('mv larger small')
  t.same(events(heard, TEMPORARY), [], 'over another')
  t.ok(readFileSync(join(drive, 'small')).length === 5_000_000)
  t.equal(world.run(['unmount', drive]).code, 0)
})

t.test('renaming a large file touches neither its bytes nor its times', async (t) => {
  if (!needs(t, 'fuse')) return
  const world = start(t)
  const { mountpoint: drive, vault } = world
  mkdirSync(join(drive, 'folder'))
  sh(drive, 'head -c 5000000 /dev/urandom > large; touch -d 2020-02-02 large; sleep 2.1')
  const blob = (): string => {
    const files = readdirSync(vault, { recursive: true, encoding: 'utf8' })
    return join(vault, files.find((file) => file.endsWith('.cff')) ?? 'none')
  }
  const before = blob()
  const content = readFileSync(before)
  const stat = statSync(before, { bigint: true })
  sh(drive, 'mv large folder/larger')
  const after = statSync(blob(), { bigint: true })
  t.not(blob(), before, 'another name')
  t.ok(readFileSync(blob()).equals(content), 'the same bytes')
  t.same([after.ino, after.mtimeNs], [stat.ino, stat.mtimeNs], 'the same inode and mtime')
  t.equal(world.run(['unmount', drive]).code, 0)
  await Promise.resolve()
})
