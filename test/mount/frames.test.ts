// The protocol byte by byte, without a kernel: frames go into the dispatcher, replies come out.

import fc from 'fast-check'
import { constants } from 'node:os'
import t from 'tap'
import { Dispatch } from '../../lib/mount/fuse-linux/dispatch.js'
import { Reply, REPLY_CAPACITY } from '../../lib/mount/fuse-linux/reply.js'
import { Request, REQUEST_CAPACITY } from '../../lib/mount/fuse-linux/request.js'
import { INIT_FLAG, MAX_IO, OPCODE } from '../../lib/mount/fuse-linux/wire.js'
import { MemoryFilesystem } from './memory-filesystem.js'

const { ENOSYS, EIO, EILSEQ, EFBIG, EEXIST, ENAMETOOLONG, EOPNOTSUPP, ENOTEMPTY } = constants.errno
const ROOT = 1
const UNIQUE = 0x1234_5678_9abc_def0n

type Field = number | bigint | string | Uint8Array

/** Numbers are 32 bits, bigints 64, strings end with a zero byte. */
function pack(...fields: Field[]): Buffer {
  return Buffer.concat(
    fields.map((field) => {
      if (typeof field === 'string') return Buffer.from(`${field}\0`)
      if (typeof field === 'bigint') {
        const eight = Buffer.alloc(8)
        eight.writeBigUInt64LE(BigInt.asUintN(64, field))
        return eight
      }
      if (typeof field === 'number') {
        const four = Buffer.alloc(4)
        four.writeUInt32LE(field >>> 0)
        return four
      }
      return field
    }),
  )
}

interface Answer {
  errno: number
  body: Buffer
}

function bench(): {
  fs: MemoryFilesystem
  defects: unknown[]
  dispatch: Dispatch
  send: (opcode: number, nodeid: number, ...fields: Field[]) => Answer | null
} {
  const fs = new MemoryFilesystem()
  const defects: unknown[] = []
  const dispatch = new Dispatch(
    fs,
    new Request(new Uint8Array(REQUEST_CAPACITY)),
    new Reply(new Uint8Array(REPLY_CAPACITY), 750),
    (error) => defects.push(error),
  )
  const send = (opcode: number, nodeid: number, ...fields: Field[]): Answer | null => {
    const body = pack(...fields)
    const header = pack(40 + body.length, opcode, UNIQUE, BigInt(nodeid), 1000, 1001, 77, 0)
    // what an earlier request left behind must not matter
    dispatch.request.bytes.fill(0xee)
    dispatch.request.bytes.set(Buffer.concat([header, body]))
    dispatch.reply.bytes.fill(0xdd)
    const length = dispatch.serve(header.length + body.length)
    if (length === 0) return null
    const reply = Buffer.from(dispatch.reply.bytes.subarray(0, length))
    if (reply.readUInt32LE(0) !== length || reply.readBigUInt64LE(8) !== UNIQUE) {
      throw new Error('a reply with a wrong header')
    }
    return { errno: -reply.readInt32LE(4), body: reply.subarray(16) }
  }
  return { fs, defects, dispatch, send }
}

const bodyOf = (reply: Answer | null): Buffer => {
  if (reply?.errno !== 0) throw new Error(`errno ${String(reply?.errno)}`)
  return reply.body
}
const nodeOf = (reply: Answer | null): number => Number(bodyOf(reply).readBigUInt64LE(0))

void t.test('INIT settles on what both sides know', (t) => {
  const { send, defects } = bench()
  const everything = 0xffffffff
  const body = bodyOf(send(OPCODE.INIT, 0, 7, 45, 131072, everything))
  t.equal(body.length, 64)
  t.same([body.readUInt32LE(0), body.readUInt32LE(4)], [7, 38])
  const flags = body.readUInt32LE(12)
  for (const flag of Object.values(INIT_FLAG)) t.ok(flags & flag)
  const POSIX_LOCKS = 1 << 1
  const FLOCK_LOCKS = 1 << 10
  const WRITEBACK_CACHE = 1 << 16
  const HANDLE_KILLPRIV = 1 << 19
  t.equal(flags & (POSIX_LOCKS | FLOCK_LOCKS | WRITEBACK_CACHE | HANDLE_KILLPRIV), 0)
  t.same(
    [body.readUInt16LE(16), body.readUInt32LE(20), body.readUInt32LE(24), body.readUInt16LE(28)],
    [64, 1048576, 1, 256],
  )
  t.equal(body.subarray(30).compare(Buffer.alloc(34)), 0)

  t.equal(bodyOf(send(OPCODE.INIT, 0, 7, 31, 131072, 0)).readUInt32LE(12), 0, 'nothing unoffered')
  t.equal(bodyOf(send(OPCODE.INIT, 0, 7, 31, 131072, 0)).readUInt32LE(4), 31)
  t.equal(bodyOf(send(OPCODE.INIT, 0, 8, 0, 131072, 0)).readUInt32LE(0), 7, 'begin again with 7')
  t.not(send(OPCODE.INIT, 0, 7, 30, 131072, everything)?.errno, 0, 'Linux before 5.4')
  t.match(defects, [{ code: 'NO_FUSE' }], 'nobody else would tell')
  t.end()
})

void t.test('LOOKUP: found, missing, and for how long that holds', (t) => {
  const { send, fs } = bench()
  const made = nodeOf(send(OPCODE.MKDIR, ROOT, 0o755, 0o22, 'd'))
  const found = bodyOf(send(OPCODE.LOOKUP, ROOT, 'd'))
  t.equal(found.length, 128)
  t.equal(Number(found.readBigUInt64LE(0)), made)
  t.same([found.readBigUInt64LE(16), found.readUInt32LE(32)], [0n, 750_000_000])
  t.same([found.readBigUInt64LE(24), found.readUInt32LE(36)], [0n, 750_000_000])
  t.equal(found.readUInt32LE(40 + 60), 0o40755)
  t.same([found.readUInt32LE(40 + 68), found.readUInt32LE(40 + 72)], [1000, 1001])
  t.equal(fs.inodes.get(made)?.lookups, 2)

  const missing = bodyOf(send(OPCODE.LOOKUP, ROOT, 'missing'))
  t.equal(missing.readBigUInt64LE(0), 0n)
  t.same([missing.readBigUInt64LE(16), missing.readUInt32LE(32)], [0n, 750_000_000])
  t.end()
})

void t.test('names: UTF-8 or EILSEQ, nothing stripped, 255 bytes', (t) => {
  const { send } = bench()
  for (const bad of ['ff', 'c328', 'e282', 'eda080', 'f8888080', 'c0af']) {
    const name = Buffer.concat([Buffer.from(bad, 'hex'), Buffer.from([0])])
    t.equal(send(OPCODE.LOOKUP, ROOT, name)?.errno, EILSEQ, bad)
    t.equal(send(OPCODE.MKDIR, ROOT, 0o755, 0, name)?.errno, EILSEQ, bad)
  }
  for (const good of ['ü', 'u\u0308', '\ufeffbom', '日本', '🦀', 'a b\n', 'x'.repeat(255)]) {
    const made = nodeOf(send(OPCODE.MKDIR, ROOT, 0o755, 0, good))
    t.equal(nodeOf(send(OPCODE.LOOKUP, ROOT, good)), made, JSON.stringify(good))
  }
  t.equal(nodeOf(send(OPCODE.LOOKUP, ROOT, 'bom')), 0)
  t.equal(send(OPCODE.LOOKUP, ROOT, 'x'.repeat(256))?.errno, ENAMETOOLONG)
  t.end()
})

void t.test('what is not offered is refused, and requests without reply get none', (t) => {
  const { send, dispatch } = bench()
  for (const opcode of [
    OPCODE.ACCESS,
    OPCODE.SYNCFS,
    OPCODE.STATX,
    OPCODE.SETLKW,
    7,
    63,
    64,
    4096,
    0xffffffff,
  ]) {
    t.equal(send(opcode, ROOT, 0n, 0n, 0n, 0n)?.errno, ENOSYS, String(opcode))
  }
  t.equal(send(OPCODE.FALLOCATE, ROOT, 0n, 0n, 0n, 0n)?.errno, EOPNOTSUPP)
  t.equal(send(OPCODE.COPY_FILE_RANGE, ROOT, 0n, 0n, 1n, 0n, 0n, 0n)?.errno, ENOSYS)
  t.equal(send(OPCODE.INTERRUPT, 0, 2n), null)
  t.equal(send(OPCODE.DESTROY, 0)?.errno, 0)

  dispatch.request.bytes.set(pack(41, OPCODE.GETATTR, UNIQUE, 1n, 0, 0, 0, 0))
  const length = dispatch.serve(40)
  t.equal(length, 16, 'the header does not tell the length that came')
  t.equal(dispatch.reply.bytes.readInt32LE(4), -EIO)
  t.equal(dispatch.serve(12), 16)
  t.end()
})

void t.test('attributes: exact sizes, one namespace', (t) => {
  const { send, defects } = bench()
  const { ENODATA, ERANGE } = constants.errno
  const get = (name: string, room: number) => send(OPCODE.GETXATTR, ROOT, room, 0, name)
  const list = (room: number) => send(OPCODE.LISTXATTR, ROOT, room, 0)
  const set = (name: string, value: Uint8Array, flags = 0, size = value.length) =>
    send(OPCODE.SETXATTR, ROOT, size, flags, name, value)
  const sized = (reply: Answer | null) => {
    const body = bodyOf(reply)
    t.equal(body.length, 8)
    t.equal(body.readUInt32LE(4), 0)
    return body.readUInt32LE(0)
  }

  const value = Buffer.from([0, 1, 0, 255])
  t.equal(sized(list(0)), 0)
  t.equal(bodyOf(list(100)).length, 0)
  t.equal(bodyOf(set('user.bytes', value)).length, 0)
  t.equal(sized(get('user.bytes', 0)), 4)
  t.same(bodyOf(get('user.bytes', 4)), value)
  t.same(bodyOf(get('user.bytes', 65536)), value)
  t.equal(get('user.bytes', 3)?.errno, ERANGE)
  t.equal(bodyOf(set('user.ü', Buffer.alloc(0))).length, 0, 'a value may be empty')
  t.equal(sized(get('user.ü', 0)), 0)
  t.equal(bodyOf(get('user.ü', 10)).length, 0)
  const names = 'user.bytes\0user.ü\0'
  t.equal(sized(list(0)), Buffer.byteLength(names))
  t.equal(bodyOf(list(Buffer.byteLength(names))).toString(), names)
  t.equal(list(Buffer.byteLength(names) - 1)?.errno, ERANGE)
  t.equal(set('user.bytes', value, 1)?.errno, EEXIST)
  t.equal(set('user.none', value, 2)?.errno, ENODATA)
  t.equal(set('user.bytes', value, 0, 5)?.errno, EIO, 'less came than was said')

  const removed = send(OPCODE.REMOVEXATTR, ROOT, 'user.bytes')
  t.equal(bodyOf(removed).length, 0)
  t.equal(send(OPCODE.REMOVEXATTR, ROOT, 'user.bytes')?.errno, ENODATA)
  t.equal(get('user.bytes', 0)?.errno, ENODATA)
  for (const name of ['security.capability', 'system.posix_acl_access', 'trusted.x', 'user', 'u']) {
    t.equal(get(name, 100)?.errno, EOPNOTSUPP, name)
    t.equal(set(name, value)?.errno, EOPNOTSUPP, name)
    t.equal(send(OPCODE.REMOVEXATTR, ROOT, name)?.errno, EOPNOTSUPP, name)
  }
  t.same(defects, [])
  t.end()
})

void t.test('FORGET and BATCH_FORGET take lookups away, never the root', (t) => {
  const { send, fs, defects } = bench()
  const a = nodeOf(send(OPCODE.MKDIR, ROOT, 0o755, 0, 'a'))
  const b = nodeOf(send(OPCODE.MKDIR, ROOT, 0o755, 0, 'b'))
  send(OPCODE.LOOKUP, ROOT, 'a')
  t.equal(send(OPCODE.FORGET, a, 1n), null)
  t.equal(fs.inodes.get(a)?.lookups, 1)
  const some = [BigInt(a), 1n, BigInt(ROOT), 5n, BigInt(b), 1n]
  t.equal(send(OPCODE.BATCH_FORGET, 0, 3, 0, ...some), null)
  t.same([fs.inodes.get(a)?.lookups, fs.inodes.get(b)?.lookups], [0, 0])
  t.same(defects, [])
  t.equal(send(OPCODE.FORGET, b, 1n), null, 'one too many: no reply either')
  t.equal(defects.length, 1)
  t.end()
})

void t.test('CREATE, WRITE, READ: the bytes, and no further than a number goes', (t) => {
  const { send, fs } = bench()
  const created = bodyOf(send(OPCODE.CREATE, ROOT, 0o102, 0o100644, 0o22, 0, 'f'))
  t.equal(created.length, 128 + 16)
  t.equal(created.readUInt32LE(40 + 60), 0o100644)
  const nodeid = Number(created.readBigUInt64LE(0))
  const fh = created.readBigUInt64LE(128)
  const write = (offset: bigint, data: Uint8Array, flags = 0) =>
    send(OPCODE.WRITE, nodeid, fh, offset, data.length, flags, 0n, 0, 0, data)
  const read = (offset: bigint, size: number) =>
    send(OPCODE.READ, nodeid, fh, offset, size, 0, 0n, 0, 0)

  const data = Buffer.alloc(MAX_IO, 'some text ')
  t.equal(bodyOf(write(5n, data)).readUInt32LE(0), MAX_IO)
  t.ok(bodyOf(read(5n, MAX_IO)).equals(data))
  t.same(bodyOf(read(BigInt(MAX_IO), 4096)), data.subarray(-5))
  t.equal(bodyOf(read(BigInt(MAX_IO + 5), 4096)).length, 0)
  t.equal(bodyOf(read(2n ** 60n, 4096)).length, 0)
  t.equal(write(2n ** 53n, Buffer.from('x'))?.errno, EFBIG)
  t.equal(send(OPCODE.WRITE, nodeid, fh, 0n, 100, 0, 0n, 0, 0, Buffer.alloc(99))?.errno, EIO)
  t.equal(send(OPCODE.WRITE, nodeid, 999n, 0n, 1, 0, 0n, 0, 0, 'x')?.errno, constants.errno.EBADF)

  const inode = fs.inodes.get(nodeid)
  if (inode === undefined) throw new Error('no inode')
  inode.attributes.mode = 0o106755
  write(0n, Buffer.from('x'))
  t.equal(inode.attributes.mode, 0o106755)
  const KILL_SUIDGID = 1 << 2
  write(0n, Buffer.from('x'), KILL_SUIDGID)
  t.equal(inode.attributes.mode, 0o100755)

  inode.attributes.mode = 0o106755
  const O_TRUNC = 0o1000
  t.equal(bodyOf(send(OPCODE.OPEN, nodeid, O_TRUNC, 1)).length, 16)
  t.equal(inode.attributes.size, 0)
  t.equal(inode.attributes.mode, 0o100755, 'O_TRUNC with FUSE_OPEN_KILL_SUIDGID')
  t.equal(send(OPCODE.RELEASE, nodeid, fh, 0, 0, 0n)?.errno, 0)

  const NOFLUSH = 1 << 5
  const flagsOf = (flags: number): number =>
    bodyOf(send(OPCODE.OPEN, nodeid, flags, 0)).readUInt32LE(8)
  t.equal(flagsOf(0) & NOFLUSH, NOFLUSH, 'what only reads need not tell its close')
  for (const flags of [1, 2, O_TRUNC]) t.equal(flagsOf(flags) & NOFLUSH, 0)
  t.end()
})

void t.test('SETATTR: each time alone, nanoseconds, before 1970, now, nothing', (t) => {
  const { send, fs } = bench()
  const nodeid = nodeOf(send(OPCODE.MKNOD, ROOT, 0o100644, 0, 0, 0, 'f'))
  const setattr = (valid: number, at: { atime?: bigint; mtime?: bigint; size?: bigint } = {}) =>
    send(
      OPCODE.SETATTR,
      nodeid,
      ...[valid, 0, 42n, at.size ?? 0n, 0n, at.atime ?? 0n, at.mtime ?? 0n, 0n],
      ...[111, 999_999_999, 0, 0o100600, 0, 5, 6, 0],
    )
  const MODE = 1
  const SIZE = 1 << 3
  const ATIME = 1 << 4
  const MTIME = 1 << 5
  const FH = 1 << 6
  const ATIME_NOW = 1 << 7
  const MTIME_NOW = 1 << 8
  const last = () => fs.seen.changes.at(-1)

  const body = bodyOf(setattr(MTIME, { mtime: -5n }))
  t.same(last(), { mtime: { sec: -5, nsec: 999_999_999 } })
  t.equal(body.length, 104)
  t.equal(body.readBigInt64LE(16 + 32), -5n)
  t.equal(body.readUInt32LE(16 + 52), 999_999_999)
  setattr(ATIME, { atime: 2n ** 33n })
  t.same(last(), { atime: { sec: 2 ** 33, nsec: 111 } })
  setattr(ATIME | ATIME_NOW | MTIME | MTIME_NOW)
  t.same(last(), { atime: 'now', mtime: 'now' })
  setattr(MODE | FH)
  t.same(last(), { mode: 0o600, fh: 42 })
  setattr(SIZE, { size: 12n })
  t.same(last(), { size: 12 })
  t.equal(setattr(SIZE, { size: 2n ** 53n })?.errno, EFBIG)

  const before = fs.seen.changes.length
  t.equal(bodyOf(setattr(0)).readUInt32LE(16 + 60), 0o100600)
  t.equal(fs.seen.changes.length, before, 'nothing asked for, nothing changed')
  t.end()
})

void t.test('names made, linked, moved, removed', (t) => {
  const { send } = bench()
  const d = nodeOf(send(OPCODE.MKDIR, ROOT, 0o755, 0, 'd'))
  const f = nodeOf(send(OPCODE.MKNOD, ROOT, 0o100644, 0, 0, 0, 'f'))
  const s = nodeOf(send(OPCODE.SYMLINK, ROOT, 's', '../où'))
  t.equal(bodyOf(send(OPCODE.READLINK, s)).toString(), '../où')
  const raw = nodeOf(send(OPCODE.SYMLINK, ROOT, 'raw', Buffer.from('ff0a00', 'hex')))
  t.equal(bodyOf(send(OPCODE.READLINK, raw)).toString('hex'), 'ff0a', 'targets are bytes')
  t.equal(nodeOf(send(OPCODE.LINK, d, BigInt(f), 'hard')), f)
  t.equal(send(OPCODE.RENAME2, ROOT, BigInt(d), 1, 0, 'f', 'hard')?.errno, EEXIST)
  t.equal(send(OPCODE.RENAME2, ROOT, BigInt(d), 2, 0, 's', 'hard')?.errno, 0)
  t.equal(nodeOf(send(OPCODE.LOOKUP, d, 'hard')), s)
  t.equal(nodeOf(send(OPCODE.LOOKUP, ROOT, 's')), f)
  t.equal(send(OPCODE.RENAME, ROOT, BigInt(d), 'f', 'ф')?.errno, 0)
  t.equal(nodeOf(send(OPCODE.LOOKUP, d, 'ф')), f)
  t.equal(send(OPCODE.RMDIR, ROOT, 'd')?.errno, ENOTEMPTY)
  t.equal(send(OPCODE.UNLINK, d, 'ф')?.errno, 0)
  t.equal(send(OPCODE.UNLINK, d, 'hard')?.errno, 0)
  t.equal(send(OPCODE.RMDIR, ROOT, 'd')?.errno, 0)
  t.end()
})

interface Listed {
  name: string
  nodeid: number
  next: bigint
  type: number
}

function parseListing(body: Buffer, plus: boolean): Listed[] {
  const entries: Listed[] = []
  let at = 0
  while (at < body.length) {
    const dirent = at + (plus ? 128 : 0)
    const length = body.readUInt32LE(dirent + 16)
    const end = dirent + 24 + length
    const stop = (end + 7) & ~7
    if (body.subarray(end, stop).some((byte) => byte !== 0)) throw new Error('dirty padding')
    entries.push({
      name: body.toString('utf8', dirent + 24, end),
      nodeid: plus ? Number(body.readBigUInt64LE(at)) : 0,
      next: body.readBigUInt64LE(dirent + 8),
      type: body.readUInt32LE(dirent + 20),
    })
    at = stop
  }
  return entries
}

void t.test('READDIR and READDIRPLUS: each entry once, a lookup for each that was sent', (t) => {
  for (const plus of [false, true]) {
    const { send, fs } = bench()
    const names = Array.from({ length: 300 }, (_, i) => `${'é'.repeat(i % 90)}${String(i)}`)
    for (const name of names) {
      const made = nodeOf(send(OPCODE.MKNOD, ROOT, 0o100644, 0, 0, 0, name))
      send(OPCODE.FORGET, made, 1n)
    }
    const fh = bodyOf(send(OPCODE.OPENDIR, ROOT, 0, 0)).readBigUInt64LE(0)
    const listed: Listed[] = []
    for (let cookie = 0n; ; cookie = listed.at(-1)?.next ?? 0n) {
      const opcode = plus ? OPCODE.READDIRPLUS : OPCODE.READDIR
      const body = bodyOf(send(opcode, ROOT, fh, cookie, 4096, 0, 0n, 0, 0))
      if (body.length > 4096) t.fail('more than was asked for')
      if (body.length === 0) break
      listed.push(...parseListing(body, plus))
    }
    t.same(
      listed.map(({ name }) => name),
      ['.', '..', ...names],
    )
    t.same(
      listed.slice(0, 3).map(({ type }) => type),
      [4, 4, 8],
    )
    for (const { name, nodeid } of listed) {
      const dot = name === '.' || name === '..'
      if ((nodeid !== 0) !== (plus && !dot)) t.fail(`nodeid ${String(nodeid)} of ${name}`)
      if (nodeid !== 0 && fs.inodes.get(nodeid)?.lookups !== 1) t.fail(`lookups of ${name}`)
    }
    t.equal(fs.inodes.get(ROOT)?.lookups, 0)
    t.equal(send(OPCODE.RELEASEDIR, ROOT, fh, 0, 0, 0n)?.errno, 0)
  }
  t.end()
})

void t.test('READDIRPLUS lists what it cannot look up', (t) => {
  const { send, fs } = bench()
  send(OPCODE.MKDIR, ROOT, 0o755, 0, 'gone')
  send(OPCODE.MKDIR, ROOT, 0o755, 0, 'broken')
  const fh = bodyOf(send(OPCODE.OPENDIR, ROOT, 0, 0)).readBigUInt64LE(0)
  send(OPCODE.RMDIR, ROOT, 'gone')
  const lookup = fs.lookup.bind(fs)
  fs.lookup = (parent, name, out) => {
    if (name === 'broken') throw new Error('damaged')
    return lookup(parent, name, out)
  }
  const listed = parseListing(
    bodyOf(send(OPCODE.READDIRPLUS, ROOT, fh, 2n, 4096, 0, 0n, 0, 0)),
    true,
  )
  t.same(
    listed.map(({ name, nodeid }) => [name, nodeid]),
    [
      ['gone', 0],
      ['broken', 0],
    ],
  )
  t.end()
})

void t.test('a defect is EIO to the application and is told', (t) => {
  const { send, fs, defects } = bench()
  fs.trap = new TypeError('a trap')
  t.equal(send(OPCODE.GETATTR, ROOT, 0, 0, 0n)?.errno, EIO)
  t.match(defects, [{ message: 'a trap' }])
  t.equal(bodyOf(send(OPCODE.GETATTR, ROOT, 0, 0, 0n)).readUInt32LE(16 + 60), 0o40755)
  fs.trap = Object.assign(new Error('ENOSPC'), { errno: -constants.errno.ENOSPC })
  t.equal(send(OPCODE.GETATTR, ROOT, 0, 0, 0n)?.errno, constants.errno.ENOSPC)
  t.equal(defects.length, 1)
  t.end()
})

void t.test('no bytes make the dispatcher throw or answer beyond its buffer', (t) => {
  const { send } = bench()
  const opcode = fc.oneof(fc.integer({ min: 0, max: 70 }), fc.nat())
  fc.assert(
    fc.property(opcode, fc.nat(5), fc.uint8Array({ maxLength: 200 }), (opcode, nodeid, body) => {
      const reply = send(opcode, nodeid, body)
      return reply === null || (reply.errno >= 0 && reply.body.length <= MAX_IO)
    }),
    { numRuns: 500 },
  )
  t.end()
})
