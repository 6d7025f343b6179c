// Names of extended attributes. Linux puts a namespace before each; a vault keeps those of "user." alone.
// All others are not supported, which is said without asking the file system: `ls` and the kernel ask for
// security.* and system.posix_acl_* at every turn.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'

const NAMESPACE = 'user.'
/** The most that the kernel takes, XATTR_LIST_MAX. */
const LIST_MAX = 65536
// thrown again and again: a stack trace each time would cost more than the request
const OTHER_NAMESPACE = new CofferError('EOPNOTSUPP', 'only attributes of "user." can be stored')

/** The name without its namespace. */
export function ownXattrName(name: string): string {
  if (!name.startsWith(NAMESPACE)) throw OTHER_NAMESPACE
  return name.slice(NAMESPACE.length)
}

/** As listxattr(2) has it: each name with a zero byte behind it. */
export function xattrList(names: readonly string[]): Buffer {
  const list = Buffer.from(names.map((name) => `${NAMESPACE}${name}\0`).join(''), 'utf8')
  if (list.length > LIST_MAX) throw new CofferError('E2BIG', 'the names are too many to list')
  return list
}
