// What is missing before a drive can be mounted with fuse-native, in words that say what to do.

import type { CofferError } from '../../errors.js'
import { fuseProblem, problem } from '../fuse-problem.js'
import { libraryProblem } from './library.js'

const OTHER_DRIVER = 'mount without --driver'

/** Null if mounting can be tried. */
export function nativeProblem(): CofferError | null {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return problem('the driver fuse-native is for 64-bit Linux on x86 only', OTHER_DRIVER)
  }
  const found = fuseProblem('fusermount')
  if (found !== null) return found
  const why = libraryProblem()
  if (why === '') return null
  return problem(
    `the package fuse-native cannot be loaded: ${why}`,
    `${OTHER_DRIVER}, or run npm install again`,
  )
}
