// A listing of a directory by `node:fs` alone, which looks at what a file system does not say the type of.

import { readdirSync } from 'node:fs'
import type { Types } from '../native/files.js'

export function listByNode(path: string, types?: Types): string[] {
  if (types === undefined) return readdirSync(path)
  return readdirSync(path, { withFileTypes: true }).map((entry) => {
    if (!entry.isFile()) types.set(entry.name, entry.isDirectory() ? 'directory' : 'neither')
    return entry.name
  })
}
