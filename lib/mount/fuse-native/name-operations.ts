// Operations that make, remove or move a name. The kernel has already applied the caller's umask.

import { Buffer } from 'node:buffer'
import { emptyEntry, type Caller } from '../../fs/filesystem.js'
import type { Answer, Parts } from './parts.js'
import { checkText } from './request-struct.js'

/** The library does not say who calls: it is always us. */
export const ourselves = (): Caller => ({
  uid: process.geteuid?.() ?? 0,
  gid: process.getegid?.() ?? 0,
  umask: 0,
})

export function nameOperations({ fs, paths, references, handles, hidden, request }: Parts) {
  const entry = emptyEntry()
  const caller = ourselves()

  /** `make` fills `entry`, whose lookup is then noted. */
  const at = (path: string, make: (parent: number, name: string) => void): void => {
    const { parent, name } = paths.place(path)
    make(parent, name)
    references.note(entry.nodeid)
  }

  return {
    mknod(path: string, mode: number, rdev: number): Answer {
      at(path, (parent, name) => {
        fs.mknod(parent, name, mode, rdev, caller, entry)
      })
      return undefined
    },

    mkdir(path: string, mode: number): Answer {
      at(path, (parent, name) => {
        fs.mkdir(parent, name, mode & 0o7777, caller, entry)
      })
      return undefined
    },

    symlink(target: string, path: string): Answer {
      checkText(request(), 'dest', path)
      at(path, (parent, name) => {
        fs.symlink(parent, name, Buffer.from(target), caller, entry)
      })
      return undefined
    },

    link(path: string, dest: string): Answer {
      checkText(request(), 'dest', dest)
      const nodeid = paths.nodeid(path)
      references.pin(nodeid)
      try {
        at(dest, (parent, name) => {
          fs.link(nodeid, parent, name, entry)
        })
      } finally {
        references.unpin(nodeid)
      }
      return undefined
    },

    unlink(path: string): Answer {
      if (hidden.drop(path)) return undefined
      const { parent, name } = paths.place(path)
      fs.unlink(parent, name)
      return undefined
    },

    rmdir(path: string): Answer {
      const { parent, name } = paths.place(path)
      fs.rmdir(parent, name)
      return undefined
    },

    rename(path: string, dest: string): Answer {
      if (!hidden.isReplacing(dest, request())) hidden.settle()
      checkText(request(), 'dest', dest)
      const from = paths.place(path)
      references.pin(from.parent)
      try {
        if (hidden.isHiding(path, dest)) {
          const { nodeid } = paths.find(path)
          if (handles.isOpen(nodeid)) {
            hidden.hide(path, dest, nodeid, from, request())
            return undefined
          }
        }
        const to = paths.place(dest)
        fs.rename(from.parent, from.name, to.parent, to.name, 0)
      } finally {
        references.unpin(from.parent)
      }
      return undefined
    },
  }
}
