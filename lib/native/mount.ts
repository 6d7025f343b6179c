// mount(2) and umount2(2).

import { check, lazy } from './libc.js'

export const MS_RDONLY = 1
export const MS_NOSUID = 2
export const MS_NODEV = 4
export const MNT_DETACH = 2
export const UMOUNT_NOFOLLOW = 8

const c = {
  mount: lazy(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
  ),
  umount2: lazy('int umount2(const char *target, int flags)'),
}

export function mount(
  source: string,
  target: string,
  type: string,
  flags: number,
  data: string,
): void {
  check(c.mount(source, target, type, flags, data), 'mount')
}

/** Waits for the mount's last requests to be answered, so another thread has to serve them. */
export function umount(target: string, flags: number): void {
  check(c.umount2(target, flags), 'umount2')
}
