// Which engine a process uses: the fast one where it loads and passes known answers, otherwise the
// portable one, with the reason for `status`.

import type { Engine } from './engine.js'
import { opensslEngine } from './engine-openssl.js'

export interface ChosenEngine {
  engine: Engine
  /** Why it is not the fast one; empty where it is, or where nobody asked for it. */
  problem: string
}

export async function openEngine(preference: Engine['name'] = 'openssl'): Promise<ChosenEngine> {
  if (preference === 'portable') return { engine: await portable(), problem: '' }
  try {
    const engine = opensslEngine()
    selfCheck(engine)
    return { engine, problem: '' }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { engine: await portable(), problem: `no fast encryption: ${reason}` }
  }
}

/** Loaded only where it is used: noble takes long to load. */
const portable = async (): Promise<Engine> => (await import('./engine-portable.js')).portableEngine

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const MAC = '3cfd37c6002821abbdcf732f6c2892f4'
const SEALED = '76630168bcdbfdde367ff22e78564d523b60cdece17a1bb5fd3ce536'

/** One known answer for each primitive that this project puts together itself. */
function selfCheck(engine: Engine): void {
  const xaes = engine.xaes(new Uint8Array(32).fill(3))
  const cmac = engine.cmac(new Uint8Array(32).fill(3))
  const siv = engine.siv(new Uint8Array(64).fill(3))
  try {
    // the second vector of the specification of XAES-256-GCM
    const record = new Uint8Array(52)
    const plain = Buffer.from('XAES-256-GCM')
    const aad = Buffer.from('c2sp.org/XAES-256-GCM')
    record.set(Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWX'))
    xaes.seal(record, 0, plain, 0, 12, aad)
    const opened = new Uint8Array(12)
    const good = xaes.open(record, 0, opened, 0, 12, aad) && hex(opened) === hex(plain)
    record[30]! ^= 1
    const bad = xaes.open(record, 0, opened, 0, 12, aad)
    record[30]! ^= 1
    const mac = new Uint8Array(16)
    cmac.mac(record.subarray(0, 48), mac, 0)
    const expected = [
      hex(record.subarray(24)) === '986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d',
      good && !bad,
      hex(mac) === MAC,
      hex(siv.seal(plain, [aad, record])) === SEALED,
    ]
    if (expected.includes(false)) throw new Error('the self check gave wrong bytes')
  } finally {
    xaes.wipe()
    cmac.wipe()
    siv.wipe()
  }
}
