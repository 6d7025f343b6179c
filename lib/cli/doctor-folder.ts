// What doctor says of the folder that a vault lies in, or is to lie in: its file system, and what of
// that a program meets on the drive.

import { mountUnder } from '../mount/mountinfo.js'
import { folderAbilities, type Abilities } from '../store/folder-abilities.js'
import { describeFolder, tryWriting } from '../store/folder.js'
import { reason } from '../store/state-folder.js'
import { fine, type Finding } from './finding.js'
import { amount } from './ui.js'

export function vaultFolder(path: string): Finding[] {
  try {
    const { fileSystem, free } = describeFolder(path)
    const type = mountUnder(path)?.type ?? ''
    const engine = type.startsWith('fuse.') ? ` (${type.slice('fuse.'.length)})` : ''
    const where = fine('vault folder', `${path}: ${fileSystem}${engine}, ${amount(free)} free`)
    try {
      tryWriting(path)
    } catch (error) {
      const advice = 'a vault in it can be mounted with --read-only'
      return [where, { what: 'writing there', ok: false, says: reason(error), advice }]
    }
    const abilities = folderAbilities(path)
    return [where, ...(abilities === null ? [] : limits(abilities, type))]
  } catch (error) {
    return [{ what: 'vault folder', ok: false, says: `${path}: ${reason(error)}`, advice: '' }]
  }
}

/** Engines that keep what they have listed for a while. */
const SHOWN_AFTER = new Map([
  ['fuse.rclone', 'after rclone shows it (--dir-cache-time, 5 min if not given)'],
  ['fuse.sshfs', 'after SSHFS shows it (-o dcache_timeout, 20 s if not given)'],
])

/** Only what differs from a disk of one's own. */
function limits(abilities: Abilities, type: string): Finding[] {
  const findings: Finding[] = []
  const add = (what: string, ok: false | null, says: string, advice: string): void => {
    findings.push({ what, ok, says, advice })
  }
  if (!abilities.rewrites)
    add(
      'changing files there',
      false,
      'a file that is there cannot be written to in place, so a drive cannot work',
      'mount rclone with --vfs-cache-mode writes, or full',
    )
  if (abilities.watchProblem !== '')
    add(
      'changes by others there',
      null,
      abilities.watchProblem,
      `the drive looks for itself: what others do is seen a second ${SHOWN_AFTER.get(type) ?? 'later'}, and every lookup costs more`,
    )
  if (!abilities.inodes)
    add(
      'sending',
      null,
      'what is written may be in a cache of the engine alone until it was sent, after fsync and unmount too',
      type === 'fuse.rclone'
        ? 'let rclone run until it has sent everything; how long it waits is its --vfs-write-back (5 s if not given)'
        : 'let the engine run until it has sent everything',
    )
  if (type === 'fuse.rclone')
    add(
      'writing at two places there',
      null,
      'rclone tells nothing of what others send while a file is open for writing here, and sends over it',
      'write a file on one device at a time; of two versions the one that was sent last is left',
    )
  if (!abilities.unnamed)
    add(
      'files without a name (O_TMPFILE)',
      null,
      'there are none: a new file lies there from its first byte on, so others may see half of it',
      '',
    )
  if (!abilities.links)
    add('hard links there', false, 'there are none: ln fails on the drive', 'symbolic links work')
  if (!abilities.attributes)
    add('extended attributes there', false, 'there are none: setting one fails on the drive', '')
  return findings
}
