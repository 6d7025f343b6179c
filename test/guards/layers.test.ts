// The check of the layers is itself checked: a small lib with one offence each must fail, with the
// reason, and a good one must pass.

import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const SCRIPT = fileURLToPath(new URL('../../../scripts/check-layers.js', import.meta.url))

const GOOD: Record<string, string> = {
  'bin/coffer.js': `import { main } from '../dist/lib/cli/main.js'\nmain()\n`,
  'lib/errors.ts': `import { constants } from 'node:os'\nexport const a = constants\n`,
  'lib/cli/main.ts': `import '../agent/a.js'\nimport '../fs/f.js'\nimport 'yargs'\nconsole.log(1)\n`,
  'lib/agent/a.ts': `import '../errors.js'\nexport const now = Date.now()\n`,
  'lib/fs/g.ts': `import { constants } from 'node:fs'\nexport const a = constants.O_RDONLY\n`,
  'lib/fs/h.ts': `import type { Stats } from 'node:fs'\nexport type T = Stats\n`,
  'lib/fs/f.ts': `import type { S } from '../store/s.js'\nimport '../format/f.js'\nexport type T = S\n`,
  'lib/format/f.ts': `import { Buffer } from 'node:buffer'\nimport '../crypto/c.js'\nexport const b = Buffer\n`,
  'lib/crypto/c.ts': `import { createHash } from 'node:crypto'\nimport '../native/openssl.js'\nexport { createHash }\n`,
  'lib/store/s.ts': `import 'node:fs'\nimport { randomBytes } from 'node:crypto'\nimport '../native/n.js'\nexport type S = typeof randomBytes\n`,
  'lib/native/n.ts': `import { createRequire } from 'node:module'\ncreateRequire(import.meta.url)('koffi')\n`,
  'lib/native/openssl.ts': `export {}\n`,
}

const { checkLayers } = (await import(SCRIPT)) as { checkLayers: (root: string) => string[] }

function lay(folder: string, files: Record<string, string>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

t.test('a lib in order passes', async (t) => {
  t.same(checkLayers(lay(t.testdir(), GOOD)), [])
})

t.test('as a program it fails and says why', async (t) => {
  const folder = lay(t.testdir(), { ...GOOD, 'lib/fs/f.ts': `import '../mount/m.js'` })
  const { status, stderr } = spawnSync(process.execPath, [SCRIPT, folder], { encoding: 'utf8' })
  t.equal(status, 1)
  t.match(stderr, /^lib\/fs\/f\.ts:1: imports mount\/m: fs may import only/)
})

const BAD: [path: string, text: string, said: RegExp][] = [
  [
    'lib/fs/f.ts',
    `import '../mount/m.js'`,
    /lib\/fs\/f\.ts:1: imports mount\/m: fs may import only/,
  ],
  ['lib/fs/f.ts', `import type { M } from '../mount/m.js'\nexport type T = M`, /imports mount\/m/],
  ['lib/fs/f.ts', `export * from '../cli/main.js'`, /imports cli\/main/],
  ['lib/fs/f.ts', `export type T = import('../cli/main.js').T`, /imports cli\/main/],
  ['lib/fs/f.ts', `await import('../agent/a.js')`, /imports agent\/a/],
  ['lib/fs/f.ts', `new Worker(new URL('../agent/a.js', import.meta.url))`, /imports agent\/a/],
  ['lib/fs/f.ts', `const m = 'node:fs'\nawait import(m)`, /f\.ts:2: .*name the module literally/],
  ['lib/fs/f.ts', `import 'node:fs'`, /imports node:fs: only store touches/],
  ['lib/fs/f.ts', `import { constants, openSync } from 'node:fs'`, /imports node:fs: only store/],
  ['lib/fs/f.ts', `import 'node:fs/promises'`, /imports node:fs\/promises: only store touches/],
  ['lib/fs/f.ts', `// as FUSE has it\n`, /fs knows no FUSE word/],
  ['lib/fs/f.ts', `import { errnoOf } from '../errors.js'\nerrnoOf(1)`, /only mount speaks errno/],
  ['lib/fs/f.ts', `import 'left-pad'`, /name the package and its layer/],
  ['lib/fs/f.ts', `import '../../test/x.js'`, /lib imports nothing outside lib/],
  ['lib/store/s.ts', `import '../crypto/c.js'`, /store may import only native/],
  [
    'lib/store/s.ts',
    `import { createRequire } from 'node:module'\ncreateRequire('/')('koffi')`,
    /only native/,
  ],
  ['lib/crypto/c.ts', `import '../format/f.js'`, /crypto may import only native\/libc/],
  ['lib/crypto/c.ts', `import '../native/files.js'`, /imports native\/files/],
  [
    'lib/crypto/c.ts',
    `import { randomBytes } from 'node:crypto'\nrandomBytes(1)`,
    /crypto is pure/,
  ],
  ['lib/crypto/c.ts', `export const r = Math.random()`, /crypto is pure/],
  ['lib/format/f.ts', `export const now = Date.now()`, /Date: format is pure/],
  ['lib/format/f.ts', `export const now = new Date()`, /Date: format is pure/],
  ['lib/format/f.ts', `setTimeout(() => 0, 1)`, /setTimeout: format is pure/],
  ['lib/format/f.ts', `export const e = process.env`, /process: format is pure/],
  ['lib/format/f.ts', `import 'node:timers'`, /node:timers: format is pure/],
  ['lib/format/f.ts', `import 'node:crypto'`, /node:crypto: format is pure/],
  ['lib/native/n.ts', `import '../store/s.js'`, /native may import only/],
  ['lib/agent/a.ts', `console.error('x')`, /console\.error: only cli prints/],
  ['lib/agent/a.ts', `process.stdout.write('x')`, /process\.stdout: only cli prints/],
  ['lib/agent/a.ts', `import '../cli/main.js'`, /imports cli\/main/],
  ['lib/errors.ts', `import './native/n.js'`, /errors may import only/],
  ['lib/utils/u.ts', `export {}`, /belongs to no layer/],
  ['lib/helper.ts', `export {}`, /belongs to no layer/],
  ['bin/coffer.js', `import '../dist/lib/agent/a.js'`, /bin only starts cli/],
]

for (const [path, text, said] of BAD) {
  t.test(`${path}: ${text.replaceAll('\n', '; ')}`, async (t) => {
    const offences = checkLayers(lay(t.testdir(), { ...GOOD, [path]: text }))
    t.equal(offences.length, 1)
    t.match(offences[0], said)
  })
}
