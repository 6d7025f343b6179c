// coffer conflicts.

import { askConflicts, findDrive } from '../agent/running.js'
import { CofferError } from '../errors.js'
import type { ConflictCopy } from '../fs/walk-conflicts.js'
import { hasConfigFile } from '../store/config-file.js'
import { runningDrives, type RunningDrive } from '../store/registry.js'
import { realPath } from '../store/state-folder.js'
import { withDrive } from './open-drive.js'
import type { PasswordSource } from './read-password.js'
import { amount, bold, json as printJson, out, say, shown, warn } from './ui.js'
import { S_IFDIR, S_IFLNK, S_IFREG } from './vault-path.js'

interface Arguments extends PasswordSource {
  target?: string | undefined
  json: boolean
}

interface Conflicts {
  vault: string
  /** null where it is not mounted */
  mountpoint: string | null
  copies: ConflictCopy[]
  /** plain paths of folders that cannot be read */
  unread: string[]
}

const TYPES = new Map([
  [S_IFREG, 'file'],
  [S_IFDIR, 'directory'],
  [S_IFLNK, 'symlink'],
])

export async function conflicts(args: Arguments): Promise<number> {
  const all = await collect(args)
  let exit = 0
  for (const each of all) {
    for (const copy of each.copies) {
      if (args.json) asJson(each, copy)
      else show(each, copy)
    }
    for (const path of each.unread) {
      warn(`${each.mountpoint ?? ''}${path} cannot be read, so conflict copies may be missing here`)
      exit = 26
    }
  }
  if (all.length === 0) say('No drive is mounted.')
  else if (all.every(({ copies }) => copies.length === 0)) say('There are no conflict copies.')
  return exit
}

async function collect(args: Arguments): Promise<Conflicts[]> {
  const { target } = args
  if (target === undefined) return Promise.all(runningDrives().map(ask))
  const drive = driveAt(target)
  if (drive !== null) return [await ask(drive)]
  const vault = realPath(target)
  return withDrive({ ...args, vault }, (open) => {
    const found: Conflicts = { vault, mountpoint: null, copies: [], unread: [] }
    for (const { copies, unread } of open.conflicts()) {
      found.copies.push(...copies)
      if (unread !== null) found.unread.push(unread)
    }
    return [found]
  })
}

/** null where it is a vault that is not mounted. */
function driveAt(target: string): RunningDrive | null {
  try {
    return findDrive(target)
  } catch (error) {
    const isVault = error instanceof CofferError && hasConfigFile(realPath(target))
    if (isVault && error.code === 'NOT_MOUNTED') return null
    throw error
  }
}

async function ask(drive: RunningDrive): Promise<Conflicts> {
  const { vault, mountpoint } = drive
  return { vault, mountpoint, ...(await askConflicts(drive)) }
}

const typeOf = ({ type }: ConflictCopy): string => TYPES.get(type) ?? 'special'
const timeOf = ({ mtimeSec }: ConflictCopy): string => new Date(mtimeSec * 1000).toISOString()

function asJson({ vault, mountpoint }: Conflicts, copy: ConflictCopy): void {
  const { path, of, size, by, date, blob } = copy
  const mtime = timeOf(copy).replace('.000Z', 'Z')
  printJson({ vault, mountpoint, path, of, type: typeOf(copy), size, mtime, by, date, blob })
}

function show({ vault, mountpoint }: Conflicts, copy: ConflictCopy): void {
  const { path, of, size, by, date, blob } = copy
  const from = [by, date].filter((known) => known !== null).join(', ')
  out(bold(shown((mountpoint ?? '') + path)))
  out(`  of:        ${shown(of)}`)
  out(`  from:      ${from === '' ? 'not known' : shown(from)}`)
  out(`  size:      ${typeOf(copy) === 'directory' ? 'a folder' : amount(size)}`)
  out(`  changed:   ${timeOf(copy).slice(0, 19).replace('T', ' ')}`)
  out(`  blob:      ${shown(`${vault}/${blob}`)}`)
}
