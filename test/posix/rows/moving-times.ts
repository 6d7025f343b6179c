// Times are moved by what moves them on any disk, and by nothing else.

import {
  chmodSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
} from 'node:fs'
import { utimesAt, type FileTime } from '../../../lib/native/files.js'
import { AT_FDCWD } from '../calls.js'
import { later, read, write, type Folder } from '../folder.js'
import type { Row } from '../row.js'

const SECOND = 1_000_000_000n
const set = (f: Folder, name: string, atime: FileTime, mtime: FileTime): void => {
  utimesAt(AT_FDCWD, f.at(name), atime, mtime)
}
const at = (sec: number, nsec: number): FileTime => ({ sec, nsec })

/** Which times `act` moves. */
function moved(f: Folder, name: string, act: () => void): string[] {
  const before = f.times(name)
  later()
  act()
  const after = f.times(name)
  const names = ['mtime', 'ctime'] as const
  return names.filter((time) => after[time] > before[time])
}

const BOTH = ['mtime', 'ctime']

export const rows: readonly Row[] = [
  [
    'a write moves both',
    (f) => {
      f.put('x')
      return moved(f, 'x', () => {
        f.put('x', 'new')
      })
    },
    BOTH,
  ],
  [
    'a write through a handle that stays open',
    (f) => {
      const fd = f.open('x', 'w')
      return moved(f, 'x', () => {
        write(fd, 'a')
      })
    },
    BOTH,
  ],
  [
    'a second write moves them again',
    (f) => {
      const fd = f.open('x', 'w')
      write(fd, 'a')
      return moved(f, 'x', () => {
        write(fd, 'b')
      })
    },
    BOTH,
  ],
  [
    'a write and fsync',
    (f) => {
      const fd = f.open('x', 'w')
      return moved(f, 'x', () => {
        write(fd, 'a')
        fsyncSync(fd)
      })
    },
    BOTH,
  ],
  [
    'a read moves neither',
    (f) => {
      f.put('x', 'a')
      return moved(f, 'x', () => {
        f.text('x')
        read(f.open('x', 'r'), 1)
      })
    },
    [],
  ],
  [
    'open and close to write move neither',
    (f) => {
      f.put('x', 'a')
      return moved(f, 'x', () => {
        f.close(f.open('x', 'r+'))
      })
    },
    [],
  ],
  [
    'fsync moves neither',
    (f) => {
      f.put('x', 'a')
      const fd = f.open('x', 'r+')
      return moved(f, 'x', () => {
        fsyncSync(fd)
      })
    },
    [],
  ],
  [
    'a write of nothing moves neither',
    (f) => {
      f.put('x', 'a')
      const fd = f.open('x', 'r+')
      return moved(f, 'x', () => {
        write(fd, '')
      })
    },
    [],
  ],
  [
    'a cut moves both',
    (f) => {
      f.put('x', 'abc')
      return moved(f, 'x', () => {
        truncateSync(f.at('x'), 1)
      })
    },
    BOTH,
  ],
  [
    'a cut by handle too',
    (f) => {
      f.put('x', 'abc')
      const fd = f.open('x', 'r+')
      return moved(f, 'x', () => {
        ftruncateSync(fd, 9)
      })
    },
    BOTH,
  ],
  [
    'a cut to the same size, by handle',
    (f) => {
      f.put('x', 'abc')
      const fd = f.open('x', 'r+')
      return moved(f, 'x', () => {
        ftruncateSync(fd, 3)
      })
    },
    BOTH,
  ],
  [
    'O_TRUNC of a full file moves both',
    (f) => {
      f.put('x', 'abc')
      return moved(f, 'x', () => {
        f.close(f.open('x', 'w'))
      })
    },
    BOTH,
  ],
  [
    'O_TRUNC of an empty file too',
    (f) => {
      f.put('x')
      return moved(f, 'x', () => {
        f.close(f.open('x', 'w'))
      })
    },
    BOTH,
  ],
  [
    'rename moves ctime',
    (f) => {
      f.put('x')
      return (
        later(),
        moved(f, 'x', () => {
          renameSync(f.at('x'), f.at('y'))
          renameSync(f.at('y'), f.at('x'))
        })
      )
    },
    ['ctime'],
  ],
  [
    'what is told after a close stays',
    (f) => {
      const early = ['a', 'b', 'c', 'd'].map((name) => {
        if (name === 'a') f.put(name)
        else if (name === 'b') f.put(name, 'content')
        else {
          const fd = f.open(name, 'w')
          if (name === 'c') write(fd, 'content')
          later(30)
          f.toldMtime(name)
          f.close(fd)
        }
        return f.toldMtime(name)
      })
      f.text('b')
      f.close(f.open('c', 'r+'))
      later(1300)
      return ['a', 'b', 'c', 'd'].filter((name, i) => f.toldMtime(name) !== early[i])
    },
    [],
  ],
  [
    'what is told before a close is near to that',
    (f) => {
      const fd = f.open('x', 'w')
      write(fd, 'content')
      const open = f.times(fd).mtime
      f.close(fd)
      const apart = f.times('x').mtime - open
      return apart > -SECOND && apart < SECOND
    },
    true,
  ],
  [
    'a new name moves its directory',
    (f) =>
      moved(f, '', () => {
        f.put('x')
      }),
    BOTH,
  ],
  [
    'a new open name too',
    (f) =>
      moved(f, '', () => {
        f.open('x', 'w')
      }),
    BOTH,
  ],
  [
    'at the latest when it is closed',
    (f) =>
      moved(f, '', () => {
        f.close(f.open('x', 'w'))
      }),
    BOTH,
  ],
  [
    'mkdir moves it',
    (f) =>
      moved(f, '', () => {
        mkdirSync(f.at('d'))
      }),
    BOTH,
  ],
  [
    'symlink moves it',
    (f) =>
      moved(f, '', () => {
        symlinkSync('a', f.at('l'))
      }),
    BOTH,
  ],
  [
    'unlink moves it',
    (f) => {
      f.put('x')
      return moved(f, '', () => {
        unlinkSync(f.at('x'))
      })
    },
    BOTH,
  ],
  [
    'unlink of an open new file moves it',
    (f) => {
      f.open('x', 'w')
      return moved(f, '', () => {
        unlinkSync(f.at('x'))
      })
    },
    BOTH,
  ],
  [
    'rmdir moves it',
    (f) => {
      f.dir('d')
      return moved(f, '', () => {
        rmdirSync(f.at('d'))
      })
    },
    BOTH,
  ],
  [
    'rename inside moves it',
    (f) => {
      f.put('x')
      return moved(f, '', () => {
        renameSync(f.at('x'), f.at('y'))
      })
    },
    BOTH,
  ],
  [
    'rename moves where it came from',
    (f) => {
      f.dir('d', 'e')
      f.put('d/x')
      return moved(f, 'd', () => {
        renameSync(f.at('d/x'), f.at('e/x'))
      })
    },
    BOTH,
  ],
  [
    'rename moves where it goes',
    (f) => {
      f.dir('d', 'e')
      f.put('d/x')
      return moved(f, 'e', () => {
        renameSync(f.at('d/x'), f.at('e/x'))
      })
    },
    BOTH,
  ],
  [
    'writing a file leaves its directory',
    (f) => {
      f.put('x')
      return moved(f, '', () => {
        f.put('x', 'new')
      })
    },
    [],
  ],
  [
    'chmod leaves it',
    (f) => {
      f.put('x')
      return moved(f, '', () => {
        chmodSync(f.at('x'), 0o4711)
      })
    },
    [],
  ],
  [
    'listing leaves it',
    (f) => {
      f.put('x')
      return moved(f, '', () => {
        readdirSync(f.path)
      })
    },
    [],
  ],
  [
    'a set time of a directory stays when a new file in it is closed',
    (f) => {
      f.dir('d')
      const fd = f.open('d/x', 'w')
      write(fd, 'a')
      set(f, 'd', 'omit', at(3, 4))
      f.close(fd)
      return f.times('d').mtime === 3n * SECOND + 4n
    },
    true,
  ],
]
