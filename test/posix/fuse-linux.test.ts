// The suite over a drive, through the kernel, and what only a mount can show.

import {
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  mkdirSync,
  unlinkSync,
  renameSync,
  chmodSync,
  rmdirSync,
  symlinkSync,
  utimesSync,
  truncateSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { needs } from '../needs.js'
import { suiteOverDrive } from './suite-over-drive.js'
import { as, getXattr, NOBODY, removeXattr, setXattr } from './calls.js'
import { Drive, scratch } from './drive.js'
import { errorOf } from './row.js'

t.setTimeout(280_000)

void t.test('the suite', async (t) => {
  if (needs(t, 'fuse')) await suiteOverDrive(t)
})

void t.test('a read-only drive', (t) => {
  if (needs(t, 'fuse')) {
    const drive = new Drive(t, scratch(t, 'read-only'))
    const at = (name: string) => join(drive.mountpoint, name)
    drive.mount()
    writeFileSync(at('x'), 'content')
    setXattr(at('x'), 'user.note', 'v')
    mkdirSync(at('d'))
    drive.unmount()
    drive.mount('--read-only')
    const writes: Record<string, () => unknown> = {
      'open to write': () => {
        writeFileSync(at('x'), 'new')
      },
      'a new file': () => {
        writeFileSync(at('y'), 'new')
      },
      mkdir: () => {
        mkdirSync(at('e'))
      },
      symlink: () => {
        symlinkSync('a', at('l'))
      },
      unlink: () => {
        unlinkSync(at('x'))
      },
      rmdir: () => {
        rmdirSync(at('d'))
      },
      rename: () => {
        renameSync(at('x'), at('y'))
      },
      chmod: () => {
        chmodSync(at('x'), 0o600)
      },
      utimes: () => {
        utimesSync(at('x'), 1, 1)
      },
      truncate: () => {
        truncateSync(at('x'), 1)
      },
      setxattr: () => {
        setXattr(at('x'), 'user.note', 'new')
      },
      removexattr: () => {
        removeXattr(at('x'), 'user.note')
      },
    }
    for (const [what, write] of Object.entries(writes)) t.equal(errorOf(write), 'EROFS', what)
    t.equal(readFileSync(at('x'), 'utf8'), 'content')
    t.equal(getXattr(at('x'), 'user.note'), 'v')
    t.same(readdirSync(drive.mountpoint), ['d', 'x'])
  }
  t.end()
})

void t.test('without --allow-other the drive is for one user', (t) => {
  if (needs(t, 'root', 'fuse')) {
    const drive = new Drive(t, scratch(t, 'alone'))
    drive.mount()
    writeFileSync(join(drive.mountpoint, 'x'), '')
    chmodSync(drive.mountpoint, 0o777)
    t.equal(
      as(NOBODY, () => errorOf(() => statSync(join(drive.mountpoint, 'x')))),
      'EACCES',
    )
    t.equal(
      as(NOBODY, () => errorOf(() => readdirSync(drive.mountpoint))),
      'EACCES',
    )
  }
  t.end()
})
