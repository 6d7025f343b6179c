// Rights of several users, as modes, owners and groups give them, and no others: owner, member of the
// file's group, somebody who is in it besides, and the rest. Root alone can play them all.

import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { as, copyRange, fallocate, map, NOBODY } from '../calls.js'
import { read, write, type Folder } from '../folder.js'
import { errorOf, type Row } from '../row.js'

const { O_RDONLY, O_WRONLY } = constants
const OWNER = 4321
const GROUP = 5432
const root = { need: 'root' } as const

interface User {
  name: string
  uid: number
  groups: number[]
  /** which of the three digits of a mode counts */
  shift: number
}
const USERS: readonly User[] = [
  { name: 'owner', uid: OWNER, groups: [], shift: 6 },
  { name: 'owner, in the group besides', uid: OWNER, groups: [GROUP], shift: 6 },
  { name: 'group', uid: GROUP, groups: [], shift: 3 },
  { name: 'besides', uid: NOBODY, groups: [77, GROUP], shift: 3 },
  { name: 'other', uid: NOBODY, groups: [77], shift: 0 },
]
const RIGHTS = Array.from({ length: 8 }, (_, bits) => bits)
/** modes in which each of the three has every right, and those that give it to one alone */
const MODES = [
  ...RIGHTS.flatMap((bits) => [bits << 6, bits << 3, bits]),
  ...RIGHTS.map((bits) => 0o777 & ~(bits << 6) & ~((7 - bits) << 3)),
  0o640,
  0o604,
  0o750,
  0o751,
  0o711,
  0o644,
  0o4755,
  0o2755,
  0o1777,
]

const open = (f: Folder): void => {
  chmodSync(f.path, 0o777)
}
const own = (path: string, mode: number): void => {
  chownSync(path, OWNER, GROUP)
  chmodSync(path, mode)
}
const allowed = (act: () => unknown): boolean => {
  const code = errorOf(act)
  if (code !== 'done' && code !== 'EACCES') throw new Error(`an unforeseen ${code}`)
  return code === 'done'
}

/** Where what `user` may is not what the mode says. */
function wrongs(
  path: string,
  bitsOf: (user: User) => Record<number, () => unknown>,
  modes: readonly number[] = MODES,
): string[] {
  const wrong: string[] = []
  for (const mode of modes) {
    own(path, mode)
    for (const user of USERS) {
      const right = (mode >> user.shift) & 7
      for (const [bits, act] of Object.entries(bitsOf(user))) {
        const may = (right & Number(bits)) === Number(bits)
        const seen = as(user.uid, () => allowed(act), user.groups)
        if (seen !== may) wrong.push(`${mode.toString(8)} ${user.name} ${bits}: ${String(seen)}`)
      }
    }
  }
  return wrong
}

/** A file with set-user-ID and set-group-ID bits that all may write; its mode after `act` of another. */
function written(f: Folder, act: (fd: number) => unknown, mode = 0o6777): string {
  open(f)
  f.put('x', 'content')
  own(f.at('x'), mode)
  as(NOBODY, () => {
    const fd = f.open('x', 'r+')
    act(fd)
    f.close(fd)
  })
  return f.mode('x')
}

/** A sticky directory of OWNER's with a file of GROUP's, in which all may write. */
function sticky(f: Folder): string {
  open(f)
  f.dir('s')
  own(f.at('s'), 0o1777)
  f.put('s/x', 'his')
  chownSync(f.at('s/x'), GROUP, GROUP)
  f.dir('s/d')
  chownSync(f.at('s/d'), GROUP, GROUP)
  chmodSync(f.at('s/d'), 0o777)
  return f.at('s')
}

export const rows: readonly Row[] = [
  [
    'every mode of a file: to read and to write',
    (f) => {
      open(f)
      f.put('x', 'content')
      const path = f.at('x')
      return wrongs(path, () => ({
        4: () => {
          closeSync(openSync(path, O_RDONLY))
        },
        2: () => {
          closeSync(openSync(path, O_WRONLY))
        },
      }))
    },
    [],
    root,
  ],
  [
    'every mode of a directory: to list, to look up, to make and remove',
    (f) => {
      open(f)
      const path = f.dir('d')
      f.put('d/in')
      return wrongs(path, ({ uid }) => ({
        4: () => readdirSync(path),
        1: () => statSync(`${path}/in`),
        3: () => {
          const made = `${path}/${String(uid)}`
          mkdirSync(made)
          rmdirSync(made)
        },
      }))
    },
    [],
    root,
  ],
  [
    'what each makes is his, with his group',
    (f) => {
      open(f)
      return USERS.slice(2).map(({ name, uid, groups }) => {
        as(
          uid,
          () => {
            f.put(name, 'his')
            f.dir(`${name} d`)
            symlinkSync('x', f.at(`${name} l`))
          },
          groups,
        )
        return [name, `${name} d`, `${name} l`].map((made) => f.owner(made)).join()
      })
    },
    [
      [GROUP, GROUP, GROUP].map((id) => `${String(id)}:${String(id)}`).join(),
      [NOBODY, NOBODY, NOBODY].map((id) => `${String(id)}:${String(id)}`).join(),
      [NOBODY, NOBODY, NOBODY].map((id) => `${String(id)}:${String(id)}`).join(),
    ],
    root,
  ],
  [
    'a sticky directory: others remove and rename nothing',
    (f) => {
      const s = sticky(f)
      return as(NOBODY, () => {
        writeFileSync(`${s}/mine`, '')
        return [
          () => {
            unlinkSync(`${s}/x`)
          },
          () => {
            renameSync(`${s}/x`, `${s}/y`)
          },
          () => {
            renameSync(`${s}/mine`, `${s}/x`)
          },
          () => {
            rmdirSync(`${s}/d`)
          },
        ].map((act) => errorOf(act))
      })
    },
    ['EPERM', 'EPERM', 'EPERM', 'EPERM'],
    root,
  ],
  [
    'a sticky directory: the owner of a file removes it',
    (f) => {
      const s = sticky(f)
      as(GROUP, () => {
        renameSync(`${s}/x`, `${s}/y`)
        unlinkSync(`${s}/y`)
        rmdirSync(`${s}/d`)
      })
      return readdirSync(s)
    },
    [],
    root,
  ],
  [
    'a sticky directory: its owner removes all',
    (f) => {
      const s = sticky(f)
      as(OWNER, () => {
        unlinkSync(`${s}/x`)
        rmdirSync(`${s}/d`)
      })
      return readdirSync(s)
    },
    [],
    root,
  ],
  [
    'a set-gid directory: group and bit go down',
    (f) => {
      open(f)
      f.dir('d')
      own(f.at('d'), 0o2777)
      as(NOBODY, () => {
        mkdirSync(f.at('d/e'))
        f.put('d/e/x')
        mkdirSync(f.at('d/e/g'))
      })
      return ['d/e', 'd/e/x', 'd/e/g'].map((name) => `${f.owner(name)} ${f.mode(name)}`)
    },
    ['65534:5432 2755', '65534:5432 644', '65534:5432 2755'],
    root,
  ],
  [
    'a set-gid directory: who is not in its group makes no set-gid program',
    (f) => {
      open(f)
      f.dir('d')
      own(f.at('d'), 0o2777)
      as(NOBODY, () => f.put('d/x', '', 0o2755))
      as(NOBODY, () => f.put('d/y', '', 0o2755), [GROUP])
      return [f.mode('d/x'), f.mode('d/y')]
    },
    ['755', '2755'],
    root,
  ],
  ['set-user-ID goes: a write', (f) => written(f, (fd) => write(fd, 'a')), '777', root],
  [
    'set-user-ID goes: an append',
    (f) =>
      written(f, () => {
        appendFileSync(f.at('x'), 'a')
      }),
    '777',
    root,
  ],
  [
    'set-user-ID goes: a cut by path',
    (f) =>
      written(f, () => {
        truncateSync(f.at('x'), 1)
      }),
    '777',
    root,
  ],
  [
    'set-user-ID goes: O_TRUNC',
    (f) =>
      written(f, () => {
        f.close(f.open('x', 'w'))
      }),
    '777',
    root,
  ],
  [
    'set-user-ID goes: fallocate',
    (f) =>
      written(f, (fd) => {
        fallocate(fd, 0, 0, 9000)
      }),
    '777',
    root,
  ],
  [
    'set-user-ID goes: a copied range',
    (f) => (
      f.put('from', 'abc', 0o644),
      written(f, (fd) => copyRange(f.open('from', 'r'), 0, fd, 0, 3))
    ),
    '777',
    root,
  ],
  [
    'set-user-ID stays: a write by mapping',
    (f) =>
      written(f, (fd) => {
        const m = map(fd, 7, 'shared')
        m.write(0, 'a')
        m.sync()
        m.unmap()
      }),
    '6777',
    root,
  ],
  ['set-user-ID stays: a read', (f) => written(f, () => f.text('x')), '6777', root],
  [
    'sticky and set-gid bits of a directory stay when another makes files in it',
    (f) => {
      open(f)
      f.dir('d')
      own(f.at('d'), 0o3777)
      as(NOBODY, () => f.put('d/x'))
      return f.mode('d')
    },
    '3777',
    root,
  ],
  [
    'a handle reads on after the mode forbids it, a new one does not',
    (f) => {
      open(f)
      f.put('x', 'content')
      own(f.at('x'), 0o604)
      const fd = as(NOBODY, () => f.open('x', 'r'))
      chmodSync(f.at('x'), 0o600)
      return as(NOBODY, () => [read(fd, 9), errorOf(() => f.open('x', 'r'))])
    },
    ['content', 'EACCES'],
    root,
  ],
  [
    'who goes through a directory needs every one above it',
    (f) => {
      open(f)
      f.dir('a', 'a/b', 'a/b/c')
      f.put('a/b/c/x', 'deep', 0o644)
      const seen = ['a', 'a/b', 'a/b/c'].map((name) => {
        chmodSync(f.at(name), 0o700)
        const code = as(NOBODY, () => errorOf(() => f.text('a/b/c/x')))
        chmodSync(f.at(name), 0o711)
        return code
      })
      return [...seen, as(NOBODY, () => f.text('a/b/c/x'))]
    },
    ['EACCES', 'EACCES', 'EACCES', 'deep'],
    root,
  ],
]
