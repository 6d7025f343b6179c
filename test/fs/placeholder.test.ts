// Signs of online-only files, as systems and clients give them, and what a drive makes of stubs.

import { spawn } from 'node:child_process'
import { constants, copyFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { Later } from '../../lib/fs/later.js'
import { readPlist } from '../../lib/store/binary-plist.js'
import { openBacking, type FileStat } from '../../lib/store/backing.js'
import {
  dosAttributes,
  isDatalessStat,
  isDatalessText,
  isMarked,
  isRecalled,
  stubbedBy,
} from '../../lib/store/placeholder.js'
import { needs } from '../needs.js'
import { TestVault } from './session.js'

const { O_RDWR, O_TRUNC } = constants
const base64 = (text: string): Buffer => Buffer.from(text, 'base64')

t.test('flags of macOS', async (t) => {
  // stat -f %Xf of a file in iCloud Drive that was removed from the Mac, of one that is there, of a system file
  t.same(['40000060', '0x40000020', '60', '0', '80000', '', 'dataless'].map(isDatalessText), [
    true,
    true,
    false,
    false,
    false,
    false,
    false,
  ])
  const stat = new Uint8Array(144)
  t.notOk(isDatalessStat(stat))
  new DataView(stat.buffer).setUint32(116, 0x40000060, true)
  t.ok(isDatalessStat(stat))
  t.notOk(isDatalessStat(stat.subarray(0, 116)))
})

t.test('attributes of Windows', async (t) => {
  // user.DOSATTRIB as Samba keeps it: versions 5, 4 and the hexadecimal one
  t.equal(dosAttributes(base64('AAAFAAUAAAARAAAAIAQAAJmcGa5UqtwB')), 0x420)
  t.equal(dosAttributes(base64('AAAEAAQAAABRAAAAIAAAAA==')), 0x20)
  t.equal(dosAttributes(Buffer.from('0x1022\0')), 0x1022)
  t.equal(dosAttributes(Buffer.from('0x')), 0)
  t.equal(dosAttributes(base64('AAAHAAUAAAARAAAAIAQAAJmcGa5UqtwB')), 0, 'a version to come')
  const of = (attributes: number): boolean => isRecalled(attributes)
  // OneDrive online-only, archived by HSM, recalled on open; an ordinary file, a pinned one
  t.same([0x501620, 0x1020, 0x40020, 0x20, 0x80020].map(of), [true, true, true, false, false])
})

t.test('marks that Linux shows', async (t) => {
  const stat = { size: 5000, blocks: 0 } as FileStat
  const values = new Map<string, Buffer>()
  const backing = {
    ...openBacking(),
    getXattrAt: (_: number, __: string, a: string) => values.get(a) ?? null,
  }
  const marked = (remote: boolean): boolean => isMarked(backing, 3, 'x', stat, remote)
  t.ok(marked(true), 'a size and no blocks, where files may be elsewhere')
  t.notOk(marked(false))
  values.set('system.ntfs_attrib_be', Buffer.from('00501620', 'hex'))
  t.ok(marked(false))
  values.set('system.ntfs_attrib_be', Buffer.from('00000020', 'hex'))
  t.notOk(marked(false))
  values.set('user.cifs.dosattrib', Buffer.from('20164000', 'hex'))
  t.ok(marked(false))
  stat.blocks = 8
  t.notOk(marked(true), 'it has blocks')
  stat.blocks = stat.size = 0
  t.notOk(marked(true), 'it is empty')
})

const ICLOUD_STUB =
  'YnBsaXN0MDDTAQIDBAUGXxAYTlNVUkxGaWxlUmVzb3VyY2VUeXBlS2V5XxAQTlNVUkxGaWxlU2l6ZUtleVxOU1VSTE5hbWVLZXlfEBxOU1VSTEZpbGVSZXNvdXJjZVR5cGVSZWd1bGFyEgABi0BdY1VtRnVaRzl0LmNmZggPKj1KaW4AAAAAAAABAQAAAAAAAAAHAAAAAAAAAAAAAAAAAAAAfA=='
// a name beyond ASCII, a size beyond 32 bits, and things that no stub has
const OTHER_PLIST =
  'YnBsaXN0MDDUAQIDBAUGBwhfEBBOU1VSTEZpbGVTaXplS2V5XE5TVVJMTmFtZUtleVFkUXgTAAAAASoF8gBpAEcAcgD8AN8AZQAuAHAAZABmQzEyM6IJChAB0QsMUXkjQAQAAAAAAAAIESQxMzU+UVVYWl1fAAAAAAAAAQEAAAAAAAAADQAAAAAAAAAAAAAAAAAAAGg='

t.test('binary property lists', async (t) => {
  t.same(Object.fromEntries(readPlist(base64(ICLOUD_STUB)) ?? []), {
    NSURLFileResourceTypeKey: 'NSURLFileResourceTypeRegular',
    NSURLFileSizeKey: 101184,
    NSURLNameKey: 'cUmFuZG9t.cff',
  })
  t.same(Object.fromEntries(readPlist(base64(OTHER_PLIST)) ?? []), {
    NSURLFileSizeKey: 5_000_000_000,
    NSURLNameKey: 'Grüße.pdf',
  })
  t.equal(readPlist(Buffer.from('<?xml version="1.0"?>'.padEnd(100))), null)
  const whole = base64(ICLOUD_STUB)
  for (let cut = 0; cut < whole.length; cut++) readPlist(whole.subarray(0, cut))
  let changed = 0
  for (let at = 0; at < whole.length; at++)
    for (const flip of [1, 0x80, 0xff]) {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] ?? 0) ^ flip
      if (readPlist(bytes)?.get('NSURLFileSizeKey') !== 101184) changed++
    }
  t.ok(changed > 0, 'whatever is in it, it is read or it is not')
})

t.test('names of stubs', async (t) => {
  t.equal(stubbedBy('.cABC.cff.icloud'), 'cABC.cff')
  t.equal(stubbedBy('cABC.cff.nextcloud'), 'cABC.cff')
  t.equal(stubbedBy('cABC.cff.owncloud'), 'cABC.cff')
  for (const name of ['cABC.cff', 'cABC.cff.icloud', '.icloud', '.nextcloud', ''])
    t.equal(stubbedBy(name), null, name)
})

const OLD = 'x'.repeat(100_000)

/** A vault with /d/online, a stub of which is all that is there, and /d/here. */
function evicted(
  t: Test,
  stub: (blob: string) => [string, Buffer],
): {
  vault: TestVault
  blob: string
  kept: string
  placed: string
} {
  const vault = new TestVault()
  t.teardown(() => {
    vault.remove()
  })
  const session = vault.open()
  session.mkdir('/d')
  session.write('/d/online', OLD)
  session.write('/d/here', 'here')
  session.close()
  const blob = vault.blob('/d/online')
  const kept = join(vault.state, 'kept')
  renameSync(blob, kept)
  const [name, content] = stub(basename(blob))
  const placed = join(dirname(blob), name)
  writeFileSync(placed, content)
  return { vault, blob, kept, placed }
}

const nextcloud = (blob: string): [string, Buffer] => [`${blob}.nextcloud`, Buffer.from(' ')]
const icloud = (blob: string): [string, Buffer] => [`.${blob}.icloud`, base64(ICLOUD_STUB)]

function laterOf(act: () => unknown): Later {
  try {
    act()
  } catch (error) {
    if (error instanceof Later) return error
    throw error
  }
  throw new Error('it did not wait')
}

t.test('a stub stands for its blob', async (t) => {
  if (!needs(t, 'linux')) return
  for (const stub of [nextcloud, icloud]) {
    const { vault, blob, kept, placed } = evicted(t, stub)
    const session = vault.open({ parks: true, holdInodes: true })
    t.same([...session.list('/d').keys()].sort(), ['here', 'online'])
    const { size, validMs } = session.stat('/d/online')
    if (stub === icloud)
      t.same([size, validMs > 0], [100_000, true], 'the stub says how large it is')
    else {
      t.same([size, validMs], [0, 0], 'nobody knows')
      session.stat('/d/online')
      t.equal(session.log.filter(({ event }) => event === 'online-only').length, 1)
    }
    t.equal(session.read('/d/here').toString(), 'here')
    const later = laterOf(() => session.read('/d/online'))
    t.equal(
      laterOf(() => {
        session.rename('/d/online', '/d/moved')
      }),
      later,
      'all wait for one job',
    )
    t.throws(
      () => {
        session.rmdir('/d')
      },
      { code: 'ENOTEMPTY' },
    )
    // the client brings it
    rmSync(placed)
    renameSync(kept, blob)
    later.now()
    t.equal(session.read('/d/online').toString(), OLD)
    session.rename('/d/online', '/d/moved')
    t.equal(session.read('/d/moved').toString(), OLD)
    t.same(
      session.log.filter(({ level }) => level !== 'info'),
      [],
    )
    session.close()
  }
})

t.test('a stub that came while the directory was known, and its removal', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, blob } = evicted(t, nextcloud)
  const session = vault.open({ parks: true })
  session.list('/d')
  const here = vault.blob('/d/here')
  renameSync(here, `${here}.nextcloud`)
  t.ok(session.exists('/d/here'))
  session.unlink('/d/here')
  t.notOk(session.exists('/d/here'))
  session.mkdir('/d/folder')
  const folder = vault.blob('/d/folder')
  rmSync(folder, { recursive: true })
  writeFileSync(`${folder}.nextcloud`, '')
  t.same([...session.list('/d').keys()], ['online'], 'no directory has one')
  rmSync(`${folder}.nextcloud`)
  session.unlink('/d/online')
  t.same(
    readdirSync(dirname(blob)).filter((name) => !name.startsWith('dir-')),
    [],
  )
  session.rmdir('/d')
  session.close()
})

t.test('the size of a stub is remembered, and is not that of a conflict copy', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault } = evicted(t, nextcloud)
  const session = vault.open({ parks: true })
  session.list('/d')
  session.write('/d/own', 'older, and longer')
  const own = vault.blob('/d/own')
  copyFileSync(own, own.replace('.cff', ' (1).cff'))
  const file = session.open('/d/own', O_RDWR | O_TRUNC)
  file.write(0, Buffer.from('newer'))
  file.close()
  t.equal(session.read('/d/own').toString(), 'newer')
  const copy = [...session.list('/d').keys()].find((name) => name.startsWith('own (')) ?? ''
  t.equal(session.read(`/d/${copy}`).toString(), 'older, and longer')
  renameSync(own, `${own}.nextcloud`)
  t.equal(session.stat('/d/own').size, 5)
  session.close()
})

t.test("a directory's own meta is waited for", async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, blob } = evicted(t, nextcloud)
  const data = dirname(blob)
  const meta = readdirSync(data).find((name) => name.startsWith('dir-')) ?? ''
  renameSync(join(data, meta), join(data, `${meta}.nextcloud`))
  const session = vault.open({ parks: true })
  const later = laterOf(() => session.list('/d'))
  renameSync(join(data, `${meta}.nextcloud`), join(data, meta))
  later.now()
  t.same([...session.list('/d').keys()].sort(), ['here', 'online'])
  session.close()
})

t.test('what a long name is known from without its sidecar is waited for', async (t) => {
  if (!needs(t, 'linux')) return
  const vault = new TestVault()
  t.teardown(() => {
    vault.remove()
  })
  const long = 'x'.repeat(200)
  let session = vault.open()
  session.write('/before', 'text')
  vault.skew += 10_000
  session.rename('/before', `/${long}`)
  session.close()
  const data = dirname(vault.blob(`/${long}`))
  const named = (end: string): string =>
    join(data, readdirSync(data).find((name) => name.endsWith(end)) ?? '')
  rmSync(named('.cfn'))
  const ticket = named('.cfr')
  renameSync(ticket, `${ticket}.nextcloud`)
  session = vault.open({ parks: true })
  const later = laterOf(() => session.list('/'))
  renameSync(`${ticket}.nextcloud`, ticket)
  later.now()
  t.same([...session.list('/').keys()], [long])
  session.close()
})

t.test('where nothing can be parked it is waited for on the spot', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, blob, kept } = evicted(t, nextcloud)
  const session = vault.open()
  t.equal(session.stat('/d/online').size, 0)
  // this thread waits, so another process has to be the client
  const client = spawn('sh', ['-c', 'sleep 0.5; mv "$0" "$1"', kept, blob])
  t.equal(session.read('/d/online').toString(), OLD)
  await new Promise((resolve) => client.once('close', resolve))
  session.close()
})

t.test('where nobody waits, a stub is refused at once', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, blob, kept } = evicted(t, nextcloud)
  const begun = performance.now()
  let session = vault.open({ waits: false, readOnly: true })
  t.same([...session.list('/d').keys()].sort(), ['here', 'online'])
  t.throws(() => session.read('/d/online'), {
    code: 'ONLINE_ONLY',
    message: 'it is not on this machine',
  })
  t.equal(session.read('/d/here').toString(), 'here')
  renameSync(kept, blob)
  t.equal(session.read('/d/online').toString(), OLD, 'it has come')
  session.close()
  const data = dirname(blob)
  const meta = join(data, readdirSync(data).find((name) => name.startsWith('dir-')) ?? '')
  renameSync(meta, `${meta}.nextcloud`)
  session = vault.open({ waits: false, readOnly: true })
  t.throws(() => session.list('/d'), { code: 'ONLINE_ONLY' }, 'that is no damage')
  session.close()
  t.ok(performance.now() - begun < 60_000)
})
