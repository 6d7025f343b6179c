// How fast a folder takes and gives, as programs see it: the same in a drive and beside it.

import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'

const MIB = 2 ** 20
export const LARGE_MIB = 128
const SMALL_FILES = 500
const SMALL_SIZE = 4096

export interface FolderSpeed {
  /** bytes a second of one large file */
  write: number
  read: number
  /** files a second, of 4 KiB */
  create: number
  readSmall: number
}

/**
 * `between` is called when everything is written, so that what is read comes from the folder anew.
 * `stopped` is asked now and then, and throws to end it.
 */
export async function folderSpeed(
  folder: string,
  between: () => Promise<void>,
  stopped: () => void,
): Promise<FolderSpeed> {
  const large = join(folder, 'large')
  const many = join(folder, 'many')
  const write = await rate(LARGE_MIB * MIB, () => writeLarge(large, stopped))
  await mkdir(many)
  const create = await rate(SMALL_FILES, () => writeSmall(many, stopped))
  await between()
  const read = await rate(LARGE_MIB * MIB, () => readLarge(large, stopped))
  const readSmall = await rate(SMALL_FILES, () => readEach(many, stopped))
  await rm(large)
  await rm(many, { recursive: true })
  return { write, read, create, readSmall }
}

async function rate(amount: number, act: () => Promise<void>): Promise<number> {
  const since = performance.now()
  await act()
  return (1000 * amount) / (performance.now() - since)
}

export async function writeLarge(path: string, stopped: () => void): Promise<void> {
  const block = randomBytes(MIB)
  const file = await open(path, 'wx')
  try {
    for (let i = 0; i < LARGE_MIB; i++) {
      stopped()
      await file.writeFile(block)
    }
  } finally {
    await file.close()
  }
}

async function readLarge(path: string, stopped: () => void): Promise<void> {
  const block = new Uint8Array(MIB)
  const file = await open(path)
  try {
    for (let more = 1; more > 0;) {
      stopped()
      more = (await file.read(block, 0, MIB)).bytesRead
    }
  } finally {
    await file.close()
  }
}

async function writeSmall(folder: string, stopped: () => void): Promise<void> {
  const content = randomBytes(SMALL_SIZE)
  for (let i = 0; i < SMALL_FILES; i++) {
    stopped()
    await writeFile(join(folder, String(i)), content)
  }
}

async function readEach(folder: string, stopped: () => void): Promise<void> {
  for (let i = 0; i < SMALL_FILES; i++) {
    stopped()
    await readFile(join(folder, String(i)))
  }
}
