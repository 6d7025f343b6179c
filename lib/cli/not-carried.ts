// What sync clients leave behind, in words: said once for each vault on this machine when it is used,
// in status, and by doctor.

import { askStatus } from '../agent/running.js'
import type { NotCarriedKind } from '../fs/not-carried.js'
import type { RunningDrive } from '../store/registry.js'
import { notToldBefore } from '../store/told.js'
import { warn } from './ui.js'

const ELSEWHERE: Record<NotCarriedKind, string> = {
  owners: 'a file belongs to whoever runs the sync client there',
  'folder modes': 'a folder has the mode that the sync client there gives it',
  'extended attributes': 'attributes are not there',
  'hard links': 'the names of one file are files of their own, and a change of one stays there',
}

/** "owners, extended attributes and hard links" */
export const notCarried = (kinds: readonly string[]): string =>
  kinds.length < 2 ? kinds.join('') : `${kinds.slice(0, -1).join(', ')} and ${kinds.at(-1) ?? ''}`

export const ALL_KINDS = Object.keys(ELSEWHERE) as NotCarriedKind[]

/** "on another machine …", of each. */
export const elsewhere = (kinds: readonly NotCarriedKind[]): string =>
  `on another machine ${kinds.map((kind) => ELSEWHERE[kind]).join('; ')}`

/** To be asked before an unmount; nothing where the drive does not answer. */
export const madeThrough = (drive: RunningDrive): Promise<NotCarriedKind[]> =>
  askStatus(drive, 1500).then(
    ({ notCarried: kinds }) => kinds,
    () => [],
  )

/** Once for each vault. Where that cannot be noted, not at all: it must not come back for ever. */
export function tellOnce({ vaultId }: RunningDrive, kinds: readonly NotCarriedKind[]): void {
  let news: NotCarriedKind[]
  try {
    news = notToldBefore(vaultId, kinds) as NotCarriedKind[]
  } catch {
    return
  }
  if (news.length === 0) return
  warn(`most sync clients do not carry ${notCarried(news)}: ${elsewhere(news)}`)
  warn('this is said once for this vault')
}
