// Looks at a drive after a kill and says where it breaks its promises: what was closed or fsynced is
// there, what was being written is chunk by chunk old or new, nothing else has changed.

import { readdirSync, readFileSync, unlinkSync } from 'node:fs'
import type { Buffer } from 'node:buffer'
import { join } from 'node:path'
import type { Expected, ExpectedFile } from './expected.js'

export interface Violation {
  /** of a file: what it was (rest, closed, writing) and what is wrong with it */
  kind: string
  detail: string
  path?: string
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error)

/** Afterwards `expected` is what was found; a file that is not what it must be is removed. */
export function judge(folder: string, expected: Expected): Violation[] {
  const violations: Violation[] = []
  const there = new Set<string>()
  list(folder, '', expected, there, violations)
  settleMove(folder, expected, there)
  for (const file of [...expected.files.values()]) {
    const found = there.delete(file.path)
    const problem = found ? look(folder, file) : file.maybe ? null : 'missing: it is not there'
    if (typeof problem === 'string') {
      const [kind = '', ...detail] = problem.split(': ')
      violations.push({ kind: `${file.state} ${kind}`, detail: detail.join(': '), path: file.path })
      expected.files.delete(file.id)
      if (found) violations.push(...removed(folder, file.path))
    } else if (problem === null) expected.files.delete(file.id)
    else expected.found(file, problem)
  }
  for (const path of there) {
    violations.push({ kind: 'extra', detail: 'nobody made it, or it was removed', path })
    violations.push(...removed(folder, path))
  }
  return violations
}

/** Files go to `there`; directories are judged at once. */
function list(
  folder: string,
  path: string,
  expected: Expected,
  there: Set<string>,
  violations: Violation[],
): void {
  const found = new Set<string>()
  try {
    for (const entry of readdirSync(join(folder, path), { withFileTypes: true })) {
      const name = join(path, entry.name)
      if (!entry.isDirectory()) there.add(name)
      else {
        found.add(name)
        list(folder, name, expected, there, violations)
      }
    }
  } catch (error) {
    violations.push({ kind: 'directory refused', detail: codeOf(error), path })
  }
  if (path !== '') return
  for (const [name, must] of expected.directories) {
    if (must && !found.has(name))
      violations.push({ kind: 'directory missing', detail: '', path: name })
  }
  for (const name of found) {
    if (!expected.directories.has(name))
      violations.push({ kind: 'directory extra', detail: '', path: name })
  }
  expected.directories.clear()
  for (const name of found) expected.directories.set(name, true)
}

/** Of a rename that was cut short: which of the two names the file has. */
function settleMove(folder: string, expected: Expected, there: ReadonlySet<string>): void {
  const { moving } = expected
  expected.moving = null
  if (moving === null) return
  const { file, from, replaced } = moving
  // a new file had no name yet; then what it was to replace is still what it was
  const lost = !there.has(from) && file.maybe && typeof look(folder, file) === 'string'
  if (!there.has(from) && !lost) return
  if (replaced !== null) expected.files.set(replaced.id, replaced)
  if (lost) expected.files.delete(file.id)
  else file.path = from
}

/** The content, or what is wrong with it. */
function look(folder: string, { path, versions }: ExpectedFile): Buffer | string {
  try {
    const content = readFileSync(join(folder, path))
    const problem = versions.judge(content, true)
    return problem === null ? content : `${problem.kind}: ${problem.detail}`
  } catch (error) {
    return `refused: ${codeOf(error)}`
  }
}

function removed(folder: string, path: string): Violation[] {
  try {
    unlinkSync(join(folder, path))
    return []
  } catch (error) {
    return [{ kind: 'cannot be removed', detail: codeOf(error), path }]
  }
}
