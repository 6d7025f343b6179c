// Which files are cut off where a drive is taken away by force: the drive knows every one that is open for
// writing, /proc knows by which program of this user's. Asked by the command and not by the process
// that serves: /proc may keep whoever looks waiting for a program that waits for the drive.

import type { Writer } from '../mount/mount-users.js'

export interface CutFile {
  path: string
  /** null: a program of another user */
  program: { pid: number; command: string } | null
}

/** `writers` as they were before; `known` are paths from the root of the drive on. */
export function cutFiles(
  mountpoint: string,
  writers: readonly Writer[],
  known: readonly string[],
): CutFile[] {
  const files = writers.map(({ path, pid, command }) => ({ path, program: { pid, command } }))
  const named = new Set(files.map(({ path }) => path))
  const others = known.map((path) => mountpoint + path).filter((path) => !named.has(path))
  return [...files, ...others.map((path) => ({ path, program: null }))]
}
