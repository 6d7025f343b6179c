// What a backing inode looked like at a moment. Whatever is done to it moves its ctime, which can be set
// by nobody, so as long as it looks the same it is.

import type { FileStat } from '../store/backing.js'

export type Stamp = Pick<FileStat, 'size' | 'mtimeSec' | 'mtimeNsec' | 'ctimeSec' | 'ctimeNsec'>

export const stampOf = ({ size, mtimeSec, mtimeNsec, ctimeSec, ctimeNsec }: FileStat): Stamp => ({
  size,
  mtimeSec,
  mtimeNsec,
  ctimeSec,
  ctimeNsec,
})

/** `stamp` null: it was not looked at before. */
export const isUnchanged = (stamp: Stamp | null, now: Stamp): boolean =>
  stamp?.ctimeNsec === now.ctimeNsec &&
  stamp.ctimeSec === now.ctimeSec &&
  stamp.mtimeNsec === now.mtimeNsec &&
  stamp.mtimeSec === now.mtimeSec &&
  stamp.size === now.size
