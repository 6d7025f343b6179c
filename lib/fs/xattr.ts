// Extended attributes. FORMAT.md §7: each is one of the blob's own backing file (of a directory, its
// backing directory), encrypted under the object's key, so that it goes wherever the blob is renamed to.

import { Buffer } from 'node:buffer'
import { CofferError } from '../errors.js'
import type { Siv, Xaes } from '../crypto/engine.js'
import { RECORD_OVERHEAD, XATTR_NAME_MAX, XATTR_VALUE_MAX } from '../format/constants.js'
import {
  decodeXattrName,
  encodeXattrName,
  isXattrName,
  openXattr,
  sealXattr,
} from '../format/xattr.js'
import { emptyStat } from '../store/backing.js'
import { lendMeta } from './directory.js'
import type { Inode } from './inode.js'
import { openBlob } from './open-blob.js'
import { withHeader } from './reseal.js'
import { isPlaceholder } from './placeholders.js'
import { isDirectory, type Tree } from './tree.js'

const stat = emptyStat()

/** What bears attributes, open for the moment. */
interface Bearer {
  fd: number
  objectId: Uint8Array
  key: Xaes
}

/** The system has user attributes on files and directories only. */
const bearsNone = ({ extension }: Inode): boolean => extension === '.cfl' || extension === '.cfs'

const nameKey = ({ ctx }: Tree): Siv => ctx.keyring.generation(ctx.body.rootKeyId).name

/** Descriptor of the backing file or directory; one that was opened for this is closed afterwards. */
function withDescriptor<T>(tree: Tree, inode: Inode, use: (fd: number) => T): T {
  if (inode.body !== null) return use(inode.body.fd)
  if (isDirectory(inode)) {
    tree.directory(inode)
    return use(tree.descriptor(inode))
  }
  if (inode.others.length > 0) tree.settle(inode)
  if (inode.parent === null) throw new CofferError('ENOENT', 'the file was removed')
  tree.folder.assertPresent()
  const { backing } = tree.ctx
  const fd = openBlob(tree, inode, inode.parent, false, stat)
  try {
    return use(fd)
  } finally {
    backing.close(fd)
  }
}

/** The object, with the checks of FORMAT.md §5 up to its place; keys that nobody keeps are wiped. */
function withBearer<T>(tree: Tree, inode: Inode, use: (bearer: Bearer) => T): T {
  const { ctx, root, folder } = tree
  if (inode === root) {
    folder.assertPresent()
    const key = ctx.keyring.rootXattr(ctx.body.rootKeyId)
    return use({ fd: folder.rootFd, objectId: ctx.vaultId, key })
  }
  if (isDirectory(inode)) {
    const [meta] = tree.directory(inode).metas
    if (meta === undefined) throw new CofferError('DIRECTORY_META', 'the directory has no meta')
    const fd = tree.descriptor(inode)
    return lendMeta(ctx, fd, meta, ({ objectId, keys }) => {
      if (Buffer.compare(objectId, meta.objectId) !== 0)
        throw new CofferError('DIRECTORY_META', 'the meta of the directory has become another')
      return use({ fd, objectId, key: keys.xattr })
    })
  }
  if (inode.body !== null) {
    const { fd, object } = inode.body
    return use({ fd, objectId: object.objectId, key: object.keys.xattr })
  }
  return withHeader(
    tree,
    inode,
    ({ objectId, keys }, fd) => use({ fd, objectId, key: keys.xattr }),
    false,
  )
}

/** A name that could not have been set is not there. */
function assertPossible(name: string): void {
  if (Buffer.byteLength(name) > XATTR_NAME_MAX) throw noSuch()
}

const noSuch = (): CofferError => new CofferError('ENODATA', 'there is no such attribute')

export function getxattr(tree: Tree, inode: Inode, name: string): Uint8Array {
  if (bearsNone(inode)) throw noSuch()
  assertPossible(name)
  return withBearer(tree, inode, ({ fd, objectId, key }) => {
    const backing = encodeXattrName(nameKey(tree), objectId, name)
    const record = tree.ctx.backing.getXattr(fd, backing)
    if (record === null) throw noSuch()
    const value = openXattr(key, backing, record)
    if (value === null)
      throw new CofferError('XATTR_DAMAGED', 'an extended attribute is damaged; set it again')
    return value
  })
}

export function setxattr(
  tree: Tree,
  inode: Inode,
  name: string,
  value: Uint8Array,
  flags: number,
): void {
  if (bearsNone(inode)) throw new CofferError('EPERM', 'links and nodes have no attributes')
  if (value.length > XATTR_VALUE_MAX)
    throw new CofferError('E2BIG', 'the value of an attribute is too long')
  withBearer(tree, inode, ({ fd, objectId, key }) => {
    const backing = encodeXattrName(nameKey(tree), objectId, name)
    const record = new Uint8Array(RECORD_OVERHEAD + value.length)
    tree.ctx.nonces.fill(record, 0)
    sealXattr(key, record, backing, value)
    tree.ctx.backing.setXattr(fd, backing, record, flags)
    tree.ctx.notCarried.attribute()
    changed(inode)
  })
}

export function removexattr(tree: Tree, inode: Inode, name: string): void {
  if (bearsNone(inode)) throw new CofferError('EPERM', 'links and nodes have no attributes')
  assertPossible(name)
  withBearer(tree, inode, ({ fd, objectId }) => {
    tree.ctx.backing.removeXattr(fd, encodeXattrName(nameKey(tree), objectId, name))
    changed(inode)
  })
}

/** A sync of an open file has to take its attributes to the disk as well. */
function changed({ body }: Inode): void {
  if (body !== null) body.attributesChanged = true
}

/** A file without attributes, as most are, is not read for this. */
export function listxattr(tree: Tree, inode: Inode): string[] {
  if (bearsNone(inode)) return []
  const { backing } = tree.ctx
  // every listing of a folder asks for this, and must not fetch what is in it
  if (inode.body === null && isPlaceholder(tree, inode)) return []
  const ours = withDescriptor(tree, inode, (fd) => backing.listXattr(fd).filter(isXattrName))
  if (ours.length === 0) return []
  return withBearer(tree, inode, ({ objectId }) => {
    const siv = nameKey(tree)
    return ours.map((name) => decodeXattrName(siv, objectId, name)).filter((name) => name !== null)
  })
}
