// What a mount is asked for, and what it gives. Both ways to mount share this.

export const SUBTYPE = 'coffer'
export const FILE_SYSTEM_TYPE = `fuse.${SUBTYPE}`

export interface MountOptions {
  mountpoint: string
  /** what mount(8) and df show as the source */
  fsname: string
  readOnly?: boolean
  /** users other than the one who mounts may look in, as far as permission bits let them */
  allowOther?: boolean
}

export interface FuseSession {
  /** the connection; what `serve` takes, in whatever thread of this process */
  readonly deviceFd: number
  /** MAJOR:MINOR of the mount */
  readonly devNumber: string
  /** absolute, without symbolic links */
  readonly mountpoint: string
  /** Lets go of the connection. A mount that is still there is dead from then on, and soon gone. */
  close(): void
}

/** No separators of option lists or of /proc/mounts, no control characters. */
export const plainName = (name: string): string =>
  name.replace(/[^\p{L}\p{N}._:@+-]/gu, '_') || SUBTYPE
