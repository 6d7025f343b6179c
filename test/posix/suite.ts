// One behaviour suite for any folder: the plain disk first, so that what it asserts is known to be
// what a file system does, then a drive. A row is a sentence, what to do in a folder of its own, and
// what comes of it: the value it returns, or the code of the system's error.
//
// Where a drive may differ, its row says what it does instead. Nothing else may.

import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
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
import type { Row } from './row.js'
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

/** Runs every row below `root`, which is empty before and afterwards. */
export function runSuite(t: Test, root: string, place: Place): void {
  for (const [topic, rows] of Object.entries(behaviours)) {
    const need = [...new Set(rows.flatMap(([, , , { need } = {}]) => need ?? []))]
    void t.test(topic, (t) => {
      for (const [number, row] of rows.entries()) {
        if (row[3]?.need === undefined)
          runRow(t, join(root, `${topic} ${String(number)}`), row, place)
      }
      t.end()
    })
    for (const thing of need) runNeedy(t, root, topic, rows, thing, place)
  }
}

/** Rows that need something of the machine, in a test of their own that can be left out. */
function runNeedy(
  t: Test,
  root: string,
  topic: string,
  rows: readonly Row[],
  thing: Need,
  place: Place,
): void {
  void t.test(`${topic}, ${thing}`, (t) => {
    if (needs(t, thing)) {
      for (const [number, row] of rows.entries()) {
        if (row[3]?.need === thing) runRow(t, join(root, `${topic} ${String(number)}`), row, place)
      }
    }
    t.end()
  })
}

function runRow(t: Test, path: string, [what, act, expected, options]: Row, place: Place): void {
  mkdirSync(path)
  const folder = new Folder(path)
  const wanted =
    place === 'drive' && options !== undefined && 'onDrive' in options ? options.onDrive : expected
  try {
    t.strictSame(outcome(folder, act), wanted, what)
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
