// What unmounts a drive whose process was killed. A shell in a session of its own waits for the end of
// a pipe that only the serving process can write to: the kernel closes it, whatever the death.
// (auto_unmount of fusermount3 would need allow_other: it looks at the mount as root.)
//
// Then it looks whether a drive is still there and is dead. A later drive at the same place may have
// the same device number, since those are used again at once, but it answers statfs(2).

import { spawn } from 'node:child_process'
import { CofferError } from '../errors.js'
import { close, pipe } from '../native/descriptor.js'
import { FILE_SYSTEM_TYPE } from './mount-options.js'

/**
 * $1 the mount point, $2 the device number, then the command that unmounts. Paths in mountinfo have
 * octal escapes, as printf %b has.
 */
const SCRIPT = `
trap '' INT TERM HUP
while read -r _; do :; done
at=$1 own=$2
shift 2
while read -r _ _ device _ point rest; do
  [ "$device" = "$own" ] && [ "$(printf '%b.' "$point")" = "$at." ] || continue
  case "$rest" in *' - ${FILE_SYSTEM_TYPE} '*) ;; *) continue ;; esac
  case "$(stat -f "$at" 2>&1 > /dev/null)" in *[Cc]onnect*) exec "$@" "$at" ;; esac
done < /proc/self/mountinfo
`

/** Returns what ends the watch. After that, too, a mount that is dead goes. */
export function watchMount(
  mountpoint: string,
  devNumber: string,
  unmount: readonly string[],
): () => void {
  const { reading, writing } = pipe()
  try {
    const argv = ['-c', SCRIPT, 'coffer-watch', mountpoint, devNumber, ...unmount]
    const watcher = spawn('/bin/sh', argv, {
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
