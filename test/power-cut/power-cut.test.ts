// The power fails under a vault: in short here, at length in scripts/power-cut. And the proof is put to
// the proof: it has nothing against ext4 alone, and finds a drive out that only says it has synced.

import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { round, type RoundOptions, type RoundReport } from './round.js'

const NO_FSYNC = new URL('no-fsync.js', import.meta.url).href

t.setTimeout(280_000)

async function cutPower(t: Test, options: RoundOptions): Promise<RoundReport | null> {
  if (!needs(t, 'root', 'fuse', 'mkfs.ext4', 'loop')) return null
  const report = await round(options)
  const { flushes, promises, items, cuts } = report
  t.comment(`${cuts} cuts among ${flushes} flushes; ${promises} promises about ${items} things`)
  t.equal(report.cuts, options.cuts)
  t.ok(promises > 50, 'much was promised')
  return report
}

/** The first cuts that broke a promise, in the words of the judge. */
const complaints = ({ broken }: RoundReport): string[] =>
  broken
    .slice(0, 5)
    .flatMap(({ cut, how, violations }) =>
      violations.map(
        ({ wrong, path, deed, detail }) =>
          `cut ${cut.seed} (${cut.flushed} to ${cut.until}, ${how}): ${wrong} after ${deed}: ${path} ${detail}`,
      ),
    )

t.test('ext4 itself keeps what the ledger says was promised', async (t) => {
  const report = await cutPower(t, { seed: 'ext4', steps: 120, cuts: 50, plain: true })
  if (report === null) return
  t.same(complaints(report), [])
  t.equal(report.broken.length, 0)
})

t.test('a vault keeps it', async (t) => {
  const report = await cutPower(t, { seed: 'vault', steps: 120, cuts: 60, mounted: 1 })
  if (report === null) return
  t.same(complaints(report), [])
  t.equal(report.broken.length, 0)
})

t.test('a drive without fsync does not, and is found out', async (t) => {
  const report = await cutPower(t, {
    seed: 'vault',
    steps: 120,
    cuts: 20,
    environment: { NODE_OPTIONS: `--import=${NO_FSYNC}` },
  })
  if (report === null) return
  const wrong = new Set(report.broken.flatMap(({ violations }) => violations.map((v) => v.wrong)))
  t.ok(wrong.has('missing'), 'what should be on the disk is not')
})
