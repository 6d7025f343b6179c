// fallocate(2) on an open file. A hole is an absent chunk, FORMAT.md §4; chunks that are in the range
// only in part, and the last one, which is never absent, are filled with zeros.

import { CofferError } from '../errors.js'
import type { FileContent } from './file-content.js'

const KEEP_SIZE = 1
const PUNCH_HOLE = 2
const ZERO_RANGE = 16

type Step = (content: FileContent) => void

/** What is to be done to the file, one after the other; the holes of a step are there after it. */
export function fallocate(mode: number, offset: number, length: number): Step[] {
  const keepSize = (mode & KEEP_SIZE) !== 0
  const allocate = (content: FileContent): void => {
    content.allocate(offset, length, keepSize)
  }
  const punch = (content: FileContent): void => {
    content.punch(offset, length)
  }
  switch (mode & ~KEEP_SIZE) {
    case 0:
      return [allocate]
    case PUNCH_HOLE:
      return [punch]
    case ZERO_RANGE:
      // ENOSPC comes before anything is erased, and the range has blocks afterwards
      return [allocate, punch, allocate]
    default:
      throw new CofferError('EOPNOTSUPP', 'a file can only be extended and erased in place')
  }
}
