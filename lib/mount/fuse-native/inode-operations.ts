// Operations on one inode: its attributes, its target, its listing.

import { Buffer } from 'node:buffer'
import { CofferError } from '../../errors.js'
import { emptyAttributes, emptyStatfs, type AttributeChanges } from '../../fs/filesystem.js'
import { exact, type Answer, type Parts } from './parts.js'
import { timesOf } from './request-struct.js'
import { InodeNumbers, nativeStat, nativeStatfs, type NativeStat } from './stat.js'

/** libfuse's word for a user or a group that stays */
const UNCHANGED = 2 ** 32 - 1

export function inodeOperations({ fs, paths, handles, request }: Parts) {
  const numbers = new InodeNumbers()
  const attributes = emptyAttributes()
  const statfs = emptyStatfs()

  const set = (nodeid: number, changes: AttributeChanges): void => {
    fs.setattr(nodeid, changes, attributes)
  }

  return {
    getattr(path: string): Answer {
      return [nativeStat(paths.find(path).attributes, numbers)]
    },

    statfs(): Answer {
      fs.statfs(statfs)
      return [nativeStatfs(statfs)]
    },

    readdir(path: string): Answer {
      const fh = fs.opendir(paths.nodeid(path))
      const names: string[] = []
      const stats: Pick<NativeStat, 'ino' | 'mode'>[] = []
      try {
        fs.readdir(fh, 0, (name, ino, mode) => {
          names.push(name)
          stats.push({ ino: numbers.show(ino), mode })
          return true
        })
      } finally {
        fs.releasedir(fh)
      }
      return [names, stats]
    },

    fsyncdir(path: string): Answer {
      fs.fsyncdir(paths.nodeid(path))
      return undefined
    },

    readlink(path: string): Answer {
      const target = Buffer.from(fs.readlink(paths.nodeid(path)))
      const text = target.toString()
      if (Buffer.from(text).equals(target)) return [text]
      throw new CofferError('EILSEQ', 'the library cannot tell a target that is not UTF-8')
    },

    chmod(path: string, mode: number): Answer {
      set(paths.nodeid(path), { mode: mode & 0o7777 })
      return undefined
    },

    chown(path: string, uid: number, gid: number): Answer {
      const changes: AttributeChanges = {}
      if (uid !== UNCHANGED) changes.uid = uid
      if (gid !== UNCHANGED) changes.gid = gid
      set(paths.nodeid(path), changes)
      return undefined
    },

    /** The library's two times are both atime. */
    utimens(path: string, atime: number): Answer {
      set(paths.nodeid(path), timesOf(request(), atime))
      return undefined
    },

    truncate(path: string, size: number): Answer {
      set(paths.nodeid(path), { size: exact(size) })
      return undefined
    },

    ftruncate(_path: string, handle: number, size: number): Answer {
      const { fh, nodeid } = handles.get(handle)
      set(nodeid, { size: exact(size), fh })
      return undefined
    },
  }
}
