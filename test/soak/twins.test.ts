// The twins themselves, on two plain folders: alike they are, and a difference is seen and made short.

import { appendFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { scratch } from '../posix/drive.js'
import { soak, type Mounted } from './soak.js'

/** A folder that stands for a drive; `trouble` happens at every remount to the script's file /a. */
function standIn(t: Test, trouble: (path: string) => void): [Mounted, string] {
  const home = scratch(t, 'twins')
  const [mountpoint, plain] = [join(home, 'own'), join(home, 'plain')]
  for (const folder of [mountpoint, plain]) mkdirSync(folder)
  const mount = (): void => {
    for (const script of readdirSync(mountpoint)) {
      const path = join(mountpoint, script, 'a')
      if (existsSync(path)) trouble(path)
    }
  }
  return [{ mountpoint, mount, unmount: () => undefined }, plain]
}

void t.test('two plain folders', (t) => {
  if (needs(t, 'linux', 'root')) {
    const { failure, operations } = soak(...standIn(t, () => undefined), 500, 1, 100)
    t.same(failure, null)
    t.ok(operations >= 500)
  }
  t.end()
})

void t.test('a byte more', (t) => {
  if (needs(t, 'linux', 'root')) {
    const harm = (path: string): void => {
      appendFileSync(path, 'x')
    }
    const { failure } = soak(...standIn(t, harm), 5000, 2, 30)
    t.match(failure?.reason, /^size of \/a/)
    t.same(failure?.script[0], ['remount'])
    t.ok((failure?.script.length ?? 9) <= 3, 'a short script')
  }
  t.end()
})
