// A drive for a trial: a vault with a password that nobody knows, opened by this very program as a user
// would, with state and runtime folders of its own. Everything lies in one folder and is gone afterwards.

import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Engine } from '../crypto/engine.js'
import { CofferError } from '../errors.js'
import { reason } from '../store/state-folder.js'

const PROGRAM = process.argv[1] ?? ''

export class TrialFolder {
  readonly path: string

  /** Throws DESTINATION where nothing can be made in `parent`. */
  constructor(parent: string) {
    try {
      this.path = mkdtempSync(join(parent, '.coffer-speed-'))
    } catch (error) {
      const message = `no drive can be tried in ${parent}: ${reason(error)}`
      throw new CofferError('DESTINATION', message, { hint: 'name another folder' })
    }
  }

  /** An empty folder of that name. */
  folder(name: string): string {
    const path = join(this.path, name)
    mkdirSync(path, { mode: 0o700 })
    return path
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

export class TrialDrive {
  readonly mountpoint: string
  readonly #vault: string
  readonly #environment: NodeJS.ProcessEnv
  readonly #password = randomBytes(16).toString('base64url')

  constructor(folder: TrialFolder, engine: Engine['name']) {
    this.#vault = join(folder.path, `vault-${engine}`)
    this.mountpoint = folder.folder(`drive-${engine}`)
    this.#environment = {
      ...process.env,
      COFFER_ENGINE: engine,
      COFFER_STATE_DIR: folder.folder(`state-${engine}`),
      COFFER_RUNTIME_DIR: folder.folder(`run-${engine}`),
    }
  }

  async open(): Promise<void> {
    // the cost of a guess has nothing to do with the drive's speed
    await this.#coffer('create', this.#vault, '--scrypt-logn', '10')
    await this.mount()
  }

  async mount(): Promise<void> {
    await this.#coffer('mount', this.#vault, this.mountpoint, '--keep-mountpoint')
  }

  async unmount(): Promise<void> {
    await this.#coffer('unmount', this.mountpoint)
  }

  /** Whatever state it is in. */
  async end(): Promise<void> {
    await this.#coffer('unmount', '--all', '--force')
  }

  async #coffer(...words: string[]): Promise<void> {
    const running = promisify(execFile)(process.execPath, [PROGRAM, ...words], {
      env: this.#environment,
    })
    running.child.stdin?.end(`${this.#password}\n`)
    try {
      await running
    } catch (error) {
      const { stderr, message } = error as Error & { stderr?: string }
      const [said = message] = (stderr ?? '').split('\n').filter((line) => line !== '')
      throw new CofferError('AGENT', `the trial drive failed: ${said.replace(/^coffer: /, '')}`, {
        hint: 'run coffer doctor to see what is missing',
      })
    }
  }
}
