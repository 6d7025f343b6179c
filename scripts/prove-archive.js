#!/usr/bin/env node
// Proof on real input: an archive of real files goes into a vault and comes back the same, and
// nothing of it can be seen in the vault folder: no plain name of 8 bytes or more, and no 64-byte
// block of it (at multiples of 64; blocks of one repeated byte left out), at no offset of no file.
//
// scripts/prove-archive.js [--size 2G] [--from /usr] [--scratch /tmp] [--unprivileged] [--node PATH]

import { createHash } from 'node:crypto'
import {
  createReadStream,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  statfsSync,
  unlinkSync,
  writeFileSync,
  closeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  bytesOf,
  caller,
  Drive,
  must,
  program,
  run,
  scratchFolder,
  timed,
  unprivilegedUser,
} from './proof/drive.js'
import { BLOCK, indexPlaintext, NAME } from './proof/plaintext.js'
import { walk } from './proof/real-files.js'
import { filesBelow, search } from './proof/search.js'

const { values: options } = parseArgs({
  options: {
    size: { type: 'string', default: '2G' },
    from: { type: 'string', default: '/usr' },
    scratch: { type: 'string', default: tmpdir() },
    unprivileged: { type: 'boolean', default: false },
    node: { type: 'string', default: process.execPath },
  },
})
// What is copied for the test of the test.
const SAMPLE = 2 ** 26

/** Writes a tar archive of at least `size` bytes; gives the plain names in it. */
function buildArchive(archive, list, size) {
  const names = new Set()
  const paths = []
  let total = 0
  for (const { path, stats } of walk(options.from)) {
    if (total >= size) break
    names.add(basename(path))
    paths.push(path)
    // a header of 512 bytes, and whole blocks of 512
    total += 512 + (stats.isFile() ? Math.ceil(stats.size / 512) * 512 : 0)
  }
  must(total >= size, `${options.from} has only ${total} bytes`)
  writeFileSync(list, paths.map((path) => `${path}\0`).join(''))
  const tar = ['--create', '--no-recursion', '--hard-dereference', '--null', '--files-from', list]
  program('tar', [...tar, '--file', archive])
  unlinkSync(list)
  return [...names].map((name) => Buffer.from(name))
}

async function digest(path) {
  const hash = createHash('sha256')
  for await (const bytes of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(bytes)
  return hash.digest('hex')
}

/** The first bytes of the largest file of the vault, with a block and a name of the plaintext in it. */
function plant(files, archive, name, sample) {
  const largest = files.reduce((a, b) => (lstatSync(a).size >= lstatSync(b).size ? a : b))
  const bytes = Buffer.alloc(Math.min(SAMPLE, lstatSync(largest).size))
  const whole = openSync(largest, 'r')
  must(readSync(whole, bytes, 0, bytes.length, 0) === bytes.length, `cannot read ${largest}`)
  closeSync(whole)
  const offset = Math.floor(bytes.length / 2) | 1
  const block = Buffer.alloc(BLOCK)
  const from = openSync(archive, 'r')
  let position = 0
  while (
    readSync(from, block, 0, BLOCK, position) === BLOCK &&
    block.every((b) => b === block[0])
  ) {
    position += BLOCK
  }
  closeSync(from)
  block.copy(bytes, offset)
  name.copy(bytes, offset + 1001)
  writeFileSync(sample, bytes)
  return { offset, name: offset + 1001 }
}

await run(async () => {
  const size = bytesOf(options.size)
  const { bavail, bsize } = statfsSync(options.scratch)
  must(bavail * bsize > 3.2 * size, `${options.scratch} has too little space for three copies`)
  const scratch = scratchFolder(options.scratch)
  const user = options.unprivileged ? unprivilegedUser(scratch) : caller()

  const archive = join(scratch, 'archive of real files.tar')
  const { result: names } = await timed('build the archive', () =>
    buildArchive(archive, join(scratch, 'list'), size),
  )
  const bytes = statSync(archive).size
  const before = await digest(archive)
  console.log(`  ${bytes} bytes, ${names.length} names, SHA-256 ${before}`)

  const drive = new Drive(scratch, user, options.node)
  console.log(`as ${user.name}, on ${program(options.node, ['--version']).trim()}`)
  drive.create()
  const empty = new Map(filesBelow(drive.vault).map((path) => [path, readFileSync(path)]))
  const folder = join(drive.mountpoint, 'Backups of this machine')
  drive.mount()
  drive.run('mkdir', folder)
  await timed('copy in', () => drive.run('cp', archive, folder))
  await timed('unmount', () => {
    console.log(`  peak memory of the agent ${drive.peakMemory()} MiB`)
    drive.unmount()
  })

  // README.txt is the same in every vault and speaks plain words: it must not have changed.
  const files = filesBelow(drive.vault).filter((path) => {
    const readme = basename(path) === 'README.txt'
    if (readme) must(readFileSync(path).equals(empty.get(path)), 'README.txt was changed')
    return !readme
  })
  names.push(Buffer.from(basename(archive)), Buffer.from(basename(folder)))
  const { result: index } = await timed('index the plaintext', () =>
    indexPlaintext([archive], names),
  )
  const total = files.reduce((sum, path) => sum + statSync(path).size, 0)
  console.log(
    `  ${index.blocks} blocks, ${index.leftOut} of one repeated byte left out, ${index.distinct} ` +
      `different; ${index.names.length} names of ${NAME} bytes or more`,
  )
  const { result: hits } = await timed(`search ${files.length} files, ${total} bytes`, () =>
    search(index, files, drive.vault),
  )
  for (const hit of hits.slice(0, 10)) console.log(hit)
  must(total > bytes, 'the vault is smaller than what was put into it')
  console.log(`  ${hits.length === 0 ? 'none' : hits.length} found`)

  const sample = join(scratch, 'sample')
  const name = Buffer.from(index.names[0], 'latin1')
  const planted = plant(files, archive, name, sample)
  const found = await search(index, [sample], scratch)
  must(
    found.some(({ offset, block }) => block !== undefined && offset === planted.offset) &&
      found.some((hit) => hit.name === index.names[0] && hit.offset === planted.name),
    'the search does not find what was planted',
  )
  unlinkSync(sample)
  console.log(`  a block and a name planted in a copy, at ${planted.offset}, were found`)

  drive.mount()
  const out = join(scratch, 'out')
  mkdirSync(out)
  user.own(out)
  await timed('copy out', () => drive.run('cp', join(folder, basename(archive)), out))
  console.log(`  peak memory of the agent ${drive.peakMemory()} MiB`)
  drive.unmount()
  const after = await digest(join(out, basename(archive)))
  must(after === before, `SHA-256 after is ${after}`)
  console.log(`SHA-256 is the same: ${after}`)
  must(hits.length === 0, `${hits.length} pieces of plaintext lie in the vault`)
})
