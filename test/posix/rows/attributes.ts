// Extended attributes of "user.".

import {
  chmodSync,
  constants,
  ftruncateSync,
  mkdirSync,
  renameSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs'
import { spawnSync } from 'node:child_process'
import {
  as,
  getXattr,
  listXattr,
  NOBODY,
  removeXattr,
  setXattr,
  XATTR_CREATE,
  XATTR_REPLACE,
} from '../calls.js'
import { later, write, type Folder } from '../folder.js'
import { errorOf, type Row } from '../row.js'

const BYTES = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i))

/** A file with one attribute. */
function marked(f: Folder, name = 'x', value = 'value'): string {
  const path = f.put(name, 'content')
  setXattr(path, 'user.note', value)
  return path
}

/** Which times `act` moves. */
function moved(f: Folder, name: string, act: () => void): string[] {
  const before = f.times(name)
  later()
  act()
  const after = f.times(name)
  return (['mtime', 'ctime'] as const).filter((time) => after[time] > before[time])
}

export const rows: readonly Row[] = [
  ['what was set is read', (f) => getXattr(marked(f), 'user.note'), 'value'],
  ['any bytes', (f) => getXattr(marked(f, 'x', BYTES), 'user.note') === BYTES, true],
  ['an empty value', (f) => getXattr(marked(f, 'x', ''), 'user.note'), ''],
  ['a long value', (f) => getXattr(marked(f, 'x', 'v'.repeat(2000)), 'user.note').length, 2000],
  ['its size', (f) => getXattr(marked(f), 'user.note', 0).length, 5],
  ['room for all of it', (f) => getXattr(marked(f), 'user.note', 5), 'value'],
  ['too little room', (f) => getXattr(marked(f), 'user.note', 4), 'ERANGE'],
  ['none', (f) => getXattr(f.put('x'), 'user.note'), 'ENODATA'],
  ['another', (f) => getXattr(marked(f), 'user.other'), 'ENODATA'],
  ['of nothing', (f) => getXattr(f.at('x'), 'user.note'), 'ENOENT'],
  [
    'set again',
    (f) => {
      const path = marked(f)
      setXattr(path, 'user.note', 'longer than before')
      const longer = getXattr(path, 'user.note')
      setXattr(path, 'user.note', 's')
      return [longer, getXattr(path, 'user.note')]
    },
    ['longer than before', 's'],
  ],
  [
    'XATTR_CREATE',
    (f) => {
      const path = f.put('x')
      setXattr(path, 'user.note', 'first', XATTR_CREATE)
      const again = errorOf(() => {
        setXattr(path, 'user.note', 'second', XATTR_CREATE)
      })
      return [again, getXattr(path, 'user.note')]
    },
    ['EEXIST', 'first'],
  ],
  [
    'XATTR_REPLACE',
    (f) => {
      const path = marked(f)
      setXattr(path, 'user.note', 'second', XATTR_REPLACE)
      const none = errorOf(() => {
        setXattr(path, 'user.other', '', XATTR_REPLACE)
      })
      return [none, getXattr(path, 'user.note'), listXattr(path)]
    },
    ['ENODATA', 'second', ['user.note']],
  ],
  [
    'a flag that is none',
    (f) => {
      setXattr(f.put('x'), 'user.note', '', 4)
    },
    'EINVAL',
  ],
  [
    'a list',
    (f) => {
      const path = marked(f)
      for (const name of ['user.b', 'user.ü/日', 'user..', 'user.B c']) setXattr(path, name, name)
      return listXattr(path)
    },
    ['user..', 'user.B c', 'user.b', 'user.note', 'user.ü/日'],
  ],
  ['an empty list', (f) => listXattr(f.put('x')), []],
  ['too little room for the list', (f) => listXattr(marked(f), 9), 'ERANGE'],
  [
    'removed',
    (f) => {
      const path = marked(f)
      setXattr(path, 'user.other', 'stays')
      removeXattr(path, 'user.note')
      return [errorOf(() => getXattr(path, 'user.note')), listXattr(path)]
    },
    ['ENODATA', ['user.other']],
  ],
  [
    'removed twice',
    (f) => {
      const path = marked(f)
      removeXattr(path, 'user.note')
      removeXattr(path, 'user.note')
    },
    'ENODATA',
  ],
  [
    'a name of 143 bytes',
    (f) => {
      const path = f.put('x')
      setXattr(path, `user.${'n'.repeat(143)}`, 'v')
      return [listXattr(path)[0]?.length, getXattr(path, `user.${'n'.repeat(143)}`)]
    },
    [148, 'v'],
  ],
  [
    'a name of 144 bytes',
    (f) => {
      setXattr(f.put('x'), `user.${'n'.repeat(144)}`, 'v')
    },
    undefined,
    { onDrive: 'ERANGE' },
  ],
  [
    'a name of 144 bytes is not there',
    (f) => [
      errorOf(() => getXattr(f.put('x'), `user.${'n'.repeat(144)}`)),
      errorOf(() => {
        removeXattr(f.at('x'), `user.${'n'.repeat(144)}`)
      }),
    ],
    ['ENODATA', 'ENODATA'],
  ],
  [
    'no name',
    (f) => {
      setXattr(f.put('x'), 'user.', 'v')
    },
    'EINVAL',
  ],
  [
    'a value of 65537 bytes',
    (f) => {
      marked(f, 'x', 'v'.repeat(65537))
    },
    'E2BIG',
  ],
  [
    'a namespace that is none',
    (f) => {
      setXattr(f.put('x'), 'other.note', 'v')
    },
    'EOPNOTSUPP',
  ],
  [
    'security.',
    (f) => {
      setXattr(f.put('x'), 'security.note', 'v')
    },
    undefined,
    { need: 'root', onDrive: 'EOPNOTSUPP' },
  ],
  [
    'trusted.',
    (f) => {
      setXattr(f.put('x'), 'trusted.note', 'v')
    },
    undefined,
    { need: 'root', onDrive: 'EOPNOTSUPP' },
  ],
  [
    'of a directory',
    (f) => {
      const path = f.dir('d')
      setXattr(path, 'user.note', 'folder')
      f.put('d/x')
      return [getXattr(path, 'user.note'), listXattr(path), listXattr(f.at('d/x'))]
    },
    ['folder', ['user.note'], []],
  ],
  [
    'of a directory, set and removed',
    (f) => {
      const path = f.dir('d')
      setXattr(path, 'user.note', 'folder')
      removeXattr(path, 'user.note')
      return [listXattr(path), errorOf(() => getXattr(path, 'user.note'))]
    },
    [[], 'ENODATA'],
  ],
  [
    'by the descriptor of a directory',
    (f) => {
      const fd = f.open(f.dir('d').slice(f.path.length + 1), constants.O_RDONLY)
      setXattr(fd, 'user.note', 'v')
      return [getXattr(fd, 'user.note'), listXattr(fd)]
    },
    ['v', ['user.note']],
  ],
  [
    'of a sticky directory',
    (f) => {
      const path = f.dir('d')
      chmodSync(path, 0o1777)
      setXattr(path, 'user.note', 'v')
      return getXattr(path, 'user.note')
    },
    'v',
  ],
  [
    'of a link',
    (f) => {
      symlinkSync('x', f.at('l'))
      return [
        errorOf(() => {
          setXattr(f.at('l'), 'user.note', 'v')
        }),
        errorOf(() => getXattr(f.at('l'), 'user.note')),
        listXattr(f.at('l')),
      ]
    },
    ['EPERM', 'ENODATA', []],
  ],
  [
    'of a fifo',
    (f) => {
      spawnSync('mkfifo', [f.at('p')])
      return [
        errorOf(() => {
          setXattr(f.at('p'), 'user.note', 'v')
        }),
        errorOf(() => getXattr(f.at('p'), 'user.note')),
        listXattr(f.at('p')),
      ]
    },
    ['EPERM', 'ENODATA', []],
  ],
  [
    'of a file that is open and new',
    (f) => {
      const fd = f.open('x', 'w')
      setXattr(fd, 'user.note', 'before a byte')
      write(fd, 'content')
      setXattr(fd, 'user.more', 'after it')
      const seen = [getXattr(fd, 'user.note'), getXattr(f.at('x'), 'user.more')]
      f.close(fd)
      return [...seen, ...listXattr(f.at('x')), getXattr(f.at('x'), 'user.note'), f.text('x')]
    },
    ['before a byte', 'after it', 'user.more', 'user.note', 'before a byte', 'content'],
  ],
  [
    'of a file that is open to read only',
    (f) => {
      f.put('x')
      const fd = f.open('x', 'r')
      setXattr(fd, 'user.note', 'v')
      return getXattr(fd, 'user.note')
    },
    'v',
  ],
  [
    'of a file that is open and unlinked',
    (f) => {
      const path = marked(f)
      const fd = f.open('x', 'r+')
      unlinkSync(path)
      setXattr(fd, 'user.more', 'v')
      return [listXattr(fd), getXattr(fd, 'user.note')]
    },
    [['user.more', 'user.note'], 'value'],
  ],
  [
    'kept when the content changes',
    (f) => {
      marked(f)
      f.put('x', 'new')
      const fd = f.open('x', 'r+')
      ftruncateSync(fd, 100_000)
      write(fd, 'y'.repeat(50_000), 60_000)
      f.close(fd)
      return [getXattr(f.at('x'), 'user.note'), f.size('x')]
    },
    ['value', 110_000],
  ],
  [
    'kept when the mode changes',
    (f) => {
      const path = marked(f)
      for (const mode of [0o4755, 0o400, 0o644]) chmodSync(path, mode)
      return getXattr(path, 'user.note')
    },
    'value',
  ],
  [
    'kept by a rename',
    (f) => {
      marked(f)
      f.dir('d')
      renameSync(f.at('x'), f.at('d/y'))
      return [listXattr(f.at('d/y')), getXattr(f.at('d/y'), 'user.note')]
    },
    [['user.note'], 'value'],
  ],
  [
    'a file takes its own over another’s name',
    (f) => {
      marked(f, 'x', 'new')
      marked(f, 'y', 'old')
      setXattr(f.at('y'), 'user.gone', '')
      renameSync(f.at('x'), f.at('y'))
      return [listXattr(f.at('y')), getXattr(f.at('y'), 'user.note')]
    },
    [['user.note'], 'new'],
  ],
  [
    'kept by the rename of a directory',
    (f) => {
      mkdirSync(f.at('d'))
      setXattr(f.at('d'), 'user.note', 'of it')
      marked(f, 'd/x', 'in it')
      renameSync(f.at('d'), f.at('e'))
      setXattr(f.at('e'), 'user.more', '')
      return [
        getXattr(f.at('e'), 'user.note'),
        getXattr(f.at('e/x'), 'user.note'),
        listXattr(f.at('e')),
      ]
    },
    ['of it', 'in it', ['user.more', 'user.note']],
  ],
  [
    'not there in a new file of the name',
    (f) => {
      unlinkSync(marked(f))
      return listXattr(f.put('x'))
    },
    [],
  ],
  [
    'setting one moves ctime alone',
    (f) => {
      f.put('x')
      return moved(f, 'x', () => {
        setXattr(f.at('x'), 'user.note', 'v')
      })
    },
    ['ctime'],
  ],
  [
    'removing one moves ctime alone',
    (f) => {
      marked(f)
      return moved(f, 'x', () => {
        removeXattr(f.at('x'), 'user.note')
      })
    },
    ['ctime'],
  ],
  [
    'setting one of a directory moves ctime alone',
    (f) => {
      f.dir('d')
      return moved(f, 'd', () => {
        setXattr(f.at('d'), 'user.note', 'v')
      })
    },
    ['ctime'],
  ],
  [
    'setting one of a file that is being written moves ctime alone',
    (f) => {
      const fd = f.open('x', 'w')
      write(fd, 'a')
      return moved(f, 'x', () => {
        setXattr(fd, 'user.note', 'v')
      })
    },
    ['ctime'],
  ],
  [
    'reading and listing move nothing',
    (f) => {
      marked(f)
      return moved(f, 'x', () => {
        getXattr(f.at('x'), 'user.note')
        listXattr(f.at('x'))
      })
    },
    [],
  ],
  [
    'somebody else may read them, not set them',
    (f) => {
      const path = marked(f)
      return as(NOBODY, () => [
        getXattr(path, 'user.note'),
        errorOf(() => {
          setXattr(path, 'user.note', 'v')
        }),
        errorOf(() => {
          removeXattr(path, 'user.note')
        }),
      ])
    },
    ['value', 'EACCES', 'EACCES'],
    { need: 'root' },
  ],
  [
    'of a file that one may not read',
    (f) => {
      const path = marked(f)
      chmodSync(path, 0o600)
      return as(NOBODY, () => [errorOf(() => getXattr(path, 'user.note')), listXattr(path)])
    },
    ['EACCES', ['user.note']],
    { need: 'root' },
  ],
]
