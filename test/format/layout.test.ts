// Sizes, FORMAT.md §4: every plain size has one backing size, and the lengths that no file can have
// are never taken for an empty one.

import fc from 'fast-check'
import t from 'tap'
import { Layout } from '../../lib/format/layout.js'

for (const log2 of [12, 15, 20]) {
  const layout = new Layout(log2)
  const C = 2 ** log2

  t.test(`chunks of 2^${log2} bytes`, async (t) => {
    t.equal(layout.chunkSize, C)
    t.equal(layout.recordSize, C + 40)
    t.equal(layout.recordOffset(0), 1024)
    t.equal(layout.recordOffset(3), 1024 + 3 * (C + 40))
    t.equal(layout.backingSize(0), 1064, 'an empty file has one empty chunk')
    t.equal(layout.backingSize(1), 1065)
    t.equal(layout.backingSize(C - 1), 1024 + C + 39)
    t.equal(layout.backingSize(C), 1024 + C + 80, 'a full chunk is followed by an empty one')
    t.equal(layout.backingSize(C + 1), 1024 + C + 81)
    t.equal(layout.chunkLength(0, 0), 0)
    t.equal(layout.chunkLength(0, C), C)
    t.equal(layout.chunkLength(1, C), 0)
    t.equal(layout.chunkLength(1, C + 5), 5)
    t.equal(layout.chunkLength(7, C + 5), 0, 'nothing beyond the end')
    t.equal(layout.lastChunk(C - 1), 0)
    t.equal(layout.lastChunk(C), 1)
    t.equal(layout.chunkIndex(C - 1), 0)
    t.equal(layout.chunkIndex(C), 1)
    const largest = 2 ** 52 - 1
    t.equal(layout.plainSize(layout.backingSize(largest)), largest, 'exact up to 2^52')
  })

  t.test(`impossible lengths, 2^${log2}`, async (t) => {
    for (const length of [0, 1, 1023, 1024, 1063]) {
      t.equal(layout.plainSize(length), null, String(length))
      t.equal(layout.shownSize(length), 0)
    }
    // a file that was cut between two records, or inside the first bytes of one
    for (let rest = 0; rest < 40; rest++) {
      t.equal(layout.plainSize(1024 + 2 * (C + 40) + rest), null)
      t.equal(layout.shownSize(1024 + 2 * (C + 40) + rest), 2 * C + rest - 40)
    }
    t.equal(layout.plainSize(1024 + 2 * (C + 40) + 40), 2 * C)
  })
}

t.test('plain and backing sizes are each other’s inverse', async (t) => {
  const log2 = fc.integer({ min: 12, max: 20 })
  fc.assert(
    fc.property(log2, fc.maxSafeNat(), (log2, n) => {
      const layout = new Layout(log2)
      const size = n % 2 ** 52
      const backing = layout.backingSize(size)
      t.equal(layout.plainSize(backing), size)
      t.equal(layout.shownSize(backing), size)
      const last = layout.lastChunk(size)
      const tail = layout.chunkLength(last, size)
      t.ok(tail < layout.chunkSize, 'the last chunk is short')
      t.equal(layout.recordOffset(last) + tail + 40, backing, 'and ends the file')
    }),
    { numRuns: 300 },
  )
  fc.assert(
    fc.property(log2, fc.integer({ min: 0, max: 2 ** 30 }), (log2, backing) => {
      const layout = new Layout(log2)
      const size = layout.plainSize(backing)
      if (size !== null) t.equal(layout.backingSize(size), backing)
      else t.ok(layout.shownSize(backing) >= 0)
    }),
    { numRuns: 300 },
  )
})
