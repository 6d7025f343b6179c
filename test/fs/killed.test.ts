// What a blob is good for whose writer was killed: a second drive looks at it as it lies on the disk
// while the first still has it open and unsealed.

import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import t, { type Test } from 'tap'
import { needs } from '../needs.js'
import { TestVault, type Session } from './session.js'

const { O_RDONLY, O_RDWR, O_TRUNC } = constants
const CHUNK = 32768

/** A file sealed at `sealed` bytes and written on to `written`, whole chunks stored and no tail. */
function killed(t: Test, sealed: number, written: number): { after: Session; content: Buffer } {
  const vault = new TestVault()
  t.teardown(() => {
    vault.remove()
  })
  const content = randomBytes(written)
  const before = vault.open()
  const file = before.create('/f')
  file.write(0, content.subarray(0, sealed))
  file.sync()
  file.write(sealed, content.subarray(sealed))
  return { after: vault.open(), content }
}

t.test('a strict file is refused, and can be written anew', async (t) => {
  if (!needs(t, 'linux')) return
  const { after } = killed(t, 3 * CHUNK, 40 * CHUNK)
  t.throws(() => after.open('/f', O_RDONLY), { code: 'OBJECT_UNSEALED' })
  t.throws(() => after.open('/f', O_RDWR), { code: 'OBJECT_UNSEALED' })
  const file = after.open('/f', O_RDWR | O_TRUNC)
  file.write(0, Buffer.from('again'))
  file.close()
  t.equal(after.read('/f').toString(), 'again')
})

t.test('truncate to nothing works by name, too', async (t) => {
  if (!needs(t, 'linux')) return
  const { after } = killed(t, 3 * CHUNK, 40 * CHUNK)
  t.throws(() => {
    after.setattr('/f', { size: 5 })
  })
  after.setattr('/f', { size: 0 })
  t.equal(after.read('/f').length, 0)
})

t.test('of a large file what is there can be read, but not written on', async (t) => {
  if (!needs(t, 'linux')) return
  const sealed = 150 * CHUNK
  const { after, content } = killed(t, sealed, 200 * CHUNK)
  const read = after.read('/f')
  t.ok(read.length >= sealed, 'everything that was sealed')
  t.ok(read.equals(content.subarray(0, read.length)))
  const file = after.open('/f', O_RDWR)
  t.throws(() => {
    file.write(0, Buffer.from('x'))
  }, /beyond its seal/)
  file.close()
  after.open('/f', O_RDWR | O_TRUNC).close()
  t.equal(after.read('/f').length, 0)
})
