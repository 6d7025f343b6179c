// The page of figures, docs/BENCHMARKS.md: each script writes between its own two marks.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must } from './drive.js'

const PAGE = join(import.meta.dirname, '../../docs/BENCHMARKS.md')

/** Puts `text` between the two marks, in place of what is there. */
export function putIntoPage(begin, end, text) {
  const page = readFileSync(PAGE, 'utf8')
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  must(from >= 0 && to > from, `${PAGE} has no place for the table`)
  writeFileSync(PAGE, `${page.slice(0, from)}${begin}\n\n${text}\n\n${page.slice(to)}`)
}
