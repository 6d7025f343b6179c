// A cloud of our own: a WebDAV server of rclone on loopback, and its folder mounted by rclone. The
// server can be stopped and started again.

import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { mountedAt } from '../../lib/mount/mountinfo.js'
import type { AtEnd } from '../two-machines/world.js'

const PATIENCE_MS = 20_000
const LOOK_MS = 50

/** What it says goes to the end of the file `log`. */
export function spawnLogged(log: string, command: string, words: string[]): ChildProcess {
  const out = openSync(log, 'a')
  const child = spawn(command, words, { cwd: '/', stdio: ['ignore', out, out] })
  closeSync(out)
  return child
}

export class Engine {
  /** where the server keeps its files */
  readonly remote: string
  /** where rclone mounts them */
  readonly mountpoint: string
  readonly #home: string
  #port = 0
  #server: ChildProcess | null = null
  #mount: ChildProcess | null = null

  constructor(home: string) {
    this.#home = home
    this.remote = join(home, 'remote')
    this.mountpoint = join(home, 'cloud')
    for (const folder of [this.remote, this.mountpoint]) mkdirSync(folder)
  }

  #rclone(log: string, ...words: string[]): ChildProcess {
    const own = ['--config', join(this.#home, 'none'), '--cache-dir', join(this.#home, 'cache')]
    return spawnLogged(join(this.#home, log), 'rclone', [...own, ...words])
  }

  /** Where other clients reach the server, which looks into its folder only every five minutes. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** `options` are of the mount. */
  async start(atEnd: AtEnd, ...options: string[]): Promise<void> {
    this.#port = await freePort()
    atEnd(() => {
      this.stopServer()
    })
    await this.startServer()
    atEnd(() => {
      this.#unmount()
    })
    const remote = `:webdav,url='${this.url}',vendor=other:`
    this.#mount = this.#rclone('mount.log', 'mount', remote, this.mountpoint, ...options)
    await until('rclone mounted', () => mountedAt(this.mountpoint) !== null)
  }

  async startServer(): Promise<void> {
    const address = `127.0.0.1:${this.#port}`
    this.#server = this.#rclone('server.log', 'serve', 'webdav', this.remote, '--addr', address)
    await until('the server answers', () => answers(this.#port))
  }

  stopServer(): void {
    this.#server?.kill('SIGKILL')
    this.#server = null
  }

  /** Another client puts a file there. */
  async replace(path: string, content: Uint8Array<ArrayBuffer>): Promise<void> {
    const { ok, status } = await fetch(`${this.url}/${path}`, { method: 'PUT', body: content })
    if (!ok) throw new Error(`the server answers ${String(status)}`)
  }

  log(): string {
    return readFileSync(join(this.#home, 'mount.log'), 'utf8')
  }

  #unmount(): void {
    if (mountedAt(this.mountpoint) !== null)
      spawnSync('fusermount3', ['-uz', this.mountpoint], { stdio: 'ignore' })
    this.#mount?.kill('SIGKILL')
  }

  /** The mount and the server are gone; nobody works in `home` any more. */
  async end(): Promise<void> {
    const left = [this.#mount, this.#server].filter((child) => child?.exitCode === null)
    const gone = left.map((child) => new Promise((resolve) => child?.once('exit', resolve)))
    this.#unmount()
    this.stopServer()
    await Promise.all(gone)
  }

  /** What waits to be sent has been sent: the server has as many bytes as the mount shows. */
  async sent(): Promise<void> {
    const bytes = (folder: string): string =>
      execFileSync('find', [folder, '-type', 'f', '-printf', '%P %s\n'], { encoding: 'utf8' })
        .split('\n')
        .sort()
        .join('\n')
    await until('everything was sent', () => bytes(this.remote) === bytes(this.mountpoint), 120_000)
  }
}

export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  patience = PATIENCE_MS,
): Promise<void> {
  for (const end = Date.now() + patience; !(await condition());) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`)
    await sleep(LOOK_MS)
  }
}

export const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const done = (yes: boolean): void => {
      socket.destroy()
      resolve(yes)
    }
    socket.once('connect', () => {
      done(true)
    })
    socket.once('error', () => {
      done(false)
    })
  })

export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => {
        resolve(port)
      })
    })
  })
