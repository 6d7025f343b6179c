// A restless writer on a drive that is about to die. `node load.js <folder> <ledger> <known> <seed>
// <first number>`; `known` is a JSON file of the files that are there. It works until a call fails,
// which is how it learns of the death, and each call is in the ledger before and after it is made.
// Everything goes through one descriptor of the folder, so that nothing lands below a lost mount.

import {
  closeSync,
  constants,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmdirSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { Buffer } from 'node:buffer'
import { map } from '../posix/calls.js'
import { noise } from '../posix/folder.js'
import { Ledger, piece, PIECE_MAX, type Intent, type Known } from './ledger.js'

const [folder = '', ledgerPath = '', knownPath = '', seed = '1', first = '1'] =
  process.argv.slice(2)
const { O_CREAT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC } = constants
const CHUNK = 32 * 1024
const PAGE = 4096
const FILES_MAX = 40
const BYTES_MAX = 32 * 1024 * 1024
const OPEN_MAX = 4
const LATEST_MS = 20_000
/** A kernel splits a write at 256 pages, wherever they begin; no piece may be seen in halves. */
const WRITE_MAX = PIECE_MAX - PAGE

interface Open extends Known {
  fd: number
}

const random = noise(1 << 18, Number(seed))
let drawn = 0
const below = (limit: number): number => {
  drawn = (drawn + 4) % (random.length - 4)
  return limit <= 0 ? 0 : random.readUInt32LE(drawn) % limit
}
const any = <T>(list: readonly T[]): T | undefined => list[below(list.length)]

const ledger = new Ledger(ledgerPath)
const root = openSync(folder, O_RDONLY | O_DIRECTORY)
const at = (path: string): string => `/proc/self/fd/${String(root)}/${path}`
const resting = JSON.parse(readFileSync(knownPath, 'utf8')) as Known[]
const open: Open[] = []
/** Files are made in the first ones; the others come and go. */
const DIRECTORIES = ['d0', 'd1', 'd2', 'e0', 'e1', 'e2', 'e3']
const directories = readdirSync(at('')).filter((name) => DIRECTORIES.includes(name))
let number = Number(first)

class Died extends Error {}

/** The kernel may have made several requests of one write, and the drive have died in between. */
class Short extends Error {
  readonly code: string
  constructor(done: number) {
    super()
    this.code = `short ${String(done)}`
  }
}

function call<T>(file: number, intent: Intent, act: (number: number) => T): T {
  const own = number++
  ledger.add([own, file, ...intent])
  try {
    const result = act(own)
    ledger.add([own, 'ok'])
    return result
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException
    ledger.add([own, 'failed', code])
    throw new Died()
  }
}

function create(path: string): Open {
  const id = number
  const fd = call(id, ['create', path], () => openSync(at(path), O_RDWR | O_CREAT | O_EXCL, 0o644))
  const file = { id, path, size: 0, fd }
  open.push(file)
  return file
}

function reopen(file: Known, truncating: boolean): Open {
  const flags = truncating ? O_RDWR | O_TRUNC : O_RDWR
  const fd = call(file.id, ['open', truncating], () => openSync(at(file.path), flags))
  resting.splice(resting.indexOf(file), 1)
  const opened = { ...file, fd, size: truncating ? 0 : file.size }
  open.push(opened)
  return opened
}

function write(file: Open, offset: number, length: number): void {
  call(file.id, ['write', offset, length], (own) => {
    const done = writeSync(file.fd, piece(own, length), 0, length, offset)
    if (done !== length) throw new Short(done)
  })
  file.size = Math.max(file.size, offset + length)
}

function truncate(file: Open, size: number): void {
  call(file.id, ['truncate', size], () => {
    ftruncateSync(file.fd, size)
  })
  file.size = size
}

const fsync = (file: Open): void => {
  call(file.id, ['fsync'], () => {
    fsyncSync(file.fd)
  })
}

function close(file: Open): void {
  open.splice(open.indexOf(file), 1)
  call(file.id, ['close'], () => {
    closeSync(file.fd)
  })
  resting.push({ id: file.id, path: file.path, size: file.size })
}

function rename(file: Known, to: string): void {
  call(file.id, ['rename', to], () => {
    renameSync(at(file.path), at(to))
  })
  const replaced = resting.findIndex(({ path }) => path === to)
  if (replaced >= 0) resting.splice(replaced, 1)
  file.path = to
}

function mapped(file: Open): void {
  const chunks = Math.ceil(file.size / CHUNK)
  const places: [number, number][] = []
  for (let i = below(chunks); i < chunks && places.length < 4; i += 1 + below(4)) {
    const page = i * CHUNK + below(CHUNK / PAGE) * PAGE
    const length = Math.min(1 + below(PAGE), file.size - page)
    if (length > 0) places.push([page, length])
  }
  if (places.length === 0) return
  call(file.id, ['map', places], (own) => {
    const mapping = map(file.fd, file.size, 'shared')
    for (const [offset, length] of places)
      mapping.write(offset, piece(own, length).toString('latin1'))
    mapping.sync()
    mapping.unmap()
  })
}

/** A long name has a sidecar in the vault. */
function freeName(): string {
  const directory = below(3) === 0 ? any(directories.filter((d) => d < 'e')) : undefined
  const name = `f${String(number)}`.padEnd(below(8) === 0 ? 200 : 0, '-')
  return directory === undefined ? name : `${directory}/${name}`
}
const total = (): number => [...resting, ...open].reduce((sum, { size }) => sum + size, 0)
const maybeClose = (file: Open): void => {
  if (below(2) === 0 || open.length > OPEN_MAX) close(file)
}

function fill(file: Open, pieces: number): void {
  for (let i = 0; i < pieces; i++) write(file, file.size, 1 + below(60_000))
}

function large(): void {
  if (total() > BYTES_MAX / 2) return
  const file = create(freeName())
  for (let i = 0; i < 9; i++) write(file, file.size, PIECE_MAX)
  maybeClose(file)
}

function small(): void {
  if (resting.length + open.length >= FILES_MAX || total() > BYTES_MAX) return
  const file = create(freeName())
  fill(file, 1 + below(4))
  maybeClose(file)
}

/** As an editor saves: a new file beside the old one, made durable, in its place. */
function save(): void {
  const old = any(resting)
  if (old === undefined) return
  const file = create(freeName())
  fill(file, 1 + below(3))
  if (below(2) === 0) fsync(file)
  if (below(4) === 0) {
    rename(file, old.path)
    fill(file, 1)
    close(file)
  } else {
    close(file)
    rename(resting.at(-1)!, old.path)
  }
}

function onOpen(file: Open): void {
  const chunks = Math.max(1, Math.floor(file.size / CHUNK))
  const place = below(file.size)
  switch (below(10)) {
    case 0:
    case 1:
      write(file, below(chunks) * CHUNK, CHUNK * (1 + below(4)))
      break
    case 2:
      write(file, place, 1 + below(5000))
      break
    case 3:
      // across the border of two chunks, or more
      write(file, Math.max(0, (1 + below(chunks)) * CHUNK - below(3000)), 3000 + below(100_000))
      break
    case 4:
      if (file.size > 4 * CHUNK) write(file, below(file.size - WRITE_MAX), WRITE_MAX)
      break
    case 5:
      fill(file, 1 + below(3))
      break
    case 6:
      truncate(file, below(3) === 0 ? file.size + below(200_000) : place)
      break
    case 7:
      mapped(file)
      break
    case 8:
      fsync(file)
      break
    default:
      close(file)
  }
}

function directory(): void {
  const name = any(DIRECTORIES) ?? ''
  const isEmpty = ![...resting, ...open].some(({ path }) => path.startsWith(`${name}/`))
  if (!directories.includes(name)) {
    call(number, ['mkdir', name], () => {
      mkdirSync(at(name))
    })
    directories.push(name)
  } else if (isEmpty) {
    call(number, ['rmdir', name], () => {
      rmdirSync(at(name))
    })
    directories.splice(directories.indexOf(name), 1)
  }
}

function onResting(): void {
  const file = any(resting)
  if (file === undefined) return
  const other = any(resting)
  switch (below(8)) {
    case 0:
    case 1:
      reopen(file, false)
      break
    case 2:
    case 3: {
      const opened = reopen(file, true)
      fill(opened, 1 + below(4))
      maybeClose(opened)
      break
    }
    case 4:
      if (other !== file) rename(file, other?.path ?? freeName())
      else rename(file, freeName())
      break
    case 5: {
      const size = below(3) === 0 ? file.size + below(100_000) : below(file.size)
      call(file.id, ['truncate', size], () => {
        truncateSync(at(file.path), size)
      })
      file.size = size
      break
    }
    case 6:
      if (resting.length < FILES_MAX / 2 && total() < BYTES_MAX) break
      call(file.id, ['unlink'], () => {
        unlinkSync(at(file.path))
      })
      resting.splice(resting.indexOf(file), 1)
      break
    default:
      call(file.id, ['read'], () => {
        const fd = openSync(at(file.path), O_RDONLY)
        readSync(fd, Buffer.alloc(CHUNK), 0, CHUNK, below(file.size))
        closeSync(fd)
      })
  }
}

try {
  for (const end = Date.now() + LATEST_MS; Date.now() < end;) {
    const choice = below(100)
    const file = any(open)
    if (choice < 2) large()
    else if (choice < 14) small()
    else if (choice < 22) save()
    else if (choice < 26) directory()
    else if (choice < 80 && file !== undefined) onOpen(file)
    else onResting()
    while (open.length > OPEN_MAX) close(open[0]!)
  }
} catch (error) {
  if (!(error instanceof Died)) throw error
}
ledger.close()
// descriptors of a dead drive may take their time to close
process.exit(0)
