// All that a vault shows after a cut: every path from the root, read to its end.

import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { Buffer } from 'node:buffer'
import { CofferError } from '../../lib/errors.js'
import type { Session } from '../fs/session.js'
import type { Found } from './judge.js'

interface Reader {
  /** Names in a folder; "" is the root. */
  list(path: string): string[]
  kind(path: string): 'directory' | 'file' | 'symlink' | 'special'
  read(path: string): Buffer
  readlink(path: string): Buffer
}

export const throughDrive = (session: Session): Map<string, Found> =>
  look({
    list: (path) => [...session.list(path).keys()],
    kind: (path) => session.type(path),
    read: (path) => session.read(path),
    readlink: (path) => Buffer.from(session.readlink(path)),
  })

export const throughMount = (mountpoint: string): Map<string, Found> =>
  look({
    list: (path) => readdirSync(mountpoint + path),
    kind(path) {
      const stats = lstatSync(mountpoint + path)
      if (stats.isDirectory()) return 'directory'
      return stats.isSymbolicLink() ? 'symlink' : 'file'
    },
    read: (path) => readFileSync(mountpoint + path),
    readlink: (path) => readlinkSync(mountpoint + path, 'buffer'),
  })

function look(reader: Reader): Map<string, Found> {
  const found = new Map<string, Found>()
  const queue = ['']
  for (const folder of queue) {
    let names: string[]
    try {
      names = reader.list(folder)
    } catch (error) {
      found.set(folder, refused(error))
      continue
    }
    for (const name of names) {
      const path = `${folder}/${name}`
      const here = outcome(reader, path)
      found.set(path, here)
      if (here.kind === 'directory') queue.push(path)
    }
  }
  return found
}

function outcome(reader: Reader, path: string): Found {
  try {
    const kind = reader.kind(path)
    if (kind === 'directory') return { kind }
    if (kind === 'symlink') return { kind, content: reader.readlink(path) }
    return { kind: 'file', content: reader.read(path) }
  } catch (error) {
    return refused(error)
  }
}

function refused(error: unknown): Found {
  const { code } = error as { code?: unknown }
  // a defect is not a refusal
  if (!(error instanceof CofferError) && typeof code !== 'string') throw error
  return { kind: 'refused', code: String(code) }
}
