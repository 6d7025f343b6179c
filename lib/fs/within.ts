// A directory of the backing tree, open for as long as something is done in it.

import type { Backing } from '../store/backing.js'

export function within<T>(
  backing: Backing,
  dirfd: number,
  name: string,
  use: (fd: number) => T,
): T {
  const fd = backing.openDirectory(dirfd, name)
  try {
    return use(fd)
  } finally {
    backing.closeDirectory(fd)
  }
}
