// Commands that need no mount: making a vault, everything that can be wrong with one, passwords.

import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { needs } from '../needs.js'
import { CHEAP, PASSWORD, PROGRAM, says, World } from './coffer.js'

t.setTimeout(240_000)

t.test('create makes a vault, and nothing else anywhere', async (t) => {
  const world = new World(t)
  const { code, out, err } = world.run(['create', world.vault, ...CHEAP, '--label', 'mine'])
  t.equal(code, 0)
  t.equal(out, '')
  t.match(err, /is a vault now\. .*\nTo open it: coffer mount /)
  t.same(readdirSync(world.vault).sort(), ['README.txt', 'data', 'vault.coffer'])
  t.same(readdirSync(join(world.vault, 'data')), [])
  t.same(world.litter(), [])
  t.equal(statSync(world.state).mode & 0o777, 0o700)
  const bytes = readFileSync(join(world.vault, 'vault.coffer'))
  t.notOk(bytes.includes('mine'), 'the label is encrypted')
})

t.test('create in a folder that is there already', async (t) => {
  const world = new World(t)
  mkdirSync(world.vault)
  t.equal(world.run(['create', world.vault, ...CHEAP]).code, 0, 'empty: fine')
  const before = readFileSync(join(world.vault, 'vault.coffer'))
  says(
    t,
    world.run(['create', world.vault, ...CHEAP]),
    19,
    /is a coffer vault already; nothing was touched/,
  )
  t.ok(readFileSync(join(world.vault, 'vault.coffer')).equals(before))
  const full = join(world.folder, 'full')
  mkdirSync(full)
  writeFileSync(join(full, 'x'), 'y')
  says(t, world.run(['create', full, ...CHEAP]), 19, /is not empty; nothing was touched/)
  t.same(readdirSync(full), ['x'])
  says(t, world.run(['create', join(full, 'x'), ...CHEAP]), 19, /exists and is not a folder/)
  says(
    t,
    world.run(['create', join(world.folder, 'no', 'vault'), ...CHEAP]),
    29,
    /there is no folder/,
  )
})

t.test('passwords that are none', async (t) => {
  const world = new World(t)
  const create = (input: string, ...options: string[]) =>
    world.run(['create', world.vault, ...CHEAP, ...options], { input })
  says(t, create('\n'), 22, /the password on standard input is empty/)
  says(t, create(''), 23, /standard input is empty/)
  says(t, create('', '--passfile', world.file('empty', '\n')), 22, /is empty/)
  says(t, create('', '--passfile', join(world.folder, 'none')), 23, /cannot be read: no such file/)
  says(t, create('', '--passcommand', 'exit 3'), 23, /ended with exit code 3/)
  says(t, create('', '--passcommand', 'true'), 22, /is empty/)
  says(t, create('', '--passcommand', 'yes 2>/dev/null'), 23, /prints too much for a password/)
  says(t, create('', '--passcommand', 'printf "\\377\\n"'), 23, /is not UTF-8/)
  t.notOk(existsSync(world.vault), 'nothing was made')
})

t.test('every source gives the same password, composed', async (t) => {
  const world = new World(t)
  const decomposed = 'Gru\u0308\u00dfe  '
  t.equal(
    world.run(['create', world.vault, ...CHEAP], { input: `${decomposed}\r\nmore\n` }).code,
    0,
  )
  const ls = (input: string, ...options: string[]) =>
    world.run(['ls', world.vault, ...options], { input })
  const composed = 'Gr\u00fc\u00dfe  '
  t.equal(ls(composed).code, 0)
  t.equal(ls('', '--passfile', world.file('p', `${composed}\n`)).code, 0)
  t.equal(ls('', '--passcommand', `printf '${composed}\\nnext line\\n'`).code, 0)
  says(t, ls(composed.trim()), 12, /the password is wrong/)
  says(t, ls('', '--passfile', world.file('two', `${composed}\n\n`)), 12, /the password is wrong/)
})

t.test('at a terminal: twice, without echo, and the terminal is as before', async (t) => {
  if (spawnSync('script', ['--version']).status !== 0) {
    t.plan(0, 'script is missing (Debian: bsdutils)')
    return
  }
  const world = new World(t)
  const command = `stty -a >before; "${process.execPath}" "${PROGRAM}" create vault --scrypt-logn 10; echo "exit $?"; stty -a >after`
  const typed = (lines: string) =>
    spawnSync('sh', ['-c', `(${lines}) | script -qec '${command}' /dev/null`], {
      cwd: world.folder,
      env: world.env,
      encoding: 'utf8',
      timeout: 30_000,
    }).stdout
  const keys = `sleep 1; printf 'tr0ub4dorx\\177\\r'; sleep 1; printf 'other\\r'; sleep 1; printf 'tr0ub4dor\\r'; sleep 1; printf 'tr0ub4dor\\r'; sleep 1`
  const screen = typed(keys)
  t.match(
    screen,
    /New password: [^]*Strength: [^]*once more: [^]*not the same[^]*is a vault now[^]*exit 0/,
  )
  t.notMatch(screen, /tr0ub/, 'no echo')
  t.equal(
    readFileSync(join(world.folder, 'after'), 'utf8'),
    readFileSync(join(world.folder, 'before'), 'utf8'),
  )
  t.equal(world.run(['ls', world.vault], { input: 'tr0ub4dor\n' }).code, 0)
  rmSync(world.vault, { recursive: true })
  t.match(
    typed(`sleep 1; printf '\\003'; sleep 1`),
    /stopped while waiting for a password[^]*exit 23/,
  )
  t.equal(
    readFileSync(join(world.folder, 'after'), 'utf8'),
    readFileSync(join(world.folder, 'before'), 'utf8'),
  )
  t.notOk(existsSync(world.vault))
})

t.test('what is not a vault', async (t) => {
  const world = new World(t)
  for (const command of [['ls'], ['info'], ['passwd'], ['mount']]) {
    const rest = command[0] === 'mount' ? [world.mountpoint] : []
    says(t, world.run([...command, world.vault, ...rest]), 13, /there is no folder .*vault/)
    says(t, world.run([...command, world.file('f', ''), ...rest]), 13, /f is not a folder/)
    says(t, world.run([...command, world.folder, ...rest]), 13, /is not a coffer vault/)
  }
})

t.test('a config with any byte flipped: one sentence, and the copy is offered', async (t) => {
  const world = new World(t)
  world.create()
  const file = join(world.vault, 'vault.coffer')
  const good = readFileSync(file)
  // magic, version, counts, flags, vaultId, configSeq, nonce, slot (type, id, cost, salt, commit, key), body, tag
  const places = [
    0,
    3,
    8,
    9,
    11,
    15,
    19,
    23,
    24,
    47,
    50,
    72,
    73,
    75,
    80,
    84,
    86,
    90,
    125,
    160,
    210,
    good.length - 1,
  ]
  for (const at of places) {
    const bad = Buffer.from(good)
    bad[at] = (bad[at] ?? 0) ^ 1
    writeFileSync(file, bad)
    const { code, err } = world.run(['ls', world.vault])
    t.ok(code === 13 || code === 14, `byte ${String(at)}: exit code ${String(code)}`)
    t.match(err, /^coffer: [^\n]+\nhint: [^\n]+\n$/, `byte ${String(at)}`)
    if (code === 13) t.match(err, /coffer restore-config /)
  }
  writeFileSync(file, good)
  t.equal(world.run(['ls', world.vault]).code, 0)
})

t.test('a config cut short, made huge, empty, a link, missing', async (t) => {
  const world = new World(t)
  world.create()
  const file = join(world.vault, 'vault.coffer')
  const good = readFileSync(file)
  const damaged = (why: RegExp) => {
    says(t, world.run(['ls', world.vault]), 13, why)
  }
  for (const length of [0, 5, 71, 100, good.length - 1]) {
    writeFileSync(file, good.subarray(0, length))
    damaged(/vault.coffer is damaged: it is (cut short|empty)/)
  }
  writeFileSync(file, Buffer.concat([good, Buffer.from('x')]))
  damaged(/something was appended/)
  truncateSync(file, 2 ** 40)
  damaged(/no config is that large/)
  rmSync(file)
  symlinkSync('/etc/passwd', file)
  damaged(/is a symbolic link/)
  rmSync(file)
  damaged(/is missing/)
  mkdirSync(file)
  damaged(/is not a file/)
})

t.test('absurd cost is refused before anything is derived; a newer version by name', async (t) => {
  const world = new World(t)
  world.create()
  const file = join(world.vault, 'vault.coffer')
  const good = readFileSync(file)
  const absurd = Buffer.from(good)
  absurd[84] = 30
  writeFileSync(file, absurd)
  const started = Date.now()
  says(t, world.run(['ls', world.vault]), 13, /asks for scrypt at a cost coffer never uses/)
  t.ok(Date.now() - started < 5000)
  const newer = Buffer.from(good)
  newer.writeUInt16BE(2, 8)
  writeFileSync(file, newer)
  says(t, world.run(['mount', world.vault, world.mountpoint]), 14, /format version 2/)
})

t.test('restore-config puts the copy back, the damaged one is kept', async (t) => {
  const world = new World(t)
  world.create()
  const file = join(world.vault, 'vault.coffer')
  const good = readFileSync(file)
  says(t, world.run(['restore-config', world.vault]), 2, /not damaged; there is nothing to restore/)
  const bad = Buffer.from(good)
  bad[good.length - 20] = (bad[good.length - 20] ?? 0) ^ 0x80
  writeFileSync(file, bad)
  says(
    t,
    world.run(['restore-config', world.vault], { input: 'wrong\n' }),
    12,
    /the password is wrong/,
  )
  t.ok(readFileSync(file).equals(bad), 'a wrong password changes nothing')
  const { code, err } = world.run(['restore-config', world.vault])
  t.equal(code, 0)
  t.match(err, /is now the one from .*state/)
  t.ok(readFileSync(file).equals(good))
  t.equal(world.run(['ls', world.vault]).code, 0)
  const kept = readdirSync(join(world.state, 'vaults'), {
    recursive: true,
    encoding: 'utf8',
  }).filter((name) => name.includes('damaged-'))
  t.equal(kept.length, 1)
  // a machine that never opened it has only the backup
  rmSync(world.state, { recursive: true })
  rmSync(file)
  says(t, world.run(['restore-config', world.vault]), 13, /there is no good copy/)
  writeFileSync(join(world.vault, 'vault.coffer.bak'), good)
  t.equal(world.run(['restore-config', world.vault]).code, 0)
  t.equal(world.run(['ls', world.vault]).code, 0)
  t.same(world.litter(), [])
})

t.test('a moved vault is known by its id, a vault whose id is damaged by its place', async (t) => {
  const world = new World(t)
  world.create()
  const moved = join(world.folder, 'moved')
  renameSync(world.vault, moved)
  const file = join(moved, 'vault.coffer')
  const good = readFileSync(file)
  writeFileSync(file, good.subarray(0, 100))
  says(t, world.run(['ls', moved]), 13, /hint: this machine keeps a copy/)
})

t.test('passwd: new opens, old does not, the config before is kept', async (t) => {
  const world = new World(t)
  world.create()
  const file = join(world.vault, 'vault.coffer')
  const before = readFileSync(file)
  says(
    t,
    world.run(['passwd', world.vault, ...CHEAP], { input: 'wrong\nnew\n' }),
    12,
    /the password is wrong/,
  )
  says(
    t,
    world.run(['passwd', world.vault, ...CHEAP], { input: `${PASSWORD}\n\n` }),
    22,
    /is empty/,
  )
  t.ok(readFileSync(file).equals(before))
  const { code, err } = world.run(['passwd', world.vault, ...CHEAP], {
    input: `${PASSWORD}\nnew one\n`,
  })
  t.equal(code, 0)
  t.match(err, /The password is changed/)
  t.ok(readFileSync(join(world.vault, 'vault.coffer.bak')).equals(before))
  t.equal(world.run(['ls', world.vault], { input: 'new one\n' }).code, 0)
  says(t, world.run(['ls', world.vault]), 12, /the password is wrong/)
  const info = JSON.parse(world.run(['info', world.vault, '--json']).out) as {
    configSeq: number
    copies: number
  }
  t.equal(info.configSeq, 2)
  t.equal(info.copies, 2)
  t.notOk(before.equals(readFileSync(file)))
  t.same(world.litter(), [])
  const files = [
    '--passfile',
    world.file('old', 'new one'),
    '--new-passfile',
    world.file('new', 'third'),
  ]
  t.equal(world.run(['passwd', world.vault, ...CHEAP, ...files]).code, 0)
  t.equal(world.run(['ls', world.vault], { input: 'third\n' }).code, 0)
})

t.test('info and doctor need no password', async (t) => {
  const world = new World(t)
  world.create()
  const info = world.run(['info', world.vault], { input: '' })
  t.equal(info.code, 0)
  t.match(info.out, /format: +version 1\n[^]*opens with: +password \(scrypt, 1 MiB\)/)
  const doctor = world.run(['doctor', world.vault], { input: '' })
  t.match(doctor.out, /ok +Node: v[^]*encryption[^]*mounting[^]*vault folder/)
  const findings = JSON.parse(world.run(['doctor', '--json']).out) as { what: string }[]
  t.ok(findings.some(({ what }) => what === 'mounting'))
})

t.test('a state folder that cannot be used', async (t) => {
  const world = new World(t)
  world.create()
  const env = { COFFER_STATE_DIR: world.file('file', '') }
  // the vault opens all the same; only the copy of its config is missing
  const ls = world.run(['ls', world.vault], { env })
  t.equal(ls.code, 0)
  t.match(ls.err, /^warning: the folder .* cannot be used/)
  if (needs(t, 'linux', 'fuse'))
    says(t, world.run(['mount', world.vault, world.mountpoint], { env }), 28, /cannot be used/)
})

t.test('no passwords in the state folder, and nothing for others to read', async (t) => {
  const world = new World(t)
  world.create()
  for (const name of readdirSync(world.state, { recursive: true, encoding: 'utf8' })) {
    const path = join(world.state, name)
    const stats = statSync(path)
    t.equal(stats.mode & 0o077, 0, name)
    if (stats.isFile()) t.notOk(readFileSync(path).includes(PASSWORD))
  }
  chmodSync(world.state, 0o755)
  world.run(['ls', world.vault])
  t.equal(statSync(world.state).mode & 0o777, 0o700)
})
