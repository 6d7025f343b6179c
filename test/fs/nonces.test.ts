// Nonces, FORMAT.md §4: none comes twice, and a machine that was restored to an old state of its
// random generator still makes others.

import { randomFillSync } from 'node:crypto'
import t from 'tap'
import { Nonces, type Random } from '../../lib/fs/nonces.js'

/** A generator that says the same every time it is made. */
function replayed(): Random {
  let state = 1
  return (into) => {
    for (let i = 0; i < into.length; i++) {
      state = (state * 1103515245 + 12345) % 2 ** 31
      into[i] = state >>> 16
    }
  }
}

function draw(nonces: Nonces, count: number): string[] {
  const out = Buffer.alloc(26)
  return Array.from({ length: count }, () => {
    nonces.fill(out, 1)
    return out.toString('hex', 1, 25)
  })
}

t.test('no nonce comes twice', async (t) => {
  const all = draw(new Nonces((into) => void randomFillSync(into), Date.now), 50_000)
  t.equal(new Set(all).size, all.length)
  const halves = new Set(all.map((nonce) => nonce.slice(24)))
  t.equal(halves.size, all.length, 'nor its second half')
})

t.test('the same random state at another time', async (t) => {
  const at = (ms: number): string[] => draw(new Nonces(replayed(), () => ms), 500)
  const now = 1_700_000_000_000
  t.same(at(now), at(now), 'this test can fail')
  for (const later of [1, 2, 999, 1000, 86_400_000, -1, -86_400_000]) {
    const [before, after] = [at(now), at(now + later)]
    t.notOk(
      before.some((nonce) => after.includes(nonce)),
      `${later} ms later`,
    )
    t.ok(before.every((nonce, i) => nonce.slice(0, 32) === after[i]!.slice(0, 32)))
    t.ok(before.every((nonce, i) => nonce.slice(32) !== after[i]!.slice(32)))
  }
})

t.test('random bytes are not kept for more than a second', async (t) => {
  let now = 1000
  let asked = 0
  const nonces = new Nonces(
    (into) => {
      asked++
      randomFillSync(into)
    },
    () => now,
  )
  draw(nonces, 3)
  t.equal(asked, 1)
  now += 1000
  draw(nonces, 1)
  t.equal(asked, 1)
  now += 1
  draw(nonces, 1)
  t.equal(asked, 2)
  now -= 500
  draw(nonces, 1)
  t.equal(asked, 3, 'nor where the clock went back')
  draw(nonces, 1000)
  t.ok(asked > 5)
})

t.test('only its 24 bytes are touched', async (t) => {
  const out = new Uint8Array(40).fill(0xaa)
  new Nonces(
    (into) => void into.fill(0),
    () => 0,
  ).fill(out, 8)
  t.ok(out.subarray(0, 8).every((byte) => byte === 0xaa))
  t.ok(out.subarray(32).every((byte) => byte === 0xaa))
  t.ok(out.subarray(8, 24).every((byte) => byte === 0))
})
