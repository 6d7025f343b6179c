// All conflict copies of a drive, in steps: between two directories others are served. Those that sync
// clients have made tell it by their backing names; those that bear a name of their own, since coffer made
// them or somebody has written to them, by their plain names.

import { constants } from 'node:fs'
import { CofferError } from '../errors.js'
import { readConflictName } from '../format/conflict.js'
import { emptyStat } from '../store/backing.js'
import { attributes } from './attributes.js'
import { emptyAttributes } from './filesystem.js'
import { backingName, blobPath, plainPath, type Copy, type Inode } from './inode.js'
import { Later } from './later.js'
import { locate } from './locate.js'
import { survey } from './survey.js'
import { isDirectory, type Tree } from './tree.js'

const { S_IFMT } = constants
const stat = emptyStat()
const out = emptyAttributes()

export interface ConflictCopy {
  /** plain path that it is shown under, and the one that it is a version of */
  path: string
  of: string
  /** S_IFMT bits */
  type: number
  size: number
  mtimeSec: number
  /** device or person, and YYYY-MM-DD, where its name tells */
  by: string | null
  date: string | null
  /** path below the vault folder */
  blob: string
}

/** What one directory has; `unread`: its plain path, where it cannot be read. */
export interface ConflictStep {
  copies: ConflictCopy[]
  unread: string | null
}

type Version = Pick<Copy, 'shown' | 'name' | 'origin'>

/** What is not there any more. */
const GONE: readonly string[] = ['ENOENT', 'ENOTDIR', 'ESTALE']

/** The directory is held until the walk has left it. */
export function* walkConflicts(tree: Tree, at: Inode = tree.root): Generator<ConflictStep, void> {
  at.lookups++
  try {
    const step: ConflictStep = { copies: [], unread: null }
    const below = new Set<string>()
    try {
      const bearers = survey(tree, at)
      for (const [name, { extension }] of bearers) if (extension === '.cfd') below.add(name)
      const versions = [...bearers.keys()].flatMap((name) => byItsName(name) ?? [])
      for (const version of [...versions, ...tree.directory(at).conflicts.values()]) {
        const inode = locate(tree, at, version.shown, stat)
        if (inode === null) continue
        if (isDirectory(inode)) below.add(version.shown)
        step.copies.push(described(tree, at, inode, version))
        tree.forget(inode, 0)
      }
    } catch (error) {
      // what is online-only is not fetched for this
      const known = error instanceof CofferError || error instanceof Later
      if (!known) throw error
      if (error instanceof Later || !GONE.includes(error.code)) step.unread = plainPath(at)
    }
    yield step
    for (const name of below) {
      const inode = found(tree, at, name)
      if (inode !== null) yield* walkConflicts(tree, inode)
    }
  } finally {
    tree.forget(at, 1)
  }
}

/** null where a name is not that of a conflict copy. */
function byItsName(shown: string): Version | null {
  const read = readConflictName(shown)
  return read && { shown, name: read.of, origin: { by: read.by, date: read.date } }
}

function found(tree: Tree, at: Inode, name: string): Inode | null {
  try {
    const inode = locate(tree, at, name, stat)
    return inode !== null && isDirectory(inode) ? inode : null
  } catch (error) {
    if (error instanceof CofferError || error instanceof Later) return null
    throw error
  }
}

function described(
  tree: Tree,
  at: Inode,
  inode: Inode,
  { shown, name, origin }: Version,
): ConflictCopy {
  attributes(tree, inode, stat, out)
  const above = at === tree.root ? '' : plainPath(at)
  return {
    path: `${above}/${shown}`,
    of: `${above}/${name}`,
    type: out.mode & S_IFMT,
    size: isDirectory(inode) ? 0 : out.size,
    mtimeSec: out.mtimeSec,
    ...origin,
    blob: `${blobPath(at)}/${backingName(inode)}`,
  }
}
