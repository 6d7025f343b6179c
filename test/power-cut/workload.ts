// What is done to a drive before the power fails: every way to change a file or a name that an fsync
// may follow, with and without it, in an order that a seed gives.

import type { Ledger } from './ledger.js'
import * as content from './content-steps.js'
import { commit, writeBack } from './disturbance.js'
import * as names from './name-steps.js'
import type { Random } from './random.js'
import type { Rig } from './rig.js'
import type { Subject } from './subject.js'
import { Work } from './work.js'

/** Steps, and how often they come. */
const STEPS: Record<string, [number, (work: Work) => unknown]> = {
  create: [12, content.create],
  overwrite: [14, content.overwrite],
  scatter: [6, content.scatter],
  append: [10, content.append],
  rewrite: [8, content.rewrite],
  resize: [8, content.resize],
  punch: [4, content.punch],
  attributes: [4, content.setAttributes],
  replace: [10, names.replace],
  mkdir: [6, names.folderWithFile],
  link: [6, names.link],
  rename: [12, names.rename],
  'rename-folder': [3, names.renameFolder],
  unlink: [5, names.unlink],
  rmdir: [2, names.rmdir],
  symlink: [3, names.symlink],
}
/** between any of them */
const OPEN = 0.06
const SYNC_FOLDER = 0.05
const WRITE_BACK = 0.12
const COMMIT = 0.08

export const STEP_NAMES = Object.keys(STEPS)

export class Workload {
  readonly #rig: Rig
  readonly #subject: Subject
  readonly #random: Random
  readonly #work: Work
  readonly #steps: [number, (work: Work) => unknown][]

  /** `only`: steps by name, in place of all. */
  constructor(rig: Rig, subject: Subject, random: Random, only: string[] = STEP_NAMES) {
    this.#rig = rig
    this.#subject = subject
    this.#random = random
    this.#work = new Work(rig, subject, random)
    this.#steps = only.map((name) => {
      const step = STEPS[name]
      if (step === undefined) throw new Error(`there is no step ${name}`)
      return step
    })
  }

  get ledger(): Ledger {
    return this.#work.ledger
  }

  /** Files that will be at rest when the log begins. */
  prepare(): void {
    const work = this.#work
    for (let i = 0; i < 4; i++) names.mkdir(work)
    for (let i = 0; i < 24; i++) content.create(work, 1)
    for (let i = 0; i < 3; i++) names.symlink(work)
    work.closeAll()
  }

  /** The drive was unmounted after `prepare`. */
  rest(): void {
    for (const item of this.ledger.items) item.deeds.length = 0
    this.ledger.syncedAll(0)
  }

  step(): void {
    const work = this.#work
    const random = this.#random
    const total = this.#steps.reduce((sum, [weight]) => sum + weight, 0)
    let at = random.between(0, total)
    this.#steps.find(([weight]) => (at -= weight) < 0)?.[1](work)
    if (random.chance(OPEN)) content.useOpen(work)
    if (random.chance(SYNC_FOLDER)) work.syncFolder(work.folder())
    if (random.chance(WRITE_BACK)) writeBack(this.#subject.onDisk, random)
    if (random.chance(COMMIT)) commit(this.#rig.disk)
  }

  finish(): void {
    this.#work.closeAll()
  }
}
