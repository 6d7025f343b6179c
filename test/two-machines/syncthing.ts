// Syncthing on both machines, each in its network namespace as its machine's user, with nothing to
// talk to but each other.

import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from './client.js'
import type { Machine } from './machine.js'
import type { Network, Socket } from './network.js'

const FOLDER = 'vault'
const PORT = 22000
const KEY = 'two-machines'
const START_MS = 30_000
const LOOK_MS = 400
const EXCHANGE_MS = 1500
const PER_CENT = 100

interface Status {
  state: string
  needTotalItems: number
  sequence: number
  globalFiles: number
  globalDirectories: number
  globalBytes: number
}

interface Completion {
  completion: number
  needItems: number
  needDeletes: number
}

/** One of the two. */
class Syncthing {
  readonly #machine: Machine
  readonly #socket: Socket
  readonly #home: string
  readonly id: string
  #process: ChildProcess | null = null

  constructor(machine: Machine, socket: Socket) {
    this.#machine = machine
    this.#socket = socket
    this.#home = machine.own(join(machine.home, 'syncthing'))
    this.#run('generate', `--home=${this.#home}`, '--no-default-folder', '--skip-port-probing')
    this.id = this.#run('serve', `--home=${this.#home}`, '--device-id').trim()
  }

  #run(...words: string[]): string {
    return execFileSync('syncthing', words, {
      ...this.#machine.user,
      env: { PATH: process.env.PATH, HOME: this.#machine.home },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  }

  get #api(): string {
    return join(this.#home, 'api')
  }

  async start(other: Syncthing): Promise<void> {
    const device = (id: string, name: string, address: string): string =>
      `<device id="${id}" name="${name}" compression="never"><address>${address}</address></device>`
    const listen = `tcp://${this.#socket.address}:${PORT}`
    writeFileSync(
      join(this.#home, 'config.xml'),
      `<configuration version="36">
  <folder id="${FOLDER}" path="${this.#machine.vault}" type="sendreceive" rescanIntervalS="60"
    fsWatcherEnabled="true" fsWatcherDelayS="1" ignorePerms="false" autoNormalize="true">
    <device id="${this.id}"/><device id="${other.id}"/>
    <maxConflicts>-1</maxConflicts><minDiskFree unit="%">0</minDiskFree>
  </folder>
  ${device(this.id, this.#machine.name, listen)}
  ${device(other.id, other.#machine.name, `tcp://${other.#socket.address}:${PORT}`)}
  <gui enabled="true" tls="false"><address>${this.#api}</address><apikey>${KEY}</apikey></gui>
  <options>
    <listenAddress>${listen}</listenAddress>
    <globalAnnounceEnabled>false</globalAnnounceEnabled>
    <localAnnounceEnabled>false</localAnnounceEnabled>
    <relaysEnabled>false</relaysEnabled>
    <natEnabled>false</natEnabled>
    <startBrowser>false</startBrowser>
    <urAccepted>-1</urAccepted>
    <autoUpgradeIntervalH>0</autoUpgradeIntervalH>
    <crashReportingEnabled>false</crashReportingEnabled>
    <reconnectionIntervalS>5</reconnectionIntervalS>
    <progressUpdateIntervalS>-1</progressUpdateIntervalS>
    <minHomeDiskFree unit="%">0</minHomeDiskFree>
  </options>
</configuration>
`,
    )
    const { uid, gid } = this.#machine.user
    mkdirSync(join(this.#machine.vault, '.stfolder'), { recursive: true })
    execFileSync('chown', [`${uid}:${gid}`, join(this.#machine.vault, '.stfolder')])
    const log = openSync(join(this.#home, 'log'), 'a')
    // They become what they start, so that this is its process id. Not `ip netns exec`: that takes a copy
    // of all mounts, and a drive with one there does not end when it is unmounted here.
    this.#process = spawn(
      'nsenter',
      [
        `--net=/run/netns/${this.#socket.namespace}`,
        ...['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'],
        ...['syncthing', 'serve', `--home=${this.#home}`, '--no-browser', '--no-restart'],
      ],
      {
        cwd: '/',
        env: { PATH: process.env.PATH, HOME: this.#machine.home, STNOUPGRADE: '1' },
        stdio: ['ignore', log, log],
        detached: true, // a group of its own
      },
    )
    closeSync(log)
    for (const end = Date.now() + START_MS; ;) {
      try {
        await this.ask('GET', '/rest/system/ping')
        return
      } catch (error) {
        if (Date.now() > end || this.#process.exitCode !== null)
          throw new Error(`Syncthing did not start: ${String(error)}\n${this.log()}`, {
            cause: error,
          })
      }
      await sleep(LOOK_MS)
    }
  }

  log(): string {
    return readFileSync(join(this.#home, 'log'), 'utf8')
  }

  ask<T>(method: string, path: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const call = request(
        { socketPath: this.#api, method, path, headers: { 'X-API-Key': KEY, Host: 'localhost' } },
        (response) => {
          let text = ''
          response.setEncoding('utf8').on('data', (part: string) => (text += part))
          response.on('end', () => {
            if (response.statusCode !== 200)
              reject(new Error(`${path}: ${response.statusCode ?? 0} ${text}`))
            else resolve((text === '' ? null : JSON.parse(text)) as T)
          })
        },
      )
      call.on('error', reject)
      call.end()
    })
  }

  status = (): Promise<Status> => this.ask('GET', `/rest/db/status?folder=${FOLDER}`)

  scan = (): Promise<null> => this.ask('POST', `/rest/db/scan?folder=${FOLDER}`)

  completion = (of: Syncthing): Promise<Completion> =>
    this.ask('GET', `/rest/db/completion?folder=${FOLDER}&device=${of.id}`)

  async connected(to: Syncthing): Promise<boolean> {
    const { connections } = await this.ask<{ connections: Record<string, { connected: boolean }> }>(
      'GET',
      '/rest/system/connections',
    )
    return connections[to.id]?.connected === true
  }

  async errors(): Promise<string[]> {
    const { errors } = await this.ask<{ errors: { path: string; error: string }[] | null }>(
      'GET',
      `/rest/folder/errors?folder=${FOLDER}`,
    )
    return (errors ?? []).map(({ path, error }) => `${this.#machine.name}: ${path}: ${error}`)
  }

  /** The connection would be missed only after minutes; a machine that is carried off notices. */
  hangUp = (other: Syncthing): Promise<null> =>
    this.ask('POST', `/rest/system/pause?device=${other.id}`)

  call = (other: Syncthing): Promise<null> =>
    this.ask('POST', `/rest/system/resume?device=${other.id}`)

  end(): void {
    // with the one that it watches
    if (this.#process?.pid !== undefined && this.#process.exitCode === null)
      process.kill(-this.#process.pid, 'SIGKILL')
  }
}

export class SyncthingClient implements Client {
  readonly name = 'Syncthing'
  readonly #network: Network
  readonly #sides: readonly [Syncthing, Syncthing]

  constructor(machines: readonly [Machine, Machine], network: Network) {
    this.#network = network
    const [a, b] = machines
    this.#sides = [new Syncthing(a, network.ends[0]), new Syncthing(b, network.ends[1])]
  }

  async start(atEnd: (undo: () => void) => void): Promise<void> {
    const [a, b] = this.#sides
    for (const [one, other] of [[a, b] as const, [b, a] as const]) {
      atEnd(() => {
        one.end()
      })
      await one.start(other)
    }
  }

  async part(): Promise<void> {
    this.#network.unplug()
    const [a, b] = this.#sides
    await Promise.all([a.hangUp(b), b.hangUp(a)])
  }

  async meet(): Promise<void> {
    this.#network.plug()
    const [a, b] = this.#sides
    await Promise.all([a.call(b), b.call(a)])
  }

  async settled(patience: number): Promise<string | null> {
    const [a, b] = this.#sides
    const end = Date.now() + patience
    while (!(await a.connected(b)) || !(await b.connected(a))) {
      if (Date.now() > end) return 'the two did not find each other'
      await sleep(LOOK_MS)
    }
    // until the lists of files have been exchanged, each believes that it has everything
    await sleep(EXCHANGE_MS)
    let before = ''
    for (;;) {
      await Promise.all([a.scan(), b.scan()])
      const [mine, yours, to, from] = await Promise.all([
        a.status(),
        b.status(),
        a.completion(b),
        b.completion(a),
      ])
      const done = [to, from].every(
        ({ completion, needItems, needDeletes }) =>
          completion === PER_CENT && needItems + needDeletes === 0,
      )
      const idle = [mine, yours].every(
        ({ state, needTotalItems }) => state === 'idle' && needTotalItems === 0,
      )
      const [one, other] = [mine, yours].map(
        ({ globalFiles, globalDirectories, globalBytes }) =>
          `${globalFiles} ${globalDirectories} ${globalBytes}`,
      )
      const now = `${mine.sequence} ${yours.sequence}`
      const alike = one === other
      if (done && idle && alike && now === before) return null
      before = done && idle && alike ? now : ''
      if (Date.now() > end) {
        const errors = [...(await a.errors()), ...(await b.errors())]
        return `${JSON.stringify([mine.state, mine.needTotalItems, yours.state, yours.needTotalItems])} ${errors.join('; ')}`
      }
      await sleep(LOOK_MS)
    }
  }
}
