// Files that are nearly all hole: growing and cutting them takes no time and no memory, whatever the
// size, and the sum of the seal stays true. FORMAT.md §6, truncate.

import t from 'tap'
import { needs } from '../needs.js'
import { TestVault } from './session.js'

const GiB = 2 ** 30
const there = Buffer.from('there')

if (!needs(t, 'linux')) process.exit(0)

for (const [name, existing] of [
  ['a new file', false],
  ['a file that was checked whole', true],
] as const) {
  t.test(name, async (t) => {
    const vault = new TestVault(15)
    t.teardown(() => {
      vault.remove()
    })
    const session = vault.open()
    if (existing) session.write('/f', 'small')
    const started = performance.now()
    const before = process.memoryUsage().rss
    const file = existing ? session.open('/f') : session.create('/f')
    file.truncate(1024 * GiB)
    file.sync()
    file.write(900 * GiB - 2, there)
    file.sync()
    t.same(file.read(900 * GiB - 4, 9), Buffer.from('\0\0there\0\0'))
    file.close()
    t.equal(session.stat('/f').size, 1024 * GiB)
    const again = session.open('/f')
    t.same(again.read(900 * GiB - 2, 5), there)
    t.same(again.read(0, 5), existing ? Buffer.from('small') : Buffer.alloc(5))
    again.truncate(900 * GiB + 1)
    again.truncate(512 * GiB)
    again.close()
    session.setattr('/f', { size: 10 })
    t.ok(performance.now() - started < 5000, 'in no time')
    t.ok(process.memoryUsage().rss - before < 200e6, 'and no memory')
    session.close()
    const node = vault.judge().get('/f')!
    t.equal(node.problem, null, 'the oracle finds the sum right')
    t.same(
      node.content,
      Buffer.concat([Buffer.from(existing ? 'small' : ''), Buffer.alloc(10)]).subarray(0, 10),
    )
  })
}

t.test('holes of any place and length are cut right', async (t) => {
  const vault = new TestVault(12, 64 * 1024)
  t.teardown(() => {
    vault.remove()
  })
  const session = vault.open()
  const C = 4096
  for (const size of [0, 1, C, 30 * C, 50 * C, 50 * C + 1, 51 * C, 99 * C + 7, 200 * C]) {
    const file = session.create('/f')
    for (const chunk of [0, 3, 31, 32, 33, 50, 98, 140]) file.write(chunk * C + 5, there)
    file.write(150 * C, Buffer.alloc(3 * C, 'x'))
    file.sync()
    const whole = file.read(0, 160 * C)
    file.truncate(size)
    file.close()
    const expected = Buffer.concat([whole, Buffer.alloc(60 * C)]).subarray(0, size)
    t.ok(session.read('/f').equals(expected), `cut to ${size}`)
    const node = vault.judge().get('/f')!
    t.equal(node.problem, null)
    t.ok(node.content.equals(expected))
    session.unlink('/f')
  }
  session.close()
})

t.test('a file of 8 TiB that is checked whole, erased in part', async (t) => {
  const vault = new TestVault(12, 2 ** 50)
  t.teardown(() => {
    vault.remove()
  })
  const session = vault.open()
  const size = 2 ** 43 - 2 ** 33
  const started = performance.now()
  let file = session.create('/f')
  file.truncate(size)
  file.sync()
  file.write(size / 2 + 5, there)
  file.write(size / 4, Buffer.alloc(10 * 4096, 'x'))
  file.sync()
  t.same(file.data(), [
    // where the file ended before it grew
    [0, 4096],
    [size / 4, size / 4 + 10 * 4096],
    [size / 2, size / 2 + 4096],
  ])
  file.fallocate(3, 0, size / 3)
  for (const when of ['now', 'after the next open']) {
    t.same(file.data(), [[size / 2, size / 2 + 4096]], `holes ${when}`)
    t.same(file.read(size / 2 + 4, 7), Buffer.from('\0there\0'), when)
    file.close()
    file = session.open('/f')
  }
  file.truncate(size / 2 + 8)
  file.fallocate(3, size / 2, 6)
  file.truncate(0)
  file.close()
  t.ok(performance.now() - started < 5000, 'in no time')
  session.close()
  t.equal(vault.judge().get('/f')!.problem, null)
})

t.test('blocks that were taken ahead do not stay in a hole', async (t) => {
  const vault = new TestVault()
  t.teardown(() => {
    vault.remove()
  })
  const session = vault.open()
  const file = session.create('/f')
  file.write(0, Buffer.alloc(1 << 20, 'x'))
  file.write(1 << 29, Buffer.alloc(1 << 18, 'x'))
  vault.skew += 6000
  session.drive.tend()
  file.truncate(1 << 30)
  file.close()
  t.ok(session.stat('/f').blocks * 512 < 2 << 20, `${session.stat('/f').blocks} blocks`)
  session.close()
})
