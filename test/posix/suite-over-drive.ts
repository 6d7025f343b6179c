// The suite over a drive of its own, and what must be true of the drive before and afterwards.

import { readdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { Drive, scratch } from './drive.js'
import { runSuite } from './suite.js'

const isRoot = process.getuid?.() === 0

export async function suiteOverDrive(
  t: Test,
  options: readonly string[] = [],
  cannot: ReadonlySet<string> = new Set(),
): Promise<void> {
  const drive = new Drive(t, scratch(t, 'suite'))
  drive.mount(...options, ...(isRoot ? ['--allow-other'] : []))
  await t.test('rows', (t) => {
    runSuite(t, drive.mountpoint, 'drive', cannot)
    t.end()
  })
  t.same(readdirSync(drive.mountpoint), [], 'nothing is left')
  const { bsize, blocks } = statfsSync(drive.mountpoint)
  const backing = statfsSync(drive.vault)
  t.equal(
    bsize * blocks,
    backing.bsize * backing.blocks,
    'it is as large as what the vault lies on',
  )
  drive.unmount()
  t.same(
    readdirSync(join(drive.vault, 'data'), { recursive: true }),
    [],
    'and nothing is left in the vault folder',
  )
}
