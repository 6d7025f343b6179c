// A program that serves a `DiskFilesystem`: `node disk-server.js <mountpoint> <image> <folder of the
// rig>`. The image is read once and never written. It says "ready" when it can be used, and ends when
// it is unmounted. If whoever started it is gone, it takes the whole rig away, itself last.

import { spawn } from 'node:child_process'
import { readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { mountFuse } from '../../lib/mount/fuse-linux/mount-fuse.js'
import { serve } from '../../lib/mount/fuse-linux/session.js'
import { openWake } from '../../lib/native/eventfd.js'
import { DiskFilesystem } from './disk.js'
import { DISK, DRIVE, endDrives, RUNTIME } from './rig.js'

const LOOK_MS = 1000
const STDOUT = 1
const STDERR = 2
const CLEAR =
  'loop=$1; folder=$2; shift 2; for m; do umount -l "$m"; [ -z "$loop" ] || losetup -d "$loop"; done' +
  '; rm -rf --one-file-system "$folder"'

const [mountpoint = '', image = '', folder = ''] = process.argv.slice(2)
const parent = process.ppid

class Served extends DiskFilesystem {
  #orphan = false

  override tend(): number {
    if (this.#orphan || process.ppid === parent) return LOOK_MS
    this.#orphan = true
    endDrives(join(folder, RUNTIME))
    const words = [this.loop, folder, join(folder, DRIVE), join(folder, DISK), mountpoint]
    spawn('sh', ['-c', CLEAR, 'sh', ...words], { detached: true, stdio: 'ignore', cwd: '/' })
    return LOOK_MS
  }
}

const session = mountFuse({ mountpoint, fsname: 'coffer:disk' })
const disk = new Served(readFileSync(image))
writeSync(STDOUT, 'ready\n')
const hooks = {
  wakeFd: openWake(),
  onWake: () => true,
  onDefect(error: unknown) {
    writeSync(STDERR, `disk: ${error instanceof Error ? (error.stack ?? '') : String(error)}\n`)
  },
}
serve(session.deviceFd, disk, hooks, { believedMs: 0 })
session.close()
