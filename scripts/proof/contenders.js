// The drives that coffer is measured beside, each with an empty folder behind it: coffer itself on two
// Nodes, Debian's packages of others, the plain disk, and the floor, which is coffer's own FUSE loop over
// a file system that keeps names and sizes in memory, encrypts nothing and stores nothing.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { node24 } from '../node24.js'
import { atEnd, caller, Drive, isMounted, must, peakMemory, program } from './drive.js'

const PASSWORD = 'a password for a bench'
const MEMORY_DRIVE = join(import.meta.dirname, '../../dist/test/mount/memory-drive.js')
const TICKS_PER_SECOND = 100

/** CPU seconds of a process and of those of its children that have ended. */
function cpuOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // utime, stime, cutime, cstime: fields 14 to 17 of proc(5), the first here is 3
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND
}

class Contender {
  pids = []
  /** CPU seconds of all its processes so far; those of a mount end with it. */
  cpu = () => this.pids.reduce((sum, pid) => sum + cpuOf(pid), 0)
  /** MiB, the sum of the most that each has had. */
  memory = () => this.pids.reduce((sum, pid) => sum + peakMemory(pid), 0)
  /** It is mounted; called when that has been timed. */
  async ready() {}
  /** Everything that was written is in the folder behind it. */
  async settled() {}
  /** Nothing more is asked of it. */
  async end() {}
  /** After a step that took too long. */
  abandon() {
    for (const pid of this.pids) process.kill(pid, 'SIGKILL')
    if (isMounted(this.mountpoint)) program('umount', ['-l', this.mountpoint])
    this.pids = []
  }
}

class Plain extends Contender {
  constructor(scratch) {
    super()
    const type = program('df', ['--output=fstype', scratch]).trim().split('\n').at(-1)
    this.name = `plain disk (${type})`
    this.mountpoint = this.backing = join(scratch, 'plain')
    mkdirSync(this.backing)
  }
  async mount() {}
  async unmount() {}
  abandon() {}
}

class Coffer extends Contender {
  constructor(scratch, node = process.execPath) {
    super()
    this.name = `coffer, Node ${program(node, ['--version']).trim().slice(1)}`
    const home = join(scratch, this.name.replaceAll(/\W+/g, '-'))
    mkdirSync(home)
    this.drive = new Drive(home, caller(), node)
    // a cheap password, so that `mount` shows what mounting itself takes
    this.drive.create('--scrypt-logn', '10')
    this.backing = this.drive.vault
    this.mountpoint = this.drive.mountpoint
  }
  async mount() {
    this.drive.mount()
  }
  async ready() {
    this.pids = [this.drive.agent()]
  }
  async unmount() {
    this.drive.unmount()
    this.pids = []
  }
}

/** A program that serves in the foreground. */
class Foreground extends Contender {
  constructor(scratch, key, name, command = key) {
    super()
    must(spawnSync(command, ['--version']).error === undefined, `${command} is not installed`)
    this.name = name
    this.command = command
    this.backing = join(scratch, key)
    this.mountpoint = join(scratch, `${key}-drive`)
    this.passfile = join(scratch, `${key}-password`)
    mkdirSync(this.backing)
    mkdirSync(this.mountpoint)
    writeFileSync(this.passfile, `${PASSWORD}\n`)
    atEnd(() => this.process?.exitCode === null && this.abandon())
  }
  environment = {}
  async mount() {
    this.process = spawn(this.command, this.arguments(), {
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { ...process.env, ...this.environment },
    })
    this.process.stdin.on('error', () => undefined)
    this.process.stdin.end(`${PASSWORD}\n`)
    while (!isMounted(this.mountpoint)) {
      must(this.process.exitCode === null, `${this.command} did not mount`)
      await sleep(2)
    }
    this.pids = [this.process.pid]
  }
  async unmount() {
    const end = once(this.process, 'exit')
    program('umount', [this.mountpoint])
    await end
    this.pids = []
  }
}

/** Version of Debian's package, without what Debian adds. */
function packaged(label, name) {
  const { status, stdout } = spawnSync('dpkg-query', ['--show', '--showformat=${Version}', name])
  must(status === 0, `${label} is not there: apt-get install ${name}`)
  return `${label} ${/[\d.]*\d/.exec(String(stdout))?.[0]}`
}

/** Its content is in its memory, so it stays mounted. */
class Floor extends Foreground {
  constructor(scratch, discard) {
    const node = node24()
    const version = program(node, ['--version']).trim().slice(1)
    super(scratch, discard ? 'floor-discard' : 'floor', `floor, Node ${version}`, node)
    this.discards = discard
    this.mounted = false
  }
  arguments = () => [MEMORY_DRIVE, this.mountpoint, JSON.stringify({ discard: this.discards })]
  async mount() {
    if (!this.mounted) await super.mount()
    this.mounted = true
  }
  async unmount() {}
  async end() {
    if (this.mounted) await super.unmount()
  }
}

class Gocryptfs extends Foreground {
  constructor(scratch) {
    super(scratch, 'gocryptfs', packaged('gocryptfs', 'gocryptfs'))
    const init = ['-q', '-init', '-scryptn', '10', '-passfile', this.passfile, this.backing]
    program('gocryptfs', init)
  }
  arguments = () => ['-q', '-fg', '-passfile', this.passfile, this.backing, this.mountpoint]
}

class Securefs extends Foreground {
  constructor(scratch) {
    super(scratch, 'securefs', packaged('securefs', 'securefs'))
    program('securefs', ['create', '--pass', PASSWORD, '-r', '1', this.backing])
  }
  arguments = () => ['mount', '--pass', PASSWORD, this.backing, this.mountpoint]
}

class Encfs extends Foreground {
  constructor(scratch) {
    super(scratch, 'encfs', packaged('EncFS', 'encfs'))
  }
  arguments() {
    const how = ['-f', '--standard', `--extpass=cat ${this.passfile}`]
    return [...how, this.backing, this.mountpoint]
  }
}

class Cryfs extends Foreground {
  constructor(scratch) {
    super(scratch, 'cryfs', packaged('CryFS', 'cryfs'))
    const state = join(scratch, 'cryfs-state')
    mkdirSync(state)
    this.environment = {
      CRYFS_FRONTEND: 'noninteractive',
      CRYFS_NO_UPDATE_CHECK: 'true',
      CRYFS_LOCAL_STATE_DIR: state,
    }
  }
  arguments = () => ['-f', this.backing, this.mountpoint]
}

/** It writes into a cache in plaintext first; a write counts when its queue is empty. */
class Rclone extends Foreground {
  constructor(scratch) {
    super(scratch, 'rclone', packaged('rclone crypt', 'rclone'))
    const config = join(scratch, 'rclone.conf')
    const hidden = program('rclone', ['obscure', PASSWORD]).trim()
    const lines = ['[vault]', 'type = crypt', `remote = ${this.backing}`, `password = ${hidden}`]
    writeFileSync(config, `${lines.join('\n')}\n`)
    this.cache = join(scratch, 'rclone-cache')
    this.socket = `127.0.0.1:${20_000 + (process.pid % 10_000)}`
    this.config = config
  }
  arguments() {
    const control = ['--rc', '--rc-no-auth', '--rc-addr', this.socket, '--config', this.config]
    const cache = ['--cache-dir', this.cache, '--vfs-cache-mode', 'full', '--vfs-write-back', '0s']
    return ['mount', ...control, ...cache, 'vault:', this.mountpoint]
  }
  async settled() {
    for (let quiet = 0; quiet < 2;) {
      const answer = await globalThis.fetch(`http://${this.socket}/vfs/stats`, { method: 'POST' })
      const { uploadsInProgress, uploadsQueued } = (await answer.json()).diskCache
      quiet = uploadsInProgress + uploadsQueued === 0 ? quiet + 1 : 0
      await sleep(10)
    }
  }
  async unmount() {
    await this.settled()
    await super.unmount()
    // what it kept there would be read again after a remount
    spawnSync('rm', ['-rf', this.cache])
  }
}

export const CONTENDERS = {
  plain: (scratch) => new Plain(scratch),
  floor: (scratch, discard) => new Floor(scratch, discard),
  coffer24: (scratch) => new Coffer(scratch, node24()),
  coffer: (scratch) => new Coffer(scratch),
  gocryptfs: (scratch) => new Gocryptfs(scratch),
  securefs: (scratch) => new Securefs(scratch),
  encfs: (scratch) => new Encfs(scratch),
  cryfs: (scratch) => new Cryfs(scratch),
  rclone: (scratch) => new Rclone(scratch),
}
