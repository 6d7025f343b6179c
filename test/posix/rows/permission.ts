// Permission: what another user may do, and may not.

import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { as, NOBODY, withUmask } from '../calls.js'
import { type Folder } from '../folder.js'
import type { Row } from '../row.js'

const root = { need: 'root' } as const

/** A folder in which everybody may write. */
function common(f: Folder, mode = 0o777): string {
  f.dir('c')
  chmodSync(f.at('c'), mode)
  return f.at('c')
}

const byNobody = <T>(act: () => T): T => as(NOBODY, act)

export const rows: readonly Row[] = [
  [
    "reading another's 0600",
    (f) => {
      f.put('x', 'secret', 0o600)
      byNobody(() => readFileSync(f.at('x')))
    },
    'EACCES',
    root,
  ],
  [
    "reading another's 0644",
    (f) => {
      f.put('x', 'public', 0o644)
      return byNobody(() => readFileSync(f.at('x'), 'utf8'))
    },
    'public',
    root,
  ],
  [
    "writing another's 0644",
    (f) => {
      f.put('x', '', 0o644)
      byNobody(() => f.open('x', 'r+'))
    },
    'EACCES',
    root,
  ],
  [
    "truncating another's 0644",
    (f) => {
      f.put('x', '', 0o644)
      byNobody(() => {
        truncateSync(f.at('x'), 0)
      })
    },
    'EACCES',
    root,
  ],
  [
    "writing one's own 0444",
    (f) => {
      common(f)
      byNobody(() => {
        f.put('c/x', '', 0o444)
        return f.open('c/x', 'r+')
      })
    },
    'EACCES',
    root,
  ],
  [
    "reading one's own 0200",
    (f) => {
      common(f)
      byNobody(() => {
        f.put('c/x', '', 0o200)
        return f.open('c/x', 'r')
      })
    },
    'EACCES',
    root,
  ],
  [
    "reading one's own 0077",
    (f) => {
      common(f)
      byNobody(() =>
        withUmask(0, () => {
          f.put('c/x', '', 0o077)
          return f.open('c/x', 'r')
        }),
      )
    },
    'EACCES',
    root,
  ],
  [
    "making a file in another's directory",
    (f) => {
      f.dir('d')
      byNobody(() => f.put('d/x'))
    },
    'EACCES',
    root,
  ],
  [
    'making a directory there',
    (f) => {
      f.dir('d')
      byNobody(() => {
        mkdirSync(f.at('d/e'))
      })
    },
    'EACCES',
    root,
  ],
  [
    'making a link there',
    (f) => {
      f.dir('d')
      byNobody(() => {
        symlinkSync('x', f.at('d/l'))
      })
    },
    'EACCES',
    root,
  ],
  [
    'unlinking there',
    (f) => {
      f.dir('d')
      f.put('d/x')
      byNobody(() => {
        unlinkSync(f.at('d/x'))
      })
    },
    'EACCES',
    root,
  ],
  [
    'renaming there',
    (f) => {
      f.dir('d')
      f.put('d/x')
      byNobody(() => {
        renameSync(f.at('d/x'), f.at('d/y'))
      })
    },
    'EACCES',
    root,
  ],
  [
    'rmdir there',
    (f) => {
      f.dir('d', 'd/e')
      byNobody(() => {
        rmdirSync(f.at('d/e'))
      })
    },
    'EACCES',
    root,
  ],
  [
    'going through 0600',
    (f) => {
      f.dir('d')
      f.put('d/x')
      chmodSync(f.at('d'), 0o600)
      byNobody(() => statSync(f.at('d/x')))
    },
    'EACCES',
    root,
  ],
  [
    'going through 0711',
    (f) => {
      f.dir('d')
      f.put('d/x', 'in')
      chmodSync(f.at('d'), 0o711)
      return byNobody(() => f.text('d/x'))
    },
    'in',
    root,
  ],
  [
    'listing 0711',
    (f) => {
      f.dir('d')
      chmodSync(f.at('d'), 0o711)
      byNobody(() => readdirSync(f.at('d')))
    },
    'EACCES',
    root,
  ],
  [
    'listing 0744 shows names',
    (f) => {
      f.dir('d')
      f.put('d/x')
      chmodSync(f.at('d'), 0o744)
      return byNobody(() => readdirSync(f.at('d')))
    },
    ['x'],
    root,
  ],
  [
    "a sticky directory protects others' files",
    (f) => {
      common(f, 0o1777)
      f.put('c/x')
      byNobody(() => {
        unlinkSync(f.at('c/x'))
      })
    },
    'EPERM',
    root,
  ],
  [
    "chmod of another's",
    (f) => {
      f.put('x')
      byNobody(() => {
        chmodSync(f.at('x'), 0o777)
      })
    },
    'EPERM',
    root,
  ],
  [
    "chown of one's own to root",
    (f) => {
      common(f)
      byNobody(() => {
        f.put('c/x')
        chownSync(f.at('c/x'), 0, 0)
      })
    },
    'EPERM',
    root,
  ],
  [
    "setting times of another's",
    (f) => {
      f.put('x', '', 0o666)
      byNobody(() => {
        utimesSync(f.at('x'), 1, 1)
      })
    },
    'EPERM',
    root,
  ],
  [
    'access tells the truth',
    (f) => {
      f.put('x', '', 0o640)
      accessSync(f.at('x'), constants.R_OK | constants.W_OK)
      accessSync(f.at('x'), constants.X_OK)
    },
    'EACCES',
  ],
  [
    "a group's file",
    (f) => {
      f.put('x', 'ours', 0o640)
      chownSync(f.at('x'), 0, NOBODY)
      return byNobody(() => readFileSync(f.at('x'), 'utf8'))
    },
    'ours',
    root,
  ],
  [
    'another writes to a file that he may write',
    (f) => {
      f.put('x', 'a')
      chmodSync(f.at('x'), 0o666)
      byNobody(() => {
        writeFileSync(f.at('x'), 'his')
      })
      return [f.text('x'), f.owner('x')]
    },
    ['his', '0:0'],
    root,
  ],
]
