// A vault and its drive for the proofs and the bench, worked through the command line as a user
// does, in a scratch folder, as the caller or as an unprivileged user that exists only so long.

import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
const ENDINGS = []

/** What has to be undone when the script ends, last thing first, however it ends. */
export const atEnd = (undo) => ENDINGS.push(undo)

export async function run(main) {
  const end = () => {
    for (let undo = ENDINGS.pop(); undo !== undefined; undo = ENDINGS.pop()) {
      try {
        undo()
      } catch (error) {
        console.error(`could not clean up: ${error.message}`)
        process.exitCode = 1
      }
    }
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      end()
      process.exit(1)
    })
  }
  try {
    await main()
  } catch (error) {
    console.error(error instanceof Failure ? `FAILED: ${error.message}` : error)
    process.exitCode = 1
  } finally {
    end()
  }
}

/** Something that had to hold does not. */
export class Failure extends Error {}

export function must(condition, message) {
  if (!condition) throw new Failure(message)
}

/** Removed at the end. Anybody may go through it, so that another user can be given a part of it. */
export function scratchFolder(parent = tmpdir()) {
  const folder = mkdtempSync(join(parent, 'coffer-proof-'))
  chmodSync(folder, 0o755)
  atEnd(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Runs a program; fails with what it said where it fails. */
export function program(command, args, options = {}) {
  const { status, signal, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  })
  const how = signal ?? `exit code ${status}`
  must(status === 0, `${command} ${args.slice(0, 8).join(' ')}: ${how}\n${stdout}${stderr}`)
  return stdout
}

/** The most memory that a process has had, in MiB. */
export function peakMemory(pid) {
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Math.round(Number(kib) / 1024)
}

export const isMounted = (mountpoint) =>
  readFileSync('/proc/self/mounts', 'utf8').includes(` ${mountpoint} `)

/** The caller: runs the project as it lies here. */
export const caller = () => ({
  name: `uid ${process.getuid()}`,
  project: ROOT,
  spawn: {},
  own: () => undefined,
})

/**
 * A user of the script's own, with a copy of the project that it owns. /dev/fuse is opened to
 * everybody for so long.
 */
export function unprivilegedUser(scratch) {
  must(process.getuid() === 0, 'only root can make a user')
  const name = `cofferproof${process.pid}`
  program('useradd', ['--no-create-home', '--home-dir', scratch, '--shell', '/bin/sh', name])
  atEnd(() => program('userdel', [name]))
  const uid = Number(program('id', ['-u', name]))
  const gid = Number(program('id', ['-g', name]))
  const { mode } = statSync('/dev/fuse')
  chmodSync('/dev/fuse', 0o666)
  atEnd(() => chmodSync('/dev/fuse', mode & 0o7777))
  const project = join(scratch, 'project')
  mkdirSync(project)
  for (const part of ['package.json', 'bin', 'dist', 'node_modules']) {
    cpSync(join(ROOT, part), join(project, part), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => !path.includes('/.cache'),
    })
  }
  const own = (path) => program('chown', ['-R', '-h', `${uid}:${gid}`, path])
  own(project)
  return {
    name,
    project,
    spawn: { uid, gid },
    own: (path) => (own(path), chownSync(path, uid, gid)),
  }
}

/** One vault with its drive, below `scratch`. */
export class Drive {
  constructor(scratch, user = caller(), node = process.execPath) {
    this.user = user
    this.node = node
    this.home = join(scratch, 'home')
    this.vault = join(scratch, 'cloud')
    this.mountpoint = join(scratch, 'drive')
    this.passfile = join(this.home, 'password')
    for (const folder of [this.home, this.vault, this.mountpoint]) {
      mkdirSync(folder)
      chmodSync(folder, 0o700)
    }
    writeFileSync(this.passfile, 'a password for a proof\n')
    for (const folder of [this.home, this.vault, this.mountpoint]) user.own(folder)
    this.environment = {
      ...process.env,
      HOME: this.home,
      TMPDIR: this.home,
      COFFER_STATE_DIR: join(this.home, 'state'),
      COFFER_RUNTIME_DIR: join(this.home, 'run'),
    }
    this.mounted = false
    atEnd(() => this.abandon())
  }

  /** Runs a program as the drive's user. */
  run(command, ...args) {
    return program(command, args, {
      ...this.user.spawn,
      env: this.environment,
      cwd: this.home,
    })
  }

  coffer(...args) {
    return this.run(this.node, join(this.user.project, 'bin/coffer.js'), ...args)
  }

  create(...options) {
    this.coffer('create', this.vault, '--passfile', this.passfile, ...options)
  }

  mount(...options) {
    const how = ['--passfile', this.passfile, '--keep-mountpoint', ...options]
    this.coffer('mount', this.vault, this.mountpoint, ...how)
    this.mounted = true
    this.pid = null
  }

  unmount() {
    this.coffer('unmount', this.mountpoint)
    this.mounted = false
  }

  /** Process id of the one that serves. */
  agent() {
    return (this.pid ??= JSON.parse(this.coffer('status', '--json'))[0].pid)
  }

  peakMemory() {
    return peakMemory(this.agent())
  }

  abandon() {
    if (!this.mounted) return
    try {
      this.coffer('unmount', this.mountpoint, '--force')
    } catch {
      execFileSync('umount', ['-l', this.mountpoint])
    }
  }
}

/** Runs a step, says how long it took, gives what it gave. */
export async function timed(what, step) {
  const started = process.hrtime.bigint()
  const result = await step()
  const seconds = Number(process.hrtime.bigint() - started) / 1e9
  console.log(`${what}: ${seconds.toFixed(1)} s`)
  return { result, seconds }
}

/** "2G" as bytes. */
export function bytesOf(text) {
  const match = /^(\d+(?:\.\d+)?)([KMGT]?)$/i.exec(text)
  must(match !== null, `${text} is not a size: write it as 64M or 2G`)
  return Math.round(Number(match[1]) * 1024 ** ' KMGT'.indexOf(match[2].toUpperCase() || ' '))
}
