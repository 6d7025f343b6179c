// The same with SSHFS: a server of our own on loopback, with keys that end with it. As root: sshd lets
// somebody else in only by passwords or with PAM.

import { execFileSync, spawnSync, type ChildProcess } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mountedAt } from '../../lib/mount/mountinfo.js'
import type { AtEnd } from '../two-machines/world.js'
import { answers, freePort, spawnLogged, until } from './engine.js'

/** a folder that sshd does not run without */
const PRIVILEGE_SEPARATION = '/run/sshd'

export class SshEngine {
  readonly remote: string
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

  #file(name: string): string {
    return join(this.#home, name)
  }

  #spawn(command: string, ...words: string[]): ChildProcess {
    return spawnLogged(this.#file('engine.log'), command, words)
  }

  async start(atEnd: AtEnd, ...options: string[]): Promise<void> {
    this.#port = await freePort()
    for (const key of ['host-key', 'user-key'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', this.#file(key)])
    copyFileSync(this.#file('user-key.pub'), this.#file('authorized'))
    const config = [
      `ListenAddress 127.0.0.1:${String(this.#port)}`,
      `HostKey ${this.#file('host-key')}`,
      `AuthorizedKeysFile ${this.#file('authorized')}`,
      ...['PermitRootLogin prohibit-password', 'PasswordAuthentication no', 'UsePAM no'],
      ...['StrictModes no', 'PidFile none', 'Subsystem sftp internal-sftp'],
    ]
    writeFileSync(this.#file('sshd-config'), `${config.join('\n')}\n`)
    mkdirSync(PRIVILEGE_SEPARATION, { recursive: true })
    atEnd(() => {
      this.stopServer()
    })
    await this.startServer()
    atEnd(() => {
      if (mountedAt(this.mountpoint) !== null)
        spawnSync('fusermount3', ['-uz', this.mountpoint], { stdio: 'ignore' })
      this.#mount?.kill('SIGKILL')
    })
    const own = [
      ...['reconnect', 'ServerAliveInterval=1', 'StrictHostKeyChecking=no'],
      `IdentityFile=${this.#file('user-key')}`,
      `UserKnownHostsFile=${this.#file('known-hosts')}`,
    ]
    this.#mount = this.#spawn(
      'sshfs',
      ...['-f', '-p', String(this.#port)],
      ...[`root@127.0.0.1:${this.remote}`, this.mountpoint, '-o', [...own, ...options].join(',')],
    )
    await until('sshfs mounted', () => mountedAt(this.mountpoint) !== null)
  }

  async startServer(): Promise<void> {
    this.#server = this.#spawn('/usr/sbin/sshd', '-D', '-e', '-f', this.#file('sshd-config'))
    await until('the server answers', () => answers(this.#port))
  }

  /** With the processes that it has made for its connections. */
  stopServer(): void {
    const { pid } = this.#server ?? {}
    this.#server = null
    if (pid !== undefined) for (const one of [...below(pid), pid]) process.kill(one, 'SIGKILL')
  }

  /** Somebody else puts a file there. */
  replace(path: string, content: Uint8Array): Promise<void> {
    writeFileSync(join(this.remote, `${path}.new`), content)
    renameSync(join(this.remote, `${path}.new`), join(this.remote, path))
    return Promise.resolve()
  }

  /** Nothing waits to be sent. */
  sent(): Promise<void> {
    return Promise.resolve()
  }
}

function below(pid: number): number[] {
  const children = readFileSync(`/proc/${String(pid)}/task/${String(pid)}/children`, 'utf8')
  return children
    .split(' ')
    .filter(Boolean)
    .flatMap((child) => [...below(Number(child)), Number(child)])
}
