// One round of the proof: a workload on a drive whose vault lies on a disk that remembers, and the
// power cut at many places of what the disk has seen. After each cut ext4 recovers, the vault is
// opened as ever, and what it shows is held against the ledger.

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { Cut } from './disk.js'
import { emptyVerdict, EXT4, VAULT, judge, type Violation } from './judge.js'
import { Random } from './random.js'
import { Rig } from './rig.js'
import { PlainDisk, type Judge, type Look, type Subject, type Verdict } from './subject.js'
import { Vault } from './vault.js'
import { Workload } from './workload.js'

export interface RoundOptions {
  seed: string
  steps: number
  /** steps by name, in place of all */
  only?: string[]
  /** as many as there are at most: one at each flush, twenty between two */
  cuts: number
  /** of the cuts, those that are looked at through a mounted drive */
  mounted?: number
  /** of the cuts, the share in which the power fails again during the recovery */
  again?: number
  sizeMiB?: number
  /** the disk's own file system in place of a vault on it */
  plain?: boolean
  /** for the processes of the drive that the workload uses */
  environment?: Record<string, string>
  /** a folder for the images of cuts that break a promise */
  keep?: string
  progress?: (done: number, of: number) => void
}

export interface CutReport {
  cut: Cut
  how: 'opened' | 'mounted' | 'opened, cut in recovery'
  violations: Violation[]
}

export interface RoundReport {
  seed: string
  flushes: number
  logged: number
  possible: number
  /** things in the ledger, and fsyncs that it knows of */
  items: number
  promises: number
  cuts: number
  refusedUnpromised: number
  /** what the drive's log said, without its numbers, and how often */
  warnings: Record<string, number>
  seconds: number
  /** cuts that break a promise */
  broken: CutReport[]
}

const BETWEEN_FLUSHES = 20
const AGAIN = 0.15
/** one cut of so many is looked at in every respect */
const THOROUGH = 4
/** images that are kept of a round */
const KEPT_MAX = 5

export async function round(options: RoundOptions): Promise<RoundReport> {
  const started = performance.now()
  const {
    seed,
    steps,
    cuts,
    mounted = 0,
    again = AGAIN,
    sizeMiB = 64,
    plain = false,
    progress,
  } = options
  const random = new Random(seed)
  const rig = new Rig()
  const subject = plain ? new PlainDisk(rig) : new Vault(rig, options.environment)
  const clear = (): void => {
    rig.close()
  }
  process.once('exit', clear)
  try {
    await rig.start(sizeMiB)
    const work = new Workload(rig, subject, random, options.only)
    run(rig, subject, work, steps)
    const { ledger } = work
    const { keep } = options
    const all = possibleCuts(rig.flushes(), rig.position(), random, seed)
    const chosen = choose(all, cuts, random)
    const throughMounts = new Set(choose(chosen, mounted, random))
    const report: RoundReport = {
      seed,
      flushes: rig.flushes().length,
      logged: rig.position(),
      possible: all.length,
      items: ledger.items.length,
      promises: ledger.items.reduce((sum, { promises }) => sum + promises.length, 0),
      cuts: chosen.length,
      refusedUnpromised: 0,
      warnings: {},
      seconds: 0,
      broken: [],
    }
    progress?.(0, chosen.length)
    for (const [i, cut] of chosen.entries()) {
      rig.cut(cut)
      const how = throughMounts.has(cut) ? 'mounted' : 'opened'
      let cutAgain = false
      if (how === 'opened' && random.chance(again)) {
        // opening recovers; the power fails in the middle of that
        recover(rig, subject)
        rig.order({ order: 'again', seed: cut.seed })
        cutAgain = true
      }
      const image = keep === undefined ? null : join(keep, `${seed}-${String(i)}.img`)
      if (image !== null) rig.order({ order: 'save', file: image })
      const thorough = i % THOROUGH === 0
      const verdict = inspect(rig, subject, { mounted: how === 'mounted', thorough }, (found) =>
        judge(ledger, cut.until, found, plain ? EXT4 : VAULT),
      )
      report.refusedUnpromised += verdict.refusedUnpromised
      for (const warning of verdict.warnings) {
        const kind = warning.replace(/\d+/g, 'N')
        report.warnings[kind] = (report.warnings[kind] ?? 0) + 1
      }
      const isBroken = verdict.violations.length > 0
      if (image !== null && (!isBroken || report.broken.length >= KEPT_MAX)) rmSync(image)
      if (isBroken)
        report.broken.push({
          cut,
          how: cutAgain ? 'opened, cut in recovery' : how,
          violations: verdict.violations,
        })
      progress?.(i + 1, chosen.length)
      await setImmediate() // signals
    }
    report.seconds = (performance.now() - started) / 1000
    return report
  } finally {
    process.off('exit', clear)
    clear()
  }
}

/** From a vault with files at rest to an unmount, all of it in the log. */
function run(rig: Rig, subject: Subject, work: Workload, steps: number): void {
  rig.mount()
  subject.create()
  subject.mount()
  work.prepare()
  subject.unmount()
  rig.unmount()
  work.rest()
  rig.order({ order: 'begin' })
  rig.mount()
  subject.mount()
  for (let i = 0; i < steps; i++) work.step()
  work.finish()
  subject.unmount()
  work.ledger.syncedAll(rig.position())
  rig.unmount()
}

function possibleCuts(flushes: number[], end: number, random: Random, seed: string): Cut[] {
  const cuts: Cut[] = []
  const cut = (flushed: number, until: number): void => {
    cuts.push({ flushed, until, seed: `${seed}/${String(cuts.length)}` })
  }
  const starts = [0, ...flushes.map((at) => at + 1)]
  for (const [i, start] of starts.entries()) {
    cut(start, start)
    const next = flushes[i] ?? end
    if (next > start)
      for (let k = 0; k < BETWEEN_FLUSHES; k++) cut(start, random.between(start + 1, next + 1))
  }
  return cuts
}

/** So many of them, in their order. */
function choose<T>(things: readonly T[], count: number, random: Random): T[] {
  let wanted = Math.min(count, things.length)
  return things.filter((_, i) => {
    const taken = random.chance(wanted / (things.length - i))
    if (taken) wanted--
    return taken
  })
}

function recover(rig: Rig, subject: Subject): void {
  try {
    rig.mount()
    subject.recover()
  } catch {
    // the second look will tell
  }
  try {
    rig.unmount()
  } catch {
    // it could not be mounted
  }
}

function inspect(rig: Rig, subject: Subject, look: Look, judge: Judge): Verdict {
  const fatal = (wrong: Violation['wrong'], error: unknown): Verdict =>
    emptyVerdict({ wrong, path: '', deed: 'nothing', detail: String(error) })
  try {
    rig.mount()
  } catch (error) {
    return fatal('disk', error)
  }
  let verdict: Verdict
  try {
    verdict = subject.inspect(judge, look)
  } catch (error) {
    verdict = fatal('vault', error instanceof Error ? (error.stack ?? error) : error)
  } finally {
    rig.unmount()
  }
  const complaint = look.thorough ? rig.complaint() : null
  if (complaint !== null) verdict.violations.push(...fatal('disk', complaint).violations)
  const { violations, refusedUnpromised, behind, warnings } = verdict
  if (violations.length === 0 && refusedUnpromised === 0 && behind === 0)
    for (const warning of warnings) violations.push(...fatal('warning', warning).violations)
  return verdict
}
