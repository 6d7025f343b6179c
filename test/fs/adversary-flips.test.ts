// Every byte of headers, of first and last records, of metas and links, changed one at a time: the
// same plaintext comes out, or EIO. Only a seal that another one can stand in for may change unseen.

import { closeSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { needs } from '../needs.js'
import { AttackedVault, C, RECORD } from './attacked.js'

if (!needs(t, 'linux')) process.exit(0)

/** Byte by byte: what `look` gives. Returns the offsets at which nothing was noticed. */
function flips(path: string, offsets: Iterable<number>, look: () => boolean): number[] {
  const good = readFileSync(path)
  const fd = openSync(path, 'r+')
  const unseen: number[] = []
  try {
    for (const at of offsets) {
      const bit = 1 << ((at * 5) % 8)
      writeSync(fd, Buffer.from([good[at]! ^ bit]), 0, 1, at)
      if (look()) unseen.push(at)
      writeSync(fd, good, at, 1, at)
    }
  } finally {
    closeSync(fd)
  }
  return unseen
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i)

for (const path of ['/a', '/sparse', '/whole', '/empty', '/link', '/big']) {
  t.test(path, async (t) => {
    const vault = new AttackedVault(t)
    const session = vault.open()
    const stored = vault.truth.get(path)!
    const { length } = vault.bytes(path)
    const last = 1024 + Math.floor(stored.length / C) * RECORD
    const offsets = [...range(0, Math.min(1024 + RECORD, length)), ...range(last, length)]
    let wrong = 0
    const unseen = flips(vault.blob(path), new Set(offsets), () => {
      const outcome = vault.outcome(session, path)
      if (typeof outcome === 'number') return false
      if (!stored.equals(outcome!)) wrong++
      return true
    })
    t.equal(wrong, 0, 'no wrong byte came out')
    // each slot of a new object can stand in for the other: they say the same
    t.same(unseen, range(128, 1024), 'only the seals are exempt')
    t.same(vault.outcome(session, path), stored)
    session.close()
  })
}

t.test('two seals: the older one is exempt, the newer one is not', async (t) => {
  const vault = new AttackedVault(t)
  const session = vault.open()
  const file = session.open('/a')
  file.write(5, Buffer.from('second'))
  file.close()
  const stored = Buffer.from(vault.truth.get('/a')!)
  stored.write('second', 5)
  const unseen = flips(vault.blob('/a'), range(0, 1024), () => {
    const outcome = vault.outcome(session, '/a')
    if (typeof outcome === 'number') return false
    t.ok(stored.equals(outcome!))
    return true
  })
  t.same(unseen, range(128, 576))
  session.close()
})

t.test('the meta of a directory', async (t) => {
  const vault = new AttackedVault(t)
  const directory = vault.blob('/e')
  const meta = join(
    directory,
    readdirSync(directory).find((name) => name.endsWith('.cfm'))!,
  )
  const unseen = flips(meta, range(0, 1024), () => {
    const session = vault.open()
    const outcome = vault.outcome(session, '/e/a')
    session.close()
    if (typeof outcome === 'number') return false
    t.ok(vault.truth.get('/e/a')!.equals(outcome!))
    return true
  })
  t.same(unseen, range(128, 1024))
})

t.test('a damaged file can be removed whatever byte it is', async (t) => {
  const vault = new AttackedVault(t)
  const session = vault.open()
  const blob = vault.blob('/d/x')
  const good = readFileSync(blob)
  for (const at of range(0, good.length)) {
    const bad = Buffer.from(good)
    bad[at]! ^= 0x20
    writeFileSync(blob, bad)
    session.unlink('/d/x')
    t.notOk(session.exists('/d/x'), `byte ${at}`)
  }
  session.close()
})
