// A vault with something of everything, for a cloud to rewrite, and the verdict on what then comes
// out of it: a path gives exactly what was stored there, or EIO, by the drive, by the drive that uses
// `node:fs` alone, and by the oracle alike.

import { readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import { CofferError, errnoOf } from '../../lib/errors.js'
import { TestVault, type Session } from './session.js'

export const C = 4096
export const RECORD = C + 40
export const STRICT_MAX = 64 * 1024
export const LONG = 'ü'.repeat(100)
const { EIO, ENOENT } = constants.errno

const body = (letter: string, size: number): Buffer =>
  Buffer.alloc(size).map((_, i) => letter.charCodeAt(0) + (i >> 9)) as Buffer

export class AttackedVault extends TestVault {
  /** what was stored: content of files, targets of links, null for directories and nodes */
  readonly truth = new Map<string, Buffer | null>()

  constructor(t: Test) {
    super(12, STRICT_MAX)
    t.teardown(() => {
      this.remove()
    })
    const session = this.open()
    for (const directory of ['/d', '/e', '/e/sub', '/void']) {
      session.mkdir(directory)
      this.truth.set(directory, null)
    }
    const files: [string, number][] = [
      ['/a', 3 * C + 100],
      ['/b', 3 * C + 100],
      ['/big', 20 * C + 7],
      ['/empty', 0],
      ['/whole', 2 * C],
      [`/${LONG}`, 50],
      ['/d/a', C + 1],
      ['/d/x', 10],
      ['/e/a', C + 1],
      ['/e/sub/deep', 2 * C + 2],
    ]
    files.forEach(([path, size], i) => {
      this.store(session, path, body(String.fromCharCode(65 + 3 * i), size))
    })
    const sparse = session.create('/sparse')
    sparse.write(0, Buffer.alloc(C, 's'))
    sparse.write(4 * C, Buffer.from('end'))
    sparse.close()
    const holes = Buffer.concat([Buffer.alloc(C, 's'), Buffer.alloc(3 * C), Buffer.from('end')])
    this.truth.set('/sparse', holes)
    for (const [path, target] of [
      ['/link', 'd/a'],
      ['/link2', 'd/x'],
    ] as const) {
      session.symlink(path, target)
      this.truth.set(path, Buffer.from(target))
    }
    session.close()
    // whatever was just closed is at rest from here on
    this.skew += 10_000
  }

  store(session: Session, path: string, content: Buffer): void {
    if (session.exists(path)) session.unlink(path)
    session.write(path, content)
    this.truth.set(path, content)
  }

  bytes(path: string): Buffer {
    return readFileSync(this.blob(path))
  }

  put(path: string, bytes: Uint8Array): void {
    writeFileSync(this.blob(path), bytes)
  }

  /** Backing directory of a plain directory, "" for the root. */
  backing(path: string): string {
    return path === '' ? join(this.folder, 'data') : this.blob(path)
  }

  /** Where a blob of that plain path would lie beside it, with another extension. */
  beside(path: string, extension: string): string {
    const blob = this.blob(path)
    return join(dirname(blob), blob.slice(dirname(blob).length + 1, -4) + extension)
  }

  /** The whole content of what lies at `path`, or the errno that it gives. */
  outcome(session: Session, path: string): Buffer | number | null {
    try {
      const type = session.type(path)
      if (type === 'directory') {
        session.list(path)
        return null
      }
      if (type === 'special') return null
      return type === 'symlink' ? Buffer.from(session.readlink(path)) : session.read(path)
    } catch (error) {
      // a defect is not a refusal
      if (!(error instanceof CofferError) && !('errno' in (error as object))) throw error
      return errnoOf(error)
    }
  }

  /**
   * Everything but `refused` (and what lies below) must be as it was stored; `refused` must be EIO;
   * `gone` must not be there. `unknown` may be either, but never other bytes.
   */
  verdict(t: Test, { refused = [], gone = [], unknown = [] }: Verdict): void {
    const below = (paths: string[], path: string): boolean =>
      paths.some((p) => path === p || path.startsWith(`${p}/`))
    const tree = this.judge()
    for (const portable of [false, true]) {
      const session = this.open({ portable })
      const by = portable ? 'node:fs' : 'the drive'
      for (const [path, stored] of this.truth) {
        const outcome = this.outcome(session, path)
        const seen = tree.get(path)
        const readable = seen?.problem === null
        if (below(gone, path)) {
          t.ok(outcome === ENOENT || outcome === EIO, `${path} is gone (${by})`)
        } else if (below(refused, path)) {
          t.equal(outcome, EIO, `${path} is refused (${by})`)
          t.notOk(readable, `${path} is refused by the oracle`)
        } else if (below(unknown, path)) {
          t.ok(outcome === EIO || same(outcome, stored), `${path} is right or refused (${by})`)
        } else {
          t.ok(
            same(outcome, stored),
            `${path} is as it was (${by})${typeof outcome === 'number' ? `: ${outcome}` : ''}`,
          )
          t.ok(readable, `${path} is fine by the oracle`)
        }
      }
      session.close()
    }
  }
}

export interface Verdict {
  refused?: string[]
  gone?: string[]
  unknown?: string[]
}

const same = (outcome: Buffer | number | null, stored: Buffer | null): boolean =>
  outcome === null || stored === null
    ? outcome === stored
    : typeof outcome !== 'number' && stored.equals(outcome)

/** One attack on a vault of its own. */
export function attack(
  t: Test,
  name: string,
  rewrite: (vault: AttackedVault, t: Test) => Verdict,
): void {
  t.test(name, async (t) => {
    const vault = new AttackedVault(t)
    vault.verdict(t, rewrite(vault, t))
  })
}
