// What a drive must show before it may stay mounted: bytes written through the kernel come back through
// the kernel. FUSE back-ends were seen to store zeros for writes of up to 14 bytes. The files are
// there already, hidden, in the state folder (scratch-drive.ts), so nothing is ever made in the vault,
// even if they were not found; a read-only drive has their contents, too.
//
// Only a process that does not serve the drive may do this: it waits in the kernel for the drive, and a
// process that is killed while it waits for itself never ends.

import { Buffer } from 'node:buffer'
import { createHash, randomBytes } from 'node:crypto'
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { CofferError } from '../errors.js'
import { reason } from '../store/state-folder.js'
import type { Order, TestFile } from './protocol.js'

const QUICK = [1, 14, 15, 4097]
const FULL = [...QUICK, 8 * 1024 * 1024]

/** Names that nobody can guess. */
export function testFiles(kind: Order['selfTest']): TestFile[] {
  if (kind === 'off') return []
  const common = randomBytes(16).toString('base64url')
  return (kind === 'full' ? FULL : QUICK).map((size) => ({
    name: `.coffer-self-test-${common}-${String(size)}`,
    size,
  }))
}

/** Random bytes; the name says which. Not zero at the ends: what was lost must not look like them. */
export function contentOf({ name, size }: TestFile): Buffer {
  const content = createHash('shake256', { outputLength: size }).update(name).digest()
  for (const at of [0, size - 1]) content[at] = (content[at] ?? 0) | 1
  return content
}

/** Returns how many bytes were read back. Throws SELF_TEST, or STATE where there is no room. */
export function selfTest(
  mountpoint: string,
  files: readonly TestFile[],
  readOnly: boolean,
): number {
  let bytes = 0
  for (const file of files) {
    const path = join(mountpoint, file.name)
    const content = contentOf(file)
    if (!readOnly) {
      told(file, 'written', () => {
        write(path, content)
      })
    }
    const read = told(file, 'read back', () => readBack(path, file.size))
    const difference = differenceOf(content, read)
    if (difference !== null) throw failed(`of ${count(file.size)} written, ${difference}`)
    bytes += read.length
  }
  return bytes
}

function write(path: string, content: Uint8Array): void {
  const fd = openSync(path, 'r+')
  try {
    for (let at = 0; at < content.length;) at += writeSync(fd, content, at)
  } finally {
    closeSync(fd)
  }
}

/** One byte more, where there is one. */
function readBack(path: string, size: number): Buffer {
  const fd = openSync(path, 'r')
  try {
    const into = Buffer.alloc(size + 1)
    let at = 0
    for (let more = 1; more > 0 && at < size; at += more)
      more = readSync(fd, into, at, into.length - at, at)
    return into.subarray(0, at)
  } finally {
    closeSync(fd)
  }
}

function differenceOf(written: Buffer, read: Buffer): string | null {
  if (read.equals(written)) return null
  if (read.length > written.length) return 'more came back'
  if (read.length < written.length) return `${String(read.length)} came back`
  if (read.every((byte) => byte === 0)) return 'zeros came back'
  const at = read.findIndex((byte, i) => byte !== written[i])
  return `other bytes came back, from byte ${String(at)} on`
}

function told<T>({ size }: TestFile, done: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw noRoom(error) ?? failed(`${count(size)} could not be ${done}: ${reason(error)}`)
  }
}

/** Null where something else is wrong. */
export function noRoom(error: unknown): CofferError | null {
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return null
  return new CofferError('STATE', 'there is no room in the state folder for the self-test', {
    hint: 'free some space there, or mount with --self-test=off',
  })
}

export const count = (n: number): string => `${String(n)} byte${n === 1 ? '' : 's'}`

export const failed = (how: string): CofferError =>
  new CofferError('SELF_TEST', `the drive failed its self-test and was taken away again: ${how}`)
