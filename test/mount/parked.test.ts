// Requests that wait: in which order they are served, what ends them, how many there may be.

import { constants } from 'node:os'
import t, { type Test } from 'tap'
import { CofferError } from '../../lib/errors.js'
import { Later } from '../../lib/fs/later.js'
import { Parked } from '../../lib/mount/fuse-linux/parked.js'
import { Request, REQUEST_CAPACITY } from '../../lib/mount/fuse-linux/request.js'
import { SlowLane } from '../../lib/mount/fuse-linux/slow-lane.js'
import {
  COPY_FILE_RANGE_IN,
  IN_HEADER,
  INTERRUPT_IN,
  OPCODE,
  WRITE_DATA,
} from '../../lib/mount/fuse-linux/wire.js'
import { closeWake, openWake } from '../../lib/native/eventfd.js'
import { needs } from '../needs.js'

const { EINTR, EIO, ENOMEM, EXDEV } = constants.errno
const LIMIT_MS = 1000
const FILE = 7
const OTHER = 8

class Line {
  /** what was done, as "unique" or "unique errno" */
  readonly done: string[] = []
  readonly parked: Parked
  /** what requests of these numbers need first */
  readonly need = new Map<number, Later>()
  readonly #request = new Request(new Uint8Array(REQUEST_CAPACITY))
  now = 0

  constructor(t: Test, limitMs = LIMIT_MS) {
    const wakeFd = openWake()
    t.teardown(() => {
      closeWake(wakeFd)
    })
    this.parked = new Parked(this.#request, new SlowLane(wakeFd), limitMs, {
      serve: () => {
        this.#serve()
      },
      fail: (errno) => {
        this.done.push(`${String(this.#unique)} ${String(errno)}`)
      },
    })
  }

  get #unique(): number {
    return this.#request.u64(IN_HEADER.unique)
  }

  #serve(): void {
    const later = this.need.get(this.#unique)
    if (later?.outcome === null) this.parked.park(later, this.now)
    else this.done.push(String(this.#unique))
  }

  /** A request comes from the kernel. */
  comes(unique: number, opcode: number, nodeid: number, length = WRITE_DATA, more = {}): void {
    const { bytes } = this.#request
    bytes.fill(0, 0, WRITE_DATA)
    bytes.writeUInt32LE(length, IN_HEADER.len)
    bytes.writeUInt32LE(opcode, IN_HEADER.opcode)
    bytes.writeUInt32LE(unique, IN_HEADER.unique)
    bytes.writeUInt32LE(nodeid, IN_HEADER.nodeid)
    for (const [at, value] of Object.entries(more)) bytes.writeUInt32LE(Number(value), Number(at))
    if (this.parked.count === 0 || !this.parked.takes(length, this.now)) {
      this.#request.begin(length)
      this.#serve()
    }
  }

  waitsFor(...uniques: number[]): Later {
    const later = new Later(null, () => new CofferError('EIO', 'late'))
    for (const unique of uniques) this.need.set(unique, later)
    return later
  }
}

const { WRITE, READ, FLUSH, GETATTR, OPEN, INTERRUPT, RELEASE, COPY_FILE_RANGE } = OPCODE

t.test('a change is not overtaken by what comes later to the same file', async (t) => {
  if (!needs(t, 'linux')) return
  const line = new Line(t)
  const first = line.waitsFor(1)
  const second = line.waitsFor(1, 3)
  line.need.set(1, first)
  line.comes(1, WRITE, FILE)
  line.comes(2, READ, FILE)
  line.comes(3, WRITE, FILE)
  line.comes(4, FLUSH, FILE)
  line.comes(5, GETATTR, FILE)
  line.comes(6, READ, OTHER)
  line.comes(7, COPY_FILE_RANGE, OTHER, 200, { [COPY_FILE_RANGE_IN.nodeid_out]: FILE })
  line.comes(8, READ, OTHER)
  t.same(line.done, ['5', '6'], 'other files go on; what is copied from another waits with it')
  // the first needs something else when its job has ended: the others still wait behind it
  line.need.set(1, second)
  first.settle({ fd: -1 })
  line.parked.look(0)
  t.same(line.done, ['5', '6'])
  second.settle({ fd: -1 })
  while (line.parked.count > 0) line.parked.look(0)
  t.same(line.done, ['5', '6', '1', '2', '3', '4', '7', '8'])
})

t.test('what changes nothing holds up nobody', async (t) => {
  if (!needs(t, 'linux')) return
  const line = new Line(t)
  const later = line.waitsFor(1, 2, 3)
  line.comes(1, OPEN, FILE)
  line.comes(2, FLUSH, FILE)
  line.comes(3, RELEASE, FILE)
  line.comes(4, READ, FILE)
  line.comes(5, WRITE, FILE)
  t.same(line.done, ['4', '5'])
  later.settle({ fd: -1 })
  t.equal(line.parked.look(0), Infinity)
  t.same(line.done, ['4', '5', '1', '2', '3'])
})

t.test('what keeps folders locked waits for a moment only', async (t) => {
  if (!needs(t, 'linux')) return
  const line = new Line(t, 300_000)
  line.waitsFor(1, 2, 3, 4)
  line.comes(1, OPEN, FILE)
  line.comes(2, OPCODE.RENAME2, FILE)
  line.comes(3, OPCODE.LINK, FILE)
  t.equal(line.parked.look(500), 1500)
  t.equal(line.parked.look(2000), 298_000)
  t.same(line.done, [`2 ${String(EXDEV)}`, `3 ${String(EXDEV)}`])
})

t.test('interrupted, late, at the end', async (t) => {
  if (!needs(t, 'linux')) return
  const line = new Line(t)
  line.waitsFor(1, 2, 3)
  line.comes(1, OPEN, FILE)
  line.now = 400
  line.comes(2, OPEN, FILE)
  line.comes(3, OPEN, FILE)
  line.comes(4, INTERRUPT, 0, WRITE_DATA, { [INTERRUPT_IN.unique]: 2 })
  t.same(line.done, [`2 ${String(EINTR)}`])
  t.equal(line.parked.look(900), 100, 'the time of the oldest')
  t.equal(line.parked.look(1000), 400)
  t.same(line.done.slice(1), [`1 ${String(EIO)}`])
  line.parked.end()
  t.same(line.done.slice(2), [`3 ${String(EIO)}`])
  t.equal(line.parked.count, 0)
})

t.test('what waits is bounded', async (t) => {
  if (!needs(t, 'linux')) return
  const line = new Line(t)
  const size = 1024 * 1024
  const uniques = Array.from({ length: 65 }, (_, i) => i + 1)
  line.waitsFor(...uniques)
  for (const unique of uniques) line.comes(unique, OPEN, unique, size)
  t.same(line.done, [`65 ${String(ENOMEM)}`])
  t.equal(line.parked.count, 64)
})
