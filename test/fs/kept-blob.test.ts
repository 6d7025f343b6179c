// Saves by a new file that takes the place of the old one, as most editors do: where the content is the
// same, the old blob stays as it was.

import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  constants,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openBacking } from '../../lib/store/backing.js'
import { needs } from '../needs.js'
import { codeOf, FaultBacking, soundBacking } from './fault-backing.js'
import { descriptorsBelow, TestVault, type Session } from './session.js'

if (!needs(t, 'linux')) process.exit(0)

const { O_RDONLY, O_RDWR } = constants
/** as on Linux, which alone has it */
const O_NOATIME = 0o1000000
const CHUNK = 32768
const EXCHANGE = 2
const LONG = 'long'.repeat(60)

interface Way {
  /** `write` puts the content into the new file before it takes the place of `path` */
  save: (session: Session, path: string, write: (path: string) => void) => void
  /** small files that a client has to send all the same: tickets */
  tickets: number
}

const WAYS: Record<string, Way> = {
  'renamed over it': {
    save: (session, path, write) => {
      write(`${path}.new`)
      session.rename(`${path}.new`, path)
    },
    tickets: 0,
  },
  'renamed over it from elsewhere': {
    save: (session, path, write) => {
      write('/elsewhere/new')
      session.rename('/elsewhere/new', path)
    },
    tickets: 0,
  },
  'the old one moved aside': {
    save: (session, path, write) => {
      session.rename(path, `${path}~`)
      write(path)
      session.unlink(`${path}~`)
    },
    tickets: 1,
  },
  exchanged: {
    save: (session, path, write) => {
      write(`${path}.new`)
      session.rename(`${path}.new`, path, EXCHANGE)
      session.unlink(`${path}.new`)
    },
    tickets: 1,
  },
}

function start(t: Test): { vault: TestVault; session: Session } {
  const vault = new TestVault()
  t.teardown(() => {
    vault.remove()
  })
  const session = vault.open({ holdInodes: true })
  session.mkdir('/elsewhere')
  return { vault, session }
}

const files = ({ folder }: TestVault): string[] =>
  readdirSync(join(folder, 'data'), { recursive: true, encoding: 'utf8' }).sort()

const setAttribute = (session: Session, path: string): void => {
  session.at(path, (nodeid) => {
    session.drive.setxattr(nodeid, 'user.colour', Buffer.from('red'), 0)
  })
}

t.test('the same content leaves the old blob in its place', (t) => {
  for (const [way, { save, tickets }] of Object.entries(WAYS)) {
    for (const name of ['f', LONG]) {
      for (const size of [1, CHUNK, 5 * CHUNK + 77]) {
        const { vault, session } = start(t)
        const path = `/${name}`
        const content = randomBytes(size)
        session.write(path, content)
        // sync clients have seen it
        vault.skew += 60_000
        const blob = vault.blob(path)
        const [before, ino, there] = [readFileSync(blob), statSync(blob).ino, files(vault)]
        const times = {
          mtime: { sec: 1_700_000_000, nsec: 5 },
          atime: { sec: 1_600_000_000, nsec: 6 },
        }
        let nodeid = 0
        save(session, path, (to) => {
          session.write(to, content)
          session.setattr(to, times)
          session.at(to, (id) => (nodeid = id))
        })
        const now = session.stat(path)
        const what = `${way}, ${String(size)} bytes, ${String(name.length)} letters`
        t.equal(vault.blob(path), blob, what)
        t.ok(readFileSync(blob).equals(before), 'not a byte is another')
        t.equal(statSync(blob).ino, ino, 'nor is the file')
        t.equal(files(vault).length, there.length + tickets, 'nothing is left beside it')
        t.equal(
          session.at(path, (id) => id),
          nodeid,
          'the inode is that of the new file',
        )
        t.same([now.ino, now.nlink, now.size], [ino, 1, size])
        t.same([now.mtimeSec, now.mtimeNsec], [1_700_000_000, 5], 'and so are its times')
        t.same([now.atimeSec, now.atimeNsec], [1_600_000_000, 6])
        t.same([...session.list('/').keys()].sort(), ['elsewhere', name].sort())
        t.ok(session.read(path).equals(content))
        // a further save, with other content, and one more
        const other = randomBytes(size + 3)
        save(session, path, (to) => {
          session.write(to, other)
        })
        t.ok(session.read(path).equals(other), 'other content takes its place')
        t.ok(vault.judge().get(path)?.content.equals(other), 'also for another program')
        save(session, path, (to) => {
          session.write(to, other)
        })
        t.ok(vault.judge().get(path)?.content.equals(other))
        session.close()
        t.ok(vault.open().read(path).equals(other), 'and for the next drive')
        t.equal(descriptorsBelow(vault.folder, readlinkSync), 1)
        vault.remove()
      }
    }
  }
  t.end()
})

t.test('what differs in anything takes its place', (t) => {
  const content = randomBytes(2 * CHUNK + 5)
  const changed = Buffer.from(content)
  changed[2 * CHUNK + 1]! ^= 1
  const holes = (session: Session, path: string): void => {
    const file = session.create(path)
    file.truncate(4 * CHUNK)
    file.write(3 * CHUNK, content.subarray(0, CHUNK))
    file.close()
  }
  const differences: Record<
    string,
    [old: (s: Session, path: string) => void, next: (s: Session, path: string) => void]
  > = {
    'a byte of the last chunk': [
      (s, path) => {
        s.write(path, content)
      },
      (s, path) => {
        s.write(path, changed)
      },
    ],
    'its mode': [
      (s, path) => {
        s.write(path, content, 0o644)
      },
      (s, path) => {
        s.write(path, content, 0o600)
      },
    ],
    'a mode that the seal has': [
      (s, path) => {
        s.write(path, content, 0o644)
        s.setattr(path, { mode: 0o4755 })
      },
      (s, path) => {
        s.write(path, content, 0o644)
        s.setattr(path, { mode: 0o4711 })
      },
    ],
    'attributes of the new one': [
      (s, path) => {
        s.write(path, content)
      },
      (s, path) => {
        s.write(path, content)
        setAttribute(s, path)
      },
    ],
    'attributes of the old one': [
      (s, path) => {
        s.write(path, content)
        setAttribute(s, path)
      },
      (s, path) => {
        s.write(path, content)
      },
    ],
    'zeros and a hole': [
      holes,
      (s, path) => {
        s.write(path, Buffer.concat([Buffer.alloc(3 * CHUNK), content.subarray(0, CHUNK)]))
      },
    ],
  }
  for (const [way, { save }] of Object.entries(WAYS)) {
    for (const [what, [old, next]] of Object.entries(differences)) {
      const { vault, session } = start(t)
      old(session, '/f')
      vault.skew += 60_000
      const { ino } = statSync(vault.blob('/f'))
      const look = (path: string) => ({
        ino: session.stat(path).ino,
        mode: session.stat(path).mode,
        content: session.read(path),
        attributes: session.at(path, (id) => session.drive.listxattr(id)),
      })
      let wanted = look('/f')
      save(session, '/f', (to) => {
        next(session, to)
        wanted = look(to)
      })
      t.not(session.stat('/f').ino, ino, `${way}: ${what}`)
      t.same(look('/f'), wanted)
      t.ok(vault.judge().get('/f')?.content.equals(wanted.content))
      vault.remove()
    }
  }
  t.end()
})

t.test('files that somebody uses, and those with more names', (t) => {
  const content = randomBytes(CHUNK + 9)
  for (const [way, { save }] of Object.entries(WAYS)) {
    const { vault, session } = start(t)
    session.write('/f', content)
    const open = session.open('/f', O_RDONLY)
    save(session, '/f', (to) => {
      session.write(to, content)
    })
    t.equal(session.statNode(open.nodeid).nlink, 0, `${way}: an open one stays what it was`)
    t.ok(open.read(0, content.length).equals(content))
    open.close()
    session.link('/f', '/g')
    const { ino } = session.stat('/g')
    save(session, '/f', (to) => {
      session.write(to, content)
    })
    t.equal(session.stat('/g').ino, ino, 'another name of the old one stays')
    t.not(session.stat('/f').ino, ino)
    t.same([session.stat('/f').nlink, session.stat('/g').nlink], [1, 1])
    session.unlink('/f')
    session.write('/f', '')
    const before = session.stat('/f').ino
    save(session, '/f', (to) => {
      session.write(to, '')
    })
    t.not(session.stat('/f').ino, before, 'of empty ones there is nothing to send')
    vault.remove()
  }
  t.end()
})

t.test('an old blob that cannot be read is replaced', (t) => {
  const content = randomBytes(3 * CHUNK)
  for (const [way, { save }] of Object.entries(WAYS)) {
    for (const at of [1024 + 100, 40, 500]) {
      const { vault, session } = start(t)
      session.write('/f', content)
      vault.skew += 60_000
      const bytes = readFileSync(vault.blob('/f'))
      bytes[at]! ^= 1
      writeFileSync(vault.blob('/f'), bytes)
      save(session, '/f', (to) => {
        session.write(to, content)
      })
      t.ok(session.read('/f').equals(content), way)
      t.ok(vault.judge().get('/f')?.content.equals(content))
      vault.remove()
    }
  }
  t.end()
})

t.test('a name of a file with several is lost, and no other', (t) => {
  const { vault, session } = start(t)
  session.write('/a', 'content')
  session.write('/other', 'other')
  session.link('/a', '/b')
  session.rename('/a', '/elsewhere/a')
  session.rename('/b', '/c')
  session.rename('/other', '/c')
  // the name that its other link has left in another folder
  session.link('/elsewhere/a', '/elsewhere/b')
  session.unlink('/elsewhere/a')
  t.same([...session.list('/elsewhere').keys()], ['b'])
  t.equal(session.read('/elsewhere/b').toString(), 'content')
  vault.remove()
  t.end()
})

t.test('it can be written on, moved and removed afterwards', (t) => {
  const content = randomBytes(CHUNK + 9)
  for (const [way, { save }] of Object.entries(WAYS)) {
    const { vault, session } = start(t)
    session.write('/f', content)
    save(session, '/f', (to) => {
      session.write(to, content)
    })
    const file = session.open('/f', O_RDWR)
    file.write(content.length, Buffer.from('more'))
    file.sync()
    file.close()
    const grown = Buffer.concat([content, Buffer.from('more')])
    session.rename('/f', '/elsewhere/g')
    t.ok(vault.judge().get('/elsewhere/g')?.content.equals(grown), way)
    save(session, '/elsewhere/g', (to) => {
      session.write(to, grown)
    })
    session.unlink('/elsewhere/g')
    session.write('/f', 'anew')
    t.same([...vault.judge().keys()].filter((path) => path !== '/').sort(), ['/elsewhere', '/f'])
    session.close()
    t.equal(vault.open().read('/f').toString(), 'anew')
    vault.remove()
  }
  t.end()
})

/** Saves up to the last step, which they give. */
const LAST: Record<string, (session: Session, content: Buffer) => () => void> = {
  'renamed over it': (session, content) => {
    session.write('/f.new', content)
    return () => {
      session.rename('/f.new', '/f')
    }
  },
  'renamed over it from elsewhere': (session, content) => {
    session.write('/elsewhere/new', content)
    return () => {
      session.rename('/elsewhere/new', '/f')
    }
  },
  'the old one moved aside': (session, content) => {
    session.rename('/f', '/f~')
    session.write('/f', content)
    return () => {
      session.unlink('/f~')
    }
  },
}

t.test('whatever fails, the file is there, and its name leads to it', (t) => {
  const content = randomBytes(2 * CHUNK)
  for (const [way, begin] of Object.entries(LAST)) {
    for (const code of ['EIO', 'ENOSPC'] as const) {
      for (let at = 1, reached = true; reached; at++) {
        const vault = new TestVault()
        const faulty = new FaultBacking({ kind: 'fails', code }, Infinity)
        const session = vault.open({ backing: faulty.backing, holdInodes: true })
        session.mkdir('/elsewhere')
        session.write('/f', content)
        vault.skew += 60_000
        const act = begin(session, content)
        // as a kernel knows the name, for as long as nobody tells it anything else
        const known = session.at('/f', (nodeid) => nodeid)
        faulty.next(at)
        let told = ''
        try {
          act()
        } catch (error) {
          told = codeOf(error)
        }
        reached = faulty.reached
        faulty.next(Infinity)
        const what = `${way}, ${code} of ${String(faulty.hit)}`
        if (code === 'ENOSPC') t.equal(told, '', `${what}: it needs no room`)
        t.ok(session.read('/f').equals(content), what)
        if (told !== '') {
          try {
            session.statNode(known)
          } catch (error) {
            t.equal(codeOf(error), 'ESTALE', `${what}: the kernel looks the name up again`)
          }
        }
        session.close()
        vault.remove()
      }
    }
  }
  t.end()
})

t.test('a synced file is there after a stop of the machine, whatever it was saved over', (t) => {
  const content = randomBytes(2 * CHUNK)
  for (const age of [0, 10_000]) {
    for (const seed of [0, 1]) {
      const vault = new TestVault()
      const faulty = new FaultBacking({ kind: 'forgets', seed }, Infinity)
      const journalFolder = mkdtempSync(join(vault.state, 'journal-'))
      const session = vault.open({ backing: faulty.backing, journalFolder, holdInodes: true })
      // no sync client has to send it again for that name, and nobody has synced what gives it
      session.write('/g', content)
      vault.skew += 3000
      session.rename('/g', '/f')
      vault.skew += age
      const file = session.create('/f.new')
      file.write(0, content)
      file.sync()
      file.close()
      session.rename('/f.new', '/f')
      faulty.next(1)
      t.throws(() => {
        session.close()
      })
      const next = vault.open({ backing: soundBacking(), journalFolder })
      t.ok(next.read('/f').equals(content), `${String(age)} ms, ${String(seed)}`)
      next.close()
      faulty.close()
      vault.remove()
    }
  }
  t.end()
})

t.test('what sync clients may have sent stays when the old one is removed', (t) => {
  const { vault, session } = start(t)
  session.write('/f', 'content')
  session.rename('/f', '/f~')
  session.write('/f', 'content')
  vault.skew += 60_000
  const before = readFileSync(vault.blob('/f'))
  session.unlink('/f~')
  t.ok(readFileSync(vault.blob('/f')).equals(before))
  vault.remove()
  t.end()
})

t.test('the kernel keeps its pages only where they are those of the file', (t) => {
  for (const others of [false, true]) {
    const { vault, session } = start(t)
    session.write('/f', 'content')
    session.write('/f.new', others ? 'CONTENT' : 'content')
    if (others) {
      const other = vault.open({ device: 0xe1 })
      const file = other.open('/f.new', O_RDWR)
      file.write(0, Buffer.from('content'))
      file.close()
      other.close()
    }
    const { ino } = session.stat('/f')
    session.rename('/f.new', '/f')
    t.equal(session.stat('/f').ino, ino)
    const { fh, keepCache } = session.at('/f', (nodeid) =>
      session.drive.open(nodeid, O_RDONLY | O_NOATIME),
    )
    t.equal(keepCache, !others)
    session.drive.release(fh)
    vault.remove()
  }
  t.end()
})

t.test('the mode is that of the new file, also where the old one has lost its own', (t) => {
  const { vault, session } = start(t)
  const other = vault.open({ device: 0xe1 })
  other.write('/f', 'content', 0o755)
  other.close()
  // as a client brings it that carries no modes
  chmodSync(vault.blob('/f'), 0o644)
  session.write('/f.new', 'content', 0o644)
  session.rename('/f.new', '/f')
  t.equal(session.stat('/f').mode & 0o7777, 0o644)
  vault.remove()
  t.end()
})

t.test('a name that has gone elsewhere leads the old inode nowhere', (t) => {
  const { vault, session } = start(t)
  session.write('/f', 'content')
  session.link('/f', '/g')
  const old = session.at('/f', (nodeid) => nodeid)
  unlinkSync(vault.blob('/g'))
  session.write('/f.new', 'content')
  session.rename('/f.new', '/f')
  session.rename('/f', '/g')
  t.throws(() => session.statNode(old))
  vault.remove()
  t.end()
})

t.test('what a client does while the two are compared stands', (t) => {
  const content = randomBytes(2 * CHUNK)
  for (const [way, begin] of Object.entries(LAST)) {
    const vault = new TestVault()
    const elsewhere = new TestVault()
    Object.assign(elsewhere.keys, vault.keys)
    const other = elsewhere.open({ device: 0xe1 })
    other.write('/f', 'of the other')
    const theirs = readFileSync(elsewhere.blob('/f'))
    const inner = openBacking()
    let meanwhile = (): void => undefined
    const backing = {
      ...inner,
      utimesFd: (...args: Parameters<typeof inner.utimesFd>) => {
        inner.utimesFd(...args)
        meanwhile()
      },
    }
    const session = vault.open({ backing, holdInodes: true })
    session.mkdir('/elsewhere')
    session.write('/f', content)
    vault.skew += 60_000
    const act = begin(session, content)
    const blob = vault.blob('/f')
    meanwhile = () => {
      meanwhile = () => undefined
      if (way !== 'the old one moved aside') unlinkSync(blob)
      else {
        writeFileSync(`${blob}.tmp`, theirs)
        renameSync(`${blob}.tmp`, blob)
      }
    }
    act()
    const wanted = way === 'the old one moved aside' ? 'of the other' : content
    t.ok(session.read('/f').equals(Buffer.from(wanted)), way)
    elsewhere.remove()
    vault.remove()
  }
  t.end()
})
