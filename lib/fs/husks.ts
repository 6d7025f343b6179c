// What is left of a directory where a client has carried the removal of its files and not its own: empty
// backing directories, at most with others in them. Nothing in one is hidden from anybody.

import { parseBackingName } from '../format/name.js'
import type { Backing } from '../store/backing.js'
import { within } from './within.js'

const isDirectory = (file: string): boolean => {
  const parsed = parseBackingName(file)
  return parsed.what === 'object' && parsed.extension === '.cfd'
}

export const isHusk = (backing: Backing, dirfd: number): boolean =>
  backing
    .list(dirfd)
    .every((file) => isDirectory(file) && within(backing, dirfd, file, (fd) => isHusk(backing, fd)))

/** Fails where something arrives meanwhile. */
export function removeHusk(backing: Backing, dirfd: number, file: string): void {
  within(backing, dirfd, file, (fd) => {
    for (const below of backing.list(fd)) removeHusk(backing, fd, below)
  })
  backing.rmdir(dirfd, file)
}
