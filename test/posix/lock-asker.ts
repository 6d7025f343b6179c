// A process of its own that asks for a lock on a whole file, to read or to write, by fcntl(2), and says
// what it met: `node lock-asker.js <file> <read|write>` prints "done", or the error and the lock in its way.

import { openSync } from 'node:fs'
import { errorOf } from './row.js'
import { F_GETLK, F_RDLCK, F_SETLK, F_WRLCK, lockRange } from './system-calls.js'

const [path = '', way] = process.argv.slice(2)
const fd = openSync(path, 'r+')
const type = way === 'write' ? F_WRLCK : F_RDLCK
const code = errorOf(() => lockRange(fd, F_SETLK, { type }))
if (code === 'done') process.stdout.write(code)
else {
  const lock = lockRange(fd, F_GETLK, { type })
  process.stdout.write([code, lock.type, lock.start, lock.length, lock.pid].join(' '))
}
