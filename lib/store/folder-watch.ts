// What others do in the vault folder, as the kernel tells it: a watch on each directory that somebody
// has looked into, so that a vault of any size costs nothing before it is used. Events name a
// directory by the key that it was added with. They are hints: who gets one looks for himself.

import { statfsSync } from 'node:fs'
import { CofferError } from '../errors.js'
import * as inotify from '../native/inotify.js'
import { nativeAvailable } from '../native/libc.js'
import { CIFS, FUSE, NFS, SMB2 } from './magic.js'

const MASK =
  inotify.IN_MODIFY |
  inotify.IN_ATTRIB |
  inotify.IN_MOVED_FROM |
  inotify.IN_MOVED_TO |
  inotify.IN_CREATE |
  inotify.IN_DELETE |
  inotify.IN_DELETE_SELF |
  inotify.IN_MOVE_SELF |
  inotify.IN_ONLYDIR |
  // what we write to a file before it has a name is nobody's business
  inotify.IN_EXCL_UNLINK
const NAMES = inotify.IN_MOVED_FROM | inotify.IN_MOVED_TO | inotify.IN_CREATE | inotify.IN_DELETE
const OVER = inotify.IN_IGNORED | inotify.IN_UNMOUNT
/** buffers of events taken at once, so that requests are not kept waiting */
const READS_MAX = 16

/** statfs(2) numbers of file systems whose other writers this kernel does not see */
const ELSEWHERE: Record<number, string> = {
  [NFS]: 'NFS',
  [CIFS]: 'CIFS',
  [SMB2]: 'SMB',
  0x517b: 'SMB',
  [FUSE]: 'a FUSE mount',
  0x01021997: '9p',
  0x00c36400: 'Ceph',
  0x5346414f: 'AFS',
  0x786f4256: 'a shared folder of VirtualBox',
}

/** What happened to one name in a directory, or with '' to the directory itself. */
export interface FolderEvent {
  /** the name, or what it leads to, came or went */
  entry: boolean
  /** it was written to, or its attributes were */
  content: boolean
  /** it was written to */
  written: boolean
}

/** Why changes in the folder cannot be watched for; empty where they can. */
export function watchProblem(path: string): string {
  if (process.platform !== 'linux' || !nativeAvailable) return 'this system has no inotify'
  const elsewhere = ELSEWHERE[statfsSync(path).type]
  return elsewhere === undefined
    ? ''
    : `it lies on ${elsewhere}, which does not tell what others do there`
}

export class FolderWatch<K> {
  /** readable when there is something to take */
  readonly fd: number
  /** why the last directory could not be added; empty where it could */
  problem = ''
  readonly #inotify = new inotify.Inotify()
  readonly #keys = new Map<number, K>()

  constructor() {
    this.fd = this.#inotify.fd
  }

  get size(): number {
    return this.#keys.size
  }

  /** The watch, or -1 where the kernel gives no more of them; `problem` then says why. */
  add(dirfd: number, key: K): number {
    try {
      const wd = this.#inotify.add(dirfd, MASK)
      this.#keys.set(wd, key)
      this.problem = ''
      return wd
    } catch (error) {
      if (!(error instanceof CofferError)) throw error
      this.problem =
        error.code === 'ENOSPC'
          ? 'the kernel gives no more watches (fs.inotify.max_user_watches)'
          : error.message
      return -1
    }
  }

  remove(wd: number): void {
    if (this.#keys.delete(wd)) this.#inotify.remove(wd)
  }

  /**
   * Takes what has happened, each name of a directory once. `onEnd`: that directory is watched no
   * more. `onLost`: there was too much, and anything may have changed anywhere.
   */
  take(
    onEvent: (key: K, name: string, event: FolderEvent) => void,
    onEnd: (key: K) => void,
    onLost: () => void,
  ): void {
    const overflows: number[] = []
    const gathered = new Map<number, Map<string, number>>()
    for (let reads = 0; reads < READS_MAX; reads++) {
      const more = this.#inotify.read((wd, mask, name) => {
        if ((mask & inotify.IN_Q_OVERFLOW) !== 0) overflows.push(wd)
        let names = gathered.get(wd)
        if (names === undefined) gathered.set(wd, (names = new Map<string, number>()))
        names.set(name, (names.get(name) ?? 0) | mask)
      })
      if (!more) break
    }
    for (const [wd, names] of gathered) {
      const key = this.#keys.get(wd)
      if (key === undefined) continue
      for (const [name, mask] of names) {
        if ((mask & OVER) !== 0) {
          this.#keys.delete(wd)
          onEnd(key)
        } else
          onEvent(key, name, {
            entry: (mask & NAMES) !== 0,
            content: (mask & (inotify.IN_MODIFY | inotify.IN_ATTRIB)) !== 0,
            written: (mask & inotify.IN_MODIFY) !== 0,
          })
      }
    }
    if (overflows.length > 0) onLost()
  }

  close(): void {
    this.#keys.clear()
    this.#inotify.close()
  }
}
