// Extended attributes in the vault folder: what lies there is what the oracle expects, and what a
// cloud does to it is refused or not seen. FORMAT.md §7.

import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { errnoOf } from '../../lib/errors.js'
import { needs } from '../needs.js'
import { parseObject } from '../oracle/object.js'
import { readXattrs, rootBearer } from '../oracle/xattr.js'
import { getXattr, listXattr, removeXattr, setXattr } from '../posix/calls.js'
import { descriptorsBelow, TestVault, type Session } from './session.js'

if (!needs(t, 'linux')) process.exit(0)

const { EIO } = constants.errno

function newVault(t: Test): TestVault {
  const vault = new TestVault(12)
  t.teardown(() => {
    vault.remove()
  })
  return vault
}

const set = (session: Session, path: string, name: string, value: string, flags = 0): void => {
  session.at(path, (nodeid) => {
    session.drive.setxattr(nodeid, name, Buffer.from(value), flags)
  })
}
const get = (session: Session, path: string, name: string): string =>
  session.at(path, (nodeid) => Buffer.from(session.drive.getxattr(nodeid, name)).toString())
const list = (session: Session, path: string): string[] =>
  session.at(path, (nodeid) => session.drive.listxattr(nodeid).sort())
const remove = (session: Session, path: string, name: string): void => {
  session.at(path, (nodeid) => {
    session.drive.removexattr(nodeid, name)
  })
}

const metaOf = (directory: string): string =>
  join(
    directory,
    readdirSync(directory).find((name) => name.endsWith('.cfm'))!,
  )

/** What the oracle reads: of a file, of a directory, of the root (''). */
function judged(vault: TestVault, path: string): Record<string, string | undefined> {
  const blob = path === '' ? join(vault.folder, 'data') : vault.blob(path)
  const backing = new Map(
    listXattr(blob).map((name) => [name, Buffer.from(getXattr(blob, name), 'latin1')]),
  )
  const bearer = () => {
    if (path === '') return rootBearer(vault.keys)
    return vault.judge().get(path)?.type === 'directory'
      ? parseObject(vault.keys, readFileSync(metaOf(blob)), 3)
      : parseObject(vault.keys, readFileSync(blob), 1)
  }
  const found = readXattrs(vault.keys, bearer(), backing)
  return Object.fromEntries([...found].map(([name, value]) => [name, value?.toString()]))
}

/** The error that comes out of the drive must be EIO to an application. */
function refused(t: Test, act: () => unknown, what: string): void {
  try {
    act()
    t.fail(`${what}: not refused`)
  } catch (error) {
    t.equal(errnoOf(error), EIO, what)
  }
}

t.test('what is stored is what the format says', async (t) => {
  const vault = newVault(t)
  const long = `/${'ü'.repeat(100)}`
  const session = vault.open()
  session.mkdir('/d')
  session.write('/d/file', 'content')
  session.write(long, 'content')
  for (const path of ['/d/file', '/d', long, '']) {
    set(session, path, 'note', `secret of ${path}`)
    set(session, path, 'ü/日', '')
    t.same(judged(vault, path), { note: `secret of ${path}`, 'ü/日': '' }, path)
    set(session, path, 'ü/日', 'again')
    t.same(judged(vault, path), { note: `secret of ${path}`, 'ü/日': 'again' })
    remove(session, path, 'ü/日')
  }
  session.close()
  const again = vault.open()
  for (const path of ['/d/file', '/d', long, '']) {
    t.same(list(again, path), ['note'])
    t.equal(get(again, path, 'note'), `secret of ${path}`)
    const blob = path === '' ? join(vault.folder, 'data') : vault.blob(path)
    for (const name of listXattr(blob)) {
      t.notMatch(name + getXattr(blob, name), /note|secret/, 'nothing of it is readable')
    }
  }
  again.close()
  t.equal(descriptorsBelow(vault.folder, readlinkSync), 0)
})

t.test('flags, sizes and what bears none', async (t) => {
  const vault = newVault(t)
  const session = vault.open()
  session.write('/file', 'content')
  session.symlink('/link', 'file')
  session.mknod('/fifo', 0o010600)
  set(session, '/file', 'a', '1', 1)
  t.throws(
    () => {
      set(session, '/file', 'a', '2', 1)
    },
    { code: 'EEXIST' },
  )
  t.throws(
    () => {
      set(session, '/file', 'b', '2', 2)
    },
    { code: 'ENODATA' },
  )
  t.throws(
    () => {
      set(session, '/file', 'b', 'v'.repeat(65536 - 39))
    },
    { code: 'E2BIG' },
  )
  t.throws(
    () => {
      set(session, '/file', 'n'.repeat(144), '')
    },
    { code: 'ERANGE' },
  )
  t.throws(() => get(session, '/file', 'b'), { code: 'ENODATA' })
  for (const path of ['/link', '/fifo']) {
    t.throws(
      () => {
        set(session, path, 'a', '')
      },
      { code: 'EPERM' },
    )
    t.throws(
      () => {
        remove(session, path, 'a')
      },
      { code: 'EPERM' },
    )
    t.throws(() => get(session, path, 'a'), { code: 'ENODATA' })
    t.same(list(session, path), [])
  }
  session.close()
})

t.test('they go where the blob goes', async (t) => {
  const vault = newVault(t)
  const session = vault.open()
  const long = `/d/${'ü'.repeat(100)}`
  session.mkdir('/d')
  session.write('/a', 'content')
  set(session, '/a', 'note', 'of a')
  session.rename('/a', '/d/b')
  t.same(judged(vault, '/d/b'), { note: 'of a' }, 'renamed by its seal')
  vault.skew += 10_000
  session.rename('/d/b', long)
  t.same(judged(vault, long), { note: 'of a' }, 'renamed by a ticket')
  t.equal(get(session, long, 'note'), 'of a')
  set(session, long, 'more', '')
  session.write('/new', 'new content')
  set(session, '/new', 'own', 'its')
  session.rename('/new', long)
  t.same(judged(vault, long), { own: 'its' }, 'and not to what replaces it')
  set(session, '/d', 'note', 'of d')
  session.rename('/d', '/e')
  t.same(judged(vault, '/e'), { note: 'of d' })
  t.equal(get(session, '/e', 'note'), 'of d')

  const file = session.create('/open')
  session.drive.setxattr(file.nodeid, 'early', Buffer.from('1'), 0)
  file.write(0, Buffer.from('content'))
  session.drive.setxattr(file.nodeid, 'late', Buffer.from('2'), 0)
  t.same(session.drive.listxattr(file.nodeid).sort(), ['early', 'late'])
  file.close()
  t.same(judged(vault, '/open'), { early: '1', late: '2' }, 'set before it had a name')
  session.close()
})

t.test('tampering', async (t) => {
  const vault = newVault(t)
  const first = vault.open()
  for (const path of ['/a', '/b']) {
    first.write(path, `content of ${path}`)
    set(first, path, 'one', `1${path}`)
    set(first, path, 'two', `2${path}`)
  }
  first.mkdir('/d')
  first.mkdir('/e')
  set(first, '/d', 'one', 'of d')
  set(first, '/e', 'one', 'of e')
  set(first, '', 'one', 'of the root')
  first.close()
  vault.skew += 10_000
  const [a, b, d, e] = ['/a', '/b', '/d', '/e'].map((path) => vault.blob(path)) as [
    string,
    string,
    string,
    string,
  ]
  const data = join(vault.folder, 'data')
  const valueOf = (blob: string) =>
    new Map(listXattr(blob).map((name) => [name, getXattr(blob, name)]))
  const restored = (blob: string, before: Map<string, string>) => {
    for (const name of listXattr(blob)) removeXattr(blob, name)
    for (const [name, value] of before) setXattr(blob, name, value)
  }
  const flipped = (value: string, at: number) =>
    value.slice(0, at) + String.fromCharCode(value.charCodeAt(at) ^ 1) + value.slice(at + 1)

  for (const [path, blob] of [
    ['/a', a],
    ['/d', d],
    ['', data],
  ] as const) {
    t.test(path === '' ? 'the root' : path, async (t) => {
      const session = vault.open()
      const before = valueOf(blob)
      for (const [name, value] of before) {
        for (const at of [0, 23, 24, value.length - 1]) {
          setXattr(blob, name, flipped(value, at))
          t.ok(list(session, path).includes('one'), 'a list reads no value')
          refused(
            t,
            () => [get(session, path, 'one'), path === '/a' && get(session, path, 'two')],
            `byte ${at}`,
          )
        }
        for (const cut of [0, 1, 39, value.length - 1]) {
          setXattr(blob, name, value.slice(0, cut))
          refused(
            t,
            () => [get(session, path, 'one'), path === '/a' && get(session, path, 'two')],
            `${cut} bytes`,
          )
        }
        setXattr(blob, name, value)
      }
      setXattr(blob, [...before.keys()][0]!, 'x'.repeat(50))
      if (path === '/a') t.equal(session.read('/a').toString(), 'content of /a')
      set(session, path, 'one', 'set again', 2)
      t.equal(get(session, path, 'one'), 'set again', 'damage can be replaced')
      remove(session, path, 'one')
      restored(blob, before)
      t.match(get(session, path, 'one'), /^1|of/)
      t.match(session.log, [{ level: 'error', event: 'refused', code: 'XATTR_DAMAGED' }])
      session.close()
    })
  }

  t.test('values change places', async (t) => {
    const session = vault.open()
    const before = valueOf(a)
    const [[x, vx], [y, vy]] = [...before] as [[string, string], [string, string]]
    setXattr(a, x, vy)
    setXattr(a, y, vx)
    refused(t, () => get(session, '/a', 'one'), 'one')
    refused(t, () => get(session, '/a', 'two'), 'two')
    restored(a, before)
    session.close()
  })

  t.test('attributes of another file, directory or the root are not seen', async (t) => {
    const session = vault.open()
    const before = new Map([a, b, d, e, data].map((blob) => [blob, valueOf(blob)]))
    const others = [b, a, e, d, a]
    ;[a, b, d, e, data].forEach((blob, i) => {
      restored(blob, before.get(others[i]!)!)
    })
    for (const path of ['/a', '/b', '/d', '/e', '']) {
      t.same(list(session, path), [], path)
      t.throws(() => get(session, path, 'one'), { code: 'ENODATA' })
      t.same(judged(vault, path), {}, 'nor by the oracle')
    }
    for (const [blob, values] of before) restored(blob, values)
    session.close()
  })

  t.test('junk is not listed, and what is not ours is not touched', async (t) => {
    const session = vault.open()
    const before = valueOf(a)
    const [x] = before.keys()
    const junk = ['user.coffer.', 'user.coffer.note', `${x!}A`, `${x!}=`, 'user.com.example.sync']
    for (const name of junk) setXattr(a, name, 'junk')
    t.same(list(session, '/a'), ['one', 'two'])
    t.throws(() => get(session, '/a', 'com.example.sync'), { code: 'ENODATA' })
    set(session, '/a', 'com.example.sync', 'ours')
    session.rename('/a', '/moved')
    t.equal(getXattr(vault.blob('/moved'), 'user.com.example.sync'), 'junk')
    t.equal(get(session, '/moved', 'com.example.sync'), 'ours')
    session.rename('/moved', '/a')
    restored(a, before)
    session.close()
  })

  t.test('a blob or a meta that is misplaced, cut or gone', async (t) => {
    const session = vault.open()
    const aside = `${a}.aside`
    renameSync(a, aside)
    renameSync(b, a)
    refused(t, () => list(session, '/a'), 'another file: list')
    refused(t, () => get(session, '/a', 'one'), 'another file: get')
    refused(
      t,
      () => {
        set(session, '/a', 'one', 'x')
      },
      'another file: set',
    )
    renameSync(a, b)
    renameSync(aside, a)
    session.close()

    const later = vault.open()
    const bytes = readFileSync(a)
    writeFileSync(a, bytes.subarray(0, 500))
    refused(t, () => get(later, '/a', 'one'), 'cut')
    writeFileSync(a, bytes)
    t.equal(get(later, '/a', 'one'), '1/a')
    const meta = readFileSync(metaOf(d))
    writeFileSync(metaOf(d), readFileSync(metaOf(e)))
    refused(t, () => get(later, '/d', 'one'), 'the meta of another directory')
    writeFileSync(metaOf(d), meta)
    t.equal(get(later, '/d', 'one'), 'of d')
    later.close()
  })

  t.test('read-only, and by node:fs alone', async (t) => {
    const session = vault.open({ readOnly: true })
    t.equal(get(session, '/a', 'one'), '1/a')
    t.throws(
      () => {
        set(session, '/a', 'one', '')
      },
      { code: 'EROFS' },
    )
    t.throws(
      () => {
        remove(session, '/a', 'one')
      },
      { code: 'EROFS' },
    )
    session.close()
    const portable = vault.open({ portable: true })
    for (const path of ['/a', '/d', '']) {
      t.same(list(portable, path), [])
      t.throws(() => get(portable, path, 'one'), { code: 'ENODATA' })
    }
    portable.close()
  })
})

t.test('a directory with two metas has the attributes of the first', async (t) => {
  const vault = newVault(t)
  const session = vault.open()
  session.mkdir('/d')
  set(session, '/d', 'note', 'of the older')
  session.close()
  const blob = vault.blob('/d')
  const aside = join(vault.folder, 'aside')
  mkdirSync(aside)
  const older = join(aside, 'older')
  renameSync(blob, older)
  vault.skew += 5000
  const other = vault.open()
  other.mkdir('/d')
  set(other, '/d', 'note', 'of the newer')
  other.close()
  // what a sync client makes of the two: both metas, all attributes
  cpSync(metaOf(older), join(blob, metaOf(older).slice(older.length + 1)))
  for (const name of listXattr(older)) setXattr(blob, name, getXattr(older, name))
  rmSync(aside, { recursive: true })
  t.equal(listXattr(blob).length, 2)
  const both = vault.open()
  t.same(list(both, '/d'), ['note'])
  t.equal(get(both, '/d', 'note'), 'of the newer')
  both.close()
})
