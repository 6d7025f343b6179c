// What the workloads work on: random bytes, and a source tree in a clone of git's.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { atEnd, must, program } from '../proof/drive.js'
import { walk } from '../proof/real-files.js'

const ROOT = join(import.meta.dirname, '../..')
const MEBI = 2 ** 20
const FILES = 20_000
const FILE_MAX = 256 * 1024
const SOURCES = [join(ROOT, 'node_modules'), '/usr/include', '/usr/share']

const inMemory = (name) => {
  const path = `/dev/shm/coffer-bench-${name}-${process.pid}`
  atEnd(() => rmSync(path, { force: true }))
  return path
}

/** Random bytes in memory, so that neither the disk nor compression plays a part in reading them. */
export function makeSource(size) {
  const path = inMemory('source')
  program('dd', ['if=/dev/urandom', `of=${path}`, 'bs=1M', `count=${Math.ceil(size / MEBI)}`])
  return path
}

function* smallFiles() {
  for (const source of SOURCES)
    for (const { path, stats } of walk(source)) {
      if (!stats.isFile() || stats.size > FILE_MAX) continue
      if (!path.includes('/node_modules/.cache/')) yield path
    }
}

/** An archive in memory: files that are on this machine in any case, checked in, and packed by git. */
export function makeTree(scratch) {
  const archive = inMemory('tree')
  const list = inMemory('list')
  const chosen = []
  for (const path of smallFiles()) if (chosen.push(path.slice(1)) === FILES) break
  must(chosen.length === FILES, `only ${chosen.length} files were found for the tree`)
  writeFileSync(list, chosen.join('\n'))
  const tree = join(scratch, 'source', 'tree')
  mkdirSync(tree, { recursive: true })
  program('sh', ['-ec', `tar -C / -cf - -T ${list} | tar -C ${tree} -xf -`])
  // nothing of its own in the background
  const settings = ['user.name=bench', 'user.email=bench@localhost', 'gc.auto=0']
  const git = (...args) =>
    program('git', ['-C', tree, ...settings.flatMap((one) => ['-c', one]), ...args])
  git('init', '--quiet')
  git('add', '--force', '--all')
  git('commit', '--quiet', '--message=tree')
  git('gc', '--quiet')
  program('tar', ['-C', join(scratch, 'source'), '-cf', archive, 'tree'])
  rmSync(tree, { recursive: true })
  return archive
}
