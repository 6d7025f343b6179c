// Four programs that work in folders of their own at the same time, and what they say is left of it.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

const BUSY = fileURLToPath(new URL('busy.js', import.meta.url))

export interface Worked {
  folder: string
  /** steps */
  done: number
  /** SHA-256 of what it wrote, by name */
  left: Record<string, string>
}

export function fourAtOnce(t: Test, root: string, milliseconds: number): Promise<Worked[]> {
  return Promise.all(
    [1, 2, 3, 4].map(async (seed) => {
      const folder = join(root, String(seed))
      mkdirSync(folder)
      const child = spawn(process.execPath, [BUSY, folder, String(seed), String(milliseconds)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      t.teardown(() => child.kill('SIGKILL'))
      let text = ''
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      const [code] = (await once(child, 'close')) as [number | null]
      t.equal(code, 0, `program ${String(seed)}`)
      return { folder, ...(JSON.parse(text) as Omit<Worked, 'folder'>) }
    }),
  )
}

/** Everything is there, and nothing else. */
export function isAllThere(t: Test, worked: readonly Worked[]): void {
  for (const { folder, left } of worked) {
    const seen = readdirSync(folder).map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    ])
    t.same(Object.fromEntries(seen), left)
  }
}
