// What unmounts a drive whose process was killed. A shell in a session of its own waits for the end of
// a pipe that only the serving process can write to: the kernel closes it, whatever the death.
// (auto_unmount of fusermount3 would need allow_other: it looks at the mount as root.)
//
// Then it looks whether a drive is still there and is dead. A later drive at the same place may have
// the same device number, since those are used again at once, but it answers statfs(2).
//
// A process whose main thread was killed may never end: a thread that tells the kernel something waits
// for the lock of a directory, the lock is held by a request, and the request waits for the process.
// So the watch also hears of the end of that thread (PR_SET_PDEATHSIG, by setpriv where it is there),
// and if other threads remain after a second it aborts the connection, which has them go.

import { spawn } from 'node:child_process'
import { CofferError } from '../errors.js'
import { close, pipe } from '../native/descriptor.js'
import { FILE_SYSTEM_TYPE } from './mount-options.js'

/** Comes with the end of each thread. Ignored unless trapped: one before the trap is set ends nothing. */
const DEATH = 'URG'

const START = `setpriv --pdeathsig ${DEATH} true && exec setpriv --pdeathsig ${DEATH} "$@"; exec "$@"`

/**
 * $1 the mount point, $2 the device number, $3 the process that serves, then the command that
 * unmounts. Paths in mountinfo have octal escapes, as printf %b has.
 */
const SCRIPT = `
trap '' INT TERM HUP
at=$1 own=$2 server=$3
shift 3
free() {
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    set -- /proc/"$server"/task/*
    [ $# -gt 1 ] || return
    sleep 0.1
  done
  echo 1 > /sys/fs/fuse/connections/"\${own#*:}"/abort || umount -f "$at"
}
trap 'trap "" ${DEATH}; free &' ${DEATH}
while read -r _; do :; done
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
    const own = [mountpoint, devNumber, String(process.pid)]
    const watch = ['/bin/sh', '-c', SCRIPT, 'coffer-watch', ...own, ...unmount]
    const watcher = spawn('/bin/sh', ['-c', START, 'sh', ...watch], {
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
