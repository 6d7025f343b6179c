// Runs the real program in a scratch world: folders of its own, a state folder of its own, and at the
// end nothing left, whatever the test did.

import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { startTime } from '../../lib/agent/process.js'

export const PROGRAM =
  process.env.COFFER_TEST_BIN ?? fileURLToPath(new URL('../../../bin/coffer.js', import.meta.url))
export const PASSWORD = 'correct horse battery staple'
/** scrypt as cheap as the format allows */
export const CHEAP = ['--scrypt-logn', '10']

export interface Result {
  code: number | null
  out: string
  err: string
}

export interface RunOptions {
  /** standard input; the password, where nothing else is said */
  input?: string
  env?: Record<string, string>
  cwd?: string
}

export class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'coffer-cli-'))
  readonly vault = join(this.folder, 'vault')
  readonly mountpoint = join(this.folder, 'drive')
  readonly state = join(this.folder, 'state')
  readonly runtime = join(this.folder, 'run')

  constructor(t: Test) {
    mkdirSync(this.mountpoint)
    t.teardown(() => {
      this.clear()
    })
  }

  get env(): Record<string, string> {
    const env = { ...process.env } as Record<string, string>
    delete env.COFFER_ENGINE
    delete env.COFFER_DEBUG
    return { ...env, COFFER_STATE_DIR: this.state, COFFER_RUNTIME_DIR: this.runtime, NO_COLOR: '1' }
  }

  run(
    args: string[],
    { input = `${PASSWORD}\n`, env = {}, cwd = this.folder }: RunOptions = {},
  ): Result {
    const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
      cwd,
      env: { ...this.env, ...env },
      input,
      encoding: 'utf8',
      timeout: 60_000,
    })
    return { code: status, out: stdout, err: stderr }
  }

  start(args: string[], input = `${PASSWORD}\n`): ChildProcessWithoutNullStreams {
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      cwd: this.folder,
      env: this.env,
      stdio: 'pipe',
    })
    child.stdin.end(input)
    return child
  }

  /** A vault, as `coffer create` makes it. */
  create(): void {
    const { code, err } = this.run(['create', this.vault, ...CHEAP])
    if (code !== 0) throw new Error(`create: ${String(code)} ${err}`)
  }

  mount(...options: string[]): void {
    const { code, err } = this.run(['mount', this.vault, this.mountpoint, ...options])
    if (code !== 0) throw new Error(`mount: ${String(code)} ${err}`)
  }

  file(name: string, text: string): string {
    const path = join(this.folder, name)
    writeFileSync(path, text)
    return path
  }

  /** What the registry says of running drives. */
  entries(): { pid: number; mountpoint: string; socket: string; log: string }[] {
    if (!existsSync(this.runtime)) return []
    return readdirSync(this.runtime)
      .filter((name) => name.endsWith('.json'))
      .map(
        (name) =>
          JSON.parse(readFileSync(join(this.runtime, name), 'utf8')) as ReturnType<
            World['entries']
          >[0],
      )
  }

  get pid(): number {
    const [entry] = this.entries()
    if (entry === undefined) throw new Error('no drive is running')
    return entry.pid
  }

  /** Temporary files that nobody cleared away. */
  litter(): string[] {
    return [this.folder, this.vault, this.state, this.runtime]
      .filter((folder) => existsSync(folder))
      .flatMap((folder) => readdirSync(folder))
      .filter((name) => name.startsWith('~$'))
  }

  clear(): void {
    for (const { pid } of this.entries()) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // it had ended
      }
    }
    for (const path of mountsBelow(this.folder)) spawnSync('umount', ['-l', path])
    // a locked mountpoint cannot be removed by root
    if (process.getuid?.() === 0) spawnSync('chattr', ['-R', '-f', '-i', this.folder])
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export function mountsBelow(folder: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(`${folder}/`))
    .reverse()
}

export const isAlive = (pid: number): boolean => startTime(pid) !== null

/** Waits until `condition` holds; false when it does not in time. */
export async function until(condition: () => boolean, ms = 5000): Promise<boolean> {
  const deadline = Date.now() + ms
  while (!condition()) {
    if (Date.now() > deadline) return false
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return true
}

/** One sentence, no stack, the exit code. */
export function says(t: Test, result: Result, code: number, error: RegExp): void {
  t.equal(result.code, code, `exit code ${String(code)}`)
  t.match(result.err, error)
  const [first, second, ...rest] = result.err.trimEnd().split('\n').slice(-2)
  t.match(first, /^(coffer: |hint: )/, 'one sentence')
  if (second !== undefined) t.match(second, /^(hint: |coffer: )/)
  t.same(rest, [])
  t.notMatch(result.err, /\n\s+at /, 'no stack')
  t.equal(result.out, '', 'nothing on standard output')
}
