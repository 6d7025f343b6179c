// A cloud that has kept every state of a blob and puts new ones together from the pieces: this seal,
// that chunk. What the drive accepts must be one whole state that there was, the one that its newest
// seal speaks of.

import { readFileSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { needs } from '../needs.js'
import { C, RECORD } from './attacked.js'
import { TestVault } from './session.js'

if (!needs(t, 'linux')) process.exit(0)

interface State {
  blob: Buffer
  plain: Buffer
}

const writes = fc.array(
  fc.oneof(
    fc.record({
      what: fc.constant('write' as const),
      at: fc.integer({ min: 0, max: 3 * C + 10 }),
      size: fc.constantFrom(1, 100, C, C + 3),
    }),
    fc.record({
      what: fc.constant('truncate' as const),
      at: fc.constantFrom(0, 7, C - 1, C, 2 * C, 2 * C + 9, 4 * C + 1),
      size: fc.constant(0),
    }),
  ),
  { minLength: 2, maxLength: 10 },
)
/** Which state each piece comes from, mostly one and the same. */
const picks = fc.array(
  fc.record({
    base: fc.nat(),
    slots: fc.tuple(fc.nat(), fc.nat(), fc.nat(3)),
    chunks: fc.array(fc.tuple(fc.nat(4), fc.nat(), fc.boolean()), { maxLength: 3 }),
    length: fc.tuple(fc.nat(), fc.nat(2)),
  }),
  { minLength: 1, maxLength: 40, size: 'max' },
)

/** All but the seal slots. */
const sameBody = (a: Buffer, b: Buffer): boolean =>
  a.subarray(0, 128).equals(b.subarray(0, 128)) && a.subarray(1024).equals(b.subarray(1024))

t.test('pieces of all states', async (t) => {
  let accepted = 0
  let tried = 0
  const property = fc.property(writes, picks, (script, choices) => {
    const vault = new TestVault(12)
    try {
      const session = vault.open()
      const file = session.create('/f')
      let plain = Buffer.alloc(0)
      file.sync()
      const blobPath = vault.blob('/f')
      const states: State[] = [{ blob: readFileSync(blobPath), plain }]
      script.forEach(({ what, at, size }, i) => {
        if (what === 'write') {
          const bytes = Buffer.alloc(size, `state ${i} `)
          file.write(at, bytes)
          plain = Buffer.concat([plain, Buffer.alloc(Math.max(0, at + size - plain.length))])
          bytes.copy(plain, at)
        } else {
          file.truncate(at)
          plain = Buffer.concat([plain, Buffer.alloc(at)]).subarray(0, at)
        }
        file.sync()
        states.push({ blob: readFileSync(blobPath), plain: Buffer.from(plain) })
      })
      file.close()
      const from = (n: number): State => states[n % states.length]!
      for (const { base, slots, chunks, length } of choices) {
        const forged = Buffer.from(from(base).blob)
        if (slots[2] === 0) from(slots[0]).blob.copy(forged, 128, 128, 576)
        if (slots[2] <= 1) from(slots[1]).blob.copy(forged, 576, 576, 1024)
        let blob = forged
        for (const [index, state, erase] of chunks) {
          const [start, end] = [1024 + index * RECORD, 1024 + (index + 1) * RECORD]
          const piece = from(state).blob.subarray(start, end)
          const record = erase ? Buffer.alloc(piece.length) : piece
          blob = Buffer.concat([
            blob.subarray(0, start),
            record,
            blob.subarray(start + record.length),
          ])
        }
        if (length[1] === 0) blob = blob.subarray(0, from(length[0]).blob.length)
        writeFileSync(blobPath, blob)
        tried++
        let read: Buffer | null = null
        try {
          read = session.read('/f')
        } catch (error) {
          if ((error as Error).name !== 'CofferError') throw error
        }
        const seen = vault.judge().get('/f')
        if (read === null) {
          if (seen?.problem === null) throw new Error('the oracle accepts what the drive refuses')
          continue
        }
        accepted++
        if (seen?.problem !== null || !seen.content.equals(read))
          throw new Error(`the oracle does not agree: ${String(seen?.problem)}`)
        const whole = states.some((state) => state.plain.equals(read) && sameBody(state.blob, blob))
        if (!whole) throw new Error('what was accepted is no state that there ever was')
      }
      session.close()
    } finally {
      vault.remove()
    }
  })
  const details = fc.check(property, { numRuns: 60 })
  const reason = details.errorInstance instanceof Error ? details.errorInstance.message : ''
  t.equal(reason, '', `seed ${details.seed}: ${JSON.stringify(details.counterexample)}`)
  t.ok(accepted > tried / 20 && accepted < tried, `${accepted} of ${tried} were accepted`)
})
