// The process that makes the self-test of a drive, as the agent sees it. It is started before there are
// keys, so that its start-up costs no time, and ends when it has answered or when the agent ends.

import { spawn, type ChildProcess } from 'node:child_process'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import {
  fromWire,
  type HiddenFiles,
  type Order,
  type TesterJob,
  type TesterReply,
  type TestFile,
} from './protocol.js'
import { count, failed, testFiles } from './self-test.js'

const TIMEOUT_MS = 15_000
const PROGRAM = fileURLToPath(new URL('./tester-main.js', import.meta.url))

/** Begins to load what tests a drive; null where it is not to be tested. */
export const startTester = ({ selfTest, readOnly }: Order): Tester | null =>
  selfTest === 'off' ? null : new Tester(selfTest, readOnly)

export class Tester {
  readonly #files: TestFile[]
  readonly #readOnly: boolean
  readonly #child: ChildProcess
  readonly #reply: Promise<TesterReply>

  constructor(kind: Order['selfTest'], readOnly: boolean) {
    this.#files = testFiles(kind)
    this.#readOnly = readOnly
    this.#child = spawn(process.execPath, [PROGRAM], {
      cwd: '/',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#reply = new Promise((resolve) => {
      this.#child.on('message', resolve)
      this.#child.on('error', ({ message }) => {
        resolve(silent(`cannot be started: ${message}`))
      })
      this.#child.on('close', (code, signal) => {
        resolve(silent(`ended without a word (${signal ?? `exit code ${String(code)}`})`))
      })
    })
  }

  /** The files as they are to be made beforehand, and who may see them. */
  get hidden(): HiddenFiles {
    return { files: this.#files, filled: this.#readOnly, pids: [this.#child.pid ?? 0] }
  }

  /**
   * Throws SELF_TEST; otherwise returns how many milliseconds it took. `end` takes the hidden files
   * away and tells how many bytes the drive was asked for: what the kernel itself remembers of a write
   * proves nothing.
   */
  async test(mountpoint: string, end: () => Promise<number>): Promise<number> {
    const since = performance.now()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(failed(`no answer within ${String(TIMEOUT_MS / 1000)} s`))
      }, TIMEOUT_MS)
    })
    try {
      const job: TesterJob = { mountpoint, files: this.#files, readOnly: this.#readOnly }
      // what is wrong with a channel that takes nothing is told by `close`
      this.#child.send(job, () => undefined)
      const reply = await Promise.race([this.#reply, late])
      if (!reply.ok) throw fromWire(reply.error)
      const served = await Promise.race([end(), late])
      if (served < reply.bytes) {
        const from = `only ${String(served)} of them from the drive`
        throw failed(`${count(reply.bytes)} came back, but ${from}`)
      }
    } finally {
      clearTimeout(timer)
      this.end()
    }
    return performance.now() - since
  }

  /** It is not needed any more. */
  end(): void {
    this.#child.kill('SIGKILL')
  }
}

function silent(how: string): TesterReply {
  const message = `the process of the self-test ${how}`
  return { ok: false, error: { code: 'AGENT', message, hint: '' } }
}
