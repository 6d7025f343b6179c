// Random scripts on twins until a number of operations is reached, or one fails: then it is made as
// short as it can be.

import fc from 'fast-check'
import { soakSteps, type SoakStep } from './steps.js'
import { Twins, type Mounted } from './twins.js'

export type { Mounted }

const SCRIPTS_AT_ONCE = 10

export interface Soaked {
  operations: number
  scripts: number
  /** null where everything was alike */
  failure: { reason: string; script: SoakStep[]; seed: number } | null
}

/** `drive` is mounted. `length` is that of the longest script. */
export function soak(
  drive: Mounted,
  folder: string,
  operations: number,
  seed: number,
  length: number,
  progress: (done: Soaked) => void = () => undefined,
): Soaked {
  const done: Soaked = { operations: 0, scripts: 0, failure: null }
  const property = fc.property(soakSteps(length), (script) => {
    const twins = new Twins(drive, folder, `s${String(++done.scripts)}`)
    try {
      twins.run(script)
      done.operations += script.length
    } finally {
      twins.remove()
    }
  })
  for (let batch = 0; done.operations < operations; batch++) {
    const details = fc.check(property, { numRuns: SCRIPTS_AT_ONCE, seed: seed + batch })
    if (details.counterexample !== null) {
      const { errorInstance, counterexample } = details
      const reason = errorInstance instanceof Error ? errorInstance.message : String(errorInstance)
      const [script] = counterexample
      done.failure = { reason, script, seed: seed + batch }
      return done
    }
    progress(done)
  }
  return done
}

/** One step a line, as it can be put into a test. */
export const readable = ({ reason, script, seed }: NonNullable<Soaked['failure']>): string =>
  [
    `${reason}; the shortest script that fails, of seed ${String(seed)}:`,
    ...script.map((step) => `  ${JSON.stringify(step)},`),
  ].join('\n')
