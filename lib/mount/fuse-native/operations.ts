// The operations of libfuse by paths, over a file system by inodes. Each is synchronous; what it returns is
// the answer, what it throws becomes the errno. Nothing keeps a buffer of the library's: that is gone with
// the answer.

import { fileOperations } from './file-operations.js'
import { inodeOperations } from './inode-operations.js'
import { nameOperations } from './name-operations.js'
import type { Parts } from './parts.js'
import { xattrOperations } from './xattr-operations.js'

export type Operations = ReturnType<typeof operations>

export const operations = (parts: Parts) => ({
  ...inodeOperations(parts),
  ...nameOperations(parts),
  ...fileOperations(parts),
  ...xattrOperations(parts),
})
