// The driver fuse-native without a kernel: what libfuse would ask, over a file system in memory that
// counts lookups. What its paths, hidden files and numbers come to.

import { Buffer } from 'node:buffer'
import { constants } from 'node:os'
import t from 'tap'
import { CofferError } from '../../lib/errors.js'
import { emptyEntry } from '../../lib/fs/filesystem.js'
import { Counters } from '../../lib/mount/counters.js'
import { Service } from '../../lib/mount/fuse-native/service.js'
import { InodeNumbers, nativeStat, nativeStatfs } from '../../lib/mount/fuse-native/stat.js'
import type { Operations } from '../../lib/mount/fuse-native/operations.js'
import { MemoryFilesystem } from './memory-filesystem.js'

const { EBADF, EIO, ENOENT, ENODEV, ERANGE } = constants.errno
const S_IFREG = 0o100000

class Asked {
  readonly fs: MemoryFilesystem
  readonly service: Service
  readonly defects: unknown[] = []
  /** one for each thread of libfuse */
  readonly threads = [Buffer.alloc(320), Buffer.alloc(320)] as const

  constructor(fs = new MemoryFilesystem()) {
    this.fs = fs
    this.service = new Service(fs, new Counters(), {
      onDefect: (error) => {
        this.defects.push(error)
      },
    })
  }

  on(thread: 0 | 1, name: keyof Operations, ...words: unknown[]): unknown[] {
    this.service.request = this.threads[thread]
    let answer: unknown[] = []
    this.service.callbacks[name](...words, (...reply: unknown[]) => (answer = reply))
    return answer
  }

  ask(name: keyof Operations, ...words: unknown[]): unknown[] {
    return this.on(0, name, ...words)
  }

  /** Makes a file and leaves it open. */
  open(path: string): number {
    return this.ask('create', path, S_IFREG | 0o644)[1] as number
  }

  put(path: string): void {
    this.ask('release', path, this.open(path))
  }

  /** Lookups that were counted and not forgotten, but for the root's. */
  get lookups(): number {
    let sum = 0
    for (const [nodeid, { lookups }] of this.fs.inodes) if (nodeid !== 1) sum += lookups
    return sum
  }

  stop(): void {
    this.service.stop()
  }
}

void t.test('lookups are kept for few inodes, once each', (t) => {
  const asked = new Asked()
  for (let i = 0; i < 40; i++) {
    asked.ask('mkdir', `/d${String(i)}`, 0o755)
    for (let j = 0; j < 40; j++) asked.put(`/d${String(i)}/f${String(j)}`)
  }
  const path = (i: number): string => `/d${String(i % 40)}/f${String(Math.floor(i / 40))}`
  const failed: string[] = []
  for (let i = 0; i < 3200; i++) {
    const at = path((i * 7) % 1600)
    if (asked.ask('getattr', at)[0] !== 0) failed.push(at)
    if (i % 3 === 0) asked.ask('chmod', at, 0o600)
  }
  t.same(failed, [])
  t.equal(asked.lookups, 512)
  const handles = Array.from({ length: 700 }, (_, i) => asked.ask('open', path(i), 0)[1])
  t.ok(
    asked.lookups > 700 && asked.lookups <= 700 + 512,
    `${String(asked.lookups)}: those open too`,
  )
  for (const handle of handles) asked.ask('release', '-', handle)
  t.ok(asked.lookups <= 512)
  t.equal(asked.ask('read', '-', 3, Buffer.alloc(1), 1, 0)[0], -EBADF)
  for (let i = 0; i < 1600; i++) {
    if (asked.ask('unlink', path(i))[0] !== 0) failed.push(path(i))
  }
  t.same(failed, [])
  t.same(asked.defects, [])
  asked.stop()
  t.equal(asked.ask('getattr', '/')[0], -ENODEV, 'when it has ended')
  t.end()
})

const hiddenName = (n: number): string => `/.fuse_hidden00000003${n.toString(16).padStart(8, '0')}`

void t.test('an open file is removed', (t) => {
  const asked = new Asked()
  const handle = asked.open('/x')
  t.equal(asked.ask('rename', '/x', hiddenName(1))[0], 0)
  t.equal(asked.on(1, 'getattr', '/x')[0], -ENOENT, 'its name has gone for others')
  t.equal(asked.ask('getattr', hiddenName(1))[0], 0, 'libfuse finds it')
  const [, names] = asked.ask('readdir', '/') as [number, string[]]
  t.same(names, ['.', '..'])
  t.equal(asked.ask('write', '-', handle, Buffer.from('abc'), 3, 0)[0], 3)
  asked.ask('release', hiddenName(1), handle)
  t.equal(asked.ask('unlink', hiddenName(1))[0], -ENOENT, 'nothing is left of it')
  t.equal(asked.lookups, 0)

  asked.open('/y')
  for (const name of [
    '/.fuse_hidden0000000300000001',
    '/.fuse_hidden00000003ffffffff',
    '/.fuse_hidden3',
  ]) {
    t.equal(asked.ask('rename', '/y', name)[0], 0)
    t.equal(asked.ask('getattr', name)[0], 0)
    t.equal(asked.ask('rename', name, '/y')[0], 0, `${name} is a name like others`)
  }
  t.same(asked.defects, [])
  asked.stop()
  t.end()
})

class Failing extends MemoryFilesystem {
  fails = false
  override rename(...words: Parameters<MemoryFilesystem['rename']>): void {
    if (this.fails) throw new CofferError('EIO', 'the disk is ill')
    super.rename(...words)
  }
}

void t.test('an open file is replaced, or it is not', (t) => {
  const fs = new Failing()
  const asked = new Asked(fs)
  const handle = asked.open('/x')
  asked.ask('write', '/x', handle, Buffer.from('old'), 3, 0)
  asked.put('/new')
  fs.fails = true
  t.equal(asked.ask('rename', '/x', hiddenName(1))[0], 0)
  t.equal(asked.ask('rename', '/new', '/x')[0], -EIO)
  t.equal(asked.ask('getattr', '/x')[0], 0, 'where that fails, both are there')
  t.equal(asked.ask('getattr', '/new')[0], 0)
  asked.ask('release', hiddenName(1), handle)
  asked.ask('unlink', hiddenName(1))
  t.equal(asked.ask('getattr', '/x')[0], 0, 'also after the last close')
  fs.fails = false
  const again = asked.ask('open', '/x', 0)[1] as number
  t.equal(asked.ask('rename', '/x', hiddenName(2))[0], 0)
  t.equal(asked.ask('rename', '/new', '/x')[0], 0)
  const room = Buffer.alloc(3)
  t.equal(asked.ask('read', '-', again, room, 3, 0)[0], 3)
  t.equal(room.toString(), 'old')
  const entry = emptyEntry()
  t.ok(fs.lookup(1, 'x', entry))
  t.equal(entry.attributes.size, 0, 'the new one has the name')
  t.same(asked.defects, [])
  asked.stop()
  t.end()
})

void t.test('attributes of attributes', (t) => {
  const asked = new Asked()
  asked.put('/x')
  t.equal(asked.ask('setxattr', '/x', 'user.a', Buffer.from('value'), 0, 0)[0], 0)
  const room = Buffer.alloc(5)
  t.equal(asked.ask('getxattr', '/x', 'user.a', Buffer.alloc(0))[0], 5)
  t.equal(asked.ask('getxattr', '/x', 'user.a', Buffer.alloc(4))[0], -ERANGE)
  t.equal(asked.ask('getxattr', '/x', 'user.a', room)[0], 5)
  t.equal(room.toString(), 'value')
  t.equal(asked.ask('listxattr', '/x', Buffer.alloc(0))[0], 7)
  t.equal(asked.ask('listxattr', '/x', Buffer.alloc(6))[0], -ERANGE)
  asked.stop()
  t.end()
})

void t.test('times come from the struct, or not at all', (t) => {
  const asked = new Asked()
  asked.put('/x')
  const set = (atime: number, mtime: number, told = atime): unknown => {
    asked.threads[0].writeBigInt64LE(BigInt(atime), 104)
    asked.threads[0].writeBigInt64LE(BigInt(mtime), 112)
    asked.fs.seen.changes.length = 0
    const [result] = asked.ask('utimens', '/x', told < 0 ? told + 2 ** 64 : told, 0)
    return result === 0 ? asked.fs.seen.changes[0] : result
  }
  t.same(set(5007, 6008), {
    atime: { sec: 5, nsec: 7_000_000 },
    mtime: { sec: 6, nsec: 8_000_000 },
  })
  t.same(set(-1, -1000), { atime: { sec: -1, nsec: 999_000_000 }, mtime: { sec: -1, nsec: 0 } })
  t.same(set(1073, 6008), { mtime: { sec: 6, nsec: 8_000_000 } })
  t.same(set(5007, 1073), { atime: { sec: 5, nsec: 7_000_000 } })
  t.same(set(1073, 1073), { atime: 'now', mtime: 'now' })
  t.equal(set(5007, 6008, 1), -EIO, 'another struct')
  asked.stop()
  t.end()
})

void t.test('numbers of more than 32 bits', (t) => {
  const numbers = new InodeNumbers()
  const large = [2 ** 33 + 5, 2 ** 34 + 5, 2 ** 33 + 5].map((ino) => numbers.show(ino))
  t.equal(large[0], large[2])
  t.not(large[0], large[1])
  t.ok(large.every((ino) => ino < 2 ** 32))
  t.equal(numbers.show(77), 77)
  const blocks = 2 ** 35 + 16
  const disk = nativeStatfs({
    blockSize: 4096,
    blocks,
    blocksFree: blocks / 2,
    blocksAvailable: 1000,
    files: 2 ** 40,
    filesFree: 3,
    nameMax: 255,
  })
  t.equal(disk.bsize * disk.blocks, 4096 * blocks)
  t.ok(disk.blocks < 2 ** 32)
  t.equal(disk.files, 2 ** 32 - 1)
  const { attributes } = emptyEntry()
  t.equal(nativeStat({ ...attributes, mtimeSec: -5 }, numbers).mtime, 0)
  t.end()
})
