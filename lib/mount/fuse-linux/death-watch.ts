// What unmounts a drive of root whose process was killed; for others fusermount3 does the same. A
// shell in a session of its own waits for the end of a pipe that only the serving process can write
// to: the kernel closes it, whatever the death.
//
// Then it looks whether a drive is still there and is dead. A later drive at the same place may have
// the same device number, since those are used again at once, but it answers statfs(2).

import { spawn } from 'node:child_process'
import { CofferError } from '../../errors.js'
import { close, pipe } from '../../native/descriptor.js'
import { FILE_SYSTEM_TYPE } from './mount-options.js'

/** $1 the mount point, $2 the device number. Paths in mountinfo have octal escapes, as printf %b has. */
const SCRIPT = `
trap '' INT TERM HUP
while read -r _; do :; done
while read -r _ _ device _ point rest; do
  [ "$device" = "$2" ] && [ "$(printf '%b.' "$point")" = "$1." ] || continue
  case "$rest" in *' - ${FILE_SYSTEM_TYPE} '*) ;; *) continue ;; esac
  case "$(stat -f "$1" 2>&1 > /dev/null)" in *[Cc]onnect*) exec umount -l "$1" ;; esac
done < /proc/self/mountinfo
`

/** Returns what ends the watch. After that, too, a mount that is dead goes. */
export function watchMount(mountpoint: string, devNumber: string): () => void {
  const { reading, writing } = pipe()
  try {
    const watcher = spawn('/bin/sh', ['-c', SCRIPT, 'coffer-watch', mountpoint, devNumber], {
      cwd: '/',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
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
