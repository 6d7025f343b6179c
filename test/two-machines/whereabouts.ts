// Where in the vault folder the content lies that no drive shows, and why none may: read by the oracle,
// without a look at places and names.

import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseObject, readContent } from '../oracle/object.js'
import { hex } from '../oracle/primitives.js'
import { unlock } from '../oracle/vault.js'

const LARGEST = 32 * 1024 * 1024
const SHORT = 8

const brief = (ids: readonly string[] = []): string =>
  ids.map((id) => id.slice(0, SHORT)).join() || 'without a meta'

/** A sentence by SHA-256 of the content. */
export function whereabouts(vault: string, password: string): Map<string, string> {
  const keys = unlock(vault, password)
  /** by directory below the vault folder, the ids that its metas name */
  const ids = new Map([['data', [hex(keys.rootDirId)]]])
  /** the directories that those metas say they lie in */
  const parents = new Map<string, string[]>()
  const found = new Map<string, string>()
  const paths = readdirSync(join(vault, 'data'), { recursive: true, encoding: 'utf8' })
    .map((path) => join('data', path))
    .filter((path) => lstatSync(join(vault, path)).isFile())
  const parse = (path: string, kind: number) => {
    try {
      const bytes = readFileSync(join(vault, path))
      return { bytes, object: parseObject(keys, bytes, kind) }
    } catch {
      return null
    }
  }
  for (const path of paths.filter((path) => path.endsWith('.cfm'))) {
    const meta = parse(path, 3)
    const folder = dirname(path)
    if (meta === null) continue
    const { acc, parentDirId } = meta.object.current
    ids.set(folder, [...(ids.get(folder) ?? []), hex(acc)])
    parents.set(folder, [...(parents.get(folder) ?? []), hex(parentDirId)])
  }
  /** The first directory on the way that its parent does not know. */
  const stranger = (path: string): string => {
    const steps = dirname(path).split('/')
    for (let depth = 2; depth <= steps.length; depth++) {
      const folder = steps.slice(0, depth).join('/')
      const known = ids.get(dirname(folder)) ?? []
      if (!(parents.get(folder) ?? []).some((id) => known.includes(id)))
        return `; but ${folder} is of ${brief(parents.get(folder))}, and the directory around it is ${brief(known)}`
    }
    return ''
  }
  const all = new Map([...ids].flatMap(([folder, some]) => some.map((id) => [id, folder])))
  for (const path of paths) {
    if (path.endsWith('.cfm') || lstatSync(join(vault, path)).size > LARGEST) continue
    const blob = parse(path, 1)
    if (blob === null) continue
    let hash
    try {
      hash = createHash('sha256')
        .update(readContent(keys, blob.object, blob.bytes))
        .digest('hex')
    } catch {
      continue
    }
    const { name, parentDirId } = blob.object.current
    const parent = hex(parentDirId)
    const here = ids.get(dirname(path)) ?? []
    const place = here.includes(parent)
      ? 'the directory it lies in'
      : `a directory that ${all.has(parent) ? `lies at ${all.get(parent) ?? ''}` : 'is nowhere'}`
    const metas = `here ${brief(here)}`
    found.set(
      hash,
      `${path}, sealed as ${name} of ${place} (${parent.slice(0, SHORT)}; ${metas})${stranger(path)}`,
    )
  }
  return found
}
