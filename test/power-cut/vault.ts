// What is put to the proof: a vault and its state folder, both on the disk of a rig. It is worked by
// the program as its users run it, or opened in this process by the same parts of it, which is quicker.

import { spawnSync } from 'node:child_process'
import { Buffer } from 'node:buffer'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openDrive } from '../../lib/agent/open-drive.js'
import { chooseEngine } from '../../lib/agent/engine.js'
import { loadVault, unlock, wipe } from '../../lib/agent/vault.js'
import { deviceId } from '../../lib/store/state.js'
import { Session } from '../fs/session.js'
import { throughDrive, throughMount } from './look.js'
import type { Rig } from './rig.js'
import type { Judge, Look, Subject, Verdict } from './subject.js'

const COFFER = fileURLToPath(new URL('../../../bin/coffer.js', import.meta.url))
const PASSWORD = 'correct horse battery staple'
const PATIENCE_MS = 60_000
const { engine } = await chooseEngine()

const AFTERWARDS = '/written after the cut'

export class Vault implements Subject {
  readonly drive: string
  readonly onDisk: string[]
  readonly #folder: string
  readonly #state: string
  readonly #passfile: string
  readonly #runtime: string
  /** for the processes of the drive */
  readonly #environment: Record<string, string>

  constructor(rig: Rig, environment: Record<string, string> = {}) {
    this.drive = rig.drive
    this.#folder = join(rig.disk, 'vault')
    this.#state = join(rig.disk, 'state')
    this.onDisk = [this.#folder, this.#state]
    this.#passfile = join(rig.folder, 'password')
    this.#runtime = rig.runtime
    this.#environment = environment
    writeFileSync(this.#passfile, `${PASSWORD}\n`)
  }

  #coffer(environment: Record<string, string>, ...words: string[]): void {
    const { status, stderr } = spawnSync(process.execPath, [COFFER, ...words], {
      encoding: 'utf8',
      timeout: PATIENCE_MS,
      env: {
        ...process.env,
        COFFER_STATE_DIR: this.#state,
        COFFER_RUNTIME_DIR: this.#runtime,
        ...environment,
      },
    })
    if (status !== 0) throw new Error(`coffer ${words[0] ?? ''}: exit ${String(status)}: ${stderr}`)
  }

  create(): void {
    this.#coffer({}, 'create', this.#folder, '--passfile', this.#passfile, '--scrypt-logn', '10')
  }

  mount(): void {
    const words = ['mount', this.#folder, this.drive, '--passfile', this.#passfile]
    words.push('--keep-mountpoint')
    this.#coffer(this.#environment, ...words)
  }

  unmount(): void {
    this.#coffer({}, 'unmount', this.drive)
  }

  recover(): void {
    this.#open().close()
  }

  inspect(judge: Judge, { mounted, thorough }: Look): Verdict {
    return mounted ? this.#inspectMounted(judge) : this.#inspectOpened(judge, thorough)
  }

  #inspectMounted(judge: Judge): Verdict {
    this.mount()
    try {
      return judge(throughMount(this.drive))
    } finally {
      this.unmount()
    }
  }

  #inspectOpened(judge: Judge, thorough: boolean): Verdict {
    const session = this.#open()
    try {
      const verdict = judge(throughDrive(session))
      for (const { level, event, message } of session.log)
        if (level !== 'info') verdict.warnings.push(`${event}: ${message}`)
      if (!thorough) return verdict
      try {
        const file = session.create(AFTERWARDS)
        file.write(0, Buffer.from('and'))
        file.sync()
        file.close()
        session.unlink(AFTERWARDS)
      } catch (error) {
        verdict.violations.push({
          wrong: 'unusable',
          path: '',
          deed: 'nothing',
          detail: String(error),
        })
      }
      return verdict
    } finally {
      session.close()
    }
  }

  /** As the agent does it, with what it does with the state folder. */
  #open(): Session {
    const before = process.env.COFFER_STATE_DIR
    process.env.COFFER_STATE_DIR = this.#state
    try {
      const opened = unlock(engine, loadVault(this.#folder), PASSWORD)
      try {
        const { vault, config, body } = opened
        return new Session(
          (log) =>
            openDrive({
              engine,
              vaultPath: vault,
              vaultId: config.vaultId,
              body,
              deviceId: deviceId(),
              readOnly: false,
              lock: true,
              log,
            }),
          false,
          () => {
            wipe(opened)
          },
        )
      } catch (error) {
        wipe(opened)
        throw error
      }
    } finally {
      if (before === undefined) delete process.env.COFFER_STATE_DIR
      else process.env.COFFER_STATE_DIR = before
    }
  }
}
