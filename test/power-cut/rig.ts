// An ext4 file system on a disk that remembers, with all that has to be started for it and taken away
// again: the disk's server, a loop device, the mount. Root alone can do that.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CofferError } from '../../lib/errors.js'
import { mountedAt } from '../../lib/mount/mountinfo.js'
import { mount, umount } from '../../lib/native/mount.js'
import { IMAGE, ORDERS, POSITION, type Cut, type Order } from './disk.js'

const SERVER = fileURLToPath(new URL('disk-server.js', import.meta.url))
export const DISK = 'disk'
export const DRIVE = 'drive'
export const RUNTIME = 'run'
const BUSY_TRIES = 200
const BUSY_MS = 10
const IDLE = new Int32Array(new SharedArrayBuffer(4))
const MEBI = 2 ** 20
const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`

export function program(command: string, ...words: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, words, {
    encoding: 'utf8',
    env: { ...process.env, PATH },
  })
  if (status !== 0)
    throw new Error(`${command} ${words.join(' ')}: ${error?.message ?? stderr + stdout}`)
  return stdout
}

export class Rig {
  readonly folder = mkdtempSync(join(tmpdir(), 'coffer-power-'))
  /** where the file system of the disk is mounted */
  readonly disk = join(this.folder, DISK)
  /** a folder for a drive, outside the disk */
  readonly drive = join(this.folder, DRIVE)
  /** COFFER_RUNTIME_DIR of what works on the disk */
  readonly runtime = join(this.folder, RUNTIME)
  readonly #server = join(this.folder, 'server')
  readonly #positionAt = Buffer.alloc(32)
  #child: ChildProcess | null = null
  #loop = ''

  constructor() {
    for (const folder of [this.disk, this.drive, this.#server]) mkdirSync(folder)
  }

  async start(sizeMiB: number): Promise<void> {
    const image = join(this.folder, 'image')
    writeFileSync(image, '')
    truncateSync(image, sizeMiB * MEBI)
    const now = 'lazy_itable_init=0,lazy_journal_init=0,nodiscard'
    program('mkfs.ext4', '-q', '-F', '-b', '4096', '-m', '0', '-N', '4096', '-E', now, image)
    const child = spawn(process.execPath, [SERVER, this.#server, image, this.folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: '/',
    })
    this.#child = child
    const ended = once(child, 'exit').then(() => {
      throw new Error('the disk ended before it was ready')
    })
    await Promise.race([once(child.stdout, 'data'), ended])
    ended.catch(() => undefined)
    // Without direct I/O the loop device would write through a page cache of its own.
    const file = join(this.#server, IMAGE)
    this.#loop = program('losetup', '--direct-io=on', '--show', '-f', file).trim()
    const name = this.#loop.replace('/dev/', '')
    if (readFileSync(`/sys/block/${name}/loop/dio`, 'latin1').trim() !== '1')
      throw new Error(`${this.#loop} does no direct I/O on a file of FUSE`)
    this.order({ order: 'loop', device: this.#loop })
  }

  order(order: Order): void {
    const fd = openSync(join(this.#server, ORDERS), 'r+')
    try {
      writeSync(fd, JSON.stringify(order))
    } finally {
      closeSync(fd)
    }
  }

  /** How many writes and flushes have reached the disk since the log began. */
  position(): number {
    const fd = openSync(join(this.#server, POSITION), 'r')
    try {
      return Number(this.#positionAt.toString('latin1', 0, readSync(fd, this.#positionAt)))
    } finally {
      closeSync(fd)
    }
  }

  /** Positions of the flushes. */
  flushes(): number[] {
    const file = join(this.folder, 'flushes')
    this.order({ order: 'flushes', file })
    return JSON.parse(readFileSync(file, 'utf8')) as number[]
  }

  cut(cut: Cut): void {
    this.order({ order: 'cut', cut })
  }

  /** ext4 may lose all that POSIX lets it lose: no help for programs that rename without fsync. */
  mount(): void {
    mount(this.#loop, this.disk, 'ext4', 0, 'noauto_da_alloc')
  }

  /** Somebody who looks at all mounts of the machine may keep it busy for a moment. */
  unmount(): void {
    for (let tries = 0; ; tries++) {
      try {
        umount(this.disk, 0)
        return
      } catch (error) {
        if (!(error instanceof CofferError) || error.code !== 'EBUSY' || tries >= BUSY_TRIES)
          throw error
        Atomics.wait(IDLE, 0, 0, BUSY_MS)
      }
    }
  }

  /** What e2fsck has to say against the file system, which is not mounted; null where nothing. */
  complaint(): string | null {
    const { status, stdout, stderr } = spawnSync('e2fsck', ['-fn', this.#loop], {
      encoding: 'utf8',
      env: { ...process.env, PATH },
    })
    return status === 0 ? null : stdout + stderr
  }

  /** Takes everything away, in whatever state it is. */
  close(): void {
    endDrives(this.runtime)
    for (const mountpoint of [this.drive, this.disk])
      while (mountedAt(mountpoint) !== null) letGo(mountpoint)
    if (this.#loop !== '') spawnSync('losetup', ['-d', this.#loop], { env: { PATH } })
    if (mountedAt(this.#server) !== null) letGo(this.#server)
    this.#child?.kill('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Ends the processes of drives, whatever they are at. */
export function endDrives(runtime: string): void {
  if (!existsSync(runtime)) return
  for (const name of readdirSync(runtime)) {
    if (!name.endsWith('.json')) continue
    try {
      const { pid } = JSON.parse(readFileSync(join(runtime, name), 'utf8')) as { pid: number }
      process.kill(pid, 'SIGKILL')
    } catch {
      // it had ended
    }
  }
}

function letGo(mountpoint: string): void {
  if (spawnSync('umount', [mountpoint], { env: { PATH } }).status === 0) return
  if (spawnSync('umount', ['-l', mountpoint], { env: { PATH } }).status !== 0)
    throw new Error(`${mountpoint} cannot be unmounted`)
}
