// Numbers and labels of the vault format, by section of docs/FORMAT.md.

import { Buffer } from 'node:buffer'

/** §3, objects. "\x89COF\r\n\x1a\n": damage by text-mode copies shows in the first bytes. */
export const OBJECT_MAGIC = Buffer.from('89434f460d0a1a0a', 'hex')
export const FORMAT_VERSION = 1
export const SUITE_XAES_256_GCM = 1

export const KIND_FILE = 1
export const KIND_SYMLINK = 2
export const KIND_DIRECTORY = 3
export const KIND_SPECIAL = 4
export type Kind = 1 | 2 | 3 | 4

export const HEADER_SIZE = 1024
export const STATIC_SIZE = 128
export const OBJECT_ID_OFFSET = 16
export const SLOT_SIZE = 448
export const SEAL_SIZE = 408
export const slotOffset = (slot: 0 | 1): number => STATIC_SIZE + slot * SLOT_SIZE

/** §4, chunks */
export const NONCE_SIZE = 24
export const TAG_SIZE = 16
export const RECORD_OVERHEAD = NONCE_SIZE + TAG_SIZE
export const CHUNK_LOG2_DEFAULT = 15
/** plaintext bytes; sizes stay exact in a JavaScript number */
export const SIZE_LIMIT = 2 ** 52
/** §5, plaintext bytes up to which a file is checked whole at open */
export const STRICT_MAX_DEFAULT = 4 * 1024 * 1024

/** §7, names */
export const NAME_MAX = 255
/** So that what sync clients add to the name of a conflict copy or ticket still fits into 255 bytes. */
export const SHORT_NAME_MAX = 127
export const TICKET_SIZE = SLOT_SIZE

/** §7, extended attributes: bytes of a name without its namespace, and of a value */
export const XATTR_NAME_MAX = 143
export const XATTR_VALUE_MAX = 65536 - RECORD_OVERHEAD

export const ID_SIZE = 16
export const KEY_SIZE = 32
export const KEY_ID_SIZE = 8

/** §2, HKDF info strings */
const label = (text: string): Uint8Array => Buffer.from(`coffer/v1/${text}`, 'latin1')
export const LABEL_NAME = label('name')
export const LABEL_WRAP = label('wrap')
export const LABEL_OBJECT = label('object')
export const LABEL_ROOT_XATTR = label('root-xattr')
export const LABEL_LOCAL_STATE = label('local-state')
