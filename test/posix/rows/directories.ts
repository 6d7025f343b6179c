// mkdir(2), rmdir(2), readdir(3).

import {
  chmodSync,
  mkdirSync,
  opendirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs'
import { spawnSync } from 'node:child_process'
import { constants } from 'node:fs'
import { openAt } from '../../../lib/native/files.js'
import { withUmask } from '../calls.js'
import { write, type Folder } from '../folder.js'
import { errorOf, type Row } from '../row.js'

const MANY = 1000

function many(f: Folder): string[] {
  const names = Array.from({ length: MANY }, (_, i) => `${'n'.repeat(i % 70)}${String(i)}`)
  for (const name of names) f.put(name)
  return names.sort()
}

const made = (f: Folder, mode: number, umask: number) =>
  withUmask(umask, () => {
    mkdirSync(f.at('d'), { mode })
    return f.mode('d')
  })

export const rows: readonly Row[] = [
  ['mkdir 0777 with umask 022', (f) => made(f, 0o777, 0o022), '755'],
  ['mkdir 0777 with umask 0', (f) => made(f, 0o777, 0), '777'],
  ['mkdir 0700', (f) => made(f, 0o700, 0o022), '700'],
  ['mkdir 0000', (f) => made(f, 0, 0o022), '0'],
  ['mkdir 0555', (f) => made(f, 0o555, 0o022), '555'],
  ['mkdir 01777', (f) => made(f, 0o1777, 0), '1777'],
  ['mkdir gives no set-gid bit', (f) => made(f, 0o2755, 0), '755'],
  [
    'set-gid is passed on to directories, not to files',
    (f) => {
      f.dir('d')
      chmodSync(f.at('d'), 0o2755)
      mkdirSync(f.at('d/e'), { mode: 0o755 })
      f.put('d/x')
      return [f.mode('d/e'), f.mode('d/x')]
    },
    ['2755', '644'],
  ],
  [
    'mkdir of a file',
    (f) => {
      f.put('x')
      f.dir('x')
    },
    'EEXIST',
  ],
  [
    'mkdir of a directory',
    (f) => {
      f.dir('x')
      f.dir('x')
    },
    'EEXIST',
  ],
  [
    'mkdir of a dangling link',
    (f) => {
      symlinkSync('y', f.at('x'))
      f.dir('x')
    },
    'EEXIST',
  ],
  [
    'mkdir of a file that is open and new',
    (f) => {
      f.open('x', 'w')
      f.dir('x')
    },
    'EEXIST',
  ],
  ['mkdir below nothing', (f) => f.dir('a/b'), 'ENOENT'],
  [
    'mkdir below a file',
    (f) => {
      f.put('a')
      f.dir('a/b')
    },
    'ENOTDIR',
  ],
  [
    'mkdir with a slash behind',
    (f) => {
      mkdirSync(`${f.at('d')}/`)
      return f.list()
    },
    ['d'],
  ],
  [
    'mkdir of the folder itself',
    (f) => {
      mkdirSync(`${f.path}/.`)
    },
    'EEXIST',
  ],
  [
    '40 deep',
    (f) => {
      const path = Array.from({ length: 40 }, (_, i) => `level${String(i)}`).join('/')
      mkdirSync(f.at(path), { recursive: true })
      f.put(`${path}/x`, 'deep')
      return f.text(`${path}/x`)
    },
    'deep',
  ],
  [
    'rmdir',
    (f) => {
      f.dir('d')
      rmdirSync(f.at('d'))
      return f.list()
    },
    [],
  ],
  [
    'rmdir of nothing',
    (f) => {
      rmdirSync(f.at('d'))
    },
    'ENOENT',
  ],
  [
    'rmdir of a file',
    (f) => {
      f.put('x')
      rmdirSync(f.at('x'))
    },
    'ENOTDIR',
  ],
  [
    'rmdir of a link to a directory',
    (f) => {
      f.dir('d')
      symlinkSync('d', f.at('l'))
      rmdirSync(f.at('l'))
    },
    'ENOTDIR',
  ],
  [
    'rmdir with a file in it',
    (f) => {
      f.dir('d')
      f.put('d/x')
      rmdirSync(f.at('d'))
    },
    'ENOTEMPTY',
  ],
  [
    'rmdir with a directory in it',
    (f) => {
      f.dir('d', 'd/e')
      rmdirSync(f.at('d'))
    },
    'ENOTEMPTY',
  ],
  [
    'rmdir with a link in it',
    (f) => {
      f.dir('d')
      symlinkSync('x', f.at('d/l'))
      rmdirSync(f.at('d'))
    },
    'ENOTEMPTY',
  ],
  [
    'rmdir with a file that is open and new',
    (f) => {
      f.dir('d')
      write(f.open('d/x', 'w'), 'a')
      rmdirSync(f.at('d'))
    },
    'ENOTEMPTY',
  ],
  [
    'rmdir after an open file was unlinked',
    (f) => {
      f.dir('d')
      f.open('d/x', 'w')
      unlinkSync(f.at('d/x'))
      rmdirSync(f.at('d'))
      return f.list()
    },
    [],
  ],
  [
    'rmdir of "."',
    (f) => {
      rmdirSync(`${f.dir('d')}/.`)
    },
    'EINVAL',
  ],
  [
    'rmdir of ".."',
    (f) => {
      f.dir('d', 'd/e')
      rmdirSync(`${f.at('d/e')}/..`)
    },
    'ENOTEMPTY',
  ],
  [
    'rmdir of a directory that is open: it lists nothing and takes nothing',
    (f) => {
      f.dir('d')
      const fd = f.open('d', constants.O_RDONLY | constants.O_DIRECTORY)
      const listing = opendirSync(f.at('d'))
      rmdirSync(f.at('d'))
      const seen = errorOf(() => f.keep(openAt(fd, 'x', constants.O_CREAT | constants.O_WRONLY)))
      try {
        return [seen, listing.readSync()]
      } finally {
        listing.closeSync()
      }
    },
    ['ENOENT', null],
  ],
  [
    'gone and made again',
    (f) => {
      for (let i = 0; i < 20; i++) {
        f.dir('d')
        f.put('d/x', String(i))
        unlinkSync(f.at('d/x'))
        rmdirSync(f.at('d'))
      }
      f.dir('d')
      return f.list('d')
    },
    [],
  ],
  [
    `${String(MANY)} names, all of them`,
    (f) => {
      const names = many(f)
      const seen = f.list()
      return seen.length === names.length && seen.every((name, i) => name === names[i])
    },
    true,
  ],
  [
    `${String(MANY)} names, removed while they are listed`,
    (f) => {
      many(f)
      const dir = opendirSync(f.path)
      for (let entry = dir.readSync(); entry !== null; entry = dir.readSync())
        unlinkSync(f.at(entry.name))
      dir.closeSync()
      return f.list().length
    },
    0,
  ],
  [
    'a listing has what was just made',
    (f) => {
      f.open('a', 'w')
      f.dir('b')
      symlinkSync('a', f.at('c'))
      f.put('d')
      renameSync(f.at('d'), f.at('e'))
      return f.list()
    },
    ['a', 'b', 'c', 'e'],
  ],
  [
    'a listing lacks what was just removed',
    (f) => {
      f.put('a')
      f.put('b')
      f.list()
      unlinkSync(f.at('a'))
      return f.list()
    },
    ['b'],
  ],
  [
    'types in a listing',
    (f) => {
      f.put('a')
      f.dir('b')
      symlinkSync('a', f.at('c'))
      return readdirSync(f.path, { withFileTypes: true })
        .map(
          (e) =>
            `${e.name}${e.isFile() ? ' file' : e.isDirectory() ? ' directory' : e.isSymbolicLink() ? ' link' : ''}`,
        )
        .sort()
    },
    ['a file', 'b directory', 'c link'],
  ],
  [
    'inode numbers in a listing are those of stat',
    (f) => {
      f.put('a')
      f.dir('b')
      symlinkSync('a', f.at('c'))
      return spawnSync('ls', ['-i', f.path], { encoding: 'utf8' })
        .stdout.trim()
        .split('\n')
        .every((line) => {
          const [ino, name = ''] = line.trim().split(' ')
          return Number(ino) === f.ino(name)
        })
    },
    true,
  ],
  [
    'listing a file',
    (f) => {
      f.put('x')
      readdirSync(f.at('x'))
    },
    'ENOTDIR',
  ],
  ['listing nothing', (f) => readdirSync(f.at('x')), 'ENOENT'],
  [
    'a directory counts its subdirectories',
    (f) => {
      f.dir('d', 'd/a', 'd/b')
      f.put('d/x')
      return [1, 4].includes(statSync(f.at('d')).nlink)
    },
    true,
  ],
  [
    'a working directory knows where it is, also after a rename',
    (f) => {
      f.dir('d', 'd/e')
      const before = process.cwd()
      process.chdir(f.at('d/e'))
      try {
        renameSync(f.at('d'), f.at('n'))
        return (
          spawnSync('/bin/pwd', ['-P'], { encoding: 'utf8' }).stdout.trim() ===
          realpathSync(f.at('n/e'))
        )
      } finally {
        process.chdir(before)
      }
    },
    true,
  ],
]
