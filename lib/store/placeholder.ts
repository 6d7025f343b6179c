// Files that are online-only: their name is there, their content is not. Either the system says so of
// the file itself, by a mark that `stat` or an attribute shows, or a stub of another name stands for it.
// Nothing here opens a file that is marked.

import { statfsSync } from 'node:fs'
import { join } from 'node:path'
import { emptyStat, type Backing, type FileStat } from './backing.js'
import { readPlist } from './binary-plist.js'
import { CIFS, FUSE, NFS, SMB2 } from './magic.js'

// Windows, winnt.h; Linux shows them as attributes of the file
const FILE_ATTRIBUTE_OFFLINE = 0x1000
const FILE_ATTRIBUTE_RECALL_ON_OPEN = 0x40000
const FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS = 0x400000
const RECALLED =
  FILE_ATTRIBUTE_OFFLINE | FILE_ATTRIBUTE_RECALL_ON_OPEN | FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS
// macOS, sys/stat.h
const SF_DATALESS = 0x40000000
/** of struct stat64 of macOS, on both of its processors */
const ST_FLAGS = 116

export const isRecalled = (attributes: number): boolean => (attributes & RECALLED) !== 0

/** `st_flags` of macOS, as `stat -f %Xf` prints it. */
export const isDatalessText = (hex: string): boolean =>
  /^(0x)?[0-9a-f]{1,8}\s*$/i.test(hex) && (Number.parseInt(hex, 16) & SF_DATALESS) !== 0

/** The same in the struct stat64 that macOS fills. */
export const isDatalessStat = (stat: Uint8Array): boolean =>
  stat.length >= ST_FLAGS + 4 &&
  (new DataView(stat.buffer, stat.byteOffset).getUint32(ST_FLAGS, true) & SF_DATALESS) !== 0

const big = (value: Uint8Array): number =>
  value.length < 4 ? 0 : new DataView(value.buffer, value.byteOffset).getUint32(0, false)
const little = (value: Uint8Array): number =>
  value.length < 4 ? 0 : new DataView(value.buffer, value.byteOffset).getUint32(0, true)

/** Samba keeps a string of hex digits, or since its version 3 a record: string, version, flags, attributes. */
export function dosAttributes(value: Uint8Array): number {
  const text = /^0x([0-9a-f]{1,8})\0/i.exec(String.fromCharCode(...value.subarray(0, 16)))
  if (text !== null) return Number.parseInt(text[1] ?? '', 16)
  if (value.length < 16) return 0
  const version = value[2] ?? 0
  return version >= 3 && version <= 5 ? little(value.subarray(12)) : 0
}

const ATTRIBUTES: readonly [string, (value: Uint8Array) => number][] = [
  ['system.ntfs_attrib_be', big],
  ['user.cifs.dosattrib', little],
  ['user.DOSATTRIB', dosAttributes],
]

const NTFS3 = 0x7366746e
const REMOTE: readonly number[] = [FUSE, NFS, CIFS, SMB2]

/**
 * Is the file itself marked? Of one that has blocks nobody asks further. One without is, where its
 * attributes say so; `remote`: on a file system that may have others, also without a word.
 */
export function isMarked(
  backing: Backing,
  dirfd: number,
  name: string,
  { size, blocks }: FileStat,
  remote = true,
): boolean {
  if (size === 0 || blocks > 0) return false
  return (
    remote ||
    ATTRIBUTES.some(([attribute, decode]) => {
      const value = backing.getXattrAt(dirfd, name, attribute)
      return value !== null && isRecalled(decode(value))
    })
  )
}

/** How a stub is called, and what it says of the size of the file that it stands for. */
interface StubStyle {
  stubOf(name: string): string
  /** null: no stub of this style */
  nameOf(stub: string): string | null
  /** null: it does not say */
  size(content: Uint8Array): number | null
}

const suffix = (end: string): StubStyle => ({
  stubOf: (name) => name + end,
  nameOf: (stub) => (stub.endsWith(end) ? stub.slice(0, -end.length) : null),
  size: () => null,
})

const ICLOUD = '.icloud'
const STYLES: readonly StubStyle[] = [
  {
    stubOf: (name) => `.${name}${ICLOUD}`,
    nameOf: (stub) =>
      stub.startsWith('.') && stub.endsWith(ICLOUD) ? stub.slice(1, -ICLOUD.length) : null,
    size: (content) => {
      const size = readPlist(content)?.get('NSURLFileSizeKey')
      return typeof size === 'number' ? size : null
    },
  },
  suffix('.nextcloud'),
  suffix('.owncloud'),
]

/** The file that a stub of that name stands for, or null where it is no stub. */
export function stubbedBy(stub: string): string | null {
  for (const style of STYLES) {
    const name = style.nameOf(stub)
    if (name !== null && name !== '') return name
  }
  return null
}

const STUB_MAX = 65_536

/** The placeholders of one vault folder. */
export class Placeholders {
  /** files may be marked; where not, opening one needs no look at it before */
  readonly possible: boolean
  /** a file without blocks is one */
  readonly remote: boolean
  readonly #backing: Backing
  /** styles that were seen: nobody looks for stubs of the others */
  #styles: StubStyle[] = []

  /** `known`: a file that is there with its content. */
  constructor(backing: Backing, folder: string, known: string) {
    this.#backing = backing
    const type = statfsSync(folder).type
    this.remote =
      process.platform === 'darwin' ||
      (REMOTE.includes(type) && !saysNoBlocks(backing, join(folder, known)))
    this.possible = this.remote || REMOTE.includes(type) || type === NTFS3
  }

  isMarked(dirfd: number, name: string, stat: FileStat): boolean {
    return this.possible && isMarked(this.#backing, dirfd, name, stat, this.remote)
  }

  /** Without any, nobody has to look for one. */
  get hasStubs(): boolean {
    return this.#styles.length > 0
  }

  /** Learns from a listing which stubs there are in this folder. */
  note(listing: readonly string[]): void {
    if (this.#styles.length === STYLES.length) return
    for (const file of listing) {
      const style = STYLES.find((style) => style.nameOf(file) !== null)
      if (style !== undefined && !this.#styles.includes(style)) this.#styles.push(style)
    }
  }

  /** A stub for `name` in that directory, with its `stat`, or null. */
  find(dirfd: number, name: string, stat: FileStat): string | null {
    for (const style of this.#styles) {
      const stub = style.stubOf(name)
      if (this.#backing.stat(dirfd, stub, stat)) return stub
    }
    return null
  }

  /** Bytes of the file that a stub stands for, or null where it does not say. */
  sizeBy(dirfd: number, stub: string): number | null {
    const style = STYLES.find((style) => style.nameOf(stub) !== null)
    if (style === undefined) return null
    const fd = this.#backing.openRead(dirfd, stub)
    try {
      const bytes = new Uint8Array(new ArrayBuffer(STUB_MAX))
      return style.size(bytes.subarray(0, this.#backing.read(fd, bytes, 0, STUB_MAX, 0)))
    } finally {
      this.#backing.close(fd)
    }
  }
}

/** Then a file system that counts no blocks of what is there says nothing by it. */
function saysNoBlocks(backing: Backing, path: string): boolean {
  const stat = emptyStat()
  return backing.statPath(path, stat) && stat.size > 0 && stat.blocks === 0
}
