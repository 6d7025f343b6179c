// A new seal for an object that nobody has open: its name after a rename, or a mode that the backing
// inode cannot bear. The content is not looked at, acc and length stay what they are.

import type { Cmac } from '../crypto/engine.js'
import { CofferError } from '../errors.js'
import { HEADER_SIZE } from '../format/constants.js'
import { emptyStat } from '../store/backing.js'
import { KIND_OF } from './attributes.js'
import { backingName, type Inode } from './inode.js'
import { SealedObject, ZERO16, type Unsequenced } from './sealed-object.js'
import { checkPlace } from './tickets.js'
import type { Tree } from './tree.js'

const stat = emptyStat()

/**
 * Reads the header of a closed object, with checks 2 to 4, and lets `use` work on it. The descriptor
 * may write unless `writing` is false. The object's keys are gone afterwards.
 */
export function withHeader<T>(
  tree: Tree,
  inode: Inode,
  use: (object: SealedObject, fd: number, floor: number) => T,
  writing = !tree.ctx.readOnly,
): T {
  const { backing } = tree.ctx
  const { parent } = inode
  if (parent === null) throw new CofferError('ENOENT', 'the file was removed')
  tree.directory(parent)
  const dirfd = tree.descriptor(parent)
  const fd = writing
    ? backing.openWrite(dirfd, backingName(inode))
    : backing.openRead(dirfd, backingName(inode))
  try {
    const header = new Uint8Array(HEADER_SIZE)
    if (backing.read(fd, header, 0, HEADER_SIZE, 0) < HEADER_SIZE) {
      throw new CofferError('OBJECT_TRUNCATED', 'the blob is shorter than its header')
    }
    const object = SealedObject.parse(tree.ctx, header, KIND_OF[inode.extension])
    try {
      return use(
        object,
        fd,
        checkPlace(tree.ctx, dirfd, inode.base, object, inode.dirId, inode.name),
      )
    } finally {
      object.wipe()
    }
  } finally {
    backing.close(fd)
  }
}

/**
 * Commits a change on top of the current seal, under the name that the blob bears unless the change
 * names another. The application's mtime is put back, since neither a rename nor a chmod moves it.
 * The change may depend on K_acc, for a prevTag.
 */
export function reseal(
  tree: Tree,
  inode: Inode,
  change: (acc: Cmac) => Partial<Unsequenced>,
  floor = 0,
): void {
  const { backing } = tree.ctx
  withHeader(tree, inode, (object, fd, ticketSeq) => {
    if (object.seal === null) return
    backing.statFd(fd, stat)
    const mtime = { sec: stat.mtimeSec, nsec: stat.mtimeNsec }
    const place = { parentDirId: inode.dirId, name: inode.name, prevTag: ZERO16 }
    const next = { ...object.seal, ...place, ...change(object.keys.acc) }
    object.commit(next, Math.max(floor, ticketSeq), (bytes, offset) => {
      backing.write(fd, bytes, 0, bytes.length, offset)
    })
    backing.utimesFd(fd, 'omit', mtime)
  })
}
