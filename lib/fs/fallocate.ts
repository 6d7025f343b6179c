// fallocate(2) on an open file. A hole is an absent chunk, FORMAT.md §4; chunks that are in the range
// only in part, and the last one, which is never absent, are filled with zeros.

import { CofferError } from '../errors.js'
import type { FileBody } from './file-body.js'

const KEEP_SIZE = 1
const PUNCH_HOLE = 2
const ZERO_RANGE = 16

export function fallocate(body: FileBody, mode: number, offset: number, length: number): void {
  const keepSize = (mode & KEEP_SIZE) !== 0
  switch (mode & ~KEEP_SIZE) {
    case 0:
      body.allocate(offset, length, keepSize)
      return
    case PUNCH_HOLE:
      body.punch(offset, length)
      return
    case ZERO_RANGE:
      // ENOSPC comes before anything is erased, and the range has blocks afterwards
      body.allocate(offset, length, keepSize)
      body.punch(offset, length)
      body.allocate(offset, length, true)
      return
    default:
      throw new CofferError('EOPNOTSUPP', 'a file can only be extended and erased in place')
  }
}
