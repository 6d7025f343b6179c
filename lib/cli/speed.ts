// coffer speed: what the ciphers and a drive come to on this machine, with either engine.

import { join, resolve } from 'node:path'
import { rm } from 'node:fs/promises'
import { driverProblem } from '../mount/driver-problem.js'
import { DEFAULT_DRIVER } from '../mount/driver.js'
import { openEngine } from '../crypto/choose-engine.js'
import type { Engine } from '../crypto/engine.js'
import { CofferError } from '../errors.js'
import { usableFolder } from '../store/folder.js'
import { stateFolder } from '../store/state-folder.js'
import { cipherSpeed, type CipherSpeed } from './cipher-speed.js'
import { folderSpeed, LARGE_MIB, writeLarge, type FolderSpeed } from './folder-speed.js'
import { TrialDrive, TrialFolder } from './trial-drive.js'
import { amount, ask, bold, errIsTerminal, json as printJson, out, say } from './ui.js'

interface Arguments {
  folder?: string | undefined
  json: boolean
}

const ENGINES = ['openssl', 'portable'] as const
type Column = Engine['name'] | 'disk'
type Speeds<T> = Partial<Record<Column, T>>

export async function speed({ folder, json }: Arguments): Promise<number> {
  const parent = folder === undefined ? stateFolder() : resolve(folder)
  if (folder === undefined) usableFolder(parent)
  let stop = false
  const stopped = (): void => {
    if (stop) throw new CofferError('INTERRUPTED', 'stopped; nothing of it is left')
  }
  const onSignal = (): void => {
    stop = true
  }
  process.once('SIGINT', onSignal)
  process.once('SIGTERM', onSignal)
  try {
    const problems: string[] = []
    const ciphers = await allCiphers(problems, stopped)
    const unmountable = driverProblem(DEFAULT_DRIVER)
    if (unmountable !== null) problems.push(`no drive was tried: ${unmountable.message}`)
    const drives = unmountable === null ? await allDrives(parent, ciphers, stopped) : {}
    if (json) printJson({ node: process.versions.node, folder: parent, ciphers, drives, problems })
    else show(parent, ciphers, drives)
    for (const problem of problems) say(problem)
    return 0
  } catch (error) {
    // what it started was told to end as well
    stopped()
    throw error
  } finally {
    progress('')
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}

async function allCiphers(problems: string[], stopped: () => void): Promise<Speeds<CipherSpeed>> {
  const ciphers: Speeds<CipherSpeed> = {}
  for (const name of ENGINES) {
    stopped()
    const { engine, problem } = await openEngine(name)
    if (problem !== '') problems.push(problem)
    if (engine.name !== name) continue
    progress(`ciphers, ${HEADS[name]}`)
    ciphers[name] = cipherSpeed(engine)
    // what was typed meanwhile is heard now
    await new Promise(setImmediate)
  }
  return ciphers
}

async function allDrives(
  parent: string,
  engines: Speeds<unknown>,
  stopped: () => void,
): Promise<Speeds<FolderSpeed>> {
  const folder = new TrialFolder(parent)
  try {
    progress('the disk')
    const plain = folder.folder('plain')
    // memory that nobody has used since the machine started is slow the first time
    await writeLarge(join(plain, 'large'), stopped)
    await rm(join(plain, 'large'))
    const drives: Speeds<FolderSpeed> = {}
    for (const name of ENGINES) {
      if (!(name in engines)) continue
      progress(`a drive, ${HEADS[name]}`)
      drives[name] = await oneDrive(new TrialDrive(folder, name), stopped)
    }
    progress('the disk')
    drives.disk = await folderSpeed(plain, () => Promise.resolve(), stopped)
    return drives
  } finally {
    folder.remove()
  }
}

async function oneDrive(drive: TrialDrive, stopped: () => void): Promise<FolderSpeed> {
  try {
    await drive.open()
    return await folderSpeed(
      drive.mountpoint,
      async () => {
        await drive.unmount()
        await drive.mount()
      },
      stopped,
    )
  } finally {
    await drive.end()
  }
}

const HEADS: Record<Column, string> = {
  openssl: 'fast engine',
  portable: 'portable engine',
  disk: 'the disk itself',
}
const perSecond = (bytes: number): string => `${amount(bytes)}/s`
const number = (count: number): string => `${String(Math.round(count))}/s`
const FIRST = 36
const WIDTH = 18

function show(parent: string, ciphers: Speeds<CipherSpeed>, drives: Speeds<FolderSpeed>): void {
  const { node, openssl } = process.versions
  const columns: Column[] = [...ENGINES, 'disk']
  out(bold(`${''.padEnd(FIRST)}${columns.map((name) => HEADS[name].padStart(WIDTH)).join('')}`))
  const line = <T>(title: string, speeds: Speeds<T>, say: (speed: T) => string): void => {
    const cells = columns.map((name) => {
      const speed = speeds[name]
      return (speed === undefined ? '–' : say(speed)).padStart(WIDTH)
    })
    out(title.padEnd(FIRST) + cells.join(''))
  }
  out(`encryption (Node ${node}, OpenSSL ${openssl})`)
  line('  file content, in', ciphers, ({ seal }) => perSecond(seal))
  line('  file content, out', ciphers, ({ open }) => perSecond(open))
  line('  names', ciphers, ({ names }) => number(names))
  if (Object.keys(drives).length === 0) return
  out(`a drive in ${parent}`)
  line(`  one file of ${String(LARGE_MIB)} MiB, in`, drives, ({ write }) => perSecond(write))
  line('  … out', drives, ({ read }) => perSecond(read))
  line('  files of 4 KiB, in', drives, ({ create }) => number(create))
  line('  … out', drives, ({ readSmall }) => number(readSmall))
}

/** On a terminal, what is being tried just now. */
function progress(what: string): void {
  if (errIsTerminal) ask(what === '' ? '\r\u001b[K' : `\r\u001b[K${what} …`)
}
