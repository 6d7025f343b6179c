// A vault and its drive, made by the program as its users run it, in a folder that is removed with all
// that belongs to it, whatever became of the test. The drive is served by a process of its own.

import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { mountedAt } from '../../lib/mount/mountinfo.js'

const COFFER = fileURLToPath(new URL('../../../bin/coffer.js', import.meta.url))
const PATIENCE_MS = 60_000

/** A folder of the test's own, which other users may pass through. */
export function scratch(t: Test, name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `coffer-${name}-`))
  chmodSync(folder, 0o755)
  t.teardown(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

export class Drive {
  readonly vault: string
  readonly mountpoint: string
  readonly #home: string

  /** `home` is a folder of the test's own; the vault may lie elsewhere. `made`: it is there already. */
  constructor(t: Test, home: string, vault = join(home, 'vault'), made = false) {
    this.#home = home
    this.vault = vault
    this.mountpoint = join(home, 'drive')
    mkdirSync(this.mountpoint)
    writeFileSync(join(home, 'password'), 'correct horse battery staple\n')
    if (!made)
      this.must('create', vault, '--passfile', join(home, 'password'), '--scrypt-logn', '10')
    t.teardown(() => {
      this.end()
    })
  }

  run(...words: string[]): SpawnSyncReturns<string> {
    return spawnSync(process.execPath, [COFFER, ...words], {
      encoding: 'utf8',
      timeout: PATIENCE_MS,
      env: {
        ...process.env,
        COFFER_STATE_DIR: join(this.#home, 'state'),
        COFFER_RUNTIME_DIR: join(this.#home, 'run'),
      },
    })
  }

  must(...words: string[]): string {
    const { status, stdout, stderr } = this.run(...words)
    if (status !== 0)
      throw new Error(`coffer ${words.join(' ')}: exit ${String(status)}: ${stderr}`)
    return stdout
  }

  mount(...words: string[]): string {
    this.must(
      'mount',
      this.vault,
      this.mountpoint,
      '--passfile',
      join(this.#home, 'password'),
      // so that whoever made the folder can remove it
      '--keep-mountpoint',
      ...words,
    )
    return this.mountpoint
  }

  unmount(): void {
    this.must('unmount', this.mountpoint)
  }

  /** Process that serves; 0 where none does. */
  get pid(): number {
    const [drive] = JSON.parse(this.must('status', '--json')) as { pid: number }[]
    return drive?.pid ?? 0
  }

  /** Takes the drive away, also from programs that still use it, also when it does not answer. */
  end(): void {
    if (mountedAt(this.mountpoint) === null) return
    if (this.run('unmount', '--force', this.mountpoint).status === 0) return
    const { pid } = this
    if (pid > 0) process.kill(pid, 'SIGKILL')
    spawnSync('umount', ['-l', this.mountpoint])
    spawnSync('fusermount3', ['-uz', this.mountpoint])
  }
}
