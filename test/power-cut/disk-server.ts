// A program that serves a `DiskFilesystem`: `node disk-server.js <mountpoint> <image> <what lies on
// it>…`. The image is read once and never written. It says "ready" when it can be used, and ends when
// it is unmounted. If whoever started it is gone, it takes down what was mounted, itself last.

import { spawn } from 'node:child_process'
import { readFileSync, writeSync } from 'node:fs'
import { mountFuse } from '../../lib/mount/fuse-linux/mount-fuse.js'
import { serve } from '../../lib/mount/fuse-linux/session.js'
import { openWake } from '../../lib/native/eventfd.js'
import { DiskFilesystem } from './disk.js'

const LOOK_MS = 1000
const STDOUT = 1
const STDERR = 2
const CLEAR = 'loop=$1; shift; for m; do umount -l "$m"; done; [ -z "$loop" ] || losetup -d "$loop"'

const [mountpoint = '', image = '', ...above] = process.argv.slice(2)
const parent = process.ppid

class Served extends DiskFilesystem {
  #orphan = false

  override tend(): number {
    if (this.#orphan || process.ppid === parent) return LOOK_MS
    this.#orphan = true
    const words = [this.loop, ...above, mountpoint]
    spawn('sh', ['-c', CLEAR, 'sh', ...words], { detached: true, stdio: 'ignore', cwd: '/' })
    return LOOK_MS
  }
}

const session = mountFuse({ mountpoint, fsname: 'coffer:disk' })
const disk = new Served(readFileSync(image))
writeSync(STDOUT, 'ready\n')
const validity = { entryTimeoutMs: 0, attrTimeoutMs: 0, negativeTimeoutMs: 0 }
const hooks = {
  wakeFd: openWake(),
  onWake: () => true,
  onDefect(error: unknown) {
    writeSync(STDERR, `disk: ${error instanceof Error ? (error.stack ?? '') : String(error)}\n`)
  },
}
serve(session.deviceFd, disk, hooks, { validity })
session.close()
