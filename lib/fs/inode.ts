// One inode towards the kernel, whatever its names. A name (parent, name, base) is where its blob
// lies in the backing tree; `base` is the backing name without its extension. The inode itself is the
// name by which it was reached last; hard links have others. Plain data: what is true of it together
// is kept by `Tree`.

import type { Origin } from '../format/conflict.js'
import type { ObjectExtension } from '../format/name.js'
import type { Directory } from './directory.js'
import type { FileBody } from './file-body.js'
import type { Stamp } from './stamp.js'
import type { Rescue } from './rescue.js'

export const ROOT_NODEID = 1

/** Closed less than this ago, sync clients have not looked yet. */
export const RECENT_MS = 2000

/** A clock that was set back says no. */
export function isRecent({ closedAt }: Pick<Inode, 'closedAt'>, now: number): boolean {
  const age = now - closedAt
  return age >= 0 && age < RECENT_MS
}

export interface Name {
  parent: Inode
  name: string
  base: string
  /** id of the parent under which `base` is `name` */
  dirId: Uint8Array
  /** null where the blob lies under `base` and is shown as `name` */
  copy: Copy | null
}

/**
 * A conflict copy: a blob that is to be judged as `name`, as every other, but lies under a backing name
 * of its own, or behind another that bears `name`.
 */
export interface Copy {
  /** backing name */
  readonly file: string
  readonly base: string
  readonly extension: ObjectExtension
  readonly dirId: Uint8Array
  readonly name: string
  readonly origin: Origin
  /** the name that applications know it by */
  shown: string
}

export interface Inode {
  readonly nodeid: number
  readonly extension: ObjectExtension
  /** backing inode number, shown as ours */
  ino: number
  lookups: number
  /** null for the root, and where no name is known (any more) */
  parent: Inode | null
  name: string
  base: string
  /** name of the stub that stands for the blob (store/placeholder.ts), or null */
  stub: string | null
  /** id of the parent under which `base` is `name` */
  dirId: Uint8Array
  copy: Copy | null
  /** the name that it had here before, in the same directory; '' where there was none */
  left: string
  /** further names that were seen; every one has shown its right to the blob, some may be gone */
  others: Name[]
  directory: Directory | null
  /** of a directory: who is known to lie in it, by backing name; of two the one that came last */
  entries: Map<string, Inode> | null
  /** of a directory: its watch in the vault folder, -1 where changes by others are not told */
  watch: number
  body: FileBody | null
  /** the blob is being copied, since its name leads elsewhere now */
  rescue: Rescue | null
  opens: number
  /** known names that lie in this directory, `others` too: it is not forgotten before them */
  children: number
  /** a new file that has no name in the backing tree yet */
  pending: boolean
  /** the next read of an application moves atime */
  unread: boolean
  /** made without a name (O_TMPFILE): the first link gives it one */
  nameless: boolean
  /** wall clock of the last close after a write, milliseconds */
  closedAt: number
  /** wall clock of its creation here where no sync has been asked for since, otherwise 0 */
  bornAt: number
  /** counted among the files that were stored */
  counted: boolean
  /** content and names are on the disk, or in the journal, as far as they have been stored */
  synced: boolean
  /** of a directory: when a file was made in it last, while such a file has no backing name yet */
  madeAt: { sec: number; nsec: number } | null
  /** of a directory: wall clock of the last sync of its entries */
  entriesSyncedAt: number
  /** mode and device number in the seal, as read when the backing inode had this ctime */
  sealed: { ctimeSec: number; ctimeNsec: number; mode: number; rdev: number } | null
  /** what the blob looked like when the kernel's pages were last true */
  cached: Stamp | null
}

const NO_ID = new Uint8Array(16)

export function newInode(nodeid: number, extension: ObjectExtension, ino: number): Inode {
  return {
    nodeid,
    extension,
    ino,
    lookups: 0,
    parent: null,
    name: '',
    base: '',
    stub: null,
    dirId: NO_ID,
    copy: null,
    left: '',
    others: [],
    directory: null,
    entries: null,
    watch: -1,
    body: null,
    rescue: null,
    opens: 0,
    children: 0,
    pending: false,
    unread: false,
    nameless: false,
    closedAt: 0,
    bornAt: 0,
    counted: false,
    synced: false,
    madeAt: null,
    entriesSyncedAt: 0,
    sealed: null,
    cached: null,
  }
}

/** Of what lies in the vault folder: the blob, or a stub in its place. */
export const backingName = ({ stub, copy, base, extension }: Inode): string =>
  stub ?? copy?.file ?? base + extension

/** Under a backing name that a sync client gave it; one that is only hidden lies where it belongs. */
export const isVersion = ({ copy, base, extension }: Pick<Inode, 'copy' | 'base' | 'extension'>) =>
  copy !== null && copy.file !== base + extension

export const shownName = ({ copy, name }: Pick<Name, 'copy' | 'name'>): string =>
  copy?.shown ?? name

/** Plain path from the root, for messages. */
export function plainPath(inode: Inode): string {
  const parts: string[] = []
  for (let at = inode; at.parent !== null; at = at.parent) parts.unshift(shownName(at))
  return `/${parts.join('/')}`
}

/** Path of the blob below the vault folder, for messages that must not show plain names. */
export function blobPath(inode: Inode): string {
  const parts: string[] = []
  for (let at = inode; at.parent !== null; at = at.parent) parts.unshift(backingName(at))
  return ['data', ...parts].join('/')
}
