// What may take long and is done by a helper thread while the drive serves others. A job is plain data:
// descriptors belong to the process, so a number is all that a thread needs. Whoever makes a job keeps
// what it lends until the job has ended.

import { CofferError } from '../errors.js'
import { openBacking, emptyStat, type Backing } from './backing.js'
import { isMarked } from './placeholder.js'

interface Opening<What> {
  what: What
  dirfd: number
  name: string
  write: boolean
  /** as `isMarked` takes it */
  remote: boolean
}

export type SlowJob =
  /** Opens a file whose content may have to come from elsewhere, and waits until it is there. */
  | Opening<'fetch'>
  /** Waits for a file that a stub stands for, and opens it. */
  | Opening<'arrive'>
  /** Makes `to`, which is empty, the same as `from`, holes too. Nobody else writes to either. */
  | { what: 'copy'; from: number; to: number; durable: boolean }

const READ_BYTES = 1024 * 1024
const COPY_BYTES = 64 * 1024 * 1024
const ARRIVE_EVERY_MS = 100
/** then whoever still wants it asks again */
const ARRIVE_MAX_MS = 600_000

/** Does a job in this thread. Returns a descriptor that the caller owns, or -1 where there is none to give. */
export function runJob(job: SlowJob, backing: Backing = openBacking()): number {
  switch (job.what) {
    case 'fetch':
      return fetch(backing, job)
    case 'arrive':
      return arrive(backing, job)
    case 'copy':
      copy(backing, job)
      return -1
  }
}

const open = (backing: Backing, dirfd: number, name: string, write: boolean): number =>
  write ? backing.openWrite(dirfd, name) : backing.openRead(dirfd, name)

/** Most engines bring all of a file for its first byte. Of others everything is read once. */
function fetch(
  backing: Backing,
  { dirfd, name, write, remote }: Omit<Opening<'fetch'>, 'what'>,
): number {
  const fd = open(backing, dirfd, name, write)
  try {
    const bytes = new Uint8Array(new ArrayBuffer(READ_BYTES))
    const stat = emptyStat()
    backing.read(fd, bytes, 0, 1, 0)
    backing.statFd(fd, stat)
    if (!isMarked(backing, dirfd, name, stat, remote)) return fd
    for (let at = 0; at < stat.size; at += READ_BYTES)
      if (backing.read(fd, bytes, 0, READ_BYTES, at) < READ_BYTES) break
    return fd
  } catch (error) {
    backing.close(fd)
    throw error
  }
}

const sleeper = new Int32Array(new SharedArrayBuffer(4))

function arrive(backing: Backing, job: Opening<'arrive'>): number {
  for (let waited = 0; waited < ARRIVE_MAX_MS; waited += ARRIVE_EVERY_MS) {
    try {
      return fetch(backing, job)
    } catch (error) {
      if (!(error instanceof CofferError) || error.code !== 'ENOENT') throw error
    }
    Atomics.wait(sleeper, 0, 0, ARRIVE_EVERY_MS)
  }
  throw new CofferError('ONLINE_ONLY', 'the sync program has not brought the file')
}

function copy(backing: Backing, { from, to, durable }: SlowJob & { what: 'copy' }): void {
  const stat = emptyStat()
  backing.statFd(from, stat)
  const { size } = stat
  for (let at = backing.nextData(from, 0); at < size; at = backing.nextData(from, at)) {
    const end = Math.min(size, backing.nextHole(from, at), at + COPY_BYTES)
    backing.copyRange(from, to, at, end - at)
    at = end
  }
  backing.truncate(to, size)
  if (durable) backing.datasync(to)
}
