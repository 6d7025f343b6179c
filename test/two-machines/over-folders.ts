// The week over two folders of one machine and one user, with a program that brings them together now
// and then and renames what it finds changed on both sides in a way of its own.

import { spawn } from 'node:child_process'
import { readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from './client.js'
import type { Machine } from './machine.js'
import { playWeek, type Round, type Week } from './week.js'
import { twoMachines, type AtEnd } from './world.js'

const AGAIN_MS = 500
const FIRST_MS = 60_000

export type Program = 'unison' | 'bisync'

interface Run {
  status: number
  said: string
}

const COMMANDS: Record<
  Program,
  {
    words: (one: string, other: string, own: string) => string[]
    /** of the first run */
    first: string[]
    isIdle: (run: Run) => boolean
    /** after a run that gave up; `own`: what the program keeps for itself */
    recover: (own: string) => void
  }
> = {
  /** name (conflict_on_2026-11-23).ext, for what loses against what is newer */
  unison: {
    words: (one, other) => [
      ...['unison', one, other, '-batch', '-auto', '-ui', 'text', '-times'],
      ...['-confirmbigdel=false', '-prefer', 'newer', '-copyonconflict', '-fastcheck', 'false'],
    ],
    first: [],
    isIdle: ({ status, said }) => status === 0 && said.includes('Nothing to do'),
    recover: () => undefined,
  },
  /** name.ext..path1 and name.ext..path2, for both */
  bisync: {
    words: (one, other, own) => [
      ...['rclone', '--config', join(own, 'none'), '--cache-dir', own, 'bisync', one, other],
      ...['--workdir', own, '--force', '--verbose'],
    ],
    first: ['--resync'],
    isIdle: ({ status, said }) => status === 0 && said.includes('No changes found'),
    // as --resilient of newer ones: it goes on from the listings before the run that failed
    recover: (own) => {
      for (const file of readdirSync(own).filter((name) => name.endsWith('.lst-err')))
        renameSync(join(own, file), join(own, file.slice(0, -'-err'.length)))
    },
  },
}

class Folders implements Client {
  readonly name: Program
  readonly #machines: readonly [Machine, Machine]
  readonly #own: string
  #first = true
  #running: ReturnType<typeof spawn> | null = null

  constructor(name: Program, machines: readonly [Machine, Machine], scratch: string) {
    this.name = name
    this.#machines = machines
    this.#own = machines[0].own(join(scratch, 'client'))
  }

  part = (): Promise<void> => Promise.resolve()
  meet = (): Promise<void> => Promise.resolve()

  end(): void {
    this.#running?.kill('SIGKILL')
  }

  #run(): Promise<Run> {
    const [{ vault: one, user }, { vault: other }] = this.#machines
    const { words, first } = COMMANDS[this.name]
    const [command = '', ...rest] = words(one, other, this.#own)
    return new Promise((resolve) => {
      const child = spawn(command, [...rest, ...(this.#first ? first : [])], {
        ...user,
        cwd: '/',
        env: { PATH: process.env.PATH, HOME: this.#own, UNISON: this.#own },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      this.#running = child
      let said = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
      child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
      child.on('close', (status) => {
        this.#running = null
        this.#first = false
        resolve({ status: status ?? -1, said })
      })
    })
  }

  async settled(patience: number): Promise<string | null> {
    for (const end = Date.now() + patience; ;) {
      const run = await this.#run()
      if (COMMANDS[this.name].isIdle(run)) return null
      if (run.status !== 0) COMMANDS[this.name].recover(this.#own)
      if (Date.now() > end) return `${this.name}: ${run.said.slice(-500)}`
      await sleep(AGAIN_MS)
    }
  }
}

export const weekOverFolders = (program: Program) =>
  async function* (scratch: string, atEnd: AtEnd, week: Week): AsyncGenerator<Round> {
    const machines = twoMachines(scratch, atEnd, false)
    const [a, b] = machines
    a.create()
    const client = new Folders(program, machines, scratch)
    atEnd(() => {
      client.end()
    })
    const unsettled = await client.settled(FIRST_MS)
    if (unsettled !== null) throw new Error(`the vault did not get across: ${unsettled}`)
    a.mount()
    b.mount()
    yield* playWeek(machines, client, week)
  }
