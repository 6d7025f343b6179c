// The command line of the scripts that play a week between two folders.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { atEnd, bytesOf, must, run } from './drive.js'
import { tally } from './progress.js'

const SHOWN = 12

/**
 * `over`, told the options, gives what plays a week: scratch folder, what to undo at the end, the week;
 * that gives rounds.
 */
export async function play(script, over, more = {}) {
  const { values: options } = parseArgs({
    options: {
      rounds: { type: 'string', default: '50' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      big: { type: 'string', default: '2G' },
      'big-every': { type: 'string', default: '10' },
      scratch: { type: 'string', default: tmpdir() },
      keep: { type: 'boolean', default: false },
      stop: { type: 'boolean', default: false },
      ...more,
      json: { type: 'string', default: '' },
    },
  })
  const [rounds, seed, bigEvery] = [options.rounds, options.seed, options['big-every']].map(Number)
  await run(async () => {
    must(process.getuid() === 0, 'only root can be two users')
    must(rounds > 0 && Number.isInteger(seed), '--rounds and --seed are whole numbers')
    const scratch = mkdtempSync(join(options.scratch, 'coffer-week-'))
    if (options.keep) console.log(`everything is in ${scratch}`)
    else atEnd(() => rmSync(scratch, { recursive: true, force: true }))
    console.log(`${rounds} rounds, seed ${seed}`)
    const all = []
    const violations = []
    let operations = 0
    const week = { rounds, seed, bigBytes: bytesOf(options.big), bigEvery }
    for await (const round of over(options)(scratch, atEnd, week)) {
      all.push(round)
      operations += round.operations
      tell(round)
      violations.push(
        ...round.violations.map((violation) => ({ round: round.number, ...violation })),
      )
      if (options.stop && violations.length > 0) break
    }
    if (options.json !== '') writeFileSync(options.json, `${JSON.stringify(all, null, 1)}\n`)
    for (const [kind, count] of Object.entries(tally(violations.map(({ kind }) => kind))))
      console.log(`${count} x ${kind}`)
    console.log(`${all.length} rounds, ${operations} operations, seed ${seed}`)
    must(violations.length === 0, `${violations.length} violations; ${script} --seed ${seed}`)
  })
}

const brief = (text) => text.replaceAll(/(very ){3,}/g, 'very … ')

function tell({
  number,
  operations,
  events,
  transferMs,
  shownMs,
  files,
  violations,
  healed,
  logged,
}) {
  const log = Object.entries(logged).map(([what, count]) => `${count} x ${what}`)
  console.log(
    `round ${number}: ${operations} operations, ${files} entries, together after ${(transferMs / 1000).toFixed(1)} s, ` +
      `shown ${(shownMs / 1000).toFixed(1)} s later, ${violations.length} violations` +
      (log.length > 0 ? ` (log: ${log.join(', ')})` : ''),
  )
  for (const event of events) console.log(`  ${event}`)
  for (const { kind, path, detail, history } of violations.slice(0, SHOWN)) {
    console.log(`  ${brief(`${kind}: ${path}: ${detail}`)}`)
    for (const line of history) console.log(`      ${brief(line)}`)
  }
  if (healed.length > 0)
    console.log(
      `  wrong until nobody had touched anything for ten minutes: ${brief(healed.map(({ kind, path }) => `${kind} ${path}`).join(', '))}`,
    )
  if (violations.length > SHOWN) console.log(`  and ${violations.length - SHOWN} more`)
}
