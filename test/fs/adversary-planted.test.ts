// A cloud that plants things: links in place of files and directories, pipes, directories, files that
// are not ours. Nothing is followed, nothing blocks, and what is damaged can be moved and removed.
// FORMAT.md §5, check 1.

import { spawnSync } from 'node:child_process'
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { needs } from '../needs.js'
import { attack, AttackedVault, C, LONG, RECORD } from './attacked.js'

if (!needs(t, 'linux')) process.exit(0)

const metaOf = (directory: string): string =>
  join(
    directory,
    readdirSync(directory).find((name) => name.endsWith('.cfm'))!,
  )

const mkfifo = (path: string): void => {
  if (spawnSync('mkfifo', [path]).status !== 0) throw new Error('mkfifo failed')
}

/** Puts something of another type in place of what lies at `path`. */
const kinds: Record<string, (path: string, elsewhere: string) => void> = {
  'a link to another blob': (path, elsewhere) => {
    symlinkSync(elsewhere, path)
  },
  'a link out of the vault': (path) => {
    symlinkSync('/etc/hostname', path)
  },
  'a link to a directory': (path) => {
    symlinkSync('/etc', path)
  },
  'a link to itself': (path) => {
    symlinkSync(path, path)
  },
  'a link to where the file itself has gone': (path) => {
    renameSync(`${path}.aside`, `${path.slice(0, -4)}.away`)
    symlinkSync(`${path.slice(0, -4)}.away`, path)
  },
  'a pipe': (path) => {
    mkfifo(path)
  },
  'a directory': (path) => {
    mkdirSync(path)
  },
}

function plant(path: string, kind: string, elsewhere = '/etc/passwd'): void {
  renameSync(path, `${path}.aside`)
  kinds[kind]!(path, elsewhere)
  rmSync(`${path}.aside`, { recursive: true, force: true })
}

for (const kind of Object.keys(kinds)) {
  t.test(kind, async (t) => {
    attack(t, 'in place of a file', (vault) => {
      plant(vault.blob('/a'), kind, vault.blob('/b'))
      return { gone: ['/a'] }
    })
    attack(t, 'in place of a link', (vault) => {
      plant(vault.blob('/link'), kind, vault.blob('/link2'))
      return { gone: ['/link'] }
    })
    if (kind !== 'a directory') {
      attack(t, 'in place of a directory', (vault) => {
        plant(vault.blob('/d'), kind, vault.blob('/e'))
        return { gone: ['/d'] }
      })
    }
    attack(t, 'in place of a directory in between', (vault) => {
      plant(vault.blob('/e'), kind === 'a directory' ? 'a pipe' : kind, vault.blob('/d'))
      return { gone: ['/e'] }
    })
    attack(t, 'in place of a meta', (vault) => {
      plant(metaOf(vault.blob('/d')), kind, metaOf(vault.blob('/e')))
      return { refused: ['/d'] }
    })
    attack(t, 'in place of a sidecar', (vault, t) => {
      const sidecar = vault.beside(`/${LONG}`, '.cfn')
      plant(sidecar, kind)
      const session = vault.open()
      t.ok(session.list('').has(LONG), 'the name is known from the seal')
      session.close()
      return {}
    })
    attack(t, 'in place of a ticket that is needed', (vault) => {
      const session = vault.open()
      session.rename('/a', '/r')
      session.close()
      vault.truth.set('/r', vault.truth.get('/a')!)
      vault.truth.delete('/a')
      const data = vault.backing('')
      plant(
        join(
          data,
          readdirSync(data).find((name) => name.endsWith('.cfr'))!,
        ),
        kind,
      )
      return { refused: ['/r'] }
    })
    attack(t, 'as a ticket that nobody needs', (vault) => {
      const id = vault.bytes('/b').toString('hex', 16, 24)
      const ticket = `${vault.beside('/b', '')}-${id}.cfr`
      writeFileSync(ticket, '')
      plant(ticket, kind)
      return {}
    })
    t.test('under a drive that knows what was there', async (t) => {
      const vault = new AttackedVault(t)
      const session = vault.open({ holdInodes: true })
      for (const [path] of vault.truth) vault.outcome(session, path)
      const directory = kind === 'a directory' ? 'a pipe' : kind
      plant(vault.blob('/a'), kind, vault.blob('/b'))
      plant(vault.blob('/e'), directory, vault.blob('/d'))
      for (const path of ['/a', '/e/a', '/e/sub/deep', '/e/sub'])
        t.type(vault.outcome(session, path), 'number', path)
      t.same(vault.outcome(session, '/b'), vault.truth.get('/b'))
      for (const path of ['/a', '/e/new', '/e/sub/new']) {
        try {
          session.write(path, 'new')
        } catch (error) {
          t.match(error, { name: 'CofferError' }, path)
        }
      }
      session.close()
    })
  })
}

t.test('the data directory is made a link', async (t) => {
  const vault = new AttackedVault(t)
  const session = vault.open()
  const data = join(vault.folder, 'data')
  renameSync(data, join(vault.folder, 'elsewhere'))
  symlinkSync('elsewhere', data)
  vault.skew += 100
  t.throws(() => session.read('/a'), { code: 'VAULT_GONE' })
  t.throws(
    () => {
      session.write('/new', 'new')
    },
    { code: 'VAULT_GONE' },
  )
  t.throws(() => vault.open(), { name: 'CofferError' })
  rmSync(data)
  renameSync(join(vault.folder, 'elsewhere'), data)
  vault.skew += 100
  t.same(session.read('/a'), vault.truth.get('/a'), 'and it goes on when it is back')
  session.close()
})

t.test('files that are not ours', async (t) => {
  const vault = new AttackedVault(t)
  const directories = ['', '/d', '/e/sub', '/void'].map((path) => vault.backing(path))
  const names = ['.DS_Store', 'desktop.ini', 'Icon\r', '~$x.tmp', 'c.cff', `c${'A'.repeat(43)}.cff`]
  const all = [
    ...names,
    `l${'A'.repeat(43)}.cff`,
    `l${'A'.repeat(43)}.cfn`,
    'dir-x.cfm',
    '\ud83d\ude00',
  ]
  for (const directory of directories) {
    for (const name of all) writeFileSync(join(directory, name), 'theirs')
    mkdirSync(join(directory, 'theirs'))
    symlinkSync('/etc', join(directory, 'link'))
  }
  vault.verdict(t, {})
  const session = vault.open()
  t.same([...session.list('/void').keys()], [], 'they are not shown')
  t.throws(
    () => {
      session.rmdir('/void')
    },
    { code: 'ENOTEMPTY' },
  )
  t.ok(session.log.some(({ event }) => event === 'foreign-file'))
  session.unlink('/d/a')
  session.unlink('/d/x')
  session.close()
  for (const directory of directories)
    for (const name of all) t.equal(readFileSync(join(directory, name), 'utf8'), 'theirs')
})

t.test('damaged blobs can be listed, moved and removed', async (t) => {
  const damage: Record<string, (blob: Buffer) => Buffer> = {
    'of no bytes': () => Buffer.alloc(0),
    'shorter than a header': (blob) => blob.subarray(0, 700),
    'of a header alone': (blob) => blob.subarray(0, 1024),
    'cut at a chunk': (blob) => blob.subarray(0, 1024 + RECORD),
    'of zeros': (blob) => Buffer.alloc(blob.length),
    'of noise': (blob) => Buffer.alloc(blob.length, 0xa5),
    'with a bad seal': (blob) =>
      Buffer.concat([blob.subarray(0, 128), Buffer.alloc(896), blob.subarray(1024)]),
    'with a bad chunk': (blob) =>
      Buffer.concat([blob.subarray(0, 1100), Buffer.alloc(1), blob.subarray(1101)]),
    'of another file': () => Buffer.alloc(0),
  }
  for (const [name, change] of Object.entries(damage)) {
    for (const recent of [false, true]) {
      t.test(`${name}${recent ? ', just closed' : ''}`, async (t) => {
        const vault = new AttackedVault(t)
        const session = vault.open()
        const content = Buffer.alloc(2 * C + 5, 'v')
        for (const path of ['/d/v', '/d/w']) session.write(path, content)
        if (!recent) vault.skew += 10_000
        const good = vault.bytes('/d/v')
        for (const path of ['/d/v', '/d/w'])
          vault.put(path, name === 'of another file' ? vault.bytes('/a') : change(good))
        t.ok(session.list('/d').has('v'))
        t.equal(session.type('/d/v'), 'file')
        t.throws(() => session.read('/d/v'), { name: 'CofferError' })
        session.rename('/d/v', '/e/v2')
        t.notOk(session.exists('/d/v'))
        t.throws(() => session.read('/e/v2'), { name: 'CofferError' })
        session.rename('/e/v2', '/d/v')
        // the true blob arrives at last
        vault.put('/d/v', good)
        t.same(session.read('/d/v'), content, 'and is read where it was sealed')
        session.unlink('/d/w')
        session.unlink('/d/v')
        session.unlink('/d/a')
        session.unlink('/d/x')
        session.rmdir('/d')
        t.notOk(session.exists('/d'))
        session.close()
      })
    }
  }
})

t.test('links are never followed when something is written', async (t) => {
  const vault = new AttackedVault(t)
  const outside = t.testdir({ victim: 'untouched', dir: {} })
  const a = vault.blob('/a')
  const d = vault.blob('/d')
  rmSync(a)
  symlinkSync(join(outside, 'victim'), a)
  renameSync(d, join(outside, 'dir', 'd'))
  symlinkSync(join(outside, 'dir', 'd'), d)
  const listing = readdirSync(join(outside, 'dir', 'd'))
  const session = vault.open()
  const tries = [
    () => {
      session.write('/a', 'x')
    },
    () => {
      session.setattr('/a', { size: 0 })
    },
    () => {
      session.setattr('/a', { mode: 0o777 })
    },
    () => {
      session.rename('/b', '/a')
    },
    () => {
      session.unlink('/a')
    },
    () => {
      session.write('/d/new', 'x')
    },
    () => {
      session.unlink('/d/a')
    },
    () => {
      session.mkdir('/d')
    },
    () => {
      session.rmdir('/d')
    },
  ]
  for (const attempt of tries) {
    try {
      attempt()
    } catch (error) {
      t.match(error, { name: 'CofferError' })
    }
  }
  session.close()
  t.equal(readFileSync(join(outside, 'victim'), 'utf8'), 'untouched')
  t.same(readdirSync(join(outside, 'dir', 'd')), listing)
  t.equal(dirname(d), dirname(a))
  t.ok(lstatSync(join(outside, 'victim')).isFile())
})
