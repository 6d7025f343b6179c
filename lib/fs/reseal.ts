// A new seal for an object that nobody has open: its name after a rename, or a mode that the backing
// inode cannot bear. The content is not looked at, acc and length stay what they are.

import { constants } from 'node:fs'
import { BugError, CofferError } from '../errors.js'
import { emptyStat } from '../store/backing.js'
import { KIND_OF } from './attributes.js'
import { isPrecious } from './durability.js'
import { nameToSeal } from './hard-links.js'
import { blobPath, type Inode } from './inode.js'
import { modeIsSealed } from './mode.js'
import type { JournaledBlob } from './journal.js'
import { openBlob } from './open-blob.js'
import { SealedObject, ZERO16, type Unsequenced } from './sealed-object.js'
import { checkPlace } from './tickets.js'
import type { Tree } from './tree.js'

const { S_IFMT } = constants
const stat = emptyStat()

/**
 * Reads the header of a closed object, with checks 2 to 4, and lets `use` work on it. The descriptor
 * may write unless `writing` is false. The object's keys are gone afterwards.
 */
export function withHeader<T>(
  tree: Tree,
  inode: Inode,
  use: (object: SealedObject, fd: number, floor: number, blob: JournaledBlob) => T,
  writing = !tree.ctx.readOnly,
): T {
  const { backing } = tree.ctx
  if (inode.others.length > 0) tree.settle(inode)
  const { parent } = inode
  if (parent === null) throw new CofferError('ENOENT', 'the file was removed')
  tree.directory(parent)
  const dirfd = tree.descriptor(parent)
  tree.ctx.journal?.bring(inode.ino)
  const fd = openBlob(tree, inode, parent, writing, stat)
  let kept = false
  try {
    const kind = KIND_OF[inode.extension]
    const object = SealedObject.read(tree.ctx, fd, kind)
    const path = (): string => blobPath(inode)
    const blob = { kind, ino: inode.ino, object, fd, dirty: false, path }
    try {
      return use(object, fd, checkPlace(tree.ctx, dirfd, object, inode), blob)
    } finally {
      object.wipe()
      kept = tree.ctx.journal?.closing(blob) === true
    }
  } finally {
    if (!kept) backing.close(fd)
  }
}

/** The object of an inode, open or not, with the sealSeq that its next seal or ticket must exceed. */
export function withObject(
  tree: Tree,
  inode: Inode,
  use: (object: SealedObject, above: number) => number,
): void {
  const { body } = inode
  if (body === null) {
    // not for writing: that alone is an event for those who watch the folder
    withHeader(
      tree,
      inode,
      (object, _fd, floor) => use(object, Math.max(object.seal?.sealSeq ?? 0, floor)),
      false,
    )
  } else {
    body.seqFloor = use(body.object, Math.max(body.object.seal?.sealSeq ?? 0, body.seqFloor))
  }
}

/** The mode that a commit seals: that of the backing inode, unless the seal alone has it. */
function modeToSeal({ extension }: Inode, sealed: number, backing: number): number {
  if (extension === '.cfl' || modeIsSealed(backing)) return sealed
  return (sealed & S_IFMT) | (backing & 0o777)
}

/**
 * Commits a change on top of the current seal, under the name that the blob bears unless the change
 * names another. The application's mtime is put back, since neither a rename nor a chmod moves it.
 * `change` may say that there is none. `lasting`: a stop of the machine must not take it back.
 */
export function reseal(
  tree: Tree,
  inode: Inode,
  change: (object: SealedObject) => Partial<Unsequenced> | null,
  floor = 0,
  lasting = true,
): void {
  const { backing, journal } = tree.ctx
  if (journal === null) throw new BugError('a change without a journal')
  withHeader(tree, inode, (object, fd, ticketSeq, blob) => {
    const changed = change(object)
    if (object.seal === null || changed === null) return
    backing.statFd(fd, stat)
    const mtime = { sec: stat.mtimeSec, nsec: stat.mtimeNsec }
    const { place, above } = nameToSeal(tree, inode, object, stat.nlink)
    const mode = modeToSeal(inode, object.seal.mode, stat.mode)
    const next = { ...object.seal, ...place, mode, prevTag: ZERO16, ...changed }
    const prepared = object.prepare(next, Math.max(floor, ticketSeq, above))
    // while earlier entries of the blob count, none may be missing between them
    const durable = (lasting || journal.hasEntries(inode.ino)) && isPrecious(tree, inode)
    journal.seal(blob, prepared, durable)
    backing.utimesFd(fd, 'omit', mtime)
  })
}
