// What the operations share.

import { CofferError } from '../../errors.js'
import type { Filesystem } from '../../fs/filesystem.js'
import type { Handles } from './handles.js'
import type { HiddenFiles } from './hidden-files.js'
import type { InodeReferences } from './inode-references.js'
import type { NativeRequest } from './library.js'
import type { Paths } from './paths.js'

export interface Parts {
  fs: Filesystem
  paths: Paths
  references: InodeReferences
  handles: Handles
  hidden: HiddenFiles
  /** the request that is being served */
  request: () => NativeRequest
}

/** What an operation answers: a length, or nothing but success, or the words behind that. */
export type Answer = number | readonly unknown[] | undefined
export type Reply = (result: number, ...words: unknown[]) => void

/** Offsets that a number cannot hold are beyond every file. */
export function exact(end: number): number {
  if (!Number.isSafeInteger(end)) throw new CofferError('EFBIG', 'a file cannot be that large')
  return end
}
