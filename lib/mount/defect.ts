// Which errors are the program's own.

import { CofferError } from '../errors.js'

/** Neither an answer to an application nor a failed system call. */
export const isDefect = (error: unknown): boolean =>
  !(error instanceof CofferError) &&
  (error as NodeJS.ErrnoException | undefined)?.errno === undefined
