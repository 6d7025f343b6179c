// Single pages of a large file, which wait without their chunks until they are sealed.

import { randomBytes } from 'node:crypto'
import { closeSync, constants, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import t, { type Test } from 'tap'
import { Layout } from '../../lib/format/layout.js'
import { openBacking } from '../../lib/store/backing.js'
import { needs } from '../needs.js'
import { TestVault, type OpenFile } from './session.js'

const PAGE = 4096
const CHUNK_LOG2 = 14
const C = 2 ** CHUNK_LOG2
const YOUNG = 5001

/** A vault that takes every file above one chunk for large. */
function largeFile(t: Test, size: number): { vault: TestVault; content: Buffer } {
  const vault = new TestVault(CHUNK_LOG2, C)
  t.teardown(() => {
    vault.remove()
  })
  const content = randomBytes(size)
  const session = vault.open()
  session.write('/f', content)
  session.close()
  return { vault, content }
}

/** Writes a page, into the file and into what is expected of it. */
function writePage(file: OpenFile, content: Buffer, page: number): void {
  const bytes = randomBytes(PAGE)
  bytes.copy(content, page * PAGE)
  file.write(page * PAGE, bytes)
}

t.test('nothing is read or stored for a page before it is time', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, content } = largeFile(t, 10 * C + 5)
  const blob = vault.blob('/f')
  const before = readFileSync(blob)
  let reads = 0
  const inner = openBacking()
  const session = vault.open({
    backing: {
      ...inner,
      read: (...args) => {
        reads++
        return inner.read(...args)
      },
    },
  })
  const file = session.open('/f')
  reads = 0
  for (const page of [0, 9, 1, 38]) writePage(file, content, page)
  t.equal(reads, 0)
  t.ok(readFileSync(blob).equals(before))
  t.ok(file.read(0, content.length).equals(content), 'it is read as it was written')
  t.ok(file.read(PAGE + 7, 3 * C).equals(content.subarray(PAGE + 7, PAGE + 7 + 3 * C)))
  content.write('part of a page that waits', 9 * PAGE + 100)
  file.write(9 * PAGE + 100, Buffer.from('part of a page that waits'))
  writePage(file, content, 9)
  t.ok(file.read(0, content.length).equals(content))
  file.close()
  session.close()
  t.ok(vault.open().read('/f').equals(content))
})

t.test('more than goes into one entry of the journal', async (t) => {
  if (!needs(t, 'linux')) return
  for (const pages of [undefined, 300]) {
    const chunks = 600
    const { vault, content } = largeFile(t, chunks * C + 1)
    const session = vault.open(pages === undefined ? {} : { pages })
    const file = session.open('/f')
    for (let chunk = 0; chunk < chunks; chunk++) writePage(file, content, (chunk * C) / PAGE)
    // the seals of all entries are made before the times that were asked for
    if (pages === undefined) session.setattr('/f', { mtime: { sec: 1000, nsec: 0 } })
    file.sync()
    t.ok(file.read(0, content.length).equals(content))
    const { mtimeMs } = statSync(vault.blob('/f'))
    if (pages === undefined) t.equal(mtimeMs, 1_000_000)
    file.close()
    session.close()
    const again = vault.open()
    t.ok(again.read('/f').equals(content), `pages: ${String(pages)}`)
    again.close()
  }
})

t.test('by itself the drive seals a part at a time', async (t) => {
  if (!needs(t, 'linux')) return
  const chunks = 600
  const { vault, content } = largeFile(t, chunks * C + 1)
  const session = vault.open()
  const file = session.open('/f')
  for (let chunk = 0; chunk < chunks; chunk++) writePage(file, content, (chunk * C) / PAGE)
  vault.skew += YOUNG
  const waits = [session.drive.tend(), session.drive.tend(), session.drive.tend()]
  t.same(
    waits.map((ms) => ms < 100),
    [true, true, false],
  )
  t.ok(file.read(0, content.length).equals(content))
  t.ok(vault.open().read('/f').equals(content), 'all of it is in the vault')
  file.close()
  session.close()
})

t.test('a chunk that is damaged', async (t) => {
  if (!needs(t, 'linux')) return
  const { vault, content } = largeFile(t, 10 * C + 5)
  const layout = new Layout(CHUNK_LOG2)
  const session = vault.open()
  const file = session.open('/f')
  const damaged = Buffer.from(content)
  const fd = openSync(vault.blob('/f'), 'r+')
  writeSync(fd, randomBytes(10), 0, 10, layout.recordOffset(2) + 100)
  closeSync(fd)
  writePage(file, content, 1)
  writePage(file, damaged, (2 * C) / PAGE)
  writePage(file, content, (5 * C) / PAGE)
  t.throws(
    () => {
      file.sync()
    },
    { code: 'CHUNK_DAMAGED' },
    'it is told when the chunk is wanted',
  )
  file.sync()
  file.close()
  session.close()
  const again = vault.open()
  const other = again.open('/f', constants.O_RDONLY)
  t.ok(other.read(0, 2 * C).equals(content.subarray(0, 2 * C)), 'the others have been stored')
  t.ok(other.read(3 * C, 7 * C).equals(content.subarray(3 * C, 10 * C)))
  t.throws(() => other.read(2 * C, 10), { code: 'CHUNK_DAMAGED' })
  other.close()
  again.close()
})
