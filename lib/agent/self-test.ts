// What a drive must show before it may stay mounted: bytes written through the kernel come back through
// the kernel. FUSE back-ends were seen to store zeros for writes of up to 14 bytes. The files are
// there already, hidden, in the state folder (scratch-drive.ts), so nothing is ever made in the vault,
// even if they were not found; a read-only drive has their contents, too.
//
// Nothing here keeps its thread from serving, and nothing but `pids` ties it to the agent, so it may
// run in a process of its own as well.

import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { CofferError } from '../errors.js'
import { reason } from '../store/state-folder.js'
import type { HiddenTestFiles, Order, TestFile } from './protocol.js'

const TIMEOUT_MS = 15_000
const QUICK = [1, 14, 15, 4097]
const FULL = [...QUICK, 8 * 1024 * 1024]

/** Names that nobody can guess, contents without a zero at their ends. */
export function testFiles(kind: Order['selfTest']): TestFile[] {
  if (kind === 'off') return []
  const common = randomBytes(16).toString('base64url')
  return (kind === 'full' ? FULL : QUICK).map((size) => {
    const content = randomBytes(size)
    // what was lost must not look like what was written
    content[0] = (content[0] ?? 0) | 1
    content[size - 1] = (content[size - 1] ?? 0) | 1
    return { name: `.coffer-self-test-${common}-${String(size)}`, content }
  })
}

/** What the serving thread makes of them beforehand. */
export const hiddenFiles = (
  files: readonly TestFile[],
  readOnly: boolean,
  pids: number[],
): HiddenTestFiles => ({
  files: readOnly ? [...files] : files.map(({ name }) => ({ name, content: new Uint8Array() })),
  pids,
})

/**
 * Throws SELF_TEST; otherwise returns how many milliseconds it took. `end` takes the hidden files
 * away and tells how many bytes the drive was asked for: what the kernel itself remembers of a write
 * proves nothing.
 */
export async function selfTest(
  mountpoint: string,
  files: readonly TestFile[],
  readOnly: boolean,
  end: () => Promise<number>,
): Promise<number> {
  const since = performance.now()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(failed(`no answer within ${String(TIMEOUT_MS / 1000)} s`))
    }, TIMEOUT_MS)
  })
  try {
    const read = await Promise.race([test(mountpoint, files, readOnly), late])
    const served = await Promise.race([end(), late])
    if (served < read)
      throw failed(`${count(read)} came back, but only ${String(served)} of them from the drive`)
  } finally {
    clearTimeout(timer)
  }
  return performance.now() - since
}

/** Returns how many bytes were read back. All at once, since most of the time is waiting. */
async function test(
  mountpoint: string,
  files: readonly TestFile[],
  readOnly: boolean,
): Promise<number> {
  const tests = files.map(async ({ name, content }) => {
    const path = join(mountpoint, name)
    if (!readOnly) await write(path, content).catch(unable(content.length, 'written'))
    const read = await readBack(path, content.length).catch(unable(content.length, 'read back'))
    const difference = differenceOf(content, read)
    if (difference !== null) throw failed(`of ${count(content.length)} written, ${difference}`)
    return read.length
  })
  return (await Promise.all(tests)).reduce((sum, bytes) => sum + bytes, 0)
}

async function write(path: string, content: Uint8Array): Promise<void> {
  const file = await open(path, 'r+')
  try {
    for (let at = 0; at < content.length;)
      at += (await file.write(content, at, content.length - at, at)).bytesWritten
  } finally {
    await file.close()
  }
}

/** One byte more, where there is one. */
async function readBack(path: string, length: number): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const into = Buffer.alloc(length + 1)
    let at = 0
    for (let more = 1; more > 0 && at < length; at += more)
      more = (await file.read(into, at, into.length - at, at)).bytesRead
    return into.subarray(0, at)
  } finally {
    await file.close()
  }
}

function differenceOf(written: Uint8Array, read: Buffer): string | null {
  if (read.equals(written)) return null
  if (read.length > written.length) return 'more came back'
  if (read.length < written.length) return `${String(read.length)} came back`
  if (read.every((byte) => byte === 0)) return 'zeros came back'
  const at = read.findIndex((byte, i) => byte !== written[i])
  return `other bytes came back, from byte ${String(at)} on`
}

const unable =
  (length: number, done: 'written' | 'read back') =>
  (error: unknown): never => {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOSPC' || code === 'EDQUOT') throw noRoom()
    throw failed(`${count(length)} could not be ${done}: ${reason(error)}`)
  }

const noRoom = (): CofferError =>
  new CofferError('STATE', 'there is no room in the state folder for the self-test', {
    hint: 'free some space there, or mount with --self-test=off',
  })

const count = (n: number): string => `${String(n)} byte${n === 1 ? '' : 's'}`

const failed = (how: string): CofferError =>
  new CofferError('SELF_TEST', `the drive failed its self-test and was taken away again: ${how}`)
