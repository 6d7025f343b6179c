#!/usr/bin/env node
// Proof on real input: a tree of real files, with every oddity that this file can think of, goes into
// a drive with rsync, is locked away, and after the next mount rsync finds no difference in either
// direction, by contents and to the nanosecond. As root and as an unprivileged user.
//
// scripts/prove-tree.js [--files 20000] [--from /usr] [--scratch /tmp] [--only root|user] [--node PATH]

import { chmodSync, lutimesSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import {
  caller,
  Drive,
  must,
  program,
  run,
  scratchFolder,
  timed,
  unprivilegedUser,
} from './proof/drive.js'
import { indexPlaintext } from './proof/plaintext.js'
import { walk } from './proof/real-files.js'
import { filesBelow, search } from './proof/search.js'

const { values: options } = parseArgs({
  options: {
    files: { type: 'string', default: '20000' },
    from: { type: 'string', default: '/usr' },
    scratch: { type: 'string', default: tmpdir() },
    only: { type: 'string', default: '' },
    node: { type: 'string', default: process.execPath },
  },
})
// One library of a gigabyte would say nothing that the archive does not say.
const LARGEST = 2 ** 24

const MODES = [
  0o400, 0o444, 0o600, 0o640, 0o666, 0o755, 0o777, 0o1755, 0o2755, 0o4755, 0o6711, 0o7777,
]
// Nobody but root may read these, not even their owner.
const UNREADABLE = [0o000, 0o200, 0o111, 0o222, 0o333]

const NAMES = [
  'n'.repeat(255),
  'ä'.repeat(127),
  `${'🦊'.repeat(63)}abc`,
  '👩‍👩‍👧‍👦 family',
  '🇫🇮🏳️‍🌈',
  'e\u0301 and \u00e9',
  'line\nbreak',
  'tab\tand \\backslash',
  ' leading and trailing ',
  '-rf',
  '~$looks like ours.tmp',
  'vault.coffer',
  '.hidden',
  '...',
  'CON',
  'colon:star*question?"<>|',
  'README.txt',
  'dir-0123456789abcdef.cfm',
  '日本語のファイル名',
  'עברית',
]

const TIMES = [
  '@0.000000001',
  '@1234567890.123456789',
  '@1700000000.999999999',
  '@-1.5',
  '@-2000000000.000000001',
  '@2147483648.5',
  '@4294967296.25',
  '@7258118400.000000123',
]

/** Copies the first real files and links, and their folders with them. */
function copyReal(source, list, wanted) {
  const paths = []
  let files = 0
  for (const { path, stats } of walk(options.from)) {
    if (files >= wanted) break
    if (stats.isFile() ? stats.size > LARGEST : !stats.isDirectory() && !stats.isSymbolicLink()) {
      continue
    }
    if (stats.isFile()) files++
    paths.push(relative(options.from, path) || '.')
  }
  must(files >= wanted, `${options.from} has only ${files} files`)
  writeFileSync(list, paths.map((path) => `${path}\0`).join(''))
  const real = join(source, 'real')
  mkdirSync(real)
  // Owners are the mounting user's in a drive.
  const keep = ['--links', '--perms', '--times', '--from0', `--files-from=${list}`]
  program('rsync', [...keep, `${options.from}/`, `${real}/`])
}

function makeOdd(source, isRoot) {
  const odd = join(source, 'odd')
  mkdirSync(odd)
  const file = (folder, name, text = name) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
  const names = join(odd, 'names')
  mkdirSync(names)
  for (const name of NAMES) file(names, name)
  const folders = join(odd, 'folders')
  mkdirSync(folders)
  for (const name of NAMES) {
    mkdirSync(join(folders, name))
    file(join(folders, name), name)
  }
  const links = join(odd, 'links')
  mkdirSync(links)
  for (const [i, target] of ['/nowhere', '../names', '.', '🦊', 't'.repeat(4095)].entries()) {
    const link = join(links, `link ${i}`)
    symlinkSync(target, link)
    lutimesSync(link, 1000 + i, 2000 + i)
  }
  for (const name of NAMES) symlinkSync(`../names/${name}`, join(links, name))
  const sizes = join(odd, 'sizes')
  mkdirSync(sizes)
  const edges = [2 ** 12, 2 ** 15, 2 ** 16, 2 ** 17, 2 ** 20].flatMap((n) => [n - 1, n, n + 1])
  for (const size of [0, 1, 15, 16, 17, ...edges]) {
    file(sizes, `${size} bytes`, Buffer.alloc(size, `${size} `))
  }
  program('mkfifo', [join(odd, 'fifo')])
  if (isRoot) program('mknod', [join(odd, 'device'), 'c', '1', '3'])

  const times = join(odd, 'times')
  mkdirSync(times)
  for (const time of TIMES) {
    program('touch', ['-d', time, join(times, `file ${time}`)])
    symlinkSync('x', join(times, `link ${time}`))
    program('touch', ['-h', '-d', time, join(times, `link ${time}`)])
    mkdirSync(join(times, `folder ${time}`))
    program('touch', ['-d', time, join(times, `folder ${time}`)])
  }
  const modes = join(odd, 'modes')
  mkdirSync(modes)
  for (const mode of [...MODES, ...(isRoot ? UNREADABLE : [])]) {
    file(modes, `file ${mode.toString(8)}`)
    mkdirSync(join(modes, `folder ${mode.toString(8)}`))
    // a folder of an unprivileged user has to let rsync in
    const enter = isRoot ? 0 : 0o700
    file(join(modes, `folder ${mode.toString(8)}`), 'inside')
    chmodSync(join(modes, `folder ${mode.toString(8)}`), mode | enter)
  }
  utimesSync(modes, 1, 1)
}

/** chown clears the set-id bits, so the modes of files come after it. */
function setModes(source, isRoot) {
  for (const mode of [...MODES, ...(isRoot ? UNREADABLE : [])]) {
    chmodSync(join(source, 'odd/modes', `file ${mode.toString(8)}`), mode)
  }
}

/** What the caller could not copy: given its modes in both places after the copy. */
function lockAway(drive, root) {
  for (const mode of UNREADABLE) {
    drive.run('chmod', mode.toString(8), join(root, 'locked', mode.toString(8)))
  }
}

function compare(drive, a, b) {
  const rsync = ['-anic', '--delete', '--modify-window=-1']
  for (const [from, to] of [
    [a, b],
    [b, a],
  ]) {
    const difference = drive.run('rsync', ...rsync, `${from}/`, `${to}/`)
    must(difference === '', `rsync ${from} ${to} differs:\n${difference.slice(0, 4000)}`)
  }
}

function count(folder) {
  const found = { files: 0, folders: 0, links: 0, others: 0, bytes: 0 }
  for (const { stats } of walk(folder)) {
    if (stats.isFile()) found.files++
    else if (stats.isDirectory()) found.folders++
    else if (stats.isSymbolicLink()) found.links++
    else found.others++
    if (stats.isFile()) found.bytes += stats.size
  }
  return found
}

async function prove(scratch, user) {
  const isRoot = user.spawn.uid === undefined && process.getuid() === 0
  const source = join(scratch, 'source')
  mkdirSync(source)
  await timed('collect the tree', () => {
    copyReal(source, join(scratch, 'list'), Number(options.files))
    makeOdd(source, isRoot)
    if (!isRoot) {
      mkdirSync(join(source, 'locked'))
      for (const mode of UNREADABLE) {
        writeFileSync(join(source, 'locked', mode.toString(8)), mode.toString(8))
      }
    }
    user.own(source)
    setModes(source, isRoot)
  })
  const { files, folders, links, others, bytes } = count(source)
  console.log(
    `  ${files} files, ${folders} folders, ${links} links, ${others} others, ${bytes} bytes`,
  )

  const drive = new Drive(scratch, user, options.node)
  console.log(`as ${user.name}, on ${program(options.node, ['--version']).trim()}`)
  drive.create()
  drive.mount()
  const target = join(drive.mountpoint, 'tree')
  drive.run('mkdir', target)
  await timed('rsync -a in', () => drive.run('rsync', '-a', `${source}/`, `${target}/`))
  if (!isRoot) for (const root of [source, target]) lockAway(drive, root)
  console.log(`  peak memory of the agent ${drive.peakMemory()} MiB`)
  await timed('unmount', () => drive.unmount())

  const names = [...walk(source)].map(({ path }) =>
    Buffer.from(path.slice(path.lastIndexOf('/') + 1)),
  )
  const plain = filesBelow(source)
  // These three are names of the program's own files too.
  const own = ['vault.coffer', 'README.txt', 'dir-0123456789abcdef.cfm']
  const index = indexPlaintext(
    plain,
    names.filter((name) => !own.includes(name.toString())),
  )
  const blobs = filesBelow(join(drive.vault, 'data'))
  const { result: hits } = await timed(`search ${blobs.length} files for plaintext`, () =>
    search(index, blobs, drive.vault),
  )
  for (const hit of hits.slice(0, 10)) console.log(hit)
  console.log(`  ${hits.length === 0 ? 'none' : hits.length} found`)

  drive.mount()
  if (!isRoot) {
    for (const mode of UNREADABLE) {
      const path = join(target, 'locked', mode.toString(8))
      const said = drive.run('stat', '--format=%a %y', path)
      const should = program('stat', ['--format=%a %y', join(source, 'locked', mode.toString(8))])
      must(said === should, `${path} has mode and time ${said}, not ${should}`)
      for (const root of [source, target]) {
        drive.run('chmod', 'u+r', join(root, 'locked', mode.toString(8)))
      }
    }
  }
  await timed('compare in both directions', () => compare(drive, source, target))
  console.log(`  no difference; peak memory of the agent ${drive.peakMemory()} MiB`)
  drive.unmount()
  must(hits.length === 0, `${hits.length} pieces of plaintext lie in the vault`)
}

await run(async () => {
  if (options.only !== 'user') await prove(scratchFolder(options.scratch), caller())
  if (options.only !== 'root' && process.getuid() === 0) {
    const scratch = scratchFolder(options.scratch)
    await prove(scratch, unprivilegedUser(scratch))
  }
})
