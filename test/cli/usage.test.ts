// Usage errors, help, and that docs/CLI.md tells the truth.

import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { CofferError, type ErrorCode } from '../../lib/errors.js'
import { says, World } from './coffer.js'

t.setTimeout(240_000)

const USAGE: [args: string[], said: RegExp][] = [
  [[], /^coffer: a command is missing\nhint: run coffer --help\n$/],
  [['frobnicate'], /no such command, option or argument: frobnicate/],
  [['create'], /an argument is missing/],
  [['mount', 'vault'], /an argument is missing/],
  [['create', 'a', 'b'], /no such command, option or argument: b/],
  [['create', 'a', '--colour'], /no such command, option or argument: colour/],
  [['create', 'a', '--password', 'x'], /no such command, option or argument: password/],
  [['create', 'a', '--passfile'], /--passfile needs a value/],
  [['create', 'a', '--passfile', 'x', '--passcommand', 'y'], /exclude each other/],
  [['create', 'a', '--scrypt-logn', '9'], /--scrypt-logn takes a whole number from 10 to 20/],
  [['create', 'a', '--scrypt-logn', '21'], /--scrypt-logn takes/],
  [['create', 'a', '--scrypt-logn', 'x'], /--scrypt-logn takes/],
  [['mount', 'a', 'b', '--idle', 'soon'], /--idle soon is not a time/],
  [['mount', 'a', 'b', '--idle', '0'], /--idle 0 is not a time/],
  [['mount', 'a', 'b', '--slow-limit', 'never'], /--slow-limit never is not a time/],
  [['unmount'], /name the mountpoint or the vault/],
  [['unmount', 'a', '--all'], /not both/],
  [['unmount', ''], /the target is an empty text/],
  [['ls', ''], /the vault is an empty text/],
  [['get', 'a', '', 'b'], /the path is an empty text/],
  [['create', 'a', '--passfile', ''], /the passfile is an empty text/],
  [['create', '--', '--json', 'b'], /no such command, option or argument: b/],
]

for (const [args, said] of USAGE) {
  t.test(`coffer ${args.join(' ')}`, async (t) => {
    says(t, new World(t).run(args), 2, said)
  })
}

t.test('after -- there are no options', async (t) => {
  const world = new World(t)
  world.create()
  renameSync(world.vault, join(world.folder, '--all'))
  const info = world.run(['info', '--json', '--', '--all'])
  t.equal(info.code, 0, info.err)
  t.equal((JSON.parse(info.out) as { copies: number }).copies, 1)
  t.match(world.run(['info', '--', '--all']).out, /copies kept: +1 config on this machine\n/)
})

t.test('a copy that is not built says so', async (t) => {
  const world = new World(t)
  const bin = join(world.folder, 'bin')
  mkdirSync(bin)
  writeFileSync(join(world.folder, 'package.json'), '{"type":"module"}')
  const source = fileURLToPath(new URL('../../../bin/coffer.js', import.meta.url))
  copyFileSync(source, join(bin, 'coffer.js'))
  const run = spawnSync(process.execPath, [join(bin, 'coffer.js'), 'status'], { encoding: 'utf8' })
  t.equal(run.status, 1)
  t.match(run.stderr, /^coffer: this copy is not built[^\n]*\nhint: run npm [^\n]*\n$/)
})

t.test('help and version go to standard output', async (t) => {
  const world = new World(t)
  const help = world.run(['--help'])
  t.equal(help.code, 0)
  t.match(help.out, /create <vault>[^]*mount <vault> <mountpoint>[^]*doctor/)
  t.equal(help.err, '')
  for (const command of [
    'create',
    'mount',
    'unmount',
    'lock',
    'status',
    'ls',
    'get',
    'passwd',
    'info',
    'doctor',
  ]) {
    const { code, out } = world.run([command, '--help'])
    t.equal(code, 0)
    t.match(out, /^coffer /)
  }
  t.match(world.run(['--version']).out, /^\d+\.\d+\.\d+\n$/)
})

const MANUAL = readFileSync(new URL('../../../docs/CLI.md', import.meta.url), 'utf8')

t.test('the exit codes of docs/CLI.md are those of the program', async (t) => {
  const source = readFileSync(new URL('../../../lib/errors.ts', import.meta.url), 'utf8')
  const codes = [...source.matchAll(/^ {2}([A-Z_]+): (?:row|posix)\(/gm)].map(
    (match) => match[1] as ErrorCode,
  )
  t.ok(codes.length > 50)
  const inProgram = new Set(codes.map((code) => new CofferError(code, '').exitCode))
  inProgram.add(0)
  const rows = [...MANUAL.matchAll(/^\| (\d+) +\|/gm)].map((match) => Number(match[1]))
  t.same(
    rows,
    [...inProgram].sort((a, b) => a - b),
    'one row for each, in order',
  )
})

t.test('every option of docs/CLI.md is one of the program, and the other way round', async (t) => {
  const world = new World(t)
  for (const section of MANUAL.split(/^## (?=coffer )/m).slice(1)) {
    const command = /^coffer (\S+)/.exec(section)?.[1] ?? ''
    const inManual = new Set([...section.matchAll(/^\| `--([a-z-]+)/gm)].map((match) => match[1]))
    const { out } = world.run([command, '--help'])
    const inProgram = new Set([...out.matchAll(/--([a-z-]+)/g)].map((match) => match[1]))
    for (const general of ['help', 'version']) inProgram.delete(general)
    t.same([...inManual].sort(), [...inProgram].sort(), command)
  }
})
