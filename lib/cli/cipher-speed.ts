// What the ciphers of an engine come to on this machine, as a drive uses them.

import { performance } from 'node:perf_hooks'
import type { Engine } from '../crypto/engine.js'
import { CHUNK_LOG2_DEFAULT } from '../format/constants.js'

const CHUNK = 2 ** CHUNK_LOG2_DEFAULT
const NONCE_AND_TAG = 24 + 16
/** of an encrypted name before its encoding */
const NAME = new Uint8Array(48).fill(97)
const AAD = new Uint8Array(32).fill(7)
const WARM_MS = 100
const TIMED_MS = 400
const BURST = 16

export interface CipherSpeed {
  /** bytes a second of whole chunks */
  seal: number
  open: number
  /** names a second */
  names: number
}

export function cipherSpeed(engine: Engine): CipherSpeed {
  const xaes = engine.xaes(new Uint8Array(32).fill(1))
  const siv = engine.siv(new Uint8Array(64).fill(2))
  const plain = new Uint8Array(CHUNK).fill(3)
  const record = new Uint8Array(CHUNK + NONCE_AND_TAG)
  try {
    return {
      seal:
        CHUNK *
        perSecond(() => {
          xaes.seal(record, 0, plain, 0, CHUNK, AAD)
        }),
      open: CHUNK * perSecond(() => xaes.open(record, 0, plain, 0, CHUNK, AAD)),
      names: perSecond(() => siv.seal(NAME, [AAD])),
    }
  } finally {
    xaes.wipe()
    siv.wipe()
  }
}

/** The first calls, which the compiler has not seen, do not count. */
function perSecond(act: () => unknown): number {
  times(act, WARM_MS)
  return times(act, TIMED_MS)
}

function times(act: () => unknown, ms: number): number {
  const since = performance.now()
  for (let done = BURST; ; done += BURST) {
    for (let i = 0; i < BURST; i++) act()
    const took = performance.now() - since
    if (took >= ms) return (1000 * done) / took
  }
}
