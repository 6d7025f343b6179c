// Foreign files that nobody misses: what file managers drop into every folder, and what a sync client was
// about to receive. A directory with nothing else in it is empty. Pure. FORMAT.md §7.

import { HALF, STUB } from './name.js'

const DROPPED = /^(?:\.DS_Store|\._.*|\.localized|\.directory|Icon\r|Thumbs\.db|desktop\.ini)$/i
const HIDDEN = /^[.~]/
/** The name of an object, or of a file beside it, with or without more around it. */
const HAS_OURS = /[cl][A-Za-z0-9_-]{43}.*\.cf[dflsnr]|dir-[0-9a-f]{16}.*\.cfm/s

/** Of a name that `parseBackingName` calls foreign. */
export function isLitter(file: string): boolean {
  if (STUB.test(file)) return false
  if (DROPPED.test(file)) return true
  const signs = [HIDDEN, HAS_OURS, HALF].filter((sign) => sign.test(file))
  return signs.length >= 2
}
