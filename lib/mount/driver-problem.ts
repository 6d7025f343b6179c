// Which drivers can be used on this machine.

import type { CofferError } from '../errors.js'
import type { Driver } from './driver.js'
import { nativeProblem } from './fuse-native/native-problem.js'
import { fuseProblem } from './fuse-problem.js'

/** What keeps this machine from mounting with it; null if it can be tried. */
export const driverProblem = (driver: Driver): CofferError | null =>
  driver === 'fuse-native' ? nativeProblem() : fuseProblem()
