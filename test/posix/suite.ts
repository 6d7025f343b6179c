// One behaviour suite for any folder: the plain disk first, so that what it asserts is known to be
// what a file system does, then a drive. A row is a sentence, what to do in a folder of its own, and
// what comes of it: the value it returns, or the code of the system's error.
//
// Where a drive may differ, its row says what it does instead. Nothing else may, but for the rows that a
// driver names because it cannot pass them; and those it must not pass.

import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Test } from 'tap'
import { needs, type Need } from '../needs.js'
import { Folder } from './folder.js'
import { rows as allocating } from './rows/allocating.js'
import { rows as attributes } from './rows/attributes.js'
import { rows as content } from './rows/content.js'
import { rows as directories } from './rows/directories.js'
import { rows as exchanging } from './rows/exchanging.js'
import { rows as hardLinks } from './rows/hard-links.js'
import { rows as links } from './rows/links.js'
import { rows as locks } from './rows/maps-and-locks.js'
import { rows as movingTimes } from './rows/moving-times.js'
import { rows as modes } from './rows/modes.js'
import { rows as names } from './rows/names.js'
import { rows as nodes } from './rows/nodes.js'
import { rows as opening } from './rows/opening.js'
import { rows as owners } from './rows/owners.js'
import { rows as permission } from './rows/permission.js'
import { rows as replacing } from './rows/replacing.js'
import { rows as renaming } from './rows/renaming.js'
import { rows as rights } from './rows/rights.js'
import { rows as sizes } from './rows/sizes.js'
import { rows as settingTimes } from './rows/setting-times.js'
import { rows as touching } from './rows/touching.js'
import { rows as unlinking } from './rows/unlinking.js'
import { rowName, type Row } from './row.js'
import { rows as attributesTable } from './table/attributes.js'
import { rows as bytesTable } from './table/bytes.js'
import { rows as locksTable } from './table/maps-and-locks.js'
import { rows as namesTable } from './table/names.js'
import { rows as openingTable } from './table/opening.js'
import { rows as pathsTable } from './table/paths.js'
import { rows as readOnlyTable } from './table/read-only.js'

export const behaviours: Record<string, readonly Row[]> = {
  opening,
  content,
  sizes,
  allocating,
  'maps and locks': locks,
  directories,
  names,
  links,
  'hard links': hardLinks,
  nodes,
  renaming,
  replacing,
  exchanging,
  unlinking,
  modes,
  owners,
  permission,
  rights,
  attributes,
  'setting times': settingTimes,
  'moving times': movingTimes,
  touching,
  'table, opening': openingTable,
  'table, bytes': bytesTable,
  'table, names': namesTable,
  'table, attributes': attributesTable,
  'table, maps and locks': locksTable,
  'table, paths': pathsTable,
  'table, read-only': readOnlyTable,
}

export type Place = 'disk' | 'drive'

/**
 * Runs every row below `root`, which is empty before and afterwards. `cannot` are the `rowName`s of those
 * that come to something else here.
 */
export function runSuite(
  t: Test,
  root: string,
  place: Place,
  cannot: ReadonlySet<string> = new Set(),
): void {
  for (const [topic, rows] of Object.entries(behaviours)) {
    const run = (t: Test, need?: Need): void => {
      for (const [number, row] of rows.entries()) {
        if (row[3]?.need !== need) continue
        const path = join(root, `${topic} ${String(number)}`)
        runRow(t, path, row, place, cannot.has(rowName(topic, row[0])))
      }
    }
    void t.test(topic, (t) => {
      run(t)
      t.end()
    })
    for (const need of new Set(rows.flatMap(([, , , { need } = {}]) => need ?? []))) {
      // of its own, so that it can be left out
      void t.test(`${topic}, ${need}`, (t) => {
        if (needs(t, need)) run(t, need)
        t.end()
      })
    }
  }
}

function runRow(t: Test, path: string, row: Row, place: Place, cannot: boolean): void {
  const [what] = row
  const { came, wanted } = playRow(path, row, place)
  if (cannot) t.notOk(isDeepStrictEqual(came, wanted), `named as impossible, and it is: ${what}`)
  else t.strictSame(came, wanted, what)
}

/** Makes the folder `path`, and removes it. */
export function playRow(
  path: string,
  [, act, expected, options]: Row,
  place: Place,
): { came: unknown; wanted: unknown } {
  mkdirSync(path)
  const folder = new Folder(path)
  const wanted =
    place === 'drive' && options !== undefined && 'onDrive' in options ? options.onDrive : expected
  try {
    return { came: outcome(folder, act), wanted }
  } finally {
    folder.closeAll()
    rmSync(path, { recursive: true, force: true })
  }
}

/** What a row comes to; an error that is not the system's is shown whole. */
function outcome(folder: Folder, act: Row[1]): unknown {
  try {
    return act(folder)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== undefined && /^E[A-Z0-9]+$/.test(code)) return code
    return error
  }
}
