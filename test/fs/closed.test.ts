// A drive that was closed must not touch anything, whoever still calls it: its descriptors' numbers are
// those of other files by then.

import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { needs } from '../needs.js'
import { TestVault } from './session.js'

t.test('what is asked of a closed drive reaches no file that is opened later', async (t) => {
  if (!needs(t, 'linux')) return
  const vault = new TestVault()
  const folder = join(vault.state, 'others')
  mkdirSync(folder)
  const content = Buffer.alloc(8192, 'x')
  const session = vault.open()
  const { drive } = session
  session.write('/f', 'content')
  const file = session.open('/f')
  file.write(0, Buffer.from('more'))
  drive.close()
  const opened: number[] = []
  const path = (i: number): string => join(folder, String(i))
  t.teardown(() => {
    for (const fd of opened) closeSync(fd)
    vault.remove()
  })
  for (let i = 0; i < 30; i++) {
    writeFileSync(path(i), content)
    opened.push(openSync(path(i), 'r+'))
  }
  const late: (() => unknown)[] = [
    () => drive.tend(),
    () => {
      file.sync()
    },
    () => {
      file.close()
    },
    () => {
      drive.fsyncdir(1)
    },
    () => {
      session.write('/g', 'content')
    },
    () => {
      session.mkdir('/d')
    },
    () => session.list('/'),
    () => {
      session.unlink('/f')
    },
    () => {
      drive.sync()
    },
    () => drive.tend(),
    () => {
      drive.close()
    },
    () => {
      session.close()
    },
  ]
  for (const ahead of [0, 5000, 60_000]) {
    vault.skew = ahead
    for (const act of late) {
      try {
        act()
      } catch {
        // it may say no
      }
    }
  }
  for (let i = 0; i < 30; i++) t.ok(readFileSync(path(i)).equals(content), `file ${i}`)
  t.same(session.drive.counters.openFiles, 0)
})
