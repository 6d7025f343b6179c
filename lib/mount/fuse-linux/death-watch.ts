// What unmounts a drive of root whose process was killed. A shell in a session of its own waits for
// the end of a pipe that only the serving process can write to; the kernel closes it whatever the
// death. The device number tells our mount from a later one at the same place.

import { spawn } from 'node:child_process'
import { CofferError } from '../../errors.js'
import { close, pipe } from '../../native/descriptor.js'

/** $1 the mount point, $2 the device number. Paths in mountinfo are in octal: compared as printf %b. */
const SCRIPT = `
trap '' INT TERM HUP
while read -r _; do :; done
while read -r _ _ device _ point _; do
  if [ "$device" = "$2" ] && [ "$(printf '%b.' "$point")" = "$1." ]; then
    exec umount -l "$1"
  fi
done < /proc/self/mountinfo
`

/** Returns what ends the watch. After that, too, a mount that is still there goes. */
export function watchMount(mountpoint: string, devNumber: string): () => void {
  const { reading, writing } = pipe()
  try {
    const watcher = spawn('/bin/sh', ['-c', SCRIPT, 'coffer-watch', mountpoint, devNumber], {
      cwd: '/',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      stdio: [reading, 'ignore', 'ignore'],
      detached: true,
    })
    watcher.on('error', () => undefined)
    watcher.unref()
    if (watcher.pid === undefined) throw new CofferError('AGENT', 'cannot start /bin/sh')
  } catch (error) {
    close(writing)
    throw error
  } finally {
    close(reading)
  }
  return () => {
    close(writing)
  }
}
