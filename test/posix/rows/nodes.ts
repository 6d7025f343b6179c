// Fifos, sockets and devices: mknod(2) and bind(2).

import { execFileSync } from 'node:child_process'
import { linkSync, lstatSync, readdirSync, renameSync, unlinkSync } from 'node:fs'
import { type Folder } from '../folder.js'
import type { Row } from '../row.js'

/** Type and device number, as ls(1) would tell. */
function node(f: Folder, name: string): string {
  const stat = lstatSync(f.at(name))
  const type = stat.isFIFO()
    ? 'p'
    : stat.isSocket()
      ? 's'
      : stat.isCharacterDevice()
        ? 'c'
        : stat.isBlockDevice()
          ? 'b'
          : '?'
  return `${type} ${(stat.mode & 0o7777).toString(8)} ${String(stat.rdev)} ${String(stat.size)}`
}

const fifo = (f: Folder, name: string, mode = '640'): void => {
  execFileSync('mkfifo', ['-m', mode, f.at(name)])
}
const mknod = (f: Folder, name: string, ...words: string[]): void => {
  execFileSync('mknod', ['-m', '600', f.at(name), ...words])
}
const bind = "require('node:net').createServer().listen(process.argv[1], () => process.exit())"

export const rows: readonly Row[] = [
  [
    'a fifo',
    (f) => {
      fifo(f, 'p')
      return [node(f, 'p'), lstatSync(f.at('p')).nlink]
    },
    ['p 640 0 0', 1],
  ],
  [
    'what is written into a fifo comes out of it',
    (f) => {
      fifo(f, 'p')
      return execFileSync('/bin/sh', ['-c', 'echo through > "$0" & cat "$0"; wait', f.at('p')], {
        encoding: 'utf8',
      })
    },
    'through\n',
  ],
  [
    'a fifo in a listing',
    (f) => {
      fifo(f, 'p')
      return readdirSync(f.path, { withFileTypes: true }).map((entry) => entry.isFIFO())
    },
    [true],
  ],
  [
    'a fifo renamed, linked, replaced, removed',
    (f) => {
      fifo(f, 'p')
      renameSync(f.at('p'), f.at('q'))
      linkSync(f.at('q'), f.at('r'))
      const seen = [node(f, 'q'), node(f, 'r'), lstatSync(f.at('q')).nlink]
      unlinkSync(f.at('q'))
      renameSync(f.put('x', 'X'), f.at('r'))
      return [...seen, f.text('r'), f.list()]
    },
    ['p 640 0 0', 'p 640 0 0', 2, 'X', ['r']],
  ],
  [
    'a mode that would lock the program out',
    (f) => {
      fifo(f, 'p', '000')
      return node(f, 'p')
    },
    'p 0 0 0',
  ],
  [
    'a socket',
    (f) => {
      // a path of a socket is short
      execFileSync(process.execPath, ['-e', `process.umask(0o77);${bind}`, 's'], { cwd: f.path })
      return node(f, 's')
    },
    's 700 0 0',
  ],
  [
    'a character device',
    (f) => {
      mknod(f, 'c', 'c', '1', '3')
      renameSync(f.at('c'), f.at('d'))
      return node(f, 'd')
    },
    `c 600 ${String((1 << 8) | 3)} 0`,
    { need: 'root' },
  ],
  [
    'a block device with a large number',
    (f) => {
      mknod(f, 'b', 'b', '259', '70000')
      return node(f, 'b')
    },
    `b 600 ${String(((70000 & 0xfff00) << 12) | (259 << 8) | (70000 & 0xff))} 0`,
    { need: 'root' },
  ],
]
