// What others do to the disk meanwhile: the kernel writes back pages when it likes, and other programs
// sync files of theirs, by which ext4 commits everybody's metadata and nobody else's data.

import {
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { native } from '../../lib/native/libc.js'
import type { Random } from './random.js'

const { O_CREAT, O_RDONLY, O_RDWR } = constants
/** SYNC_FILE_RANGE_WAIT_BEFORE, _WRITE, _WAIT_AFTER: written, and no flush */
const WRITTEN = 7
const AT_ONCE = 8

const syncFileRange = native('int sync_file_range(int fd, int64_t at, int64_t n, uint32_t flags)')

/** Some of the files below `folders`. */
export function writeBack(folders: string[], random: Random): void {
  const files = folders
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
    )
    .filter((path) => lstatSync(path).isFile())
  if (files.length === 0) return
  for (let i = random.between(1, AT_ONCE); i > 0; i--) {
    const fd = openSync(random.pick(files), O_RDONLY)
    syncFileRange(fd, 0, 0, WRITTEN)
    closeSync(fd)
  }
}

export function commit(disk: string): void {
  const fd = openSync(join(disk, 'of somebody else'), O_RDWR | O_CREAT)
  writeSync(fd, 'noise')
  fsyncSync(fd)
  closeSync(fd)
}
