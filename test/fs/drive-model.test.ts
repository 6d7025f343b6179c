// Random scripts on a drive against the model, and at the end the oracle reads the vault and must
// agree. COFFER_SEED repeats a run, COFFER_SCRIPTS makes it longer.

import { readlinkSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { needs } from '../needs.js'
import { Script, steps, type Step } from './script.js'
import { descriptorsBelow, TestVault } from './session.js'

const SCRIPTS = Number(process.env['COFFER_SCRIPTS'] ?? 100)
const SEED = process.env['COFFER_SEED']

// long scripts on a busy machine take their time
t.setTimeout(280_000)

const readable = (script: readonly Step[]): string =>
  ['the shortest script that fails:', ...script.map((step) => `  ${JSON.stringify(step)},`)].join(
    '\n',
  )

/** With files above one chunk taken for large, so that single pages of them wait, and few may. */
const PAGED = { strictMax: 2 ** 14, pages: 16 }
const KINDS: [string, number, { strictMax?: number; holdInodes: boolean; pages?: number }][] = [
  ['chunks of 2^12, inodes forgotten', 12, { holdInodes: false }],
  ['chunks of 2^12, inodes held', 12, { holdInodes: true }],
  ['chunks of 2^15, inodes forgotten', 15, { holdInodes: false }],
  ['chunks of 2^15, inodes held', 15, { holdInodes: true }],
  ['pages that wait for chunks of 2^14', 14, { holdInodes: true, ...PAGED }],
]

for (const [name, chunkLog2, { strictMax, ...options }] of KINDS) {
  t.test(name, async (t) => {
    if (!needs(t, 'linux')) return
    let count = 0
    const property = fc.property(steps(2 ** chunkLog2), (script) => {
      count += script.length
      const vault = new TestVault(chunkLog2, strictMax)
      try {
        new Script(vault, options).run(script)
        const left = descriptorsBelow(vault.folder, readlinkSync)
        if (left > 0) throw new Error(`${left} descriptors are left open`)
      } finally {
        vault.remove()
      }
    })
    const seed = SEED === undefined ? {} : { seed: Number(SEED) }
    const details = fc.check(property, { numRuns: SCRIPTS, ...seed })
    if (details.counterexample !== null) t.comment(readable(details.counterexample[0]))
    const reason = details.errorInstance instanceof Error ? details.errorInstance.message : ''
    t.equal(reason, '', `seed ${details.seed}`)
    t.comment(`${count} operations, seed ${details.seed}`)
  })
}

/** Scripts that found a defect once. */
const FOUND: Record<string, Step[]> = {
  'an old last chunk is erased in the same seal that makes another the last': [
    ['create', '/a', 0o644],
    ['ftruncate', 0, 12288],
    ['fsync', 0],
    ['fallocate', 0, 16, 4096, 4194304],
    ['read', 0, 0, 0],
    ['close', 0],
  ],
  'a file is cut, written far behind, and punched where it was sealed': [
    ['create', '/a', 0o644],
    ['ftruncate', 0, 1],
    ['copy', 0, 0, 0, 4194304, 1],
    ['wait', 6000],
    ['ftruncate', 0, 8192],
    ['write', 0, 4194304, 4194304],
    ['fallocate', 0, 3, 0, 8192],
    ['rename', '/a', '/a'],
  ],
  'a file just written is renamed while somebody reads it': [
    ['create', '/b', 0o644],
    ['close', 0],
    ['open', '/b', 'r'],
    ['rename', '/b', '/a'],
    ['close', 0],
  ],
}

for (const [name, script] of Object.entries(FOUND)) {
  t.test(name, async (t) => {
    if (!needs(t, 'linux')) return
    const vault = new TestVault(12)
    t.teardown(() => {
      vault.remove()
    })
    t.doesNotThrow(() => {
      new Script(vault, { holdInodes: true }).run(script)
    })
  })
}
