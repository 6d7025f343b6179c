// The behaviour suite over a drive whose vault lies on another engine, row by row, with what comes of it
// instead where it is not what a disk gives.

import { isDeepStrictEqual } from 'node:util'
import { join } from 'node:path'
import { rowName } from '../posix/row.js'
import { behaviours, playRow } from '../posix/suite.js'

/**
 * What a cloud has no notion of, or would have to store: owners, links, attributes, times to the
 * nanosecond, and holes of a hundred gigabytes.
 */
const NOT_COMMON = /^(allocating|hard links|exchanging|owners|attributes|(setting|moving) times)$/
const HUGE = /beyond|GiB|TiB|larger than|3000|4096/

export interface Differs {
  row: string
  came: string
  wanted: string
}

const tell = (value: unknown): string =>
  value instanceof Error
    ? value.message
    : value === undefined
      ? 'undefined'
      : JSON.stringify(value, (_, part: unknown) =>
          typeof part === 'bigint' ? String(part) : part,
        )

/** Below `root`, an empty folder of the drive. Rows that need something of the machine are left out. */
export function differences(
  root: string,
  words: readonly string[] = [],
): {
  rows: number
  differs: Differs[]
} {
  const differs: Differs[] = []
  let rows = 0
  for (const [topic, some] of Object.entries(behaviours)) {
    for (const [number, row] of some.entries()) {
      const name = rowName(topic, row[0])
      if (row[3]?.need !== undefined || NOT_COMMON.test(topic) || HUGE.test(name)) continue
      if (words.length > 0 && !words.some((word) => name.includes(word))) continue
      rows++
      try {
        const { came, wanted } = playRow(join(root, `${topic} ${number}`), row, 'drive')
        if (!isDeepStrictEqual(came, wanted))
          differs.push({ row: name, came: tell(came), wanted: tell(wanted) })
      } catch (error) {
        differs.push({ row: name, came: `its folder: ${tell(error)}`, wanted: '' })
      }
    }
  }
  return { rows, differs }
}
