// What the file system of a folder can do beyond holding files: tried with files of ours that are gone
// afterwards. What it cannot, a drive does in another way, or refuses.

import { CofferError } from '../errors.js'
import { nativeAvailable } from '../native/libc.js'
import { isWithoutInodes } from './backing-by-name.js'
import type { Backing } from './backing.js'
import { linuxBacking } from './backing-linux.js'
import { temporaryName } from './durable.js'
import { watchProblem } from './folder-watch.js'

export interface Abilities {
  /** why changes by others are not told of; empty where they are */
  watchProblem: string
  /** a file that is there can be written to in the middle */
  rewrites: boolean
  links: boolean
  /** files without a name */
  unnamed: boolean
  /** numbers of files that stay through a rename */
  inodes: boolean
  attributes: boolean
}

/** null where nothing can be tried: the folder takes no files, or this is not Linux. */
export function folderAbilities(folder: string, backing: Backing = linuxBacking): Abilities | null {
  if (!nativeAvailable || process.platform !== 'linux') return null
  const dirfd = backing.openRoot(folder)
  const [file, other] = [temporaryName(), temporaryName()]
  const made: string[] = []
  try {
    backing.close(backing.createNew(dirfd, file, 0o600))
    made.push(file)
    const inodes = !isWithoutInodes(folder)
    return {
      watchProblem: watchProblem(folder),
      rewrites: works(() => {
        rewrite(backing, dirfd, file)
      }),
      links:
        inodes &&
        works(() => {
          backing.link(dirfd, file, dirfd, other)
          made.push(other)
        }),
      unnamed: inodes && hasUnnamed(backing, dirfd),
      inodes,
      attributes: works(() => {
        const fd = backing.openRead(dirfd, file)
        try {
          backing.setXattr(fd, 'user.coffer.tried', Buffer.from('x'), 0)
        } finally {
          backing.close(fd)
        }
      }),
    }
  } catch (error) {
    if (error instanceof CofferError) return null
    throw error
  } finally {
    for (const name of made)
      works(() => {
        backing.unlink(dirfd, name)
      })
    backing.closeDirectory(dirfd)
  }
}

function works(act: () => void): boolean {
  try {
    act()
    return true
  } catch (error) {
    if (error instanceof CofferError) return false
    throw error
  }
}

function rewrite(backing: Backing, dirfd: number, file: string): void {
  const fd = backing.openWrite(dirfd, file)
  try {
    for (const [text, at] of [
      ['written', 0],
      ['over', 2],
    ] as const) {
      const bytes = Buffer.from(text)
      backing.write(fd, bytes, 0, bytes.length, at)
    }
  } finally {
    backing.close(fd)
  }
}

function hasUnnamed(backing: Backing, dirfd: number): boolean {
  const fd = backing.createUnnamed(dirfd, 0o600)
  if (fd >= 0) backing.close(fd)
  return fd >= 0
}
