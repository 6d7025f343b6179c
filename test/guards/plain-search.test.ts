// The search for plaintext that the proofs rely on finds what it should: a planted block at an odd
// offset, across the edge of a piece too, and a planted name, in contents and in names of files.

import { randomFillSync } from 'node:crypto'
import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

interface Hit {
  path: string
  offset: number
  block?: string
  name?: string
}
const proof = (name: string): string =>
  new URL(`../../../scripts/proof/${name}`, import.meta.url).href
const { indexPlaintext } = (await import(proof('plaintext.js'))) as {
  indexPlaintext: (paths: string[], names: Buffer[]) => { leftOut: number; distinct: number }
}
const { search } = (await import(proof('search.js'))) as {
  search: (index: unknown, paths: string[]) => Promise<Hit[]>
}

const NAMES = ['a plain name.txt', 'twelve chars', 'short'].map((name) => Buffer.from(name))
const PIECE = 2 ** 26

function plaintext(folder: string): { path: string; bytes: Buffer } {
  const path = join(folder, 'plain')
  const bytes = randomFillSync(Buffer.alloc(64 * 1000 + 10))
  bytes.fill(7, 64 * 3, 64 * 6) // left out
  bytes.copyWithin(64 * 8, 64 * 9, 64 * 10) // the same twice
  writeFileSync(path, bytes)
  return { path, bytes }
}

t.test('what is not there is not found', async (t) => {
  const { path } = plaintext(t.testdir())
  const index = indexPlaintext([path], NAMES)
  t.equal(index.leftOut, 3)
  t.equal(index.distinct, 996)
  const vault = join(t.testdirName, 'vault')
  const bytes = randomFillSync(Buffer.alloc(300_001))
  bytes.fill(7, 1000, 2000)
  Buffer.from('short twelve char a plain name.tx').copy(bytes, 5000)
  writeFileSync(vault, bytes)
  t.same(await search(index, [vault]), [])
})

t.test('planted blocks and names are found', async (t) => {
  const { path, bytes: plain } = plaintext(t.testdir())
  const index = indexPlaintext([path], NAMES)
  const vault = join(t.testdirName, 'a plain name.txt.cff')
  const bytes = randomFillSync(Buffer.alloc(300_001))
  plain.copy(bytes, 0, 64 * 10, 64 * 11) // at the very start
  plain.copy(bytes, 77_777, 64 * 999, 64 * 1000) // the last whole block
  plain.copy(bytes, 300_001 - 64, 64 * 9, 64 * 10) // at the very end
  plain.copy(bytes, 100_000, 64 * 20 + 1, 64 * 21 + 1) // not at a multiple of 64
  Buffer.from('twelve chars').copy(bytes, 200_001)
  writeFileSync(vault, bytes)
  const hits = (await search(index, [vault])).sort((a, b) => a.offset - b.offset)
  const inContents = hits.filter(({ path }) => path === vault)
  t.same(
    inContents.map(({ offset, block, name }) => ({ offset, what: block ?? name })),
    [
      { offset: 0, what: `${path} at ${64 * 10}` },
      { offset: 77_777, what: `${path} at ${64 * 999}` },
      { offset: 200_001, what: 'twelve chars' },
      { offset: 300_001 - 64, what: `${path} at ${64 * 8}` },
    ],
  )
  const inNames = hits.filter(({ path }) => path !== vault)
  t.same(
    inNames.map(({ name }) => name),
    ['a plain name.txt'],
  )
})

t.test('across the edge of two pieces', async (t) => {
  const { path, bytes: plain } = plaintext(t.testdir())
  const index = indexPlaintext([path], NAMES)
  const vault = join(t.testdirName, 'vault')
  const fd = openSync(vault, 'w')
  ftruncateSync(fd, PIECE + 1000)
  writeSync(fd, plain, 64 * 30, 64, PIECE - 33)
  writeSync(fd, 'twelve chars', PIECE - 3 - 100)
  writeSync(fd, 'a plain name.txt', PIECE - 200)
  closeSync(fd)
  const hits = (await search(index, [vault])).sort((a, b) => a.offset - b.offset)
  t.match(hits, [
    { offset: PIECE - 200, name: 'a plain name.txt' },
    { offset: PIECE - 103, name: 'twelve chars' },
    { offset: PIECE - 33, block: `${path} at ${64 * 30}` },
  ])
  t.equal(hits.length, 3)
})
